//! One transmission on its ways, and what became of each.

use bytes::Bytes;
use entity_bridge::ConnectionId;
use entity_bridge::route::{
    Purpose, RefusedBy, RelayId, Route, Router, TakenBy, Target, Tried, Unreachable,
};
use entity_crypto::signing::PublicKey;
use entity_peer::output::{About, Delivery, FailureKind, Request, Transmit};
use entity_transport::ws::Outgoing;
use entity_wire::code::ErrorCode;
use entity_wire::relay::{Form, ForwardId, Header};
use entity_wire::reply::Answer;
use entity_wire::time::Timestamp;
use tokio::time::Instant;

use crate::seed;

/// A transmission that looks for its way.
pub(super) struct Journey {
    pub(super) transmit: Transmit,
    /// When it has no time left.
    pub(super) deadline: Instant,
    /// The way it is on.
    way: Option<Way>,
    tried: Tried,
    /// What became of the first way that failed: what the peer is told if no other one helps.
    first: Option<Delivery>,
    /// How often connecting to the peer had failed when it began to wait for that.
    waits_since: Option<u64>,
}

/// A way, once it is taken.
#[derive(Debug, Clone, Copy)]
enum Way {
    Socket(ConnectionId),
    Http,
    /// To a mailbox, whose relay may be one that is not remembered; `is_address` where the peer is addressed by it.
    Mailbox {
        relay: Option<RelayId>,
        is_address: bool,
    },
    Relay(RelayId),
}

impl Journey {
    pub(super) fn new(transmit: Transmit) -> Self {
        let deadline = Instant::now() + transmit.timeout;
        let tried = Tried::default();
        Self { transmit, deadline, way: None, tried, first: None, waits_since: None }
    }

    /// Asks the router, and takes that way.
    pub(super) fn choose(&mut self, router: &mut Router, now: Timestamp) -> Route {
        let failed = router.dials_failed(self.transmit.peer.as_str());
        // One that was forgotten meanwhile has another count, too.
        if self.waits_since.is_some_and(|before| failed != before) {
            self.tried.dialled = true;
            self.first.get_or_insert(Delivery::Failed { kind: FailureKind::Refused });
        }
        let route = router.choose(&self.target(), now);
        self.way = match &route {
            Route::Socket(connection) => Some(Way::Socket(*connection)),
            Route::Http => Some(Way::Http),
            Route::Mailbox { relay, base } => {
                let is_address = *base == self.transmit.address;
                Some(Way::Mailbox { relay: *relay, is_address })
            }
            Route::Relay { relay, .. } => Some(Way::Relay(*relay)),
            Route::Wait { .. } | Route::None(_) => None,
        };
        if let Route::Wait { .. } = route {
            self.waits_since.get_or_insert(failed);
        }
        route
    }

    /// The connection to the peer that it is on.
    pub(super) fn over(&self) -> Option<ConnectionId> {
        match self.way {
            Some(Way::Socket(connection)) => Some(connection),
            Some(Way::Http | Way::Mailbox { .. } | Way::Relay(_)) | None => None,
        }
    }

    fn target(&self) -> Target<'_> {
        let Transmit { peer, address, takes_sockets, key, is_named, about, .. } = &self.transmit;
        let purpose = match about {
            About::Begins => Purpose::Begins,
            About::Life => Purpose::Life,
            About::Durable(message) => Purpose::Durable(*message),
            About::Other => Purpose::Other,
        };
        Target {
            peer: peer.as_str(),
            address,
            takes_sockets: *takes_sockets,
            key: *key,
            is_named: *is_named,
            purpose,
            tried: self.tried,
        }
    }

    /// Takes what became of the way it was on, tells the router, and returns what the peer is told; `None` where it has to ask
    /// for another way.
    pub(super) fn end_way(
        &mut self,
        router: &mut Router,
        delivery: Delivery,
        now: Timestamp,
    ) -> Option<Delivery> {
        let way = self.way.take()?;
        let is_final = match way {
            Way::Socket(connection) => {
                self.tried.broken = Some(connection);
                !is_broken(&delivery)
            }
            Way::Http => {
                self.tried.http = true;
                matches!(&delivery, Delivery::Answered { .. }) || is_too_late(&delivery)
            }
            Way::Mailbox { relay, is_address } => {
                self.tried.http |= is_address;
                self.of_relay(router, relay, &delivery, now)
            }
            Way::Relay(relay) => self.of_relay(router, Some(relay), &delivery, now),
        };
        if is_final {
            return Some(delivery);
        }
        self.first.get_or_insert(delivery);
        None
    }

    /// What a relay has made of it; whether that is the last word.
    fn of_relay(
        &mut self,
        router: &mut Router,
        relay: Option<RelayId>,
        delivery: &Delivery,
        now: Timestamp,
    ) -> bool {
        let (status, body) = match delivery {
            Delivery::Answered { status, body } => (Some(*status), body.clone()),
            Delivery::Failed { .. } => (None, Bytes::new()),
        };
        let code = status.and_then(|status| Answer::read(status, &body).code);
        if let Some(relay) = relay {
            match (self.transmit.about, status) {
                (About::Durable(message), Some(200)) => {
                    router.handle_taken(relay, (message, taken_by(&body)), now);
                }
                (About::Durable(message), _) => router.handle_not_taken(relay, message),
                (About::Begins | About::Life | About::Other, _) => {}
            }
            if let Some(code) = code {
                let is_named = self.transmit.is_named;
                let by = if is_named { RefusedBy::Named } else { RefusedBy::Stranger };
                router.handle_refused(relay, (code, by), now);
            }
            self.tried.relays.insert(relay);
        }
        match status {
            None => is_too_late(delivery),
            // What did not arrive there, or not whole, may by another one.
            Some(503) => false,
            Some(_) => !matches!(
                code,
                Some(
                    ErrorCode::UnknownRecipient
                        | ErrorCode::InvalidSignature
                        | ErrorCode::DecryptionFailed
                )
            ),
        }
    }

    /// What the peer is told where no way is left.
    pub(super) fn lost(&mut self, why: Unreachable) -> Delivery {
        let kind = match why {
            Unreachable::Address | Unreachable::NoLayer { .. } => FailureKind::Address,
            Unreachable::AllFailed => FailureKind::Refused,
        };
        self.first.take().unwrap_or(Delivery::Failed { kind })
    }

    /// What goes over a connection to the peer; `None` for a question whether it lives, which the connection has answered.
    pub(super) fn message(&self) -> Option<Outgoing> {
        match &self.transmit.request {
            Request::Message(body) => Some(outgoing(body)),
            Request::Frame(frame) => Some(Outgoing::binary(frame.clone())),
            Request::Health => None,
        }
    }

    /// What goes over a connection to a relay; `None` for a question whether the peer lives: a relay says nothing of how its
    /// members are.
    pub(super) fn forward(&self, recipient: PublicKey) -> Option<Outgoing> {
        let (form, message) = match &self.transmit.request {
            Request::Message(body) => (Form::Envelope, body),
            Request::Frame(frame) => (Form::Frame, frame),
            Request::Health => return None,
        };
        let mut id = [0; 16];
        // Without randomness the same id is taken for a loop, and the message is sent again later.
        id.copy_from_slice(&seed::from_system().unwrap_or_default()[..16]);
        let header = Header { hops: 0, id: ForwardId::from_bytes(id), recipient, form };
        Some(Outgoing::binary(header.write(message).into()))
    }
}

/// Who has taken it, as far as a relay says: a recipient's own answer has another `status`, and a connection or a list of
/// frames tells no more than that it was taken.
fn taken_by(body: &[u8]) -> TakenBy {
    let is_kept = serde_json::from_slice::<serde_json::Value>(body)
        .map_or(true, |answer| answer["status"] == "stored");
    if is_kept { TakenBy::Relay } else { TakenBy::Recipient }
}

fn is_broken(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Failed { kind: FailureKind::Broken })
}

fn is_too_late(delivery: &Delivery) -> bool {
    matches!(delivery, Delivery::Failed { kind: FailureKind::TimedOut })
}

/// An envelope is UTF-8; what is not goes as what it is not, and is refused there.
fn outgoing(body: &Bytes) -> Outgoing {
    Outgoing::text(body.clone()).unwrap_or_else(|_| Outgoing::binary(body.clone()))
}
