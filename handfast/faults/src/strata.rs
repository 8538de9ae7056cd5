//! A share of messages that holds for few of them, too.
//!
//! Thrown for each message alone, a tenth of thirty messages is none at all once in twenty-four times, and nobody can tell a
//! scenario that was lucky from one whose fault did not work. So the messages are cut into stretches in which exactly
//! one is met (each ten messages, for a tenth), and chance has only its place there: after n messages the count is off by
//! less than one from the share, and still nobody can foretell which ones they are. This is stratified sampling.

use crate::dice::{Chance, Dice};

/// Meets a share of all messages, one in each stretch.
#[derive(Debug)]
pub(crate) struct Strata {
    chance: Chance,
    dice: Dice,
    /// How many messages were looked at.
    seen: u64,
    /// How many were met.
    met: u64,
    /// Where in its stretch the next one is: a fraction of 2^64.
    place: u64,
}

impl Strata {
    pub(crate) fn new(chance: Chance, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let place = dice.below(u64::MAX);
        Self { chance, dice, seen: 0, met: 0, place }
    }

    /// Whether the next message is met.
    pub(crate) fn meets_next(&mut self) -> bool {
        self.seen += 1;
        let expected = self.chance.expected(self.seen);
        let at = (u128::from(self.met) << 64) + u128::from(self.place);
        let is_met = at < expected;
        if is_met {
            self.met += 1;
            self.place = self.dice.below(u64::MAX);
        }
        is_met
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn met(chance: Chance, seed: u64, count: u64) -> Vec<u64> {
        let mut strata = Strata::new(chance, seed);
        (0..count).filter(|_| strata.meets_next()).collect()
    }

    #[test]
    fn each_ten_messages_have_exactly_one_of_a_tenth_and_it_is_anywhere() {
        let mut places = [0; 10];
        for seed in 0..50 {
            let met = met(Chance::per_mille(100), seed, 200);
            assert_eq!(met.len(), 20);
            for (stretch, index) in (0..).zip(met) {
                assert_eq!(index / 10, stretch, "one in each stretch");
                places[usize::try_from(index % 10).unwrap()] += 1;
            }
        }
        assert!(places.iter().all(|&count| (60..140).contains(&count)), "{places:?}");
    }

    #[test]
    fn nothing_and_everything_are_met_exactly() {
        assert!(met(Chance::NEVER, 1, 100).is_empty());
        assert_eq!(met(Chance::ALWAYS, 1, 100), (0..100).collect::<Vec<_>>());
    }

    proptest! {
        #[test]
        fn the_count_is_never_off_by_more_than_one(share in 0_u32..=1_000, seed: u64, count in 1_u64..500) {
            let met = met(Chance::per_mille(share), seed, count).len() as u64;
            let (least, most) = (u64::from(share) * count / 1_000, (u64::from(share) * count).div_ceil(1_000));
            prop_assert!((least.saturating_sub(1)..=most).contains(&met), "{met} of {count}");
        }
    }
}
