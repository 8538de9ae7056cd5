//! The keys of a session in all generations that are alive (`docs/protocol/1.1.md#generations`).

use std::time::Duration;

use entity_wire::id::Generation;
use entity_wire::time::Timestamp;

use super::channel::{GenerationExhausted, PositionRefusal, ReceiveChannel, SendChannel, Slot};

/// How long messages of the generation before are still opened: 30 s.
///
/// Specified by `docs/protocol/1.1.md#rekey`.
pub const OLD_KEYS_LIFETIME: Duration = Duration::from_secs(30);

/// How many generations are received at once: 4, a guess. Three come about when both sides renew at the same time; the
/// oldest gives way.
pub const RECEIVING_MAX: usize = 4;

/// A send channel at most, and a receive channel for each generation that may still come.
#[derive(Debug)]
pub(super) struct Channels {
    /// Nothing in a session that was restored and has not resumed.
    send: Option<SendChannel>,
    /// Made on the other side's proposal. There is no way to send with it before the other side has spoken under it.
    pending: Option<SendChannel>,
    /// Ascending by generation.
    receive: Vec<Receiving>,
}

#[derive(Debug)]
struct Receiving {
    channel: ReceiveChannel,
    /// When its keys are wiped; open for what has no successor yet.
    until: Option<Timestamp>,
}

impl Channels {
    pub(super) fn new(send: SendChannel, receive: ReceiveChannel) -> Self {
        let receive = vec![Receiving { channel: receive, until: None }];
        Self { send: Some(send), pending: None, receive }
    }

    /// No keys: they are never kept, so a restart has none.
    pub(super) const fn none() -> Self {
        Self { send: None, pending: None, receive: Vec::new() }
    }

    /// Sends under a new generation from now on, on this side's proposal.
    pub(super) fn switch(&mut self, (send, receive): (SendChannel, ReceiveChannel)) {
        self.send = Some(send);
        self.receive_too(receive);
    }

    /// Receives under a new generation on the other side's proposal, and sends under it once that side has.
    pub(super) fn expect(&mut self, (send, receive): (SendChannel, ReceiveChannel)) {
        if let Some(replaced) = self.pending.replace(send) {
            self.receive.retain(|held| held.channel.generation() != replaced.generation());
        }
        self.receive_too(receive);
    }

    /// Forgets how to send under a pending generation: the other side starts anew from its secret. What it may still
    /// send under it is opened.
    pub(super) fn forget_pending(&mut self, generation: Generation) {
        self.pending.take_if(|pending| pending.generation() == generation);
    }

    /// Sets after how many messages each send channel stops.
    pub(super) fn limit(&mut self, messages_max: u64) {
        for channel in self.send.iter_mut().chain(&mut self.pending) {
            channel.limit(messages_max);
        }
    }

    /// Takes note that the other side holds the keys of `generation`.
    pub(super) fn confirm(&mut self, generation: Generation, now: Timestamp) {
        for held in &mut self.receive {
            if held.channel.generation() < generation && held.until.is_none() {
                held.until = Some(now.plus(OLD_KEYS_LIFETIME));
            }
        }
        let Some(pending) = self.pending.take_if(|pending| pending.generation() <= generation)
        else {
            return;
        };
        let is_newest =
            self.send.as_ref().is_none_or(|send| send.generation() < pending.generation());
        if pending.generation() == generation && is_newest {
            self.send = Some(pending);
        }
    }

    /// Wipes the keys whose time is over.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.receive.retain(|held| held.until.is_none_or(|until| now < until));
    }

    /// Takes the next sequence number.
    ///
    /// # Errors
    ///
    /// `None` where there are no keys to send with; [`GenerationExhausted`] where they are used up.
    pub(super) fn reserve(&mut self) -> Option<Result<Slot<'_>, GenerationExhausted>> {
        Some(self.send.as_mut()?.reserve())
    }

    /// Remembers that the message at this position was accepted.
    pub(super) fn record(&mut self, generation: Generation, sequence: u64) {
        if let Some(held) =
            self.receive.iter_mut().find(|held| held.channel.generation() == generation)
        {
            held.channel.record(sequence);
        }
    }

    /// The channel that a message at this position is opened with.
    ///
    /// # Errors
    ///
    /// [`PositionRefusal`].
    pub(super) fn look(
        &self,
        generation: Generation,
        sequence: u64,
    ) -> Result<&ReceiveChannel, PositionRefusal> {
        let held = self.receive.iter().find(|held| held.channel.generation() == generation);
        let Some(held) = held else {
            let newest = self.receive.last().map(|held| held.channel.generation());
            return Err(PositionRefusal::OtherGeneration {
                offered: generation,
                current: newest.unwrap_or(Generation::ZERO),
            });
        };
        held.channel.look(generation, sequence)?;
        Ok(&held.channel)
    }

    pub(super) const fn sending(&self) -> Option<&SendChannel> {
        self.send.as_ref()
    }

    /// How many messages of the generation that is sent under have come, going by the highest of their numbers.
    pub(super) fn received_count(&self) -> u64 {
        let sending = self.send.as_ref().map(SendChannel::generation);
        let held = self.receive.iter().find(|held| Some(held.channel.generation()) == sending);
        held.map_or(0, |held| held.channel.count())
    }

    /// When [`Self::expire`] next has something to do.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.receive.iter().filter_map(|held| held.until).min()
    }

    fn receive_too(&mut self, channel: ReceiveChannel) {
        let generation = channel.generation();
        let place = self.receive.partition_point(|held| held.channel.generation() < generation);
        self.receive.insert(place, Receiving { channel, until: None });
        if self.receive.len() > RECEIVING_MAX {
            self.receive.remove(0);
        }
    }
}

#[cfg(test)]
mod tests;
