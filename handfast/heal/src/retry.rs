//! How often what failed is tried again, and after how long.
//!
//! A retry never makes anything green: what then passes is told as flaky, or as healed in the ledger. It is counted twice, per unit and
//! per run: a run in which much fails is broken, and ends the sooner for not trying everything again.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast_trend::random::Dice;

use crate::class::Class;
use crate::failure::Subject;

#[cfg(test)]
mod tests;

/// How often, and after how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Most retries of one unit or test.
    pub per_subject: u32,
    /// Most retries of a run.
    pub per_run: u32,
    /// How long is waited before the first retry of a unit; each further one waits twice as long.
    pub delay_min: Duration,
    /// How long is waited at most.
    pub delay_max: Duration,
}

/// What is left of the retries of a run.
#[derive(Debug, Clone)]
pub struct Retries {
    policy: Policy,
    seed: u64,
    taken: u32,
    of: BTreeMap<Subject, u32>,
}

/// Whether something is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is, not before this time has passed.
    After(Duration),
    /// It is not.
    No(Refusal),
}

/// Why something is not tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// A reviewed rule says what it is: another try says nothing new.
    Known,
    /// It has passed again already.
    Settled,
    /// It was tried as often as a unit may be.
    SubjectSpent,
    /// The run has no retries left.
    RunSpent,
}

impl Default for Policy {
    /// Two retries a unit and twenty a run (guessed: two tell a flaky test from a broken one in most cases), after half a second and a
    /// second, never more than eight.
    fn default() -> Self {
        Self {
            per_subject: 2,
            per_run: 20,
            delay_min: Duration::from_millis(500),
            delay_max: Duration::from_secs(8),
        }
    }
}

impl Retries {
    /// The retries of a run; the waiting times follow from `seed`.
    pub fn new(policy: Policy, seed: u64) -> Self {
        Self { policy, seed, taken: 0, of: BTreeMap::new() }
    }

    /// Takes a retry for something that failed, if there is one.
    ///
    /// Infra is to be repaired before. Product is tried again too, to learn whether it is flaky.
    pub fn take(&mut self, subject: &Subject, class: &Class) -> Decision {
        match class {
            Class::Known { .. } => return Decision::No(Refusal::Known),
            Class::Flaky => return Decision::No(Refusal::Settled),
            Class::Product | Class::Infra { .. } => {}
        }
        let taken = self.of.get(subject).copied().unwrap_or_default();
        if taken >= self.policy.per_subject {
            return Decision::No(Refusal::SubjectSpent);
        }
        if self.taken >= self.policy.per_run {
            return Decision::No(Refusal::RunSpent);
        }
        self.taken += 1;
        // Bounded by the retries of a run.
        self.of.insert(subject.clone(), taken + 1);
        Decision::After(self.delay(subject, taken))
    }

    /// How many were taken, of the run and at most.
    pub fn taken(&self) -> (u32, u32) {
        (self.taken, self.policy.per_run)
    }

    /// Half of the doubled delay is waited in any case, the other half by chance: units that failed together do not come back together.
    fn delay(&self, subject: &Subject, taken: u32) -> Duration {
        let factor = 1_u32.checked_shl(taken).unwrap_or(u32::MAX);
        let whole = self.policy.delay_min.saturating_mul(factor).min(self.policy.delay_max);
        let dice = Dice::new(self.seed).part(u64::from(taken));
        let mut dice =
            subject.to_string().bytes().fold(dice, |dice, byte| dice.part(u64::from(byte)));
        let half = whole / 2;
        let limit = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX);
        // The high half of a product is below its factor: a fair choice without a division.
        let chosen = (u128::from(dice.bits()) * u128::from(limit)) >> 64;
        let chosen = Duration::from_nanos(u64::try_from(chosen).unwrap_or(limit));
        whole.saturating_sub(half) + chosen
    }
}
