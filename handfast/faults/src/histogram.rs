//! Spans, counted by length with a relative error below 1/32; of fixed size, so that counting allocates nothing.

/// Counts of spans, in nanoseconds: exact up to 32 ns, then 32 cells for each doubling.
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    cells: Box<[u32; CELLS]>,
    count: u64,
    sum_ns: u128,
    least_ns: u64,
    most_ns: u64,
}

impl Histogram {
    /// Beyond it spans are told apart no more: 36 minutes.
    pub const SPAN_MAX_NS: u64 = (1 << OCTAVE_MAX) - 1;

    /// Counts a span.
    pub fn add(&mut self, ns: u64) {
        let cell = &mut self.cells[cell_of(ns)];
        *cell = cell.saturating_add(1);
        self.count += 1;
        self.sum_ns += u128::from(ns);
        self.least_ns = self.least_ns.min(ns);
        self.most_ns = self.most_ns.max(ns);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their mean; `None` without any.
    pub fn mean_ns(&self) -> Option<u64> {
        let mean = self.sum_ns.checked_div(u128::from(self.count))?;
        Some(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// The shortest; `None` without any.
    pub fn least_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.least_ns)
    }

    /// The longest; `None` without any.
    pub fn most_ns(&self) -> Option<u64> {
        (self.count > 0).then_some(self.most_ns)
    }

    /// The span that so many of a thousand are not longer than, in the middle of its cell; `None` without any.
    pub fn quantile_ns(&self, per_mille: u64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = (self.count * per_mille.min(1_000)).div_ceil(1_000).max(1);
        let mut seen = 0;
        for (cell, count) in self.cells.iter().enumerate() {
            seen += u64::from(*count);
            if seen >= rank {
                return Some(middle_of(cell).clamp(self.least_ns, self.most_ns));
            }
        }
        Some(self.most_ns)
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        for (cell, count) in self.cells.iter_mut().zip(other.cells.iter()) {
            *cell = cell.saturating_add(*count);
        }
        self.count += other.count;
        self.sum_ns += other.sum_ns;
        self.least_ns = self.least_ns.min(other.least_ns);
        self.most_ns = self.most_ns.max(other.most_ns);
    }
}

impl Default for Histogram {
    fn default() -> Self {
        let cells = Box::new([0; CELLS]);
        Self { cells, count: 0, sum_ns: 0, least_ns: u64::MAX, most_ns: 0 }
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count)
            .field("p50_ns", &self.quantile_ns(500))
            .field("p99_ns", &self.quantile_ns(990))
            .finish_non_exhaustive()
    }
}

/// Cells of an octave, as a power of two.
const FINE_BITS: u32 = 5;
const FINE: u64 = 1 << FINE_BITS;
const OCTAVE_MAX: u32 = 41;
const CELLS: usize = ((OCTAVE_MAX - FINE_BITS + 1) as usize) << FINE_BITS;

fn cell_of(ns: u64) -> usize {
    let ns = ns.min(Histogram::SPAN_MAX_NS);
    if ns < FINE {
        return usize::try_from(ns).unwrap_or(0);
    }
    let octave = ns.ilog2();
    let fine = (ns >> (octave - FINE_BITS)) - FINE;
    let coarse = u64::from(octave - FINE_BITS + 1) << FINE_BITS;
    usize::try_from(coarse + fine).unwrap_or(CELLS - 1)
}

fn middle_of(cell: usize) -> u64 {
    let cell = u64::try_from(cell).unwrap_or(0);
    let (coarse, fine) = (cell >> FINE_BITS, cell & (FINE - 1));
    if coarse == 0 {
        return fine;
    }
    let width = 1_u64 << (coarse - 1);
    (FINE + fine) * width + width / 2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn without_spans_there_is_no_quantile() {
        let empty = Histogram::default();
        assert_eq!((empty.quantile_ns(500), empty.mean_ns(), empty.most_ns()), (None, None, None));
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut histogram = Histogram::default();
        (1..=100_u64).for_each(|ms| histogram.add(ms * 1_000_000));
        for (per_mille, ms) in [(0, 1), (500, 50), (990, 99), (1_000, 100)] {
            let found = histogram.quantile_ns(per_mille).unwrap();
            let expected = ms * 1_000_000_u64;
            assert!(found.abs_diff(expected) <= expected / 32, "{per_mille}: {found}");
        }
        assert_eq!(histogram.mean_ns(), Some(50_500_000));
        assert_eq!(histogram.most_ns(), Some(100_000_000));
    }

    #[test]
    fn what_is_too_long_counts_as_the_longest() {
        let mut histogram = Histogram::default();
        histogram.add(u64::MAX);
        histogram.add(Histogram::SPAN_MAX_NS + 1);
        assert_eq!(histogram.count(), 2);
        assert_eq!(cell_of(u64::MAX), CELLS - 1);
    }

    proptest! {
        #[test]
        fn a_cell_is_near_every_span_in_it(ns in 0..Histogram::SPAN_MAX_NS) {
            let middle = middle_of(cell_of(ns));
            prop_assert!(middle.abs_diff(ns) <= ns / 32);
            prop_assert!(cell_of(ns) <= cell_of(ns + 1));
        }

        #[test]
        fn merging_is_counting_both(left in prop::collection::vec(0_u64..1 << 42, 0..50), right in prop::collection::vec(0_u64..1 << 42, 0..50)) {
            let count = |spans: &[u64]| {
                let mut histogram = Histogram::default();
                for ns in spans { histogram.add(*ns); }
                histogram
            };
            let mut merged = count(&left);
            merged.merge(&count(&right));
            prop_assert_eq!(merged, count(&[left, right].concat()));
        }
    }
}
