//! What goes by relays, and what is done as one (`docs/protocol/1.1.md#relay`).
//!
//! ```text
//! mod       Bridge: the room; connections, and messages for others
//! role      the relay: carries out what the pure machine wants
//! member    the memberships at relays of this node: connecting, registering, mail for us
//! view      what its operator sees
//! ```
//!
//! The lock of the bridge is held for pure work alone; that of the peer is taken under it, never the other way round.

mod member;
mod role;
mod view;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use entity_bridge::relay::{self, Relay, Ticket};
use entity_bridge::route::{self, RelayTarget, Router};
use entity_bridge::{ConnectionId, Member};
use entity_crypto::identity::PeerId;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_transport::http::Answer;
use entity_transport::ws::{Connection, Side, Verdict};
use entity_wire::code::ErrorCode;
use entity_wire::relay::{Control, Header};
use entity_wire::reply::Reply;
use tokio::sync::{Notify, oneshot};

use crate::config::mail::MailTable;
use crate::flaws;
use crate::layers::{RelayFace, name_of};
use crate::node::{Node, WeakNode};
use crate::seed::{self, NoEntropy};
use member::Membership;

/// What an operator decides about relays.
#[derive(Debug, Clone)]
pub struct BridgeConfig {
    /// Whether this node is a relay for others.
    pub is_relay: bool,
    /// The relays it is a member of, the preferred first.
    pub relays: Vec<RelayTarget>,
    /// What it keeps as a relay.
    pub mail: MailTable,
    /// Whether new sessions wait while the WebSocket to a peer is partitioned.
    pub partition_waits: bool,
    /// After how long a durable message that a relay took and nobody acknowledged is overdue.
    pub patience: Duration,
}

impl Default for BridgeConfig {
    fn default() -> Self {
        let usual = route::Config::default();
        Self {
            is_relay: false,
            relays: Vec::new(),
            mail: MailTable::default(),
            partition_waits: usual.partition_waits,
            patience: usual.patience,
        }
    }
}

/// The room of relays in one node.
pub(crate) struct Bridge {
    /// The node holds the bridge.
    node: WeakNode,
    key: PublicKey,
    state: Mutex<State>,
    /// Told when a deadline may have moved.
    moved: Notify,
}

struct State {
    relay: Option<Relay>,
    members: Vec<Membership>,
    connections: BTreeMap<ConnectionId, Connection>,
    waiting: BTreeMap<Ticket, oneshot::Sender<Given>>,
}

/// The answer to a message that was brought to the relay, and whether it rests on the disk.
type Given = (Answer, bool);

impl Bridge {
    /// Decides the ways of the node, and makes the room of relays, with what the relay kept; `None` where nothing of that is
    /// asked for. It registers nowhere before [`keep_memberships`](Self::keep_memberships).
    pub(crate) fn start(
        node: &Node,
        (config, kept): (BridgeConfig, Option<Relay>),
        (id, key): (PeerId, &SigningKey),
    ) -> Result<Option<Arc<Self>>, NoEntropy> {
        let layers = node.layers();
        layers.decide_by(&config);
        node.keep_routes();
        if kept.is_none() && config.relays.is_empty() {
            return Ok(None);
        }
        let mut members = Vec::new();
        for target in config.relays.into_iter().take(Router::RELAYS_MAX) {
            let own_key = SigningKey::from_seed_at(key.seed());
            let member = Member::new(id.clone(), own_key, target.key, seed::from_system()?);
            members.push(Membership {
                member,
                target,
                opened: None,
                has_registered: false,
                connection: None,
            });
        }
        let state =
            State { relay: kept, members, connections: BTreeMap::new(), waiting: BTreeMap::new() };
        let bridge = Arc::new(Self {
            node: node.downgrade(),
            key: key.public_key(),
            state: Mutex::new(state),
            moved: Notify::new(),
        });
        layers.set_bridge(Arc::clone(&bridge));
        Self::keep_deadlines(&bridge);
        Ok(Some(bridge))
    }

    /// The relay that `stored` holds, for a node that is one.
    pub(crate) fn restore(
        config: &BridgeConfig,
        key: &SigningKey,
        seed: [u8; 32],
        stored: &mut entity_journal::Stored,
    ) -> Result<Option<Relay>, relay::DamagedRecord> {
        let limits = config.mail.bounds(config.relays.len());
        let key = flaws::relay_key(SigningKey::from_seed_at(key.seed()));
        // Also where it is no relay any more: its mail is not the peer's, and waits until it is one again.
        let relay = Relay::restore(limits, (key, seed), stored)?;
        Ok(config.is_relay.then_some(relay))
    }

    /// Whether this node is a relay.
    pub(crate) fn is_relay(&self) -> bool {
        self.state().relay.is_some()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The machines keep their state valid at every return.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("key", &self.key).finish_non_exhaustive()
    }
}

impl RelayFace for Bridge {
    fn opened(&self, connection: &Connection) {
        // Whom we dialled is not our member.
        if connection.side() == Side::Accepted {
            self.with_relay(|state| {
                state.connections.insert(name_of(connection), connection.clone());
                if let Some(relay) = &mut state.relay {
                    relay.handle_opened(name_of(connection));
                }
            });
        }
    }

    fn forwarded(&self, connection: &Connection, message: Bytes) -> Verdict {
        let Some(node) = self.node.upgrade() else { return refused(ErrorCode::ServiceUnavailable) };
        let Ok((header, _)) = Header::read(&message) else {
            return refused(ErrorCode::InvalidMessage);
        };
        let inner = message.slice(entity_wire::relay::forward::HEADER_LEN..);
        if header.recipient == self.key {
            return self.take_own(&node, connection, header, inner);
        }
        let arrived = self.arrive(&node, (header, inner), connection);
        match arrived {
            Some(answer) => Verdict::Later(Box::pin(answer)),
            None => refused(ErrorCode::UnknownRecipient),
        }
    }

    fn control(&self, connection: &Connection, object: Bytes) {
        let (Ok(control), Some(node)) = (Control::read(&object), self.node.upgrade()) else {
            return;
        };
        let now = node.now();
        let is_registering = matches!(control, Control::Register(_));
        self.with_relay(|state| {
            if let Some(relay) = &mut state.relay {
                relay.handle_control(name_of(connection), control, now);
                // It has proved that it has its key, which a stranger has not.
                if is_registering && let Some(member) = relay.member_on(name_of(connection)) {
                    connection.belongs_to(&member.to_string());
                }
            }
        });
    }

    fn closed(&self, connection: &Connection) {
        let Some(node) = self.node.upgrade() else { return };
        let now = node.now();
        self.with_relay(|state| {
            state.connections.remove(&name_of(connection));
            if let Some(relay) = &mut state.relay {
                relay.handle_closed(name_of(connection), now);
            }
        });
    }
}

/// Says something about a connection. Where it has no room any more the connection ends: what was not said would be missed
/// as long as it lasts, and is said again on the next.
fn say(connection: &Connection, control: &Control) {
    if connection.control(&control.to_json()).is_err() {
        connection.close();
    }
}

fn refused(code: ErrorCode) -> Verdict {
    Verdict::Refused(Reply::error(code).into())
}

#[cfg(test)]
mod tests;
