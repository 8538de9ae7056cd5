//! The replay window of one direction and one generation (`docs/protocol/1.1.md#order-of-checks`).

use entity_flaw::{Flaw, planted};
use thiserror::Error;

/// How many sequence numbers below the highest accepted one may still arrive late: 1,024.
///
/// Specified by `docs/protocol/1.1.md#order-of-checks`.
pub const WIDTH: u64 = 1_024;

const WORD_BITS: u64 = 64;
const WORDS: usize = 16;

/// Why a sequence number is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SequenceRefusal {
    /// The number was accepted before: the message is a replay.
    #[error("sequence {sequence} was accepted before")]
    Repeated {
        /// The number of the refused message.
        sequence: u64,
    },
    /// The number lies so far below the highest accepted one that the window no longer knows whether it
    /// was accepted.
    #[error("sequence {sequence} lies below the replay window, which starts at {lowest}")]
    BelowWindow {
        /// The number of the refused message.
        sequence: u64,
        /// The lowest number the window still knows about.
        lowest: u64,
    },
}

/// Remembers which of the last [`WIDTH`] sequence numbers were accepted.
///
/// Memory is constant: one bit a number. Numbers above the highest accepted one always pass, because only
/// the holder of the sealing key can have produced them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayWindow {
    /// Bit `s % WIDTH` tells whether `s` was accepted, for every `s` in `[lowest, end)`.
    words: [u64; WORDS],
    /// One above the highest accepted number; 0 as long as none was accepted.
    end: u64,
}

impl Default for ReplayWindow {
    fn default() -> Self {
        Self::new()
    }
}

impl ReplayWindow {
    /// Starts a window that has accepted nothing.
    pub const fn new() -> Self {
        Self { words: [0; WORDS], end: 0 }
    }

    /// Remembers that `sequence` was accepted.
    ///
    /// The caller has called [`Self::look`] for this number since the last change. A number below the
    /// window is ignored, because [`Self::look`] refuses it in any case.
    pub fn record(&mut self, sequence: u64) {
        if sequence >= self.end {
            self.advance(sequence);
        } else if sequence < self.lowest() {
            return;
        }
        let (word, bit) = position(sequence);
        self.words[word] |= bit;
    }

    /// Decides whether `sequence` may be accepted, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`SequenceRefusal::Repeated`] for a number accepted before, [`SequenceRefusal::BelowWindow`] for one
    /// that left the window.
    pub fn look(&self, sequence: u64) -> Result<(), SequenceRefusal> {
        let lowest = self.lowest();
        let is_last_held = planted(Flaw::WindowOffByOne) && lowest > 0 && sequence == lowest;
        if sequence < lowest || is_last_held {
            return Err(SequenceRefusal::BelowWindow { sequence, lowest });
        }
        if sequence >= self.end {
            return Ok(());
        }
        let (word, bit) = position(sequence);
        if self.words[word] & bit != 0 && !planted(Flaw::TakesSequenceTwice) {
            return Err(SequenceRefusal::Repeated { sequence });
        }
        Ok(())
    }

    /// The lowest number that is still inside the window.
    pub fn lowest(&self) -> u64 {
        self.end.saturating_sub(WIDTH)
    }

    /// One above the highest number that was accepted; 0 before the first.
    pub const fn end(&self) -> u64 {
        self.end
    }

    /// Moves the window so that `sequence` becomes its highest number, forgetting what falls out.
    fn advance(&mut self, sequence: u64) {
        if sequence - self.end >= WIDTH {
            self.words = [0; WORDS];
        } else {
            // Each skipped slot still holds the bit of a number that has just left the window.
            for skipped in self.end..=sequence {
                let (word, bit) = position(skipped);
                self.words[word] &= !bit;
            }
        }
        self.end = sequence.saturating_add(1);
    }
}

/// The word and the bit in it that stand for `sequence`.
fn position(sequence: u64) -> (usize, u64) {
    let slot = sequence % WIDTH;
    let word = usize::try_from(slot / WORD_BITS).expect("a slot is below 1,024");
    (word, 1 << (slot % WORD_BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn window_with(accepted: &[u64]) -> ReplayWindow {
        let mut window = ReplayWindow::new();
        for &sequence in accepted {
            window.record(sequence);
        }
        window
    }

    #[track_caller]
    fn check(accepted: &[u64], sequence: u64, expected: Result<(), SequenceRefusal>) {
        assert_eq!(window_with(accepted).look(sequence), expected);
    }

    #[test]
    fn a_fresh_window_accepts_zero_and_any_other_number() {
        check(&[], 0, Ok(()));
        check(&[], 5, Ok(()));
        check(&[], (1 << 48) - 1, Ok(()));
    }

    #[test]
    fn an_accepted_number_is_refused_as_repeated() {
        check(&[7], 7, Err(SequenceRefusal::Repeated { sequence: 7 }));
    }

    #[test]
    fn a_late_number_inside_the_window_is_accepted_once() {
        check(&[1_023], 0, Ok(()));
        check(&[1_023, 0], 0, Err(SequenceRefusal::Repeated { sequence: 0 }));
    }

    #[test]
    fn the_first_number_below_the_window_is_refused() {
        check(&[1_024], 1, Ok(()));
        check(&[1_024], 0, Err(SequenceRefusal::BelowWindow { sequence: 0, lowest: 1 }));
    }

    #[test]
    fn looking_changes_nothing() {
        let window = window_with(&[3]);
        let before = window.clone();
        let _looked = window.look(9);
        assert_eq!(window, before);
    }

    #[test]
    fn a_jump_wider_than_the_window_forgets_every_old_bit() {
        check(&[5, 5 + 10 * WIDTH], 4 + 10 * WIDTH, Ok(()));
        check(&[5, 5 + WIDTH], 4 + WIDTH, Ok(()));
    }

    #[test]
    fn the_greatest_number_does_not_overflow() {
        check(
            &[u64::MAX],
            3,
            Err(SequenceRefusal::BelowWindow { sequence: 3, lowest: u64::MAX - WIDTH }),
        );
    }

    /// The same rule, kept as a set of everything ever accepted.
    #[derive(Default)]
    struct SlowWindow {
        accepted: BTreeSet<u64>,
    }

    impl SlowWindow {
        fn accepts(&mut self, sequence: u64) -> bool {
            let lowest =
                self.accepted.last().map_or(0, |highest| (highest + 1).saturating_sub(WIDTH));
            sequence >= lowest && self.accepted.insert(sequence)
        }
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set_of_everything_accepted(
            steps in prop::collection::vec((0_u64..3_000, 0_u64..40), 1..400)
        ) {
            let mut window = ReplayWindow::new();
            let mut slow = SlowWindow::default();
            for (base, spread) in steps {
                let sequence = base + spread;
                let accepted = window.look(sequence).is_ok();
                if accepted {
                    window.record(sequence);
                }
                prop_assert_eq!(accepted, slow.accepts(sequence), "sequence {}", sequence);
            }
        }
    }
}
