//! Leaving out, in pieces: which parts of a schedule are tried without the rest, and without which parts the rest is tried.

use std::collections::BTreeSet;

use crate::schedule::Schedule;

/// Into how many pieces a schedule is cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pieces {
    count: usize,
    of: usize,
}

impl Pieces {
    /// Two halves.
    pub(super) fn new(of: usize) -> Self {
        Self { count: of.min(2), of }
    }

    /// One disturbance a piece.
    pub(super) fn finest(of: usize) -> Self {
        Self { count: of, of }
    }

    /// Pieces half as large; nothing when each is a single disturbance.
    pub(super) fn finer(&self) -> Option<Self> {
        let count = (self.count * 2).min(self.of);
        (self.count < self.of).then_some(Self { count, of: self.of })
    }

    /// What is tried when `before` disturbances have become `after`.
    ///
    /// When all but one piece remain, the next ones are of the same size; when a single piece does, it is cut in two.
    pub(super) fn after_removal(&self, before: usize, after: usize) -> Self {
        let is_complement = after * 2 > before;
        let count = if is_complement { self.count.saturating_sub(1) } else { 2 };
        Self { count: count.max(2).min(after), of: after }
    }

    /// Each piece alone, the last first, since what came last is the likeliest cause; then everything but a piece, the first first.
    pub(super) fn candidates(&self, schedule: &Schedule) -> Vec<Schedule> {
        if self.of < 2 {
            return Vec::new();
        }
        let everything: BTreeSet<usize> = (0..self.of).collect();
        let pieces: Vec<BTreeSet<usize>> = (0..self.count).map(|piece| self.piece(piece)).collect();
        let alone = pieces.iter().rev().map(|piece| &everything - piece);
        // Of two halves each is all but the other.
        let rest = pieces.iter().filter(|_| self.count > 2).cloned();
        alone.chain(rest).map(|left_out| schedule.without(&left_out)).collect()
    }

    fn piece(&self, piece: usize) -> BTreeSet<usize> {
        let count = self.count.max(1);
        (piece * self.of / count..(piece + 1) * self.of / count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::kill;

    fn shown(pieces: &Pieces) -> Vec<String> {
        let steps = (0..pieces.of as u64).map(|at| kill("b", at, 1)).collect();
        let schedule = Schedule::new(steps);
        let names =
            |schedule: Schedule| schedule.steps.iter().map(|step| step.name.clone()).collect();
        pieces.candidates(&schedule).into_iter().map(names).collect()
    }

    #[test]
    fn halves_come_first_and_the_later_one_before_the_earlier() {
        assert_eq!(shown(&Pieces::new(4)), ["23", "01"]);
        assert_eq!(shown(&Pieces::new(5)), ["234", "01"]);
    }

    #[test]
    fn smaller_pieces_are_tried_alone_and_left_out() {
        let quarters = Pieces::new(4).finer().unwrap();
        assert_eq!(shown(&quarters), ["3", "2", "1", "0", "123", "023", "013", "012"]);
        assert_eq!(quarters.finer(), None);
    }

    #[test]
    fn a_single_disturbance_cannot_be_left_out() {
        assert!(shown(&Pieces::new(1)).is_empty());
        assert!(shown(&Pieces::new(0)).is_empty());
        assert_eq!(Pieces::new(1).finer(), None);
    }

    #[test]
    fn after_a_removal_pieces_keep_their_size() {
        assert_eq!(Pieces { count: 4, of: 8 }.after_removal(8, 6), Pieces { count: 3, of: 6 });
        assert_eq!(Pieces { count: 4, of: 8 }.after_removal(8, 2), Pieces { count: 2, of: 2 });
        assert_eq!(Pieces { count: 2, of: 2 }.after_removal(2, 1), Pieces { count: 1, of: 1 });
    }
}
