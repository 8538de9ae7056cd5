//! Seeded chance: the same seed, the same throws.

use std::fmt;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use thiserror::Error;

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

/// A probability, in billionths. As text: the share of one, such as `0.02`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Chance(u32);

impl Chance {
    /// It never happens.
    pub const NEVER: Self = Self(0);

    /// It always happens.
    pub const ALWAYS: Self = Self(Self::WHOLE);

    const WHOLE: u32 = 1_000_000_000;

    /// So many of a thousand cases; all of them from 1,000 on.
    pub const fn per_mille(count: u32) -> Self {
        let count = if count > 1_000 { 1_000 } else { count };
        Self(count * (Self::WHOLE / 1_000))
    }

    /// So many of a million cases; all of them from 1,000,000 on.
    pub const fn per_million(count: u32) -> Self {
        let count = if count > 1_000_000 { 1_000_000 } else { count };
        Self(count * (Self::WHOLE / 1_000_000))
    }

    /// A share of one, rounded to a billionth.
    ///
    /// # Errors
    ///
    /// [`NoShare`] for what is not between 0 and 1.
    pub fn share(share: f64) -> Result<Self, NoShare> {
        if !(0.0..=1.0).contains(&share) {
            return Err(NoShare(share));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a billion, as was just seen"
        )]
        let billionths = (share * f64::from(Self::WHOLE)).round() as u32;
        Ok(Self(billionths))
    }

    /// The share of one.
    pub fn as_share(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE)
    }

    /// Whether it never happens.
    pub fn is_never(self) -> bool {
        self == Self::NEVER
    }

    /// How often it happens in so many cases, in parts of 2^64.
    pub(crate) fn expected(self, cases: u64) -> u128 {
        // A billionth of 2^64 at a time: what is cut off is less than one case in ten billion cases.
        let part = (u128::from(self.0) << 64) / u128::from(Self::WHOLE);
        part * u128::from(cases)
    }

    /// Whether a throw of 64 even bits is a hit.
    pub(crate) fn is_hit(self, throw: u64) -> bool {
        // The upper half of the product: `throw` scaled to a billion cases.
        (u128::from(throw) * u128::from(Self::WHOLE)) >> 64 < u128::from(self.0)
    }
}

impl fmt::Display for Chance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Through a text of seven digits, so that 0.07 is "7 %" and not "7.000000000000001 %".
        let percent = format!("{:.7}", f64::from(self.0) / 1e7);
        write!(f, "{} %", percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A number is no share of one.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("{0} is not between 0 and 1")]
pub struct NoShare(pub f64);

impl TryFrom<f64> for Chance {
    type Error = NoShare;

    fn try_from(share: f64) -> Result<Self, NoShare> {
        Self::share(share)
    }
}

impl From<Chance> for f64 {
    fn from(chance: Chance) -> Self {
        chance.as_share()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_written_as_it_is_read() {
        for share in [0.0, 0.001, 0.02, 0.07, 0.3, 0.123_456_789, 1.0] {
            let chance = Chance::share(share).unwrap();
            let text = serde_json::to_string(&chance).unwrap();
            assert_eq!(text, format!("{share:?}"));
            assert_eq!(serde_json::from_str::<Chance>(&text).unwrap(), chance);
        }
        assert_eq!(Chance::share(0.07).unwrap().to_string(), "7 %");
        assert_eq!(Chance::per_million(1_500).to_string(), "0.15 %");
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for wrong in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Chance::share(wrong).is_err(), "{wrong}");
        }
        let error = serde_json::from_str::<Chance>("2").unwrap_err();
        assert!(error.to_string().contains("2 is not between 0 and 1"), "{error}");
    }

    #[test]
    fn certainty_hits_every_throw_and_impossibility_none() {
        for throw in [0, 1, u64::MAX / 2, u64::MAX] {
            assert!(Chance::ALWAYS.is_hit(throw) && !Chance::NEVER.is_hit(throw));
        }
        let half = Chance::per_mille(500);
        assert!(half.is_hit(u64::MAX / 2 - 9) && !half.is_hit(u64::MAX / 2 + 10));
    }
}
