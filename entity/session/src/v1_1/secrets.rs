//! The secrets that the next keys of a session are bound to (`docs/protocol/1.1.md#which-secrets-are-kept`).
//!
//! Two sides that may crash at any moment never know for sure how far the other one has come. Each keeps what the other
//! may still start from, and forgets it only when a message shows that the other has gone further.

use std::fmt;

use entity_wire::id::Generation;
use thiserror::Error;
use zeroize::Zeroizing;

/// `R_g`: what a resumption or a rekey from generation `g` is bound to. Wiped on drop.
#[derive(Clone)]
pub(super) struct Secret {
    generation: Generation,
    bytes: Zeroizing<[u8; 32]>,
}

impl Secret {
    pub(super) const fn new(generation: Generation, bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { generation, bytes }
    }

    pub(super) const fn generation(&self) -> Generation {
        self.generation
    }

    pub(super) fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({}, ..)", self.generation)
    }
}

/// How a generation comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// By `session_resume` and `session_resumed`.
    Resumption,
    /// By `rekey` and `rekey_ack`.
    Rekey,
}

/// Why a generation cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum GenerationRefusal {
    /// Another generation at least as high was proposed or accepted.
    #[error("generation {offered} is not above {highest}")]
    NotAbove {
        /// What the peer proposes.
        offered: Generation,
        /// The highest that was ever proposed or accepted.
        highest: Generation,
    },
    /// The secret of the generation that it is to be bound to is not held.
    #[error("the secret of generation {base} is not held")]
    UnknownBase {
        /// What the peer starts from.
        base: Generation,
    },
}

/// There is no generation left to propose: the session ends with its keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no generation is left above {highest}")]
pub struct GenerationsUsedUp {
    /// The highest that was ever proposed or accepted.
    pub highest: Generation,
}

/// What is kept of one session: at most three secrets.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    /// Of the newest generation that the other side is known to hold.
    confirmed: Secret,
    /// Made on this side's proposal; the other side has answered, and not yet spoken under it.
    proposed: Option<Secret>,
    /// Made on the other side's proposal; whether the answer arrived is not known.
    pending: Option<(Secret, Renewal)>,
    /// The highest generation that was ever proposed or accepted.
    highest: Generation,
    /// Counts the changes, so that each of them is kept.
    version: u64,
}

impl Secrets {
    pub(super) const fn new(first: Secret) -> Self {
        let highest = first.generation;
        Self { confirmed: first, proposed: None, pending: None, highest, version: 0 }
    }

    /// What an earlier run of this side has kept. `None` where it contradicts itself.
    pub(super) fn restore(
        confirmed: Secret,
        proposed: Option<Secret>,
        pending: Option<Secret>,
        highest: Generation,
    ) -> Option<Self> {
        let above = |secret: &Option<Secret>| {
            secret.as_ref().is_none_or(|secret| {
                secret.generation > confirmed.generation && secret.generation <= highest
            })
        };
        let same =
            proposed.as_ref().map(Secret::generation) == pending.as_ref().map(Secret::generation);
        let is_whole = above(&proposed)
            && above(&pending)
            && confirmed.generation <= highest
            && (proposed.is_none() || !same);
        // Which message had made it no longer matters: its keys are gone, so only a resumption can confirm it.
        let pending = pending.map(|secret| (secret, Renewal::Resumption));
        is_whole.then_some(Self { confirmed, proposed, pending, highest, version: 0 })
    }

    /// Takes note that this side proposes `next`; it is never proposed again, nor accepted.
    pub(super) fn propose(&mut self, next: Generation) {
        self.highest = self.highest.max(next);
        self.version += 1;
    }

    /// Takes the secret that this side's proposal has led to. That the other side could answer shows that it holds
    /// `base`.
    pub(super) fn accept_proposed(&mut self, base: Generation, made: Secret) {
        self.confirm(base);
        self.highest = self.highest.max(made.generation);
        self.proposed = Some(made);
        self.version += 1;
    }

    /// Takes the secret that the other side's proposal leads to, in place of one that it has not confirmed. That it
    /// could propose shows that it holds `base`.
    pub(super) fn accept_pending(&mut self, base: Generation, made: Secret, renewal: Renewal) {
        self.confirm(base);
        self.highest = self.highest.max(made.generation);
        self.pending = Some((made, renewal));
        self.version += 1;
    }

    /// Takes note that the other side has shown to hold `generation`: whatever is older is forgotten. Says how the
    /// generation came about, where it is news.
    pub(super) fn confirm(&mut self, generation: Generation) -> Option<Confirmed> {
        let is = |secret: &Secret| secret.generation == generation;
        let (secret, confirmed) = if self.proposed.as_ref().is_some_and(is) {
            (self.proposed.take()?, Confirmed::Proposed)
        } else if self.pending.as_ref().is_some_and(|(secret, _)| is(secret)) {
            let (secret, renewal) = self.pending.take()?;
            (secret, Confirmed::Pending(renewal))
        } else {
            return None;
        };
        self.confirmed = secret;
        self.proposed.take_if(|secret| secret.generation < generation);
        self.pending.take_if(|(secret, _)| secret.generation < generation);
        self.version += 1;
        Some(confirmed)
    }

    /// Decides whether the other side may start from `base` and make `offered`, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`GenerationRefusal`].
    pub(super) fn look(
        &self,
        base: Generation,
        offered: Generation,
    ) -> Result<&Secret, GenerationRefusal> {
        if offered <= self.highest {
            return Err(GenerationRefusal::NotAbove { offered, highest: self.highest });
        }
        self.get(base).ok_or(GenerationRefusal::UnknownBase { base })
    }

    /// The secret of a generation, where it is held.
    pub(super) fn get(&self, generation: Generation) -> Option<&Secret> {
        let pending = self.pending.as_ref().map(|(secret, _)| secret);
        [Some(&self.confirmed), self.proposed.as_ref(), pending]
            .into_iter()
            .flatten()
            .find(|secret| secret.generation == generation)
    }

    /// What this side proposes from: the newest secret of which it knows that the other side holds it.
    pub(super) fn newest(&self) -> &Secret {
        self.proposed.as_ref().unwrap_or(&self.confirmed)
    }

    /// The generation to propose, `step` above the highest so far, or as far above as there is one.
    ///
    /// # Errors
    ///
    /// [`GenerationsUsedUp`].
    pub(super) fn next(&self, step: u16) -> Result<Generation, GenerationsUsedUp> {
        let highest = self.highest;
        if highest.next().is_none() {
            return Err(GenerationsUsedUp { highest });
        }
        Ok(Generation::new(highest.get().saturating_add(step.max(1))))
    }

    pub(super) const fn confirmed(&self) -> &Secret {
        &self.confirmed
    }

    pub(super) const fn proposed(&self) -> Option<&Secret> {
        self.proposed.as_ref()
    }

    pub(super) fn pending(&self) -> Option<&Secret> {
        self.pending.as_ref().map(|(secret, _)| secret)
    }

    pub(super) const fn highest(&self) -> Generation {
        self.highest
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

/// What a message has confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Confirmed {
    /// What this side had proposed.
    Proposed,
    /// What the other side had proposed, in this way.
    Pending(Renewal),
}

#[cfg(test)]
mod tests;
