//! Seeded chance: the same seed, the same throws.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Everything that is left to chance in a test. Not for keys.
#[derive(Clone, Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Further dice whose throws do not depend on how often these are thrown from here on.
    #[must_use]
    pub fn split(&mut self) -> Self {
        Self::new(self.0.next_u64())
    }

    /// A number below `end`; 0 where `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // Multiplying spreads the throws evenly enough: a bias of `end` in 2^64.
        let product = u128::from(self.0.next_u64()) * u128::from(end);
        u64::try_from(product >> 64).unwrap_or(0)
    }

    /// A number of the range, both ends included; `first` where the range is empty.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first).saturating_add(1))
    }

    /// Whether something happens that happens in `chance` of all cases.
    pub fn happens(&mut self, chance: Chance) -> bool {
        self.below(u64::from(Chance::WHOLE)) < u64::from(chance.0)
    }

    /// 32 random bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// A probability in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Chance(u32);

impl Chance {
    /// It never happens.
    pub const NEVER: Self = Self(0);

    /// It always happens.
    pub const ALWAYS: Self = Self(Self::WHOLE);

    const WHOLE: u32 = 1_000;

    /// So many of a thousand cases; all of them from 1,000 on.
    pub fn per_mille(count: u32) -> Self {
        Self(count.min(Self::WHOLE))
    }
}
