//! Transfers: files, and messages too large for one envelope of 1.1.
//!
//! [`entity_transfer`] decides; this room reads its messages, sends them, passes on what is to be read and written, and
//! hands an assembled message on as if it had come in one piece.
//!
//! Source: docs/protocol/1.1.md#chunked-transfer

use std::collections::BTreeMap;
use std::sync::Arc;

use entity_crypto::derivation::sha256;
use entity_crypto::identity::PeerId;
use entity_journal::Stored;
use entity_session::v1_1::session::ChunkData;
use entity_transfer::{
    Event, FinishOutcome, IoOutcome, Message, Offer, OfferError, Output as Wanted, SPACE, Standing,
    View,
};
use entity_wire::json::{Object, RULES_1_1, Rules, parse};
use entity_wire::kind::MessageKind;
use entity_wire::payload::chunk::{
    BreakReason, ChunkAck, ChunkComplete, ChunkHead, ChunkInit, ChunkResend, FILE, PlacedPiece,
    TransferId,
};
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use crate::command::{CommandError, CommandId, CommandResult, Receipt, Send, Source, Transfer};
use crate::core::{Core, News, Part, Reason};
use crate::name::PeerName;
use crate::output::{Output, PeerEvent, Received};
use crate::restore::RestoreError;
use crate::view::SessionName;

/// The room.
#[derive(Debug)]
pub(crate) struct Transfers {
    table: entity_transfer::Transfers,
    /// Who waits for a message that goes as a transfer, and where its offer went.
    waiting: BTreeMap<TransferId, (Reason, Option<Receipt>)>,
    /// The session in which the offer of an incoming transfer came last.
    sessions: BTreeMap<TransferId, SessionName>,
}

/// Why nothing of this goes to a peer of 1.0.
pub(crate) const TRANSFER_NEEDS_1_1: &str = "transfers need protocol 1.1";

impl Transfers {
    /// Goes on with what was kept.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(crate) fn restore(
        config: entity_transfer::Config,
        stored: &mut Stored,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        let table = entity_transfer::Transfers::restore(config, stored.take(SPACE), now);
        let table = table.map_err(|damaged| RestoreError::Damaged {
            space: SPACE.name(),
            key: damaged.key,
            reason: damaged.reason,
        })?;
        Ok(Self { table, waiting: BTreeMap::new(), sessions: BTreeMap::new() })
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = View> {
        self.table.views()
    }

    pub(crate) fn incoming(&self) -> impl Iterator<Item = TransferId> {
        self.table.incoming()
    }

    /// Begins to send something.
    pub(crate) fn begin(
        &mut self,
        core: &mut Core,
        command: CommandId,
        transfer: Transfer,
        now: Timestamp,
    ) {
        let Transfer { to, name, source, total_size, sha256 } = transfer;
        let offer = |to| Offer { to, kind: FILE.to_owned(), name, source, total_size, sha256 };
        let begun = self.offer(core, &to, offer, now);
        core.done(command, begun.map(CommandResult::Transfer));
        self.drain(core);
    }

    /// Sends a message as a transfer; what waits for it hears of the end of that.
    pub(crate) fn send_message(
        &mut self,
        core: &mut Core,
        reason: Reason,
        (to, kind, body): (&PeerName, &MessageKind, Vec<u8>),
        now: Timestamp,
    ) {
        let offer = |to| Offer {
            to,
            kind: kind.as_str().to_owned(),
            name: None,
            total_size: body.len() as u64,
            sha256: sha256(&body),
            source: Source::Memory(Arc::new(body)),
        };
        match self.offer(core, to, offer, now) {
            Ok(id) => {
                self.waiting.insert(id, (reason, None));
            }
            Err(error) => core.finish_send(reason, Err(error), now),
        }
        self.drain(core);
    }

    fn offer(
        &mut self,
        core: &mut Core,
        to: &PeerName,
        offer: impl FnOnce(PeerId) -> Offer,
        now: Timestamp,
    ) -> Result<TransferId, CommandError> {
        let peer = to.as_peer_id().filter(|_| core.roster.get(to.as_str()).is_some());
        let peer = peer.ok_or_else(|| CommandError::UnknownPeer { name: to.clone() })?;
        if !core.config.protocols.includes(Version::V1_1) {
            return Err(CommandError::Malformed { reason: TRANSFER_NEEDS_1_1 });
        }
        let id = TransferId::from_random(core.entropy.bytes());
        let offer = offer(peer);
        let len_bytes = usize::try_from(offer.total_size).unwrap_or(usize::MAX);
        match self.table.offer(id, offer, now) {
            Ok(()) => Ok(id),
            Err(OfferError::TooLarge { .. }) => Err(CommandError::TooLarge { len_bytes }),
            Err(OfferError::Overloaded { .. }) => {
                Err(CommandError::Overloaded { limit: "transfers.waiting_max" })
            }
        }
    }

    /// Ends a transfer.
    pub(crate) fn cancel(
        &mut self,
        core: &mut Core,
        command: CommandId,
        id: TransferId,
        now: Timestamp,
    ) {
        let cancelled = self.table.cancel(id, now);
        let unknown = |_| CommandError::UnknownTransfer { id };
        core.done(command, cancelled.map(|()| CommandResult::Done).map_err(unknown));
        self.drain(core);
        self.finish_waiting(core, now);
    }

    /// Ends the transfer of the message that a command sends; says whether there is one.
    pub(crate) fn withdraw(&mut self, core: &mut Core, command: CommandId, now: Timestamp) -> bool {
        let waiter = self.waiting.iter().find(|(_, (reason, _))| reason.command() == Some(command));
        let Some(id) = waiter.map(|(id, _)| *id) else { return false };
        self.waiting.remove(&id);
        let is_open = self.table.cancel(id, now).is_ok();
        self.drain(core);
        is_open
    }

    /// Takes a message of a transfer. One that is not of its shape changes nothing.
    pub(crate) fn handle_message(&mut self, core: &mut Core, received: &Received, now: Timestamp) {
        let (from, body) = (received.from.as_peer_id(), &*received.body);
        let (Some(from), Version::V1_1) = (from, received.version) else { return };
        let kind = &received.kind;
        if *kind == MessageKind::ChunkInit {
            if let Ok(init) = ChunkInit::from_object(body) {
                self.sessions.insert(init.transfer, received.session.clone());
                self.table.handle_init(&from, init, now);
                // An offer that was refused has no place here.
                let table = &self.table;
                self.sessions.retain(|id, _| is_open(table, *id));
            }
        } else if *kind == MessageKind::Chunk {
            if let Ok(head) = ChunkHead::from_object(body) {
                self.table.handle_chunk(&from, head, received.body.clone(), now);
            }
        } else if *kind == MessageKind::ChunkAck {
            if let Ok(ack) = ChunkAck::from_object(body) {
                self.table.handle_ack(&from, &ack, now);
            }
        } else if *kind == MessageKind::ChunkResend {
            if let Ok(resend) = ChunkResend::from_object(body) {
                self.table.handle_resend(&from, &resend, now);
            }
        } else if let Ok(complete) = ChunkComplete::from_object(body) {
            // Where the answer to the offer was lost, all that is known is the session.
            if let Some((_, sent)) = self.waiting.get_mut(&complete.transfer) {
                sent.get_or_insert_with(|| receipt_of(&received.session));
            }
            self.table.handle_complete(&from, &complete, now);
        }
        self.drain(core);
        self.finish_waiting(core, now);
    }

    /// Takes a chunk that came as bytes.
    pub(crate) fn handle_bytes(
        &mut self,
        core: &mut Core,
        from: &PeerName,
        chunk: ChunkData,
        now: Timestamp,
    ) {
        let ChunkData { transfer, index, data } = chunk;
        let (Some(from), Ok(len)) = (from.as_peer_id(), u32::try_from(data.len())) else { return };
        self.table.handle_chunk(&from, ChunkHead { transfer, index, len }, data, now);
        self.drain(core);
        self.finish_waiting(core, now);
    }

    /// Goes on with the transfers to a peer.
    pub(crate) fn session_ready(&mut self, core: &mut Core, peer: &PeerName, now: Timestamp) {
        if let Some(peer) = peer.as_peer_id() {
            self.table.session_ready(&peer, now);
            self.drain(core);
        }
    }

    /// Takes what became of a message of a transfer.
    pub(crate) fn finished(
        &mut self,
        core: &mut Core,
        (id, part): (TransferId, Part),
        result: &Result<Receipt, CommandError>,
        now: Timestamp,
    ) {
        if let (Part::Init, Ok(receipt), Some((_, sent))) =
            (part, result, self.waiting.get_mut(&id))
        {
            *sent = Some(receipt.clone());
        }
        let is_hopeless = *result == Err(CommandError::Malformed { reason: TRANSFER_NEEDS_1_1 });
        match part {
            Part::Init | Part::Chunk(_) if is_hopeless => self.table.give_up(id, now),
            Part::Init => self.table.handle_sent(id, None, result.is_ok(), now),
            Part::Chunk(index) => self.table.handle_sent(id, Some(index), result.is_ok(), now),
            // What the receiver says it says again, and an end is asked for.
            Part::Answer => {}
        }
        self.drain(core);
        self.finish_waiting(core, now);
    }

    /// Takes the end of reading or writing.
    pub(crate) fn handle_io(&mut self, core: &mut Core, outcome: IoOutcome, now: Timestamp) {
        match outcome {
            IoOutcome::Read { transfer, index, outcome } => {
                self.table.handle_read(transfer, index, outcome, now);
            }
            IoOutcome::Written { transfer, index, outcome } => {
                self.table.handle_written(transfer, index, outcome, now);
            }
            IoOutcome::Synced { transfer, is_durable } => {
                self.table.handle_synced(transfer, is_durable, now);
            }
            IoOutcome::Finished { transfer, outcome } => {
                self.table.handle_finished(transfer, outcome, now);
            }
            IoOutcome::Message { transfer, body } => {
                let outcome = self.deliver(core, transfer, &body, now);
                self.table.handle_finished(transfer, outcome, now);
            }
        }
        self.drain(core);
        self.finish_waiting(core, now);
    }

    /// Hands an assembled message on. Its end is kept together with whatever it brings about, so it comes once.
    ///
    /// Source: docs/protocol/1.1.md#chunked-messages
    fn deliver(
        &mut self,
        core: &mut Core,
        id: TransferId,
        body: &[u8],
        now: Timestamp,
    ) -> FinishOutcome {
        let view = self.table.view(id).filter(|view| view.standing == Standing::Open);
        let (Some(view), Some(body)) = (view, message_body(body)) else {
            return FinishOutcome::Mismatch;
        };
        let len_bytes = usize::try_from(view.total_size).unwrap_or(usize::MAX);
        let received = Received {
            index: None,
            from: PeerName::from(&view.peer),
            kind: MessageKind::from_text(&view.kind),
            body: Arc::new(body),
            session: self.sessions.remove(&id).unwrap_or_else(|| SessionName(String::new())),
            sequence: 0,
            number: None,
            durable: None,
            version: Version::V1_1,
            sealed: true,
            received_at: core.wall(now),
        };
        core.deliver(received, len_bytes);
        FinishOutcome::Kept { path: None }
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self, core: &mut Core, now: Timestamp) {
        self.table.handle_deadline(now);
        self.drain(core);
        self.finish_waiting(core, now);
    }

    /// Returns when [`Transfers::expire`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.table.next_deadline()
    }

    /// Passes on what the table wants.
    pub(crate) fn drain(&mut self, core: &mut Core) {
        for write in self.table.take_writes() {
            core.persist(write);
        }
        while let Some(wanted) = self.table.poll_output() {
            match wanted {
                Wanted::Send { to, transfer, message } => send(core, &to, transfer, message),
                Wanted::Io(io) => core.output(Output::Io(io)),
                Wanted::Event(event) => core.event(match event {
                    Event::Offered(view) => PeerEvent::TransferOffered(view),
                    Event::Done(view) => PeerEvent::TransferDone(view),
                    Event::Failed(view) => PeerEvent::TransferFailed(view),
                }),
            }
        }
    }

    /// Ends those who wait for a message whose transfer has ended.
    fn finish_waiting(&mut self, core: &mut Core, now: Timestamp) {
        let table = &self.table;
        let ended = self.waiting.extract_if(.., |id, _| !is_open(table, *id));
        for (id, (reason, receipt)) in ended {
            let standing = table.view(id).map(|view| view.standing);
            let result = match (standing, receipt) {
                (Some(Standing::Done | Standing::Open), Some(receipt)) => Ok(receipt),
                (Some(Standing::Failed(reason)), _) => Err(CommandError::Transfer { reason }),
                // It ended and was forgotten within one input.
                (Some(Standing::Done | Standing::Open) | None, _) => {
                    Err(CommandError::Transfer { reason: BreakReason::Unknown })
                }
            };
            core.finish_send(reason, result, now);
        }
    }
}

fn is_open(table: &entity_transfer::Transfers, id: TransferId) -> bool {
    table.view(id).is_some_and(|view| view.standing == Standing::Open)
}

/// Reads the body of an assembled message, under the rules that it would have had to keep in an envelope.
fn message_body(body: &[u8]) -> Option<Object> {
    let rules = Rules { depth_max: RULES_1_1.depth_max - 1, len_max: body.len(), ..RULES_1_1 };
    parse(body, &rules).ok()?.into_object().ok()
}

fn send(core: &mut Core, to: &PeerId, transfer: TransferId, message: Message) {
    let mut chunk = None;
    let (kind, part, body) = match message {
        Message::Init(init) => (MessageKind::ChunkInit, Part::Init, init.to_object()),
        Message::Chunk { index, piece } => {
            chunk = Some(Box::new(PlacedPiece { transfer, index, piece }));
            (MessageKind::Chunk, Part::Chunk(index), Object::new())
        }
        Message::Ack(ack) => (MessageKind::ChunkAck, Part::Answer, ack.to_object()),
        Message::Resend(resend) => (MessageKind::ChunkResend, Part::Answer, resend.to_object()),
        Message::Complete(complete) => {
            (MessageKind::ChunkComplete, Part::Answer, complete.to_object())
        }
    };
    let reason = Reason::Transfer(transfer, part);
    core.tell(News::Send(reason, Send { chunk, ..Send::new(PeerName::from(to), kind, body) }));
}

fn receipt_of(session: &SessionName) -> Receipt {
    Receipt {
        session: session.clone(),
        sequence: 0,
        number: None,
        version: Version::V1_1,
        sealed: true,
        status: 200,
    }
}
