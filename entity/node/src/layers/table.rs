//! Open connections, what is under way over them, and the router that chooses.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use entity_bridge::ConnectionId;
use entity_bridge::route::{Config, Route, Router};
use entity_peer::output::{Delivery, FailureKind};
use entity_transport::ws::{Connection, Full, Outgoing};
use entity_wire::time::Timestamp;

use super::journey::Journey;
use super::{RelayFace, name_of};

/// What the lock of the layers guards.
pub(super) struct Table {
    pub(super) router: Router,
    /// As many as the limits of the server and the roster allow.
    connections: BTreeMap<ConnectionId, Connection>,
    /// What is posted and not answered, by ticket: no more than the peer has deliveries under way.
    under_way: BTreeMap<u64, Journey>,
    pub(super) relay: Option<Arc<dyn RelayFace>>,
    /// When the router was to be told the time, as far as its timer knows.
    pub(super) deadline: Option<Timestamp>,
    is_closed: bool,
}

/// What is to be done with a transmission.
pub(super) enum Next {
    /// Nothing: it is posted, and its outcome comes by its ticket.
    Posted,
    /// It goes by HTTP to this base address.
    Http(Journey, String),
    /// It waits for room on a connection.
    Room(Journey, Connection, Outgoing),
    /// It waits for another way.
    Wait(Journey, Timestamp),
    /// Its outcome is known.
    Settled(Journey, Delivery),
}

impl Default for Table {
    fn default() -> Self {
        Self {
            router: Router::new(Config::default(), [0; 32]),
            connections: BTreeMap::new(),
            under_way: BTreeMap::new(),
            relay: None,
            deadline: None,
            is_closed: false,
        }
    }
}

impl Table {
    /// Takes a connection; one that comes after the end is closed.
    pub(super) fn opened(&mut self, connection: &Connection) {
        if self.is_closed {
            connection.close();
        }
        self.connections.insert(name_of(connection), connection.clone());
    }

    /// Forgets a connection that has ended.
    pub(super) fn closed(&mut self, connection: &Connection, now: Timestamp) {
        self.connections.remove(&name_of(connection));
        self.router.handle_disconnected(name_of(connection), now);
    }

    /// Sends a transmission its way, as far as that costs no waiting.
    pub(super) fn send(&mut self, mut journey: Journey, now: Timestamp) -> Next {
        loop {
            let route = journey.choose(&mut self.router, now);
            // What becomes of a question whether the peer lives that is not put to it.
            let (over, message, unasked) = match route {
                Route::Socket(over) => (over, journey.message(), alive()),
                Route::Relay { connection, recipient, .. } => {
                    let unasked = Delivery::Failed { kind: FailureKind::Unasked };
                    (connection, journey.forward(recipient), unasked)
                }
                Route::Http => {
                    let base = journey.transmit.address.clone();
                    return Next::Http(journey, base);
                }
                Route::Mailbox { base, .. } => return Next::Http(journey, base),
                Route::Wait { until } => return Next::Wait(journey, until),
                Route::None(why) => {
                    let lost = journey.lost(why);
                    return Next::Settled(journey, lost);
                }
            };
            let Some(message) = message else { return Next::Settled(journey, unasked) };
            match self.post(journey, over, message) {
                ControlFlow::Break(next) => return next,
                ControlFlow::Continue(back) => journey = back,
            }
            // It ends, and will be said to have: what is sent now goes another way.
            self.router.handle_disconnected(over, now);
        }
    }

    /// Posts over a connection; gives the transmission back where that has ended.
    fn post(
        &mut self,
        journey: Journey,
        over: ConnectionId,
        message: Outgoing,
    ) -> ControlFlow<Next, Journey> {
        let Some(connection) = self.connections.get(&over).cloned() else {
            return ControlFlow::Continue(journey);
        };
        let (ticket, timeout) = (journey.transmit.id.0, journey.transmit.timeout);
        // Before it is posted: the answer may come at once, and waits for the lock.
        self.under_way.insert(ticket, journey);
        let posted = connection.post(message, ticket, timeout);
        let Err(full) = posted else { return ControlFlow::Break(Next::Posted) };
        let Some(journey) = self.under_way.remove(&ticket) else {
            return ControlFlow::Break(Next::Posted);
        };
        match full {
            Full::Queue(message) => ControlFlow::Break(Next::Room(journey, connection, message)),
            Full::Closed(_) => ControlFlow::Continue(journey),
        }
    }

    /// Takes a transmission that was posted.
    pub(super) fn settled(&mut self, ticket: u64) -> Option<Journey> {
        self.under_way.remove(&ticket)
    }

    /// A connection by its name.
    pub(super) fn connection(&self, id: ConnectionId) -> Option<&Connection> {
        self.connections.get(&id)
    }

    /// Takes no more connections, and returns those there are.
    pub(super) fn close(&mut self) -> Vec<Connection> {
        self.is_closed = true;
        self.connections.values().cloned().collect()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn count(&self) -> (usize, usize) {
        (self.connections.len(), self.router.connections_count())
    }
}

/// A connection to the peer itself answers that it lives: it would have ended else.
fn alive() -> Delivery {
    Delivery::Answered { status: 200, body: Bytes::new() }
}
