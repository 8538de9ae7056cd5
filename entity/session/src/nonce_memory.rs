//! The memory of nonces that were accepted outside a ready session (`docs/protocol/1.1.md#nonce-memory`).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use entity_crypto::derivation::sha256;
use entity_wire::time::Timestamp;
use thiserror::Error;

/// How long an accepted nonce is remembered: 300 s.
///
/// Specified by `docs/protocol/1.1.md#order-of-checks`. A message is fresh for at most 120 s around its
/// timestamp, so a nonce is forgotten only after its message has gone stale.
pub const LIFETIME: Duration = Duration::from_mins(5);

/// How often expired nonces are looked for. An expired nonce is never *seen*; until the next sweep it
/// only occupies room.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// How much a [`NonceMemory`] may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceLimits {
    /// How many senders are remembered at once.
    pub senders_max: usize,
    /// How many nonces of one sender are remembered at once.
    pub nonces_per_sender_max: usize,
}

impl NonceLimits {
    /// Room for 1,024 senders with 4,096 nonces each: about 56 bytes a nonce, 230 MiB if every sender
    /// uses all of its share.
    ///
    /// A guess that suits handshake traffic; whoever expects a steady stream outside sessions sizes
    /// `nonces_per_sender_max` as messages a second times 300.
    pub const DEFAULT: Self = Self { senders_max: 1_024, nonces_per_sender_max: 4_096 };
}

/// Why a nonce is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NonceRefusal {
    /// This sender's message with this nonce was accepted less than [`LIFETIME`] ago.
    #[error("the nonce was accepted before")]
    Seen,
    /// There is no room for another nonce or another sender, and nothing in the memory has expired.
    #[error("the memory of nonces is full")]
    Full {
        /// After how long room may be free again.
        retry_after: Duration,
    },
}

/// Which nonces each sender has used, for [`LIFETIME`] each.
///
/// Bounded by [`NonceLimits`] and never forgets early: when it is full it refuses, because evicting a
/// nonce that has not expired would let an attacker who can fill the memory replay an old message.
/// Each sender has its own share, so one that uses up its share costs the others nothing.
///
/// `S` names an *authenticated* sender, usually its public key.
#[derive(Debug, Clone)]
pub struct NonceMemory<S> {
    limits: NonceLimits,
    senders: BTreeMap<S, SenderNonces>,
    next_sweep: Timestamp,
}

impl<S: Ord> NonceMemory<S> {
    /// Starts an empty memory.
    pub const fn new(limits: NonceLimits) -> Self {
        Self { limits, senders: BTreeMap::new(), next_sweep: Timestamp::MIN }
    }

    /// Forgets what has expired at `now`. Cheap to call for every message; only afterwards is freed room
    /// visible to [`Self::look`].
    pub fn expire(&mut self, now: Timestamp) {
        if now < self.next_sweep {
            return;
        }
        self.next_sweep = now.plus(SWEEP_INTERVAL);
        self.senders.retain(|_, nonces| {
            nonces.expire(now);
            !nonces.order.is_empty()
        });
    }

    /// Remembers that the message with `nonce` was accepted at `now`.
    ///
    /// The caller has called [`Self::look`] with the same arguments since the last change; what that
    /// refuses is not recorded here either.
    pub fn record(&mut self, sender: S, nonce: &[u8], now: Timestamp) {
        if self.look(&sender, nonce, now).is_ok() {
            self.senders.entry(sender).or_default().record(Digest::of(nonce), now);
        }
    }

    /// Decides whether the message with `nonce` may be accepted, and changes nothing.
    ///
    /// `nonce` is opaque; only a digest of it is kept, so its length does not matter.
    ///
    /// # Errors
    ///
    /// [`NonceRefusal::Seen`] for a repeated nonce, [`NonceRefusal::Full`] where the nonce could not be
    /// remembered.
    pub fn look(&self, sender: &S, nonce: &[u8], now: Timestamp) -> Result<(), NonceRefusal> {
        let Some(nonces) = self.senders.get(sender) else {
            if self.senders.len() < self.limits.senders_max {
                return Ok(());
            }
            return Err(NonceRefusal::Full { retry_after: LIFETIME });
        };
        if nonces.holds(Digest::of(nonce), now) {
            return Err(NonceRefusal::Seen);
        }
        if nonces.order.len() < self.limits.nonces_per_sender_max {
            return Ok(());
        }
        Err(NonceRefusal::Full { retry_after: nonces.room_after(now) })
    }

    /// How many nonces are remembered, expired ones that were not swept yet included.
    pub fn len(&self) -> usize {
        self.senders.values().map(|nonces| nonces.order.len()).sum()
    }

    /// Whether no nonce is remembered.
    pub fn is_empty(&self) -> bool {
        self.senders.is_empty()
    }
}

/// The nonces of one sender.
#[derive(Debug, Clone, Default)]
struct SenderNonces {
    accepted: BTreeMap<Digest, Timestamp>,
    /// The same nonces in the order in which they expire.
    order: VecDeque<(Timestamp, Digest)>,
}

impl SenderNonces {
    fn expire(&mut self, now: Timestamp) {
        while let Some(&(accepted_at, digest)) = self.order.front() {
            if !is_expired(accepted_at, now) {
                break;
            }
            self.order.pop_front();
            // A nonce that was accepted again after it expired has a younger entry, which stays.
            if self.accepted.get(&digest) == Some(&accepted_at) {
                self.accepted.remove(&digest);
            }
        }
    }

    fn record(&mut self, digest: Digest, now: Timestamp) {
        self.accepted.insert(digest, now);
        self.order.push_back((now, digest));
    }

    fn holds(&self, digest: Digest, now: Timestamp) -> bool {
        self.accepted.get(&digest).is_some_and(|&accepted_at| !is_expired(accepted_at, now))
    }

    fn room_after(&self, now: Timestamp) -> Duration {
        self.order
            .front()
            .map_or(Duration::ZERO, |&(accepted_at, _)| accepted_at.plus(LIFETIME).since(now))
    }
}

/// A nonce accepted at `accepted_at` counts through the whole of its 300th second.
fn is_expired(accepted_at: Timestamp, now: Timestamp) -> bool {
    now > accepted_at.plus(LIFETIME)
}

/// The first 16 bytes of the SHA-256 of a nonce: a fixed size for whatever text a sender chose. A sender
/// that finds two nonces with the same digest only gets its own second message refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Digest([u8; 16]);

impl Digest {
    fn of(nonce: &[u8]) -> Self {
        let whole = sha256(nonce);
        let mut kept = [0; 16];
        kept.copy_from_slice(&whole[..16]);
        Self(kept)
    }
}

#[cfg(test)]
mod tests;
