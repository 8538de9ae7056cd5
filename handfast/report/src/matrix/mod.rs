//! The matrix for people and programs: [`terminal`], [`markdown`], [`json`]; what stands below it: [`notes`].

pub mod json;
pub mod markdown;
pub mod notes;
pub mod terminal;

use handfast_matrix::Grid;
use handfast_matrix::expected::Comparison;
use handfast_matrix::grid::{Judged, Square, State};
use handfast_scenario::verdict::VerdictKind;

use crate::palette::Ink;

/// One mark a cell: how it looks, and what it means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Not begun.
    Waiting,
    /// Being played.
    Running,
    /// Passed in this run.
    Passed,
    /// Passed in an earlier run on the same content.
    Recalled,
    /// Failed, exactly as expected.
    AsExpected,
    /// Passed, and was not to.
    UnexpectedPass,
    /// Failed.
    Failed,
    /// Ended by force.
    Hung,
    /// Could not be carried out.
    Infra,
    /// A peer declares not to support it.
    Unsupported,
    /// A peer is absent.
    Absent,
    /// The budget left it no time.
    DidNotFit,
}

impl Mark {
    /// All marks, in the order of a legend.
    pub const ALL: [Self; 12] = [
        Self::Passed,
        Self::Recalled,
        Self::Failed,
        Self::Hung,
        Self::Infra,
        Self::AsExpected,
        Self::UnexpectedPass,
        Self::Unsupported,
        Self::Absent,
        Self::DidNotFit,
        Self::Running,
        Self::Waiting,
    ];

    /// The mark of a cell.
    pub fn of(cell: &Square) -> Self {
        let Judged { verdict, from, .. } = match &cell.state {
            State::Waiting => return Self::Waiting,
            State::Running => return Self::Running,
            State::Judged(judged) => judged,
        };
        match cell.comparison() {
            Some(Comparison::UnexpectedPass) => return Self::UnexpectedPass,
            Some(Comparison::AsExpected) if cell.failed() => return Self::AsExpected,
            Some(Comparison::AsExpected | Comparison::Plain | Comparison::Otherwise) | None => {}
        }
        match verdict.kind() {
            VerdictKind::Passed if from.is_some() => Self::Recalled,
            VerdictKind::Passed => Self::Passed,
            VerdictKind::Failed => Self::Failed,
            VerdictKind::TimedOut => Self::Hung,
            VerdictKind::Infra => Self::Infra,
            VerdictKind::Unsupported => Self::Unsupported,
            VerdictKind::Absent => Self::Absent,
            VerdictKind::DidNotFit => Self::DidNotFit,
        }
    }

    /// One character.
    pub fn glyph(self) -> char {
        match self {
            Self::Waiting => '·',
            Self::Running => '▸',
            Self::Passed => '✓',
            Self::Recalled => '=',
            Self::AsExpected => '~',
            Self::UnexpectedPass => '!',
            Self::Failed => '✗',
            Self::Hung => 'H',
            Self::Infra => 'I',
            Self::Unsupported => '-',
            Self::Absent => '?',
            Self::DidNotFit => 'T',
        }
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Waiting => "not begun",
            Self::Running => "being played",
            Self::Passed => "passed",
            Self::Recalled => "passed in an earlier run on the same content",
            Self::AsExpected => "failed as expected",
            Self::UnexpectedPass => "passed, but was expected to fail",
            Self::Failed => "failed",
            Self::Hung => "hung",
            Self::Infra => "could not be carried out",
            Self::Unsupported => "declared unsupported",
            Self::Absent => "a peer is absent",
            Self::DidNotFit => "did not fit into the budget",
        }
    }

    /// Its colour.
    pub fn ink(self) -> Ink {
        match self {
            Self::Passed => Ink::Good,
            Self::Failed | Self::Hung | Self::UnexpectedPass => Ink::Bad,
            Self::Infra | Self::AsExpected | Self::Absent | Self::DidNotFit | Self::Running => {
                Ink::Doubtful
            }
            Self::Recalled | Self::Unsupported | Self::Waiting => Ink::Faint,
        }
    }
}

/// Marks of a cell's variants that stand one by one; more of them are counted.
const MARKS_APART_MAX: usize = 4;

/// What the marks of a square are marks of.
fn marks_apart(grid: &Grid) -> &'static str {
    let has_seeds = grid.cells().iter().any(|cell| cell.line.unit.seed().is_some());
    if has_seeds { "a mark for each variant and seed" } else { "a mark for each variant" }
}

/// What stands in a square of the grid: a mark for each variant and seed, or, of many, how many of which.
fn square(marks: &[Mark]) -> Vec<(Mark, String)> {
    if marks.len() <= MARKS_APART_MAX {
        return marks.iter().map(|mark| (*mark, mark.glyph().to_string())).collect();
    }
    let mut groups: Vec<(Mark, usize)> = Vec::new();
    for mark in marks {
        match groups.iter_mut().find(|(other, _)| other == mark) {
            Some((_, count)) => *count += 1,
            None => groups.push((*mark, 1)),
        }
    }
    let text = |(mark, count): (Mark, usize)| (mark, format!("{}{count}", mark.glyph()));
    groups.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests;
