//! The inputs of what this side sends.

use entity_crypto::identity::PeerId;
use entity_wire::limits::CHUNK_SIZE_MAX;
use entity_wire::payload::chunk::{BreakReason, ChunkAck, ChunkResend, Cut, TransferId};
use entity_wire::time::Timestamp;

use super::{Transfers, is_file};
use crate::outgoing::{Outgoing, Want};
use crate::record::Kept;
use crate::vocabulary::{Message, Offer, OfferError, ReadFailure, ReadOutcome, Standing};

impl Transfers {
    /// Offers something to a peer. `id` has to be new.
    ///
    /// # Errors
    ///
    /// It is too large, or too many wait.
    pub fn offer(
        &mut self,
        id: TransferId,
        offer: Offer,
        now: Timestamp,
    ) -> Result<(), OfferError> {
        let is_file = is_file(&offer.kind);
        let config = &self.config;
        let max = if is_file { config.transfer_bytes_max } else { config.message_bytes_max };
        if offer.total_size > max {
            return Err(OfferError::TooLarge { max });
        }
        let chunk_size = config.chunk_size.min(CHUNK_SIZE_MAX);
        let cut = Cut::new(offer.total_size, chunk_size).ok_or(OfferError::TooLarge { max })?;
        if self.outgoing.len() >= config.waiting_max {
            return Err(OfferError::Overloaded { max: config.waiting_max });
        }
        let (kept, to) = (offer.clone(), offer.to.clone());
        let outgoing = Outgoing::new(id, offer, cut, (config.window_max, now));
        self.outgoing.insert(id, outgoing);
        let kept = Kept::Outgoing { id, offer: kept, cut, offered_at: now };
        self.writes.extend(kept.write());
        self.schedule(id);
        self.begin_waiting(&to, now);
        Ok(())
    }

    /// Takes note that a session with the peer is ready, new or resumed: its open transfers go on.
    pub fn session_ready(&mut self, peer: &PeerId, now: Timestamp) {
        let begun: Vec<TransferId> = self.begun(peer).map(|outgoing| outgoing.id).collect();
        for id in begun {
            self.with_outgoing(id, now, Outgoing::ask);
        }
    }

    /// Takes a `chunk_ack` of a peer.
    pub fn handle_ack(&mut self, from: &PeerId, ack: &ChunkAck, now: Timestamp) {
        if self.is_outgoing_to(ack.transfer, from) {
            self.with_outgoing(ack.transfer, now, |outgoing, wants, now| {
                outgoing.handle_ack(&ack.received, wants, now);
            });
        }
    }

    /// Takes a `chunk_resend` of a peer.
    pub fn handle_resend(&mut self, from: &PeerId, resend: &ChunkResend, now: Timestamp) {
        if self.is_outgoing_to(resend.transfer, from) {
            self.with_outgoing(resend.transfer, now, |outgoing, wants, now| {
                outgoing.handle_resend(&resend.ranges, wants, now);
            });
        }
    }

    /// Takes a chunk that was to be read.
    pub fn handle_read(
        &mut self,
        id: TransferId,
        index: u32,
        outcome: ReadOutcome,
        now: Timestamp,
    ) {
        match outcome {
            Ok(piece) => self.with_outgoing(id, now, |outgoing, wants, now| {
                outgoing.handle_read(index, Message::Chunk { index, piece }, wants, now);
            }),
            Err(ReadFailure::Changed | ReadFailure::Failed) => {
                if self.outgoing.contains_key(&id) {
                    self.break_off(id, BreakReason::Storage, now);
                }
            }
        }
    }

    /// Takes what became of delivering a chunk, or the `chunk_init` for `None`. A delivery that was accepted is no
    /// acknowledgement.
    pub fn handle_sent(
        &mut self,
        id: TransferId,
        index: Option<u32>,
        is_accepted: bool,
        now: Timestamp,
    ) {
        self.with_outgoing(id, now, |outgoing, wants, now| {
            outgoing.handle_sent(index, is_accepted, wants, now);
        });
    }

    /// Ends an outgoing transfer that the peer cannot take: it does not speak 1.1.
    pub fn give_up(&mut self, id: TransferId, now: Timestamp) {
        if self.outgoing.contains_key(&id) {
            self.end(id, Standing::Failed(BreakReason::Refused), None, now);
        }
    }

    /// Acts on a refusal by the receiver.
    pub(super) fn handle_refused(&mut self, id: TransferId, reason: BreakReason, now: Timestamp) {
        match reason {
            BreakReason::Overloaded => {
                self.with_outgoing(id, now, |outgoing, _, now| outgoing.pause(now));
            }
            BreakReason::Unknown => {
                let mut is_worth_it = true;
                self.with_outgoing(id, now, |outgoing, wants, now| {
                    is_worth_it = outgoing.restart(wants, now);
                });
                if !is_worth_it {
                    self.end(id, Standing::Failed(reason), None, now);
                }
            }
            BreakReason::TooLarge
            | BreakReason::Mismatch
            | BreakReason::Cancelled
            | BreakReason::Expired
            | BreakReason::Storage
            | BreakReason::Refused => self.end(id, Standing::Failed(reason), None, now),
        }
    }

    /// Begins as many of the transfers that wait as may be open to the peer.
    pub(super) fn begin_waiting(&mut self, peer: &PeerId, now: Timestamp) {
        let room = self.config.open_per_peer_max.saturating_sub(self.begun(peer).count());
        let waiting = self.outgoing.values().filter(|outgoing| outgoing.offer.to == *peer);
        let mut waiting: Vec<_> = waiting
            .filter(|outgoing| outgoing.is_waiting())
            .map(|outgoing| (outgoing.offered_at, outgoing.id))
            .collect();
        waiting.sort_unstable();
        for (_, id) in waiting.into_iter().take(room) {
            self.with_outgoing(id, now, Outgoing::ask);
        }
    }

    fn begun(&self, peer: &PeerId) -> impl Iterator<Item = &Outgoing> {
        let of_peer = self.outgoing.values().filter(move |outgoing| outgoing.offer.to == *peer);
        of_peer.filter(|outgoing| !outgoing.is_waiting())
    }

    fn is_outgoing_to(&self, id: TransferId, peer: &PeerId) -> bool {
        self.outgoing.get(&id).is_some_and(|outgoing| outgoing.offer.to == *peer)
    }

    fn with_outgoing(
        &mut self,
        id: TransferId,
        now: Timestamp,
        act: impl FnOnce(&mut Outgoing, &mut Vec<Want>, Timestamp),
    ) {
        let Some(outgoing) = self.outgoing.get_mut(&id) else { return };
        let mut wants = Vec::new();
        act(outgoing, &mut wants, now);
        self.want(id, wants);
    }
}
