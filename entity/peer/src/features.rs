//! The features of a peer: everything that is built on sessions and messages, one room each.
//!
//! A room gets `core` and the time with every call, and says what it wants by [`Core::persist`], [`Core::event`],
//! [`Core::done`] and [`Core::tell`]. Rooms do not know each other, and none knows the protocol's versions; this file
//! alone knows them all. A room may have any of these methods, each called from the method of the same name here:
//!
//! | method | called |
//! |---|---|
//! | `restore(&mut Stored, ..)` | at the start; takes the room's spaces |
//! | `handle_message(core, received, now)` | when a message of the room's types was accepted, within the same input |
//! | `session_ready(core, peer, now)` | when a session with a peer is ready, before what waited for it is sent |
//! | `finished(core, reason, result, now)` | when a message that the room sent under a [`Reason`] of its own came to its end |
//! | `expire(core, now)`, `next_deadline()` | as those of the peer |

use entity_flaw::{Flaw, planted};
use entity_journal::Stored;
use entity_wire::json::Object;
use entity_wire::time::Timestamp;

use crate::command::{CommandError, Receipt};
use crate::core::{Core, Reason};
use crate::dht::Dht;
use crate::durable::Durable;
use crate::name::PeerName;
use crate::output::Received;
use crate::restore::RestoreError;
use crate::routing::{Feature, feature};
use crate::signals::Signals;
use crate::tasks::Tasks;
use crate::tokens::Tokens;
use crate::transfers::Transfers;

/// The rooms.
#[derive(Debug)]
pub(crate) struct Features {
    pub(crate) tasks: Tasks,
    pub(crate) tokens: Tokens,
    /// Waking peers, and errors that they tell of.
    pub(crate) signals: Signals,
    /// Messages that are kept until the other side has them.
    pub(crate) durable: Durable,
    pub(crate) transfers: Transfers,
    /// The part in the distributed hash table.
    pub(crate) dht: Dht,
}

impl Features {
    /// Starts every room with what it kept.
    ///
    /// # Errors
    ///
    /// A record of a room is damaged.
    pub(crate) fn restore(
        core: &mut Core,
        stored: &mut Stored,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        let durable = Durable::restore(stored, (&core.config.limits).into(), now)?;
        let transfers = Transfers::restore(core.config.transfers.clone(), stored, now)?;
        let tokens = Tokens::restore(core, stored, now)?;
        let (tasks, signals) = (Tasks::restore(stored)?, Signals::default());
        let dht = Dht::restore(core, stored, now)?;
        Ok(Self { tasks, tokens, signals, durable, transfers, dht })
    }

    /// Lets every room go on with what it kept.
    pub(crate) fn restored(&mut self, core: &mut Core, now: Timestamp) {
        self.transfers.drain(core);
        self.dht.restored(core, now);
    }

    /// Hands an accepted message to its room.
    pub(crate) fn handle_message(&mut self, core: &mut Core, received: &Received, now: Timestamp) {
        match feature(&received.kind) {
            Feature::Task => {
                let durable = &self.durable;
                let may_send = |to: &PeerName, body: &Object| durable.look(to, body).map(drop);
                self.tasks.handle_message(core, received, &may_send);
            }
            Feature::Token => self.tokens.handle_message(core, received, now),
            Feature::Transfer => self.transfers.handle_message(core, received, now),
            Feature::Dht => self.dht.handle_message(core, received, now),
            Feature::WakeUp => self.signals.handle_wake_up(core, received, now),
            Feature::Error => self.signals.handle_error(received),
            // That a heartbeat came is all it says; the others never come here: `routing::destination` says so.
            Feature::Heartbeat
            | Feature::Handshake
            | Feature::HandshakeAck
            | Feature::HandshakeConfirm
            | Feature::Session1_1
            | Feature::CapabilityQuery
            | Feature::CapabilityResponse
            | Feature::Inbox => {}
        }
    }

    /// Tells every room that a session with `peer` is ready, and whether both sides take part in the table.
    pub(crate) fn session_ready(
        &mut self,
        core: &mut Core,
        (peer, is_in_table): (&PeerName, bool),
        now: Timestamp,
    ) {
        self.transfers.session_ready(core, peer, now);
        self.tokens.session_ready(core, peer, now);
        self.dht.session_ready(core, (peer, is_in_table), now);
    }

    /// Tells a room what became of a message that it sent.
    pub(crate) fn finished(
        &mut self,
        core: &mut Core,
        reason: Reason,
        result: Result<Receipt, CommandError>,
        now: Timestamp,
    ) {
        match reason {
            Reason::Durable(id, attempt) => self.durable.finished(core, (id, attempt), result, now),
            Reason::Transfer(transfer, part) => {
                self.transfers.finished(core, (transfer, part), &result, now);
            }
            Reason::Wake(command) => {
                if let Err(error) = result {
                    self.signals.wake_failed(core, command, error);
                }
            }
            Reason::Dht(request) => self.dht.finished(core, request, &result, now),
            // These end in `Core::finish_send`.
            Reason::Send(_)
            | Reason::Ping(..)
            | Reason::Query(_)
            | Reason::Answer
            | Reason::Question
            | Reason::Piece(_)
            | Reason::Heartbeat => {}
        }
    }

    /// Lets every room do what is due.
    pub(crate) fn expire(&mut self, core: &mut Core, now: Timestamp) {
        self.durable.expire(core, now);
        self.transfers.expire(core, now);
        self.signals.expire(core, now);
        self.tokens.expire(core, now);
        self.dht.expire(core, now);
    }

    /// Returns when [`Features::expire`] has something to do.
    pub(crate) fn next_deadline(&self, core: &Core) -> Option<Timestamp> {
        let mut durable = self.durable.next_deadline();
        if planted(Flaw::WaitsByWallClock) {
            durable = durable.map(|at| at.offset(core.clock_offset_us.saturating_neg()));
        }
        let deadlines = [
            durable,
            self.signals.next_deadline(),
            self.transfers.next_deadline(),
            self.tokens.next_deadline(core),
            self.dht.next_deadline(core),
        ];
        deadlines.into_iter().flatten().min()
    }
}
