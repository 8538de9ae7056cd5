//! Dice that follow from a seed.

use handfast_statistics::number::{real, whole};

/// `SplitMix64`: small, seeded, and the same everywhere; not for secrets.
///
/// G. L. Steele, D. Lea, C. H. Flood, Fast splittable pseudorandom number generators, 2014.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for one part of what a seed decides, so that parts do not shift each other.
    #[must_use]
    pub fn part(&self, number: u64) -> Self {
        let mut dice = Self(self.0 ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        Self(dice.bits())
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below 1, uniform.
    pub fn unit(&mut self) -> f64 {
        // The upper 32 bits twice: exact as a real number without a cast that may lose.
        let high = f64::from(u32::try_from(self.bits() >> 32).unwrap_or_default());
        let low = f64::from(u32::try_from(self.bits() >> 43).unwrap_or_default());
        (high * 2_097_152.0 + low) / 9_007_199_254_740_992.0
    }

    /// A whole number below `bound`, uniform; 0 where `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        whole(self.unit() * real(bound)).min(bound.saturating_sub(1))
    }

    /// Whether something of this probability happened.
    pub fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// A draw from the normal distribution of mean 0 and deviation 1 (G. E. P. Box, M. E. Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Puts values into a random order (R. A. Fisher, F. Yates, 1938).
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            let other = self.below(last + 1);
            values.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        let draws = |seed| {
            let mut dice = Dice::new(seed);
            (dice.bits(), dice.unit().to_bits(), dice.normal().to_bits(), dice.below(7))
        };
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
        assert_eq!(Dice::new(0).bits(), 0xE220_A839_7B1D_CDAF, "as published");
    }

    #[test]
    fn draws_have_the_moments_they_should() {
        let mut dice = Dice::new(1);
        let draws: Vec<f64> = (0..20_000).map(|_| dice.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|draw| draw * draw).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
        let units: Vec<f64> = (0..20_000).map(|_| dice.unit()).collect();
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
        assert!((units.iter().sum::<f64>() / 20_000.0 - 0.5).abs() < 0.01);
    }
}
