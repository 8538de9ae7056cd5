//! What the lock of a node guards: the peer, and the way of its outputs.

use std::collections::BTreeMap;

use entity_journal::{Batch, Journal as _, JournalError, MemoryJournal};
use entity_peer::command::{CommandError, CommandId, CommandResult};
use entity_peer::inbound::{Decoded, Refusal};
use entity_peer::output::{Output, PeerEvent, Transmit};
use entity_peer::tokens::TokenEvent;
use entity_peer::{Peer, PeerName};
use entity_wire::code::ErrorCode;
use entity_wire::id::MessageId;
use entity_wire::reply::Reply;
use entity_wire::time::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info};

use super::gate::Gate;
use super::{NodeEvent, Numbered, RETRY_AFTER_MS};
use crate::files::Files;
use crate::flaws;
use crate::storage::writer::Writer;

#[derive(Debug)]
pub(super) struct State {
    pub(super) peer: Peer,
    pub(super) commands: BTreeMap<CommandId, oneshot::Sender<Result<CommandResult, CommandError>>>,
    pub(super) last_command: u64,
    /// What the timer waits for at the moment.
    pub(super) timer: Option<Timestamp>,
    pub(super) listener: Option<mpsc::Sender<Numbered>>,
    pub(super) events: u64,
    pub(super) journal: Keeper,
    pub(super) gate: Gate<Leaving>,
    /// Who reads and writes for transfers; `None` outside an async runtime, where nothing is sent either.
    pub(super) files: Option<Files>,
    /// Durable messages that were acknowledged, and by whom, or given up, since somebody looked.
    pub(super) ended: Vec<(MessageId, Option<PeerName>)>,
    /// No new commands.
    pub(super) is_closing: bool,
    /// What a flawed node has not handed to the journal yet.
    pub(super) late: flaws::Late,
}

/// Who keeps what is to be kept.
#[derive(Debug)]
pub(super) enum Keeper {
    Memory(MemoryJournal),
    Writer(Writer),
}

/// What waits at the gate.
#[derive(Debug)]
pub(super) enum Leaving {
    Output(Output),
    /// Somebody who shows what the peer knows.
    Passage(oneshot::Sender<()>),
}

impl State {
    /// Nothing under way.
    pub(super) fn new(peer: Peer, journal: Keeper) -> Self {
        Self {
            peer,
            commands: BTreeMap::new(),
            last_command: 0,
            timer: None,
            listener: None,
            events: 0,
            journal,
            gate: Gate::new(),
            files: None,
            ended: Vec::new(),
            is_closing: false,
            late: flaws::Late::default(),
        }
    }

    pub(super) fn next_command(&mut self) -> CommandId {
        self.last_command += 1;
        CommandId(self.last_command)
    }

    /// Takes one frame through all stages. Returns its answer and, where it is accepted, whose it is.
    pub(super) fn take_frame(
        &mut self,
        decoded: Result<Decoded, Refusal>,
        now: Timestamp,
    ) -> (Reply, Option<PeerName>) {
        if self.gate.is_full() {
            return (Reply::retry_later(ErrorCode::ServiceUnavailable, RETRY_AFTER_MS), None);
        }
        let checked = match decoded {
            Ok(decoded) => match self.peer.admit(decoded, now) {
                Ok(check) => check.run(),
                Err(reply) => return (reply, None),
            },
            Err(refusal) => Err(refusal),
        };
        match checked {
            Ok(checked) => {
                let sender = checked.sender();
                let reply = self.peer.handle_checked(checked, now);
                let sender = sender.filter(|_| reply.status == 200);
                (reply, sender)
            }
            Err(refusal) => (self.peer.handle_refusal(refusal), None),
        }
    }

    /// Hands over what is to be kept, hands out events and ends of commands, in order, and returns what is to be transmitted.
    /// What rests on something that is not durable yet waits at the gate.
    pub(super) fn drain(&mut self) -> Result<Vec<Transmit>, JournalError> {
        let mut transmits = Vec::new();
        while let Some(output) = self.peer.poll_output() {
            match output {
                Output::Persist(batch) => self.keep(batch)?,
                Output::Transmit(_) | Output::Io(_) | Output::Event(_) | Output::Done { .. } => {
                    if let Some(leaving) = self.gate.pass(Leaving::Output(output)) {
                        self.leave(leaving, &mut transmits);
                    }
                }
            }
        }
        Ok(transmits)
    }

    pub(super) fn keep(&mut self, batch: Batch) -> Result<(), JournalError> {
        match &mut self.journal {
            Keeper::Memory(journal) => journal.commit(&[batch]).inspect_err(|_| self.gate.shut()),
            Keeper::Writer(writer) => {
                let Some(batch) = self.late.hold(batch) else { return Ok(()) };
                self.gate.submitted(batch.len_bytes());
                writer.submit(batch);
                Ok(())
            }
        }
    }

    /// Hands over what a flawed node has put off; an orderly end loses nothing.
    pub(super) fn keep_late(&mut self) {
        if let Keeper::Writer(writer) = &mut self.journal {
            for batch in self.late.take_all() {
                self.gate.submitted(batch.len_bytes());
                writer.submit(batch);
            }
        }
    }

    /// Notes that so many further batches are durable, hands out what waited for them, and returns what is to be transmitted.
    pub(super) fn durable(&mut self, batches: usize) -> Vec<Transmit> {
        let mut transmits = Vec::new();
        self.gate.durable(batches);
        while let Some(leaving) = self.gate.next() {
            self.leave(leaving, &mut transmits);
        }
        transmits
    }

    /// Lets nothing leave any more.
    pub(super) fn stop(&mut self) {
        self.gate.shut();
        // Who waits for the end of one hears that it was withdrawn.
        self.commands.clear();
    }

    fn leave(&mut self, leaving: Leaving, transmits: &mut Vec<Transmit>) {
        match leaving {
            Leaving::Output(Output::Transmit(transmit)) => transmits.push(transmit),
            Leaving::Output(Output::Io(io)) => {
                if let Some(files) = &mut self.files {
                    files.submit(io);
                }
            }
            Leaving::Output(Output::Event(event)) => self.tell(event),
            Leaving::Output(Output::Done { command, result }) => {
                if let Some(waiting) = self.commands.remove(&command) {
                    // Who withdrew the command waits for it no more.
                    drop(waiting.send(result));
                }
            }
            // It went to the journal and never waits here.
            Leaving::Output(Output::Persist(_)) => {}
            // Who waited may have gone.
            Leaving::Passage(waiting) => drop(waiting.send(())),
        }
    }

    /// What somebody has to wait for who shows what the peer knows; `None` where nothing is on its way to the disk.
    pub(super) fn passage(&mut self) -> Option<Passage> {
        if self.gate.is_open() {
            return None;
        }
        let (waiting, passage) = oneshot::channel();
        // A shut gate drops it, which fails the passage.
        drop(self.gate.pass(Leaving::Passage(waiting)));
        Some(passage)
    }

    fn tell(&mut self, event: PeerEvent) {
        match &event {
            // The contract has no events for these, and its count has no gaps.
            PeerEvent::KeyPinned { peer, key } => {
                return info!(%peer, %key, "key pinned on first use");
            }
            PeerEvent::HealthChanged { peer, healthy } => {
                info!(%peer, healthy, "health changed");
            }
            PeerEvent::Token(TokenEvent::CommitteeBroken { digest }) => {
                return error!(%digest, "a certificate contradicts another: more members lie than the committee bears");
            }
            PeerEvent::MessageReceived(received) => flaws::on_received(received),
            PeerEvent::MessageRefused { from, code, status, .. } => {
                // The name is only claimed: escaped, so that it cannot write lines of its own.
                let from = from.as_deref().unwrap_or_default();
                info!(?from, code = code.as_str(), status, "message refused");
            }
            PeerEvent::MessageAcknowledged { id, peer } => {
                self.ended.push((*id, Some(peer.clone())));
            }
            PeerEvent::MessageGivenUp { id, .. } => self.ended.push((*id, None)),
            PeerEvent::PeerAdded { .. }
            | PeerEvent::SessionReady { .. }
            | PeerEvent::SessionResumed { .. }
            | PeerEvent::SessionRekeyed { .. }
            | PeerEvent::SessionClosed { .. }
            | PeerEvent::HandshakeFailed { .. }
            | PeerEvent::Token(_)
            | PeerEvent::Dht(_)
            | PeerEvent::TaskReceived(_)
            | PeerEvent::TaskAccepted(_)
            | PeerEvent::TaskRefused(_)
            | PeerEvent::TaskDone(_)
            | PeerEvent::TransferOffered(_)
            | PeerEvent::TransferDone(_)
            | PeerEvent::TransferFailed(_) => {}
        }
        self.number(NodeEvent::Peer(event));
    }

    /// Gives an event of the contract its place, and tells who listens.
    pub(super) fn number(&mut self, event: NodeEvent) {
        self.events += 1;
        if let Some(listener) = &self.listener {
            // A listener that is full misses the event and sees the gap.
            drop(listener.try_send(Numbered { n: self.events, event }));
        }
    }

    /// Whether the earliest deadline lies before what the timer waits for.
    pub(super) fn deadline_moved_forward(&mut self) -> bool {
        match (self.peer.next_deadline(), self.timer) {
            (Some(next), Some(timer)) if next >= timer => false,
            (Some(next), _) => {
                self.timer = Some(next);
                true
            }
            (None, _) => false,
        }
    }
}

/// Ends when everything in line before it is durable; fails when the journal does.
pub(crate) type Passage = oneshot::Receiver<()>;
