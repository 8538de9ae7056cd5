//! The inputs of what this side receives.

use entity_crypto::identity::PeerId;
use entity_wire::kind::MessageKind;
use entity_wire::payload::chunk::{BreakReason, ChunkHead, ChunkInit, Ending, Ranges, TransferId};
use entity_wire::time::Timestamp;

use super::{Transfers, is_file, view_of_incoming};
use crate::incoming::Incoming;
use crate::outgoing::Want;
use crate::record::Kept;
use crate::vocabulary::{
    ChunkBody, Direction, Event, FinishOutcome, Output, Standing, View, WriteOutcome,
};

impl Transfers {
    /// Takes a `chunk_init` of a peer: an offer, or the question how far it is.
    pub fn handle_init(&mut self, from: &PeerId, init: ChunkInit, now: Timestamp) {
        let id = init.transfer;
        if let Some(known) = self.incoming.get(&id) {
            if known.peer != *from || known.init != init {
                return self.refuse(from, id, BreakReason::Refused);
            }
            return self.with_incoming(id, now, |incoming, wants, (_, now)| {
                incoming.answer(wants, now);
                Ok(())
            });
        }
        if let Some(end) = self.ended.get(id) {
            let is_it = is_same(end, from, &init);
            let ending = if is_it { ending_of(end) } else { refused() };
            return self.send_complete(from, id, ending);
        }
        if let Err(reason) = self.admit(from, &init) {
            return self.refuse(from, id, reason);
        }
        let incoming = Incoming::new(from.clone(), init.clone(), &Ranges::default(), now);
        self.output(Output::Event(Event::Offered(view_of_incoming(&incoming))));
        self.incoming.insert(id, incoming);
        self.keep(init, from, Ranges::default(), now);
        self.with_incoming(id, now, |incoming, wants, (_, now)| {
            incoming.answer(wants, now);
            Ok(())
        });
    }

    /// Takes a `chunk` of a peer.
    pub fn handle_chunk(
        &mut self,
        from: &PeerId,
        head: ChunkHead,
        body: impl Into<ChunkBody>,
        now: Timestamp,
    ) {
        let id = head.transfer;
        if self.incoming.get(&id).is_some_and(|incoming| incoming.peer == *from) {
            return self.with_incoming(id, now, |incoming, wants, context| {
                incoming.handle_chunk(head, body.into(), context, wants)
            });
        }
        let end = self.ended.get(id);
        let own = end.filter(|end| end.peer == *from && end.direction == Direction::Incoming);
        let ending = own.map_or(Ending::Broken { reason: BreakReason::Unknown }, ending_of);
        self.send_complete(from, id, ending);
    }

    /// Takes what became of writing a chunk.
    pub fn handle_written(
        &mut self,
        id: TransferId,
        index: u32,
        outcome: WriteOutcome,
        now: Timestamp,
    ) {
        self.with_incoming(id, now, |incoming, wants, context| {
            incoming.handle_written(index, outcome, context, wants)
        });
    }

    /// Takes the end of a synchronisation: what was written before it is durable, or cannot be made so.
    pub fn handle_synced(&mut self, id: TransferId, is_durable: bool, now: Timestamp) {
        let Some(incoming) = self.incoming.get_mut(&id) else { return };
        if !is_durable {
            return self.break_off(id, BreakReason::Storage, now);
        }
        let (init, peer) = (incoming.init.clone(), incoming.peer.clone());
        if let Some(durable) = incoming.handle_synced() {
            self.keep(init, &peer, durable, now);
        }
        self.schedule(id);
    }

    /// Takes the end of a transfer whose chunks were all written.
    pub fn handle_finished(&mut self, id: TransferId, outcome: FinishOutcome, now: Timestamp) {
        let Some(incoming) = self.incoming.get(&id) else { return };
        match outcome {
            FinishOutcome::Kept { path } => {
                let (peer, sha256) = (incoming.peer.clone(), incoming.init.sha256);
                self.end(id, Standing::Done, path, now);
                self.send_complete(&peer, id, Ending::Whole { sha256 });
            }
            FinishOutcome::Mismatch => self.break_off(id, BreakReason::Mismatch, now),
            FinishOutcome::Failed => self.break_off(id, BreakReason::Storage, now),
        }
    }

    /// Judges an offer by the quotas of its sender.
    fn admit(&self, from: &PeerId, init: &ChunkInit) -> Result<(), BreakReason> {
        let config = &self.config;
        let is_file = is_file(&init.kind);
        if !is_file && !may_be_chunked(&MessageKind::from_text(&init.kind)) {
            return Err(BreakReason::Refused);
        }
        let max = if is_file { config.transfer_bytes_max } else { config.message_bytes_max };
        if init.cut.total_size() > max {
            return Err(BreakReason::TooLarge);
        }
        // An id is this node's name for one transfer, so that there is no doubt which one is cancelled.
        if self.outgoing.contains_key(&init.transfer) {
            return Err(BreakReason::Refused);
        }
        let open = self.incoming.values().filter(|incoming| incoming.peer == *from);
        let (count, bytes) = open.fold((0, init.cut.total_size()), |(count, bytes), incoming| {
            (count + 1, bytes.saturating_add(incoming.init.cut.total_size()))
        });
        if count >= config.open_per_peer_max || bytes > config.bytes_per_peer_max {
            return Err(BreakReason::Overloaded);
        }
        Ok(())
    }

    fn refuse(&mut self, to: &PeerId, id: TransferId, reason: BreakReason) {
        self.send_complete(to, id, Ending::Broken { reason });
    }

    fn keep(&mut self, init: ChunkInit, peer: &PeerId, durable: Ranges, now: Timestamp) {
        let kept = Kept::Incoming { peer: peer.clone(), init, durable, heard_at: now };
        self.writes.extend(kept.write());
    }

    fn with_incoming(
        &mut self,
        id: TransferId,
        now: Timestamp,
        act: impl FnOnce(
            &mut Incoming,
            &mut Vec<Want>,
            (&crate::Config, Timestamp),
        ) -> Result<(), BreakReason>,
    ) {
        let Some(incoming) = self.incoming.get_mut(&id) else { return };
        let mut wants = Vec::new();
        let outcome = act(incoming, &mut wants, (&self.config, now));
        self.want(id, wants);
        if let Err(reason) = outcome {
            self.break_off(id, reason, now);
        }
    }
}

/// Whether a message of this type may come as a transfer.
///
/// Source: docs/protocol/1.1.md#chunked-messages
pub fn may_be_chunked(kind: &MessageKind) -> bool {
    let is_chunk = matches!(
        kind,
        MessageKind::Chunk
            | MessageKind::ChunkInit
            | MessageKind::ChunkAck
            | MessageKind::ChunkResend
            | MessageKind::ChunkComplete
    );
    let is_token = matches!(
        kind,
        MessageKind::TokenTransfer
            | MessageKind::TokenReceipt
            | MessageKind::VoteRequest
            | MessageKind::Vote
            | MessageKind::VoteRefusal
            | MessageKind::AccountQuery
            | MessageKind::AccountState
    );
    !kind.is_protocols_own() && !is_chunk && !is_token && !kind.is_dht()
}

fn refused() -> Ending {
    Ending::Broken { reason: BreakReason::Refused }
}

fn is_same(end: &View, from: &PeerId, init: &ChunkInit) -> bool {
    end.direction == Direction::Incoming
        && end.peer == *from
        && end.sha256 == init.sha256
        && end.total_size == init.cut.total_size()
        && end.kind == init.kind
        && end.name == init.name
}

fn ending_of(end: &View) -> Ending {
    match end.standing {
        Standing::Open | Standing::Done => Ending::Whole { sha256: end.sha256 },
        Standing::Failed(reason) => Ending::Broken { reason },
    }
}
