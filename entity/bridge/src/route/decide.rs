//! The choice itself. It changes nothing, so what is shown is what is done.

use entity_crypto::signing::PublicKey;
use entity_wire::time::Timestamp;

use super::dial::{ATTEMPT_MAX, Dial};
use super::vocabulary::{self, Layers, RelayId, RelayTarget, Route, Target, Tried, Unreachable};
use super::{ConnectionId, Purpose, Reach, RelayState, Router};

/// A relay that may be used, and how.
struct Candidate {
    relay: Option<RelayId>,
    is_suspected: bool,
    /// The mailbox that is the address itself, then those that we are connected to, then the others.
    rank: usize,
    route: Route,
}

impl Router {
    /// The way of a transmission, and where a connection is wanted.
    pub(super) fn decide(&self, target: &Target<'_>, now: Timestamp) -> (Route, Option<String>) {
        let (own, tried) = (self.config.own, target.tried);
        let base = Base::of(target.address);
        let may_connect = own.ws && !tried.dialled;
        if may_connect && let Some(connection) = self.connection_to(target.peer, tried.broken) {
            return (Route::Socket(connection), None);
        }
        let round = self.way_round(target, &base);
        let dial = self.socket_of(target, &base, round.is_some());
        let reach = self.peers.get(target.peer);
        let later = dial.as_ref().map(|_| next_attempt(reach, now));
        let is_partitioned = reach.is_some_and(|reach| reach.dial.is_partitioned());
        let waits = self.config.partition_waits && is_partitioned;
        if let (Some((until, _)), Purpose::Begins, true) = (later, target.purpose, waits) {
            return (Route::Wait { until }, dial);
        }
        if let (Base::Http(_), true, None) = (&base, own.http && !tried.http, base.recipient()) {
            return (Route::Http, dial);
        }
        // What was tried in vain has no time to wait for what was not there a moment ago.
        let later = later.filter(|_| may_connect && !tried.is_detour());
        // Somebody connects already: that is sooner than any way round.
        let is_soon = later.is_some_and(|(_, is_under_way)| is_under_way);
        let round = round.filter(|_| !is_soon);
        let wait = later.map(|(until, _)| Route::Wait { until });
        let none = || Route::None(unreachable(own, &base, tried));
        let found = round.or(wait).or_else(|| self.last_resort(target));
        (found.unwrap_or_else(none), dial)
    }

    /// A connection that answers, as far as is known.
    pub(super) fn connection_to(
        &self,
        peer: &str,
        but: Option<ConnectionId>,
    ) -> Option<ConnectionId> {
        let mut links = self.peers.get(peer)?.connections.iter();
        let found = links.find(|link| !link.is_silent && Some(link.connection) != but);
        found.map(|link| link.connection)
    }

    /// One that did not: better than none.
    fn last_resort(&self, target: &Target<'_>) -> Option<Route> {
        let links = self.peers.get(target.peer).map(|reach| reach.connections.iter());
        let but = target.tried.broken;
        let found = links?.find(|link| link.is_silent && Some(link.connection) != but)?;
        self.config.own.ws.then_some(Route::Socket(found.connection))
    }

    /// Where a connection to the peer leads, where one is to be had. With `has_round` there is a way by a relay.
    fn socket_of(&self, target: &Target<'_>, base: &Base<'_>, has_round: bool) -> Option<String> {
        let own = self.config.own;
        let is_said = matches!(base, Base::Ws(_)) || target.takes_sockets;
        // Nobody said so; but nothing else leads there.
        let is_last = !own.http && !has_round;
        if own.ws && (is_said || is_last) { base.socket() } else { None }
    }

    /// A way round: the mailbox that the peer is addressed by, a relay that we are connected to, a mailbox at another one;
    /// those under suspicion last.
    fn way_round(&self, target: &Target<'_>, base: &Base<'_>) -> Option<Route> {
        // By another way than the usual one a sign of life says nothing; where a relay is the usual one, it says as much.
        if target.purpose == Purpose::Life && target.tried != Tried::default() {
            return None;
        }
        let own = self.config.own;
        let mailbox = vocabulary::mailbox_of(target.address)
            .filter(|_| own.http && !target.tried.http && matches!(base, Base::Http(_)));
        let named = mailbox.map(|(relay, _)| {
            let relay = self.relay_at(relay);
            let state = relay.and_then(|relay| self.relay(relay));
            Candidate {
                relay,
                is_suspected: state.is_some_and(|state| state.watch.is_suspected()),
                rank: 0,
                route: Route::Mailbox { relay, base: target.address.to_owned() },
            }
        });
        let recipient = base.recipient().or(target.key);
        let others = recipient.into_iter().flat_map(|recipient| self.candidates(target, recipient));
        let is_other =
            |one: &Candidate| named.as_ref().is_none_or(|named| one.relay != named.relay);
        let others: Vec<_> = others.filter(is_other).collect();
        let all = named.into_iter().chain(others);
        let best = all.min_by_key(|one| (one.is_suspected, one.rank, one.relay))?;
        Some(best.route)
    }

    /// The relays of the operator that may be asked to hand on to this key.
    fn candidates(
        &self,
        target: &Target<'_>,
        recipient: PublicKey,
    ) -> impl Iterator<Item = Candidate> {
        let (own, tried) = (self.config.own, target.tried);
        let configured = self.config.relays.iter().zip(&self.relays).enumerate();
        configured.filter_map(move |(index, (at, state))| {
            let relay = RelayId(index);
            if at.key == recipient || tried.relays.contains(relay) {
                return None;
            }
            let (rank, route) = way_by((relay, at, state), recipient, own)?;
            // That mailbox was posted to already: it is the address itself.
            let is_address =
                matches!(&route, Route::Mailbox { base, .. } if base == target.address);
            if is_address && tried.http {
                return None;
            }
            let is_suspected = state.watch.is_suspected();
            Some(Candidate { relay: Some(relay), is_suspected, rank, route })
        })
    }
}

/// How a relay is used: over the connection to it, else by posting to the mailbox there.
fn way_by(
    (relay, at, state): (RelayId, &RelayTarget, &RelayState),
    recipient: PublicKey,
    own: Layers,
) -> Option<(usize, Route)> {
    match state.connection.filter(|_| own.ws) {
        Some(connection) => Some((1, Route::Relay { relay, connection, recipient })),
        None if own.http => {
            let base = at.mailbox(&recipient);
            Some((2, Route::Mailbox { relay: Some(relay), base }))
        }
        None => None,
    }
}

/// When there may be a connection, and whether somebody connects already, or will at once.
fn next_attempt(reach: Option<&Reach>, now: Timestamp) -> (Timestamp, bool) {
    let dial = reach.map(|reach| &reach.dial);
    match dial.and_then(Dial::again_at).filter(|at| *at > now) {
        Some(at) if dial.is_some_and(|dial| !dial.is_under_way()) => (at, false),
        Some(_) | None => (now.plus(ATTEMPT_MAX), true),
    }
}

/// Where a peer with this base address is connected to: `ws://host:port/ws`; `None` where nobody is.
///
/// Source: `docs/protocol/1.1.md#websocket`.
pub fn socket_of(address: &str) -> Option<String> {
    Base::of(address).socket()
}

/// What an address says about the layers.
pub(super) enum Base<'a> {
    Http(&'a str),
    Ws(&'a str),
    Unknown,
}

impl<'a> Base<'a> {
    pub(super) fn of(address: &'a str) -> Self {
        if address.starts_with("http://") {
            Self::Http(address)
        } else if address.starts_with("ws://") {
            Self::Ws(address)
        } else {
            Self::Unknown
        }
    }

    /// Where to connect to; a mailbox at a relay is no place for that.
    pub(super) fn socket(&self) -> Option<String> {
        if self.recipient().is_some() {
            return None;
        }
        match self {
            Self::Http(address) => address.strip_prefix("http://").map(socket_at),
            Self::Ws(address) => address.strip_prefix("ws://").map(socket_at),
            Self::Unknown => None,
        }
    }

    /// Whose mailbox the address is.
    fn recipient(&self) -> Option<PublicKey> {
        let (Self::Http(address) | Self::Ws(address)) = self else { return None };
        vocabulary::mailbox_of(address).map(|(_, recipient)| recipient)
    }
}

fn socket_at(rest: &str) -> String {
    let rest = rest.trim_end_matches('/');
    if rest.ends_with("/ws") { format!("ws://{rest}") } else { format!("ws://{rest}/ws") }
}

fn unreachable(own: Layers, base: &Base<'_>, tried: Tried) -> Unreachable {
    match base {
        Base::Unknown => Unreachable::Address,
        Base::Http(_) | Base::Ws(_) if tried == Tried::default() => Unreachable::NoLayer { own },
        Base::Http(_) | Base::Ws(_) => Unreachable::AllFailed,
    }
}
