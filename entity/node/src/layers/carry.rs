//! Transmissions of the peer: posted over a connection at once, or in a task of their own.

use entity_peer::output::{Delivery, DeliveryId, FailureKind, Transmit};
use entity_transport::ws::Outcome;
use tokio::time::Instant;

use super::journey::Journey;
use super::table::Next;
use crate::node::Node;

impl Node {
    /// Carries transmissions out. Their outcomes come back as inputs, never before this returns.
    pub(crate) fn carry(&self, transmits: Vec<Transmit>) {
        if transmits.is_empty() {
            return;
        }
        // Before they are posted: the answer may come at once.
        self.count_under_way(transmits.len());
        self.send(transmits.into_iter().map(Journey::new));
    }

    /// Sends transmissions their way; what cannot be posted at once goes on in a task of its own.
    fn send(&self, journeys: impl IntoIterator<Item = Journey>) {
        let now = self.now();
        let left: Vec<_> = self.routed(|table| {
            let sent = journeys.into_iter().map(|journey| table.send(journey, now));
            sent.filter(|next| !matches!(next, Next::Posted)).collect()
        });
        for next in left {
            tokio::spawn(self.clone().go_on(next));
        }
    }

    /// Takes what became of transmissions that were posted.
    pub(super) fn take_outcomes(&self, outcomes: Vec<(u64, Outcome)>) {
        let now = self.now();
        let (mut settled, mut broken) = (Vec::with_capacity(outcomes.len()), Vec::new());
        self.routed(|table| {
            for (ticket, outcome) in outcomes {
                let Some(mut journey) = table.settled(ticket) else { continue };
                if let (Outcome::TimedOut, Some(over)) = (&outcome, journey.over()) {
                    table.router.handle_silent(over, now);
                }
                match journey.end_way(&mut table.router, delivery_of(outcome), now) {
                    Some(delivery) => settled.push((journey.transmit.id, delivery)),
                    None => broken.push(journey),
                }
            }
        });
        self.settle(settled);
        if !broken.is_empty() {
            self.send(broken);
        }
    }

    /// Takes one transmission to its end, or to a connection that it is posted over.
    async fn go_on(self, mut next: Next) {
        loop {
            let (mut journey, delivery) = match next {
                Next::Posted => return,
                Next::Settled(journey, delivery) => {
                    return self.settle(vec![(journey.transmit.id, delivery)]);
                }
                Next::Wait(journey, _) => {
                    next = self.wait(journey).await;
                    continue;
                }
                Next::Http(journey, base) => {
                    let left = left(&journey);
                    let delivery = self.attempt(&journey.transmit, &base, left).await;
                    (journey, delivery)
                }
                Next::Room(journey, connection, message) => {
                    let delivery = delivery_of(connection.send(message, left(&journey)).await);
                    (journey, delivery)
                }
            };
            let now = self.now();
            next = self.routed(|table| match journey.end_way(&mut table.router, delivery, now) {
                Some(delivery) => Next::Settled(journey, delivery),
                None => table.send(journey, now),
            });
        }
    }

    /// Waits for another way: until something has changed, the router wants to be asked again, or there is no time left.
    async fn wait(&self, journey: Journey) -> Next {
        let layers = self.layers();
        // Before the router is asked: what changes afterwards is not missed.
        let changed = layers.changed.notified();
        tokio::pin!(changed);
        changed.as_mut().enable();
        if layers.is_closed() {
            return Next::Settled(journey, Delivery::Failed { kind: FailureKind::Broken });
        }
        let now = self.now();
        let next = self.routed(|table| table.send(journey, now));
        let Next::Wait(journey, later) = next else { return next };
        let until = self.instant_of(later).min(journey.deadline);
        tokio::select! {
            () = changed => {}
            () = tokio::time::sleep_until(until) => {
                if Instant::now() >= journey.deadline {
                    let delivery = Delivery::Failed { kind: FailureKind::TimedOut };
                    return Next::Settled(journey, delivery);
                }
            }
        }
        Next::Wait(journey, later)
    }

    /// Gives the peer what became of transmissions, all under one lock.
    fn settle(&self, settled: Vec<(DeliveryId, Delivery)>) {
        if settled.is_empty() {
            return;
        }
        let count = settled.len();
        self.input(|peer, now| {
            for (id, delivery) in settled {
                peer.handle_delivery(id, delivery, now);
            }
        });
        self.uncount_under_way(count);
    }
}

fn left(journey: &Journey) -> std::time::Duration {
    journey.deadline.saturating_duration_since(Instant::now())
}

fn delivery_of(outcome: Outcome) -> Delivery {
    match outcome {
        Outcome::Answered(answer) => {
            Delivery::Answered { status: answer.status, body: answer.body }
        }
        Outcome::TimedOut => Delivery::Failed { kind: FailureKind::TimedOut },
        Outcome::Broken => Delivery::Failed { kind: FailureKind::Broken },
    }
}
