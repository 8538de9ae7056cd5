//! Schedules that showed something new, and how often each is taken up again.

use std::collections::VecDeque;

use handfast_faults::Dice;

use crate::schedule::Schedule;

/// Most schedules that are kept; the one that has been taken up most often goes first.
pub const CORPUS_MAX: usize = 256;

/// A schedule that showed something new.
#[derive(Debug, Clone)]
struct Entry {
    schedule: Schedule,
    /// How many features nobody had seen before.
    new: usize,
    /// How often it was taken up.
    picks: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Corpus {
    entries: VecDeque<Entry>,
}

impl Corpus {
    /// Keeps a schedule that showed so many new things; nothing if it showed none.
    pub fn note(&mut self, schedule: &Schedule, new: usize) {
        if new == 0 || schedule.is_empty() {
            return;
        }
        if self.entries.len() == CORPUS_MAX {
            let most = self.entries.iter().enumerate().max_by_key(|(_, entry)| entry.picks);
            if let Some((index, _)) = most {
                self.entries.remove(index);
            }
        }
        self.entries.push_back(Entry { schedule: schedule.clone(), new, picks: 0 });
    }

    /// One of them: the more it showed and the less often it was taken up, the likelier.
    pub fn pick(&mut self, dice: &mut Dice) -> Option<Schedule> {
        let total = self.entries.iter().map(Entry::energy).sum();
        let mut throw = dice.below(total);
        for entry in &mut self.entries {
            let energy = entry.energy();
            if throw < energy {
                entry.picks += 1;
                return Some(entry.schedule.clone());
            }
            throw -= energy;
        }
        None
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    /// As in power schedules of fuzzers: what was taken up often has less.
    fn energy(&self) -> u64 {
        let new = u64::try_from(self.new.min(64)).unwrap_or(64);
        let picks = u64::try_from(self.picks).unwrap_or(u64::MAX);
        (1_000 * (4 + new) / (1 + picks)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::kill;

    fn schedule(at: u64) -> Schedule {
        Schedule::new(vec![kill("b", at, 1)])
    }

    #[test]
    fn what_shows_nothing_new_is_not_kept() {
        let mut corpus = Corpus::default();
        corpus.note(&schedule(1), 0);
        corpus.note(&Schedule::default(), 3);
        assert!(corpus.is_empty());
        assert_eq!(corpus.pick(&mut Dice::new(1)), None);
    }

    #[test]
    fn all_are_taken_up_in_turn_and_the_newest_things_first() {
        let mut corpus = Corpus::default();
        corpus.note(&schedule(1), 1);
        corpus.note(&schedule(2), 60);
        let mut dice = Dice::new(1);
        let picked: Vec<_> = (0..200).filter_map(|_| corpus.pick(&mut dice)).collect();
        let often = picked.iter().filter(|picked| **picked == schedule(2)).count();
        assert_eq!(picked.len(), 200);
        assert!((120..190).contains(&often), "{often}");
    }

    #[test]
    fn a_full_corpus_gives_up_what_was_taken_up_most() {
        let mut corpus = Corpus::default();
        corpus.note(&schedule(0), 9);
        assert_eq!(corpus.pick(&mut Dice::new(1)), Some(schedule(0)));
        for at in 1..=CORPUS_MAX as u64 {
            corpus.note(&schedule(at), 9);
        }
        assert_eq!(corpus.len(), CORPUS_MAX);
        assert!(!corpus.entries.iter().any(|entry| entry.schedule == schedule(0)));
    }
}
