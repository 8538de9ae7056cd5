//! Losses in a row, by length.

use handfast_statistics::chi_square::chi_square_at_least;
use handfast_statistics::number::real_u64;

/// How many bursts of each length there were. One that something else interrupted is not counted: nobody knows how long
/// it would have become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bursts {
    by_length: [u32; Self::LENGTH_MAX],
    count: u64,
    packets: u64,
    running: u64,
    is_whole: bool,
}

impl Bursts {
    /// Longer ones are counted together.
    pub const LENGTH_MAX: usize = 128;

    /// Expected bursts that a class of a chi-square test needs at least (W. G. Cochran's rule, 1954).
    const EXPECTED_MIN: f64 = 5.0;

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many packets each took, in the mean; `None` without any.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| real_u64(self.packets) / real_u64(self.count))
    }

    /// How many there were of this length, or of [`LENGTH_MAX`](Self::LENGTH_MAX) and more.
    pub fn of_length(&self, length: usize) -> u32 {
        let place = length.checked_sub(1).map(|place| place.min(Self::LENGTH_MAX - 1));
        place.map_or(0, |place| self.by_length[place])
    }

    /// The probability that lengths spread as unevenly as these come from the geometric law: a burst goes on with the
    /// chance `continues` after each packet. Pearson's chi-square; `None` where there are too few bursts for a test.
    pub fn geometric_probability(&self, continues: f64) -> Option<f64> {
        let all = real_u64(self.count);
        let mut sum = 0.0;
        let mut classes = 0.0;
        let (mut expected, mut observed) = (0.0, 0.0);
        let mut longer = all;
        for (place, count) in self.by_length.iter().enumerate() {
            let is_last = place + 1 == Self::LENGTH_MAX;
            let of_this = if is_last { longer } else { longer * (1.0 - continues) };
            expected += of_this;
            observed += f64::from(*count);
            longer -= of_this;
            // A class is closed when it and all that follow it can fill one.
            if is_last || (expected >= Self::EXPECTED_MIN && longer >= Self::EXPECTED_MIN) {
                if expected > 0.0 {
                    sum += (observed - expected) * (observed - expected) / expected;
                    classes += 1.0;
                }
                (expected, observed) = (0.0, 0.0);
            }
        }
        (classes >= 2.0).then(|| chi_square_at_least(sum, classes - 1.0))
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (cell, more) in self.by_length.iter_mut().zip(other.by_length) {
            *cell = cell.saturating_add(more);
        }
        self.count += other.count;
        self.packets += other.packets;
    }

    pub(crate) fn lost(&mut self) {
        self.running += 1;
    }

    pub(crate) fn passed(&mut self) {
        if self.running > 0 && self.is_whole {
            let place = usize::try_from(self.running - 1).unwrap_or(usize::MAX);
            let cell = &mut self.by_length[place.min(Self::LENGTH_MAX - 1)];
            *cell = cell.saturating_add(1);
            self.count += 1;
            self.packets += self.running;
        }
        (self.running, self.is_whole) = (0, true);
    }

    /// A packet that did not come to the dice: whether it would have been lost is not known.
    pub(crate) fn interrupted(&mut self) {
        (self.running, self.is_whole) = (0, false);
    }
}

impl Default for Bursts {
    fn default() -> Self {
        let by_length = [0; Self::LENGTH_MAX];
        Self { by_length, count: 0, packets: 0, running: 0, is_whole: true }
    }
}
