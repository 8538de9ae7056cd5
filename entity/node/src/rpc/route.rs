//! `route.list`, `queue.list`: which way messages take, and what is kept until they arrive.

use std::collections::BTreeMap;

use entity_bridge::relay::BoxView;
use entity_bridge::route::{RelayView, Suspicion};
use entity_contract::events::notice;
use entity_crypto::signing::PublicKey;
use entity_peer::PeerName;
use entity_peer::view::PeerView;
use entity_transport::ws::Side;
use serde::{Deserialize, Serialize};

use super::RpcError;
use super::methods::{Outcome, Service, parameter, result};
use crate::layers::{Layer, SocketState, WayView};

/// Most mailboxes in one answer of `queue.list`, and most recipients of own messages.
const QUEUE_ANSWER_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteParams {
    peer: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct QueueParams {
    after: Option<String>,
}

#[derive(Serialize)]
struct Routes {
    peers: Vec<WayShape>,
    relays: Vec<RelayShape>,
}

#[derive(Serialize)]
struct WayShape {
    name: String,
    address: String,
    layer: Layer,
    relay: Option<String>,
    socket: SocketState,
    dialled_by: Option<&'static str>,
}

#[derive(Serialize)]
struct RelayShape {
    address: String,
    key: Option<String>,
    registered: bool,
    suspected: Vec<&'static str>,
    taken: u64,
    acknowledged: u64,
    outstanding: usize,
}

#[derive(Serialize)]
struct Queues {
    relay: bool,
    mailboxes: Vec<MailboxShape>,
    size: usize,
    messages: usize,
    bytes: usize,
    outbox: Vec<OwnShape>,
    outbox_messages: usize,
}

#[derive(Serialize)]
struct MailboxShape {
    recipient: String,
    id: Option<String>,
    connected: bool,
    messages: usize,
    bytes: usize,
    oldest_at: Option<String>,
    expires_at: Option<String>,
}

#[derive(Serialize)]
struct OwnShape {
    to: String,
    messages: usize,
}

impl Service {
    pub(super) async fn route_list(&self, params: RouteParams) -> Outcome {
        let asked = params.peer.as_deref().map(|name| parameter::<PeerName>("peer", name));
        let asked = asked.transpose()?;
        self.node.settled().await?;
        let is_asked_for = |view: &PeerView| asked.as_ref().is_none_or(|name| view.name == *name);
        let peers: Vec<PeerView> =
            self.node.look(|peer, _| peer.peers().filter(is_asked_for).collect());
        if let (Some(name), true) = (&asked, peers.is_empty()) {
            return Err(RpcError::params(format!("peer: {name} is not known")));
        }
        let peers = peers.iter().map(|view| WayShape::of(view, self.node.way_to(view))).collect();
        let relays = self.node.layers().relays();
        result(&Routes { peers, relays: relays.iter().map(RelayShape::from).collect() })
    }

    pub(super) async fn queue_list(&self, params: QueueParams) -> Outcome {
        let after = params.after.as_deref().map(PublicKey::from_hex).transpose();
        let after = after.map_err(|error| RpcError::params(format!("after: {error}")))?;
        self.node.settled().await?;
        let mut own = BTreeMap::<PeerName, usize>::new();
        self.node.look(|peer, _| {
            for kept in peer.kept() {
                *own.entry(kept.to).or_default() += 1;
            }
        });
        let kept = self.node.layers().bridge().and_then(|bridge| bridge.mailboxes());
        let relay = kept.is_some();
        let (boxes, usage) = kept.unwrap_or_default();
        let wanted = boxes.iter().filter(|one| after.is_none_or(|after| one.recipient > after));
        result(&Queues {
            relay,
            mailboxes: wanted.take(QUEUE_ANSWER_MAX).map(MailboxShape::from).collect(),
            size: boxes.len(),
            messages: usage.messages,
            bytes: usage.bytes,
            outbox_messages: own.values().sum(),
            outbox: own
                .into_iter()
                .take(QUEUE_ANSWER_MAX)
                .map(|(to, messages)| OwnShape { to: to.to_string(), messages })
                .collect(),
        })
    }
}

impl WayShape {
    fn of(peer: &PeerView, WayView { layer, relay, socket, side }: WayView) -> Self {
        let dialled_by = side.map(|side| match side {
            Side::Dialled => "self",
            Side::Accepted => "peer",
        });
        let (name, address) = (peer.name.to_string(), peer.address.clone());
        Self { name, address, layer, relay, socket, dialled_by }
    }
}

impl From<&RelayView> for RelayShape {
    fn from(view: &RelayView) -> Self {
        Self {
            address: view.address.to_string(),
            key: view.key.map(|key| key.to_hex()),
            registered: view.is_registered,
            suspected: view.suspected.iter().map(|why| why.as_str()).collect(),
            taken: view.taken,
            acknowledged: view.acknowledged,
            outstanding: view.outstanding,
        }
    }
}

/// The line of what is held against a relay.
pub(super) fn suspicion_line(suspicion: &Suspicion, n: u64) -> String {
    #[derive(Serialize)]
    struct Suspected<'a> {
        relay: &'a str,
        key: Option<String>,
        why: &'static str,
    }
    let Suspicion { relay, key, why } = suspicion;
    let key = key.map(|key| key.to_hex());
    notice("relay.suspected", n, &Suspected { relay, key, why: why.as_str() })
}

impl From<&BoxView> for MailboxShape {
    fn from(view: &BoxView) -> Self {
        Self {
            recipient: view.recipient.to_hex(),
            id: view.entity_id.as_ref().map(ToString::to_string),
            connected: view.is_connected,
            messages: view.mail.messages,
            bytes: view.mail.bytes,
            oldest_at: view.oldest_at.map(|at| at.to_string()),
            expires_at: view.expires_at.map(|at| at.to_string()),
        }
    }
}
