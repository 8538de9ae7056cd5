//! What is to be delivered: one parcel a message, one [`Transmit`] an attempt.
//!
//! A parcel keeps its bytes, so that every attempt sends the same ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_wire::time::Timestamp;

use crate::name::PeerName;
use crate::output::{About, Delivery, DeliveryId, FailureKind, Request, Transmit};
use crate::view::QueueStats;

/// How often an attempt is made and how long it may take.
///
/// Source: docs/protocol/1.0.md#client-rules
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempts {
    /// Up to three attempts of 10 s, 1 s and 2 s apart.
    Patient,
    /// One attempt of 10 s: a durable message, which is sent again as another one.
    Single,
    /// One attempt of 30 s: a handshake message.
    Handshake,
    /// One attempt of this time: a question whether a peer lives.
    Probe(Duration),
}

impl Attempts {
    /// The pauses between attempts.
    const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(2)];

    /// The time of one attempt.
    pub(crate) fn timeout(self) -> Duration {
        match self {
            Self::Patient | Self::Single => Duration::from_secs(10),
            Self::Handshake => Duration::from_secs(30),
            Self::Probe(timeout) => timeout,
        }
    }

    /// The pause after the attempt number `made` (from 1), or `None` where that was the last.
    fn pause_after(self, made: usize) -> Option<Duration> {
        match self {
            Self::Patient if planted(Flaw::NeverRetries) => None,
            Self::Patient => Self::PAUSES.get(made - 1).copied(),
            Self::Single | Self::Handshake | Self::Probe(_) => None,
        }
    }
}

/// One request to deliver.
#[derive(Debug)]
pub(crate) struct Parcel<P> {
    /// For whom.
    pub(crate) peer: PeerName,
    /// Where to.
    pub(crate) address: String,
    /// Whether it takes WebSockets there.
    pub(crate) takes_sockets: bool,
    /// Its key, where it is known.
    pub(crate) key: Option<PublicKey>,
    /// Whether an operator has named it.
    pub(crate) is_named: bool,
    /// What it is about.
    pub(crate) about: About,
    /// What.
    pub(crate) request: Request,
    /// How stubbornly.
    pub(crate) attempts: Attempts,
    /// Whether the peer's own messages brought it about.
    pub(crate) is_answer: bool,
    /// What its outcome means to whoever queued it.
    pub(crate) purpose: P,
}

/// How a parcel ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Status 200.
    Accepted,
    /// Another status, which is final or came from the last attempt.
    Refused { status: u16, body: Bytes },
    /// No answer in any attempt.
    Unreachable { kind: FailureKind },
}

/// The parcels under way.
#[derive(Debug)]
pub(crate) struct Outbox<P> {
    count_max: usize,
    last_parcel: u64,
    last_delivery: u64,
    parcels: BTreeMap<u64, (Parcel<P>, usize)>,
    /// How many answers there are for each peer, where there is one.
    answers: BTreeMap<PeerName, usize>,
    in_flight: BTreeMap<DeliveryId, u64>,
    due: BTreeSet<(Timestamp, u64)>,
    stats: QueueStats,
}

impl<P> Outbox<P> {
    /// Makes an empty outbox for at most `count_max` parcels.
    pub(crate) fn new(count_max: usize) -> Self {
        Self {
            count_max,
            last_parcel: 0,
            last_delivery: 0,
            parcels: BTreeMap::new(),
            answers: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            due: BTreeSet::new(),
            stats: QueueStats::default(),
        }
    }

    /// Takes a parcel and returns its first attempt; gives the parcel back where there is no room.
    ///
    /// Answers to one peer have a share of the room, so that a peer that asks much and takes its answers slowly does
    /// not keep us from talking to the others.
    pub(crate) fn queue(&mut self, parcel: Parcel<P>) -> Result<Transmit, Box<Parcel<P>>> {
        let answers_max = (self.count_max / ANSWERS_SHARE).max(1);
        let answers = self.answers.get(&parcel.peer).copied().unwrap_or(0);
        if self.parcels.len() >= self.count_max || (parcel.is_answer && answers >= answers_max) {
            self.stats.discarded += 1;
            return Err(Box::new(parcel));
        }
        if parcel.is_answer {
            self.answers.insert(parcel.peer.clone(), answers + 1);
        }
        self.stats.queued += 1;
        self.last_parcel += 1;
        let id = self.last_parcel;
        self.parcels.insert(id, (parcel, 0));
        Ok(self.attempt(id).expect("the parcel was inserted just above"))
    }

    /// Takes the outcome of one attempt. Returns the parcel once it has come to its end; `None` while another attempt
    /// is due, and for an attempt that is not known.
    pub(crate) fn settle(
        &mut self,
        attempt: DeliveryId,
        delivery: Delivery,
        now: Timestamp,
    ) -> Option<(Parcel<P>, Outcome)> {
        let id = self.in_flight.remove(&attempt)?;
        let (parcel, made) = self.parcels.get(&id)?;
        let (outcome, is_final) = match delivery {
            Delivery::Answered { status: 200, .. } => (Outcome::Accepted, true),
            Delivery::Answered { status, body } => {
                (Outcome::Refused { status, body }, is_final(status))
            }
            Delivery::Failed { kind } => (Outcome::Unreachable { kind }, false),
        };
        if let (false, Some(pause)) = (is_final, parcel.attempts.pause_after(*made)) {
            self.due.insert((now.plus(pause), id));
            return None;
        }
        let (parcel, _) = self.parcels.remove(&id)?;
        if parcel.is_answer {
            self.forget_answer(&parcel.peer);
        }
        match outcome {
            Outcome::Accepted => self.stats.sent += 1,
            Outcome::Refused { .. } | Outcome::Unreachable { .. } => self.stats.failed += 1,
        }
        Some((parcel, outcome))
    }

    /// Returns the next attempt that is due at `now`, if any; call until `None`.
    pub(crate) fn next_due(&mut self, now: Timestamp) -> Option<Transmit> {
        while let Some(&(at, id)) = self.due.first() {
            if at > now {
                return None;
            }
            self.due.remove(&(at, id));
            if let Some(transmit) = self.attempt(id) {
                return Some(transmit);
            }
        }
        None
    }

    /// Returns what the parcels under way are for, to change.
    pub(crate) fn purposes_mut(&mut self) -> impl Iterator<Item = &mut P> {
        self.parcels.values_mut().map(|(parcel, _)| &mut parcel.purpose)
    }

    /// Returns when the next attempt is due.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Returns the counters.
    pub(crate) fn stats(&self) -> QueueStats {
        QueueStats { size: self.parcels.len(), ..self.stats }
    }

    fn forget_answer(&mut self, peer: &PeerName) {
        let Some(count) = self.answers.get_mut(peer) else { return };
        *count -= 1;
        if *count == 0 {
            self.answers.remove(peer);
        }
    }

    fn attempt(&mut self, id: u64) -> Option<Transmit> {
        let (parcel, made) = self.parcels.get_mut(&id)?;
        *made += 1;
        self.last_delivery += 1;
        let attempt = DeliveryId(self.last_delivery);
        self.in_flight.insert(attempt, id);
        Some(Transmit {
            id: attempt,
            peer: parcel.peer.clone(),
            address: parcel.address.clone(),
            takes_sockets: parcel.takes_sockets,
            key: parcel.key,
            is_named: parcel.is_named,
            about: parcel.about,
            request: parcel.request.clone(),
            timeout: parcel.attempts.timeout(),
        })
    }
}

/// Of all parcels, this part may be answers to one peer. Guessed: 256 of 4,096.
const ANSWERS_SHARE: usize = 16;

fn is_final(status: u16) -> bool {
    FINAL_STATUSES.contains(&status) && !planted(Flaw::RetriesFinalRefusals)
}

/// The statuses after which no retry follows.
///
/// Source: docs/protocol/1.0.md#client-rules
const FINAL_STATUSES: [u16; 4] = [400, 401, 403, 404];

#[cfg(test)]
mod tests;
