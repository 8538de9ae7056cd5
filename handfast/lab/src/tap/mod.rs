//! The recording proxy between the peers of a unit.
//!
//! It speaks HTTP/1.1 on both sides and works on whole requests. Each ordered pair of roles has its
//! own listener, so the tap knows who asks whom without looking into a message. What happens to a
//! message is decided by `handfast-faults`; the tap carries it out and writes down what happened.
//!
//! - [`Tap`]: what a runner holds
//! - `ground`: where its sockets stand, on the loopback of this machine or in the namespaces of the roles
//! - `exchange`: the record of one request and its answer
//! - `body`: what is kept of a body
//! - `wire`: the state all listeners share: rules, counters, recordings, held messages
//! - `relay`: one exchange from beginning to end
//! - `listener`: the side of the asker
//! - `upstream`: the side of the answerer
//! - `socket`: WebSockets, message by message
//! - `stream`: a connection to a peer, over a link or over none
//! - [`shaped`]: links between streams, where there are no namespaces
//!
//! What is not kept byte for byte: hop-by-hop headers, and the framing of a body (a chunked body
//! leaves with a `Content-Length`). The body itself and all other headers pass unchanged.

mod body;
mod exchange;
mod ground;
mod listener;
mod relay;
pub mod shaped;
mod socket;
mod stream;
mod upstream;
mod wire;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use handfast_faults::{Effect, FieldPath, HoldId, Link, Rule, RuleId, RuleReport, RulesFull};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub use body::Body;
pub use exchange::{Answer, Exchange, Fate};
pub use socket::UPGRADE;
pub use wire::{RECORDED_BYTES_MAX, RECORDED_MAX};

use crate::evidence::Evidence;
#[cfg(test)]
pub(crate) use wire::Request;

pub(crate) use ground::{Ground, Loopback};
use listener::Asker;
use wire::Wire;

/// Largest body the tap passes, in bytes; a longer one ends its connection (guessed: well above
/// what a protocol under test allows, so that its own limit shows first).
pub const BODY_MAX: usize = 16 * 1024 * 1024;

/// Exchanges and connections one tap carries at once, each (guessed).
pub const CONCURRENT_MAX: usize = 1_024;

/// What the tap must know of the protocol to tell messages from other requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapConfig {
    /// The path messages are posted to, such as `/message`.
    pub message_path: String,
    /// The field of the body that holds the message type, such as `msg_type`.
    pub kind_field: FieldPath,
    /// The field of the body that names the sender; tells who asks where more than two roles share
    /// an advertised address.
    pub sender_field: FieldPath,
    /// How long a peer may take to answer one request; then its asker's connection is closed and the exchange is
    /// recorded as [`Fate::Unreachable`].
    pub answer_within: Duration,
}

impl TapConfig {
    /// The usual [`TapConfig::answer_within`] (guessed: beyond every deadline of the peers and of the scenarios, so
    /// that theirs show first).
    pub const ANSWER_WITHIN: Duration = Duration::from_mins(2);
}

impl Default for TapConfig {
    fn default() -> Self {
        Self {
            message_path: "/message".to_owned(),
            kind_field: FieldPath::key("msg_type"),
            sender_field: FieldPath::key("sender_id"),
            answer_within: Self::ANSWER_WITHIN,
        }
    }
}

/// The recording proxy of one unit.
#[derive(Debug)]
pub struct Tap {
    wire: Arc<Wire>,
    pairs: BTreeMap<Link, SocketAddr>,
    advertised: BTreeMap<String, SocketAddr>,
    /// Dropping it ends the listeners and their connections.
    listeners: tokio::sync::Mutex<JoinSet<()>>,
}

impl Tap {
    /// Opens the listeners for all ordered pairs of `roles`; no receiver is known yet.
    pub(crate) async fn open(
        roles: &[String],
        config: TapConfig,
        evidence: Evidence,
        ground: Arc<dyn Ground>,
    ) -> io::Result<Self> {
        let is_apart = ground.is_apart();
        let wire = Arc::new(Wire::new(roles, config, evidence, ground)?);
        let mut opening =
            Opening { wire: &wire, listeners: JoinSet::new(), pairs: BTreeMap::new() };
        let mut advertised = BTreeMap::new();
        for to in roles {
            let others: Vec<&String> = roles.iter().filter(|from| *from != to).collect();
            let own = if is_apart && !others.is_empty() {
                opening.on_everybodys_loopback(to, &others).await?
            } else {
                opening.on_the_one_loopback(to, &others).await?
            };
            advertised.insert(to.clone(), own);
        }
        let Opening { listeners, pairs, .. } = opening;
        Ok(Self { wire, pairs, advertised, listeners: tokio::sync::Mutex::new(listeners) })
    }

    /// Connects to the listener of a link as its `from` would.
    ///
    /// # Errors
    ///
    /// What the system says, or that the unit has no such link.
    pub async fn connect(&self, link: &Link) -> io::Result<TcpStream> {
        let address = self.pairs.get(link).copied();
        let address = address.ok_or_else(|| io::Error::other(format!("no way {link}")))?;
        ground::connect(&self.wire.ground, &link.from, address).await
    }

    /// The address at which `from` reaches `to` through the tap, such as `http://127.0.0.1:4711`;
    /// `None` if the unit has no such roles.
    pub fn address(&self, link: &Link) -> Option<String> {
        self.pairs.get(link).map(|address| format!("http://{address}"))
    }

    /// The address `to` announces to the other roles; `None` if the unit has no such role.
    pub fn advertised(&self, to: &str) -> Option<String> {
        self.advertised.get(to).map(|address| format!("http://{address}"))
    }

    /// Lays a rule over those in force.
    ///
    /// # Errors
    ///
    /// [`RulesFull`] if the unit has laid too many.
    pub fn lay(&self, rule: Rule) -> Result<RuleId, RulesFull> {
        let laid = self.wire.state().rules.lay(rule);
        self.wire.laid.notify_waiters();
        laid
    }

    /// Takes a rule out of force; messages it holds stay held.
    pub fn lift(&self, id: RuleId) {
        self.wire.state().rules.lift(id);
    }

    /// Takes every rule out of force; messages they hold stay held.
    pub fn lift_all(&self) {
        self.wire.state().rules.lift_all();
    }

    /// Passes a held message on; `false` if it is not held.
    pub fn release(&self, id: HoldId) -> bool {
        self.wire.state().release(id)
    }

    /// Passes every held message on, oldest first, and says how many there were.
    pub fn release_all(&self) -> usize {
        let mut state = self.wire.state();
        let held: Vec<HoldId> = state.rules.held().map(|(id, _)| id).collect();
        held.into_iter().filter(|&id| state.release(id)).count()
    }

    /// The messages held at this moment, oldest first.
    pub fn held(&self) -> Vec<(HoldId, Effect)> {
        self.wire.state().rules.held().map(|(id, effect)| (id, effect.clone())).collect()
    }

    /// Sends the recorded message `index` of `link` again and gives its answer.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if it is not in the recording or the receiver gives no answer.
    pub async fn replay(&self, link: &Link, index: u64) -> Result<Answer, ReplayError> {
        relay::replay(&self.wire, link, index).await
    }

    /// Waits until every exchange that is under way now is written down. What begins meanwhile is not waited for.
    pub async fn settled(&self) {
        self.wire.settled().await;
    }

    /// Messages seen on `link` so far; the last one has this index.
    pub fn recorded(&self, link: &Link) -> u64 {
        self.wire.state().last_index(link)
    }

    /// What was asked of each rule and what happened.
    pub fn reports(&self) -> Vec<RuleReport> {
        self.wire.state().rules.reports()
    }

    /// The rules that never took effect.
    pub fn without_effect(&self) -> Vec<RuleReport> {
        self.wire.state().rules.without_effect()
    }

    /// Says where a role's peer listens; requests to it pass from here on.
    ///
    /// # Errors
    ///
    /// [`OwnAddress`]: a request would go round in circles.
    pub(crate) fn set_upstream(&self, role: &str, address: SocketAddr) -> Result<(), OwnAddress> {
        let mut own = self.pairs.values().chain(self.advertised.values());
        if own.any(|own| own.port() == address.port()) && is_of_this_machine(address.ip()) {
            return Err(OwnAddress);
        }
        self.wire.set_upstream(role, address);
        Ok(())
    }

    /// Gives up what is held and waits until every exchange is written down.
    pub(crate) async fn close(&self) {
        self.wire.state().withhold_all();
        self.wire.idle().await;
        self.listeners.lock().await.shutdown().await;
    }
}

/// An address is the tap's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the recording proxy itself listens there")]
pub(crate) struct OwnAddress;

/// Whether a connection to `ip` certainly ends where the tap listens. `0.0.0.0` and `::` do on this system.
fn is_of_this_machine(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip == IpAddr::V4(Ipv4Addr::LOCALHOST) || ip.is_unspecified()
}

/// A tap whose listeners are being opened.
struct Opening<'a> {
    wire: &'a Arc<Wire>,
    listeners: JoinSet<()>,
    pairs: BTreeMap<Link, SocketAddr>,
}

/// How often another port is tried where one is taken on somebody's loopback.
const PORT_TRIES: u32 = 16;

impl Opening<'_> {
    /// Opens the ways to `to` where all roles share a loopback: a listener for each asker, and one for whoever is told the
    /// advertised address. Gives that address.
    async fn on_the_one_loopback(
        &mut self,
        to: &str,
        others: &[&String],
    ) -> io::Result<SocketAddr> {
        for &from in others {
            let listener = ground::listen(&self.wire.ground, from, 0).await?;
            self.serve(listener, from, to)?;
        }
        if let [only] = others {
            // Only one role can ask: the pair's own listener serves.
            let pair = self.pairs.get(&Link::new(*only, to)).copied();
            return pair.ok_or_else(|| io::Error::other("a listener is lost"));
        }
        let listener = ground::listen(&self.wire.ground, to, 0).await?;
        let address = listener.local_addr()?;
        let asker = Asker::Anyone { to: to.to_owned() };
        self.listeners.spawn(listener::serve(listener, self.wire.clone(), asker));
        Ok(address)
    }

    /// Opens the ways to `to` where each role has a loopback of its own: on the same port everywhere, so that one address
    /// leads there from all of them. Gives that address.
    async fn on_everybodys_loopback(
        &mut self,
        to: &str,
        others: &[&String],
    ) -> io::Result<SocketAddr> {
        let mut taken = io::Error::other("there is nobody to listen for");
        for _ in 0..PORT_TRIES {
            match self.on_one_port(others).await {
                Ok(listeners) => {
                    let mut address = None;
                    for (from, listener) in listeners {
                        address = Some(listener.local_addr()?);
                        self.serve(listener, &from, to)?;
                    }
                    return address.ok_or(taken);
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => taken = error,
                Err(error) => return Err(error),
            }
        }
        Err(taken)
    }

    async fn on_one_port(&self, others: &[&String]) -> io::Result<Vec<(String, TcpListener)>> {
        let (mut port, mut listeners) = (0, Vec::new());
        for &from in others {
            let listener = ground::listen(&self.wire.ground, from, port).await?;
            port = listener.local_addr()?.port();
            listeners.push((from.clone(), listener));
        }
        Ok(listeners)
    }

    fn serve(&mut self, listener: TcpListener, from: &str, to: &str) -> io::Result<()> {
        let link = Link::new(from, to);
        self.pairs.insert(link.clone(), listener.local_addr()?);
        let asker = Asker::Known(link);
        self.listeners.spawn(listener::serve(listener, self.wire.clone(), asker));
        Ok(())
    }
}

/// Why a recorded message could not be sent again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// No message of the link has this index, or the recording was full.
    #[error("message {index} of {link} is not in the recording")]
    NotRecorded {
        /// The link.
        link: Link,
        /// The index.
        index: u64,
    },
    /// The receiver gave no answer.
    #[error("no answer to message {index} of {link}: {reason}")]
    NoAnswer {
        /// The link.
        link: Link,
        /// The index.
        index: u64,
        /// What happened.
        reason: String,
    },
}
