//! Which chunks of a transfer there are: a bit each.

use entity_wire::limits::CHUNK_RANGES_MAX;
use entity_wire::payload::chunk::Ranges;

/// A set of chunk indexes below a fixed total.
///
/// A bit a chunk and not ranges, because a hostile sender could make as many ranges as there are chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkSet {
    words: Vec<u64>,
    total: u32,
    count: u32,
    /// All below are in.
    prefix: u32,
    /// All from here on are out.
    end: u32,
}

impl ChunkSet {
    /// Makes an empty set of indexes below `total`.
    pub fn new(total: u32) -> Self {
        let words = vec![0; total.div_ceil(WORD) as usize];
        Self { words, total, count: 0, prefix: 0, end: 0 }
    }

    /// Makes a set of these ranges; what lies at or above `total` is left out.
    pub fn from_ranges(total: u32, ranges: &Ranges) -> Self {
        let mut set = Self::new(total);
        set.insert_ranges(ranges);
        set
    }

    /// Adds an index; says whether it was new. One at or above the total is not taken.
    pub fn insert(&mut self, index: u32) -> bool {
        if index >= self.total || self.contains(index) {
            return false;
        }
        self.words[(index / WORD) as usize] |= 1 << (index % WORD);
        self.count += 1;
        self.end = self.end.max(index + 1);
        if index == self.prefix {
            self.prefix = self.next_missing(index).unwrap_or(self.total);
        }
        true
    }

    /// Adds ranges; says how many indexes were new.
    pub fn insert_ranges(&mut self, ranges: &Ranges) -> u32 {
        let mut new = 0;
        for (first, last) in ranges.as_slice() {
            for index in *first..=(*last).min(self.total.saturating_sub(1)) {
                new += u32::from(self.insert(index));
            }
        }
        new
    }

    /// Takes an index out; says whether it was in.
    pub fn remove(&mut self, index: u32) -> bool {
        if !self.contains(index) {
            return false;
        }
        self.words[(index / WORD) as usize] &= !(1 << (index % WORD));
        self.count -= 1;
        self.prefix = self.prefix.min(index);
        true
    }

    /// Whether an index is in.
    pub fn contains(&self, index: u32) -> bool {
        self.words
            .get((index / WORD) as usize)
            .is_some_and(|word| index < self.total && word >> (index % WORD) & 1 == 1)
    }

    /// How many are in.
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The number of chunks of the whole.
    pub const fn total(&self) -> u32 {
        self.total
    }

    /// Whether all are in.
    pub const fn is_full(&self) -> bool {
        self.count == self.total
    }

    /// All indexes below this one are in.
    pub const fn prefix(&self) -> u32 {
        self.prefix
    }

    /// Whether one is missing below one that is in.
    pub const fn has_gaps(&self) -> bool {
        self.prefix < self.end
    }

    /// The lowest index from `from` on that is not in.
    pub fn next_missing(&self, from: u32) -> Option<u32> {
        self.next(from, false)
    }

    /// What is in, as the first [`CHUNK_RANGES_MAX`] ranges.
    pub fn ranges(&self) -> Ranges {
        self.runs(true, self.total)
    }

    /// What is missing below the highest that is in, as the first [`CHUNK_RANGES_MAX`] ranges.
    pub fn gaps(&self) -> Ranges {
        let highest = (0..self.end).rev().find(|index| self.contains(*index));
        self.runs(false, highest.unwrap_or(0))
    }

    fn runs(&self, are_in: bool, below: u32) -> Ranges {
        let mut runs = Vec::new();
        let mut from = 0;
        while runs.len() < CHUNK_RANGES_MAX
            && let Some(first) = self.next(from, are_in).filter(|first| *first < below)
        {
            from = self.next(first, !are_in).unwrap_or(self.total).min(below);
            runs.push((first, from - 1));
        }
        // Ascending, apart, and few, by the loop above.
        Ranges::new(runs).unwrap_or_default()
    }

    /// The lowest index from `from` on that is in (or out).
    fn next(&self, from: u32, is_in: bool) -> Option<u32> {
        let mut at = from;
        while at < self.total {
            let word = self.words[(at / WORD) as usize];
            let wanted = if is_in { word } else { !word };
            let rest = wanted >> (at % WORD);
            if rest != 0 {
                return Some(at + rest.trailing_zeros()).filter(|index| *index < self.total);
            }
            at = (at / WORD + 1) * WORD;
        }
        None
    }
}

const WORD: u32 = u64::BITS;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn ranges(pairs: &[(u32, u32)]) -> Ranges {
        Ranges::new(pairs.to_vec()).unwrap()
    }

    #[test]
    fn ranges_and_gaps_are_the_two_sides_of_a_set() {
        let set = ChunkSet::from_ranges(200, &ranges(&[(0, 2), (63, 64), (130, 130)]));
        assert_eq!(set.ranges(), ranges(&[(0, 2), (63, 64), (130, 130)]));
        assert_eq!(set.gaps(), ranges(&[(3, 62), (65, 129)]));
        assert_eq!((set.count(), set.prefix(), set.has_gaps()), (6, 3, true));
        assert!(ChunkSet::new(0).is_full());
        assert!(ChunkSet::new(0).gaps().is_empty());
    }

    #[test]
    fn what_lies_beyond_the_total_is_not_taken() {
        let mut set = ChunkSet::from_ranges(3, &ranges(&[(1, 1_000_000)]));
        assert_eq!(set.ranges(), ranges(&[(1, 2)]));
        assert!(!set.insert(3) && !set.contains(3) && !set.remove(3));
        assert!(set.insert(0) && set.is_full());
        assert_eq!(set.next_missing(0), None);
    }

    #[test]
    fn no_more_than_256_ranges_are_told() {
        let mut set = ChunkSet::new(2_000);
        for index in (0..2_000).step_by(2) {
            set.insert(index);
        }
        assert_eq!(set.ranges().as_slice().len(), CHUNK_RANGES_MAX);
        assert_eq!(set.gaps().as_slice().len(), CHUNK_RANGES_MAX);
    }

    proptest! {
        #[test]
        fn a_chunk_set_is_a_set(total in 1_u32..300, steps in proptest::collection::vec((any::<bool>(), 0_u32..320), 0..200)) {
            let mut set = ChunkSet::new(total);
            let mut model = BTreeSet::new();
            for (adds, index) in steps {
                if adds {
                    prop_assert_eq!(set.insert(index), index < total && model.insert(index));
                } else {
                    prop_assert_eq!(set.remove(index), model.remove(&index));
                }
                prop_assert_eq!(set.count() as usize, model.len());
                let missing = (0..total).find(|index| !model.contains(index));
                prop_assert_eq!(set.next_missing(0), missing);
                prop_assert_eq!(set.prefix(), missing.unwrap_or(total));
            }
            let members: BTreeSet<u32> = (0..total).filter(|index| set.contains(*index)).collect();
            prop_assert_eq!(&members, &model);
            let holes = model.last().map_or(0, |last| last + 1) as usize - model.len();
            let told: u32 = set.gaps().as_slice().iter().map(|(first, last)| last - first + 1).sum();
            prop_assert_eq!(told as usize, holes);
            prop_assert_eq!(ChunkSet::from_ranges(total, &set.ranges()).count() as usize, model.len());
        }
    }
}
