//! Transmissions of the peer: over a connection at once, or in a task of their own.

use bytes::Bytes;
use entity_peer::output::{Delivery, DeliveryId, FailureKind, Request, Transmit};
use entity_transport::http::{Address, Scheme};
use entity_transport::ws::{Full, Outcome, Outgoing};
use tokio::time::Instant;

use super::table::Table;
use crate::node::Node;

/// What is to be done with a transmission that was not posted.
enum Left {
    /// It goes by HTTP.
    Http(Transmit),
    /// It has to wait for room, or for a connection.
    Waits(Transmit),
    /// Nothing: its outcome is known.
    Settled(DeliveryId, Delivery),
}

impl Node {
    /// Carries transmissions out. Their outcomes come back as inputs, never before this returns.
    pub(crate) fn carry(&self, transmits: Vec<Transmit>) {
        if transmits.is_empty() {
            return;
        }
        if !self.layers().has_sockets() {
            for transmit in transmits {
                tokio::spawn(self.clone().deliver(transmit));
            }
            return;
        }
        let (mut left, mut to_dial) = (Vec::new(), Vec::new());
        // Before they are posted: the answer may come at once.
        let count = transmits.len();
        self.count_under_way(count);
        {
            let mut table = self.layers().table();
            for transmit in transmits {
                left.extend(route(&mut table, self.layers().has_http(), transmit, &mut to_dial));
            }
        }
        for (peer, address) in to_dial {
            self.keep_socket(peer, address);
        }
        let left_count = left.len();
        for left in left {
            match left {
                Left::Http(transmit) => drop(tokio::spawn(self.clone().deliver(transmit))),
                Left::Waits(transmit) => {
                    drop(tokio::spawn(self.clone().deliver_patiently(transmit)));
                }
                Left::Settled(id, delivery) => {
                    let node = self.clone();
                    tokio::spawn(async move { node.settle(vec![(id, delivery)]) });
                }
            }
        }
        // Each of them counts itself.
        self.uncount_under_way(left_count);
    }

    /// Takes what became of transmissions that were posted.
    pub(super) fn take_outcomes(&self, outcomes: Vec<(u64, Outcome)>) {
        let count = outcomes.len();
        let (mut settled, mut broken) = (Vec::with_capacity(count), Vec::new());
        {
            let mut table = self.layers().table();
            for (ticket, outcome) in outcomes {
                let Some(transmit) = table.settled(ticket) else { continue };
                match delivery_of(outcome) {
                    Some(delivery) => settled.push((transmit.id, delivery)),
                    None => broken.push(transmit),
                }
            }
        }
        self.settle(settled);
        // The connection broke. The same bytes go by HTTP at once; where there is none they wait for the next connection.
        for transmit in broken {
            if self.layers().has_http() && has_http_address(&transmit) {
                tokio::spawn(self.clone().deliver(transmit));
            } else {
                tokio::spawn(self.clone().deliver_patiently(transmit));
            }
        }
        self.uncount_under_way(count);
    }

    /// Carries one transmission out that has to wait for a connection, or for room on it.
    async fn deliver_patiently(self, transmit: Transmit) {
        self.count_under_way(1);
        let id = transmit.id;
        let deadline = Instant::now() + transmit.timeout;
        let waiting =
            tokio::time::timeout_at(deadline, self.attempt_patiently(&transmit, deadline));
        let delivery = waiting.await.unwrap_or(Delivery::Failed { kind: FailureKind::TimedOut });
        self.settle(vec![(id, delivery)]);
        self.uncount_under_way(1);
    }

    async fn attempt_patiently(&self, transmit: &Transmit, deadline: Instant) -> Delivery {
        loop {
            let changed = self.layers().changed.notified();
            let connection = self.layers().table().connection_to(&transmit.peer).cloned();
            if let Some(connection) = connection {
                let Some(message) = message_of(&transmit.request) else { return alive() };
                let left = deadline.saturating_duration_since(Instant::now());
                match delivery_of(connection.send(message, left).await) {
                    Some(delivery) => return delivery,
                    // It broke: the next one, if there is one in time.
                    None => continue,
                }
            }
            if self.layers().table().is_closed() {
                return Delivery::Failed { kind: FailureKind::Broken };
            }
            let round = self.layers().bridge().and_then(|bridge| bridge.way_round(self, transmit));
            if let Some(round) = round {
                let left = deadline.saturating_duration_since(Instant::now());
                let delivery = round.carry(&transmit.request, left).await;
                return delivery.unwrap_or(Delivery::Failed { kind: FailureKind::Broken });
            }
            match address_of(transmit) {
                Some(address) if !self.layers().has_http() || address.scheme() == Scheme::Ws => {
                    if self.layers().table().keep(&transmit.peer) {
                        self.keep_socket(transmit.peer.clone(), address);
                    }
                    changed.await;
                    let is_open = self.layers().table().connection_to(&transmit.peer).is_some();
                    if !is_open && self.layers().table().has_failed(&transmit.peer) {
                        return Delivery::Failed { kind: FailureKind::Refused };
                    }
                }
                Some(_) => return self.attempt(transmit.clone()).await,
                // Nobody can be dialled: it comes by itself, or not at all.
                None => return Delivery::Failed { kind: FailureKind::Address },
            }
        }
    }

    /// Gives the peer what became of transmissions, all under one lock.
    fn settle(&self, settled: Vec<(DeliveryId, Delivery)>) {
        if settled.is_empty() {
            return;
        }
        self.input(|peer, now| {
            for (id, delivery) in settled {
                peer.handle_delivery(id, delivery, now);
            }
        });
    }
}

/// Posts a transmission over a connection; gives it back where there is none that has room.
fn route(
    table: &mut Table,
    has_http: bool,
    transmit: Transmit,
    to_dial: &mut Vec<(entity_peer::PeerName, Address)>,
) -> Option<Left> {
    let Some(connection) = table.connection_to(&transmit.peer).cloned() else {
        return Some(without_connection(table, has_http, transmit, to_dial));
    };
    let Some(message) = message_of(&transmit.request) else {
        let by_http = has_http && has_http_address(&transmit);
        return Some(if by_http {
            Left::Http(transmit)
        } else {
            Left::Settled(transmit.id, alive())
        });
    };
    let (ticket, timeout) = (transmit.id.0, transmit.timeout);
    table.posted(transmit);
    match connection.post(message, ticket, timeout) {
        Ok(()) => None,
        Err(Full::Queue(_)) => table.settled(ticket).map(Left::Waits),
        Err(Full::Closed(_)) => table
            .settled(ticket)
            .map(|transmit| without_connection(table, has_http, transmit, to_dial)),
    }
}

fn without_connection(
    table: &mut Table,
    has_http: bool,
    transmit: Transmit,
    to_dial: &mut Vec<(entity_peer::PeerName, Address)>,
) -> Left {
    let Some(address) = address_of(&transmit) else {
        return Left::Settled(transmit.id, Delivery::Failed { kind: FailureKind::Address });
    };
    let is_socket_only = !has_http || address.scheme() == Scheme::Ws;
    if (is_socket_only || transmit.takes_sockets) && table.keep(&transmit.peer) {
        to_dial.push((transmit.peer.clone(), address));
    }
    if is_socket_only { Left::Waits(transmit) } else { Left::Http(transmit) }
}

/// What goes over a connection; `None` for a question whether the peer lives, which an open connection has answered.
fn message_of(request: &Request) -> Option<Outgoing> {
    match request {
        Request::Message(body) => Some(outgoing(body)),
        Request::Frame(frame) => Some(Outgoing::binary(frame.clone())),
        Request::Health => None,
    }
}

/// An envelope is UTF-8; what is not goes as what it is not, and is refused there.
fn outgoing(body: &Bytes) -> Outgoing {
    Outgoing::text(body.clone()).unwrap_or_else(|_| Outgoing::binary(body.clone()))
}

fn address_of(transmit: &Transmit) -> Option<Address> {
    transmit.address.parse().ok()
}

fn has_http_address(transmit: &Transmit) -> bool {
    address_of(transmit).is_some_and(|base| base.scheme() == Scheme::Http)
}

fn alive() -> Delivery {
    Delivery::Answered { status: 200, body: Bytes::new() }
}

/// What the peer is told; `None` where another way may be tried.
fn delivery_of(outcome: Outcome) -> Option<Delivery> {
    match outcome {
        Outcome::Answered(answer) => {
            Some(Delivery::Answered { status: answer.status, body: answer.body })
        }
        Outcome::TimedOut => Some(Delivery::Failed { kind: FailureKind::TimedOut }),
        Outcome::Broken => None,
    }
}
