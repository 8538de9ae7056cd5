//! Change points of a noisy series.
//!
//! Reading order: [`Series`], `windows` (where is looked), `level` (a split into two distributions), `line` (a split into two
//! lines), `memory` (what a score is worth where neighbours are alike).

mod level;
mod line;
mod memory;
mod windows;

#[cfg(test)]
mod tests;

use serde::Serialize;

use self::level::Entropy;
use handfast_statistics::number::{median, real, sorted};

/// A place where a series changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangePoint {
    /// The first value of what is new, from 0.
    pub index: usize,
    /// What changed.
    pub kind: Kind,
    /// How clearly, in halves of a log-likelihood ratio; above [`threshold`] of the length of the series.
    pub score: f64,
    /// The median from the change point before, or the start, up to here.
    pub before: f64,
    /// The median from here to the next change point, or the end.
    pub after: f64,
    /// How often a value after is on the new side of one before, ties half: 0.5 to 1.
    ///
    /// A. Vargha, H. D. Delaney, A critique and improvement of the CL common language effect size statistics, 2000.
    pub superiority: f64,
}

/// What changed at a change point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The values lie elsewhere.
    Level,
    /// In a series that drifts: its line has another slope or height.
    Drift,
}

/// Why a series does not take a value.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SeriesError {
    /// Infinite, or no number.
    #[error("{value} is no value to measure by")]
    NotFinite {
        /// The value.
        value: f64,
    },
    /// [`Series::LENGTH_MAX`] values are there.
    #[error("a series holds {} values at most", Series::LENGTH_MAX)]
    Full,
}

/// A series that grows, and where it changed.
///
/// Windows that are complete are scored once; a value more costs what reaches to the end of the series, and the outcome is that of the
/// whole series at once.
#[derive(Debug, Clone, Default)]
pub struct Series {
    values: Vec<f64>,
    /// Windows whose ends lie on the grid, which later values do not touch.
    scored: Vec<Candidate>,
    entropy: Entropy,
}

impl Series {
    /// How many values a series holds.
    ///
    /// Twenty years of daily runs are 7,300.
    pub const LENGTH_MAX: usize = 20_000;

    /// A series without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the newest value.
    ///
    /// # Errors
    ///
    /// Refuses what is not finite, and more than [`Series::LENGTH_MAX`] values; the series stays as it was.
    pub fn push(&mut self, value: f64) -> Result<(), SeriesError> {
        if !value.is_finite() {
            return Err(SeriesError::NotFinite { value });
        }
        if self.values.len() == Self::LENGTH_MAX {
            return Err(SeriesError::Full);
        }
        self.values.push(value);
        self.entropy.reach(self.values.len());
        for start in windows::completed(self.values.len()) {
            self.scored.extend(self.candidate(start, self.values.len()));
        }
        Ok(())
    }

    /// The values, oldest first.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Where the series changed, in ascending order; at most one in `level::SIDE_MIN` values.
    pub fn change_points(&self) -> Vec<ChangePoint> {
        let length = self.values.len();
        let open = windows::open(length).filter_map(|start| self.candidate(start, length));
        let mut candidates: Vec<Candidate> = self.scored.iter().copied().chain(open).collect();
        candidates.retain(|candidate| candidate.score > threshold(length));
        // The clearest first; of equals the oldest, so that the outcome does not hang on the order of scoring.
        candidates.sort_by(|a, b| {
            b.score.total_cmp(&a.score).then(a.start.cmp(&b.start)).then(a.end.cmp(&b.end))
        });
        let mut found = Vec::new();
        self.divide((0, length), &candidates, &mut found);
        self.describe(&self.settle(self.confirm(found)))
    }

    /// The change points of one part: its clearest, and those of both parts that this leaves.
    fn divide(&self, part: (usize, usize), candidates: &[Candidate], found: &mut Vec<usize>) {
        let mut open = vec![part];
        while let Some((start, end)) = open.pop() {
            let inside = |candidate: &&Candidate| candidate.start >= start && candidate.end <= end;
            let seen = candidates.iter().find(inside).copied();
            let whole = self
                .candidate(start, end)
                .filter(|candidate| candidate.score > threshold(self.values.len()));
            let clearest = match (seen, whole) {
                (Some(seen), Some(whole)) if whole.score > seen.score => Some(whole),
                (seen, whole) => seen.or(whole),
            };
            if let Some(Candidate { at, .. }) = clearest {
                found.push(at);
                open.extend([(start, at), (at, end)]);
            }
        }
        found.sort_unstable();
    }

    /// Takes away, weakest first, what does not stand between its neighbours.
    fn confirm(&self, found: Vec<usize>) -> Vec<usize> {
        let mut ends = Vec::with_capacity(found.len() + 2);
        ends.push(0);
        ends.extend(found);
        ends.push(self.values.len());
        let mut weights: Vec<f64> = ends.windows(3).map(|around| self.weight(around)).collect();
        loop {
            let weakest = weights.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1));
            let Some((index, _)) = weakest.filter(|(_, weight)| **weight <= 1.0) else { break };
            weights.remove(index);
            ends.remove(index + 1);
            for near in [index.checked_sub(1), Some(index)].into_iter().flatten() {
                if let (Some(weight), Some(around)) =
                    (weights.get_mut(near), ends.get(near..near + 3))
                {
                    *weight = self.weight(around);
                }
            }
        }
        ends.pop();
        ends.drain(1..).collect()
    }

    /// Puts each drift where it divides its neighbours most clearly: short windows show that a line bends, long ones where.
    ///
    /// A level stays where it was found, which a drift beside it does not shift. J. Bai, Estimating multiple breaks one at a time, Econometric Theory 1997.
    fn settle(&self, mut found: Vec<usize>) -> Vec<usize> {
        for place in 0..found.len() {
            let start = if place == 0 { 0 } else { found[place - 1] };
            let end = found.get(place + 1).copied().unwrap_or(self.values.len());
            let drift =
                self.candidate(start, end).filter(|candidate| candidate.kind == Kind::Drift);
            found[place] = drift.map_or(found[place], |drift| drift.at);
        }
        found
    }

    /// How far a change point is above what is asked of it, between its neighbours: 1 is the border.
    fn weight(&self, around: &[usize]) -> f64 {
        let &[start, at, end] = around else { return 0.0 };
        let Some(candidate) = self.candidate(start, end) else { return 0.0 };
        let clear = candidate.score / threshold(self.values.len());
        match candidate.kind {
            Kind::Level if self.superiority(start, at, end) < SUPERIORITY_MIN => 0.0,
            Kind::Level | Kind::Drift => clear,
        }
    }

    fn describe(&self, found: &[usize]) -> Vec<ChangePoint> {
        let describe = |place: usize| {
            let at = found[place];
            let start = if place == 0 { 0 } else { found[place - 1] };
            let end = found.get(place + 1).copied().unwrap_or(self.values.len());
            let candidate = self.candidate(start, end)?;
            Some(ChangePoint {
                index: at,
                kind: candidate.kind,
                score: candidate.score,
                before: median(&self.values[start..at]),
                after: median(&self.values[at..end]),
                superiority: self.superiority(start, at, end),
            })
        };
        (0..found.len()).filter_map(describe).collect()
    }

    /// The clearest split of a window, if it can be split.
    fn candidate(&self, start: usize, end: usize) -> Option<Candidate> {
        let values = self.values.get(start..end)?;
        let level = level::split(values, &self.entropy)?;
        let candidate =
            |at: usize, score, kind| Candidate { start, end, at: start + at, score, kind };
        let by_level = candidate(level.at, level.score, Kind::Level);
        // A line is asked only where levels say little: under noise alone its robust sister sees more.
        let line = if level.memory > DRIFT_MEMORY_MIN { line::split(values) } else { None };
        let by_line = line.map(|line| candidate(line.at, line.score * LINE_SCALE, Kind::Drift));
        match by_line {
            Some(by_line) if by_line.score > by_level.score => Some(by_line),
            _ => Some(by_level),
        }
    }

    fn superiority(&self, start: usize, at: usize, end: usize) -> f64 {
        let (before, after) = (sorted(&self.values[start..at]), &self.values[at..end]);
        let wins = after.iter().map(|value| {
            let below = before.partition_point(|other| other < value);
            let equal = before.partition_point(|other| other <= value) - below;
            real(below) + real(equal) / 2.0
        });
        let share = wins.sum::<f64>() / (real(before.len()) * real(after.len())).max(1.0);
        share.max(1.0 - share)
    }
}

/// The change points of a whole series.
///
/// # Errors
///
/// As [`Series::push`].
pub fn change_points(values: &[f64]) -> Result<Vec<ChangePoint>, SeriesError> {
    let mut series = Series::new();
    for &value in values {
        series.push(value)?;
    }
    Ok(series.change_points())
}

/// The score that a change point in a series of this length must exceed.
///
/// Of series whose values are exchangeable, 97 in 100 have no split in any window that reaches it, from 30 values to 2,000: simulated. What
/// is scored is ranks, so that this holds for every distribution.
pub fn threshold(length: usize) -> f64 {
    2.4 + 1.15 * real(length.max(1)).ln()
}

/// A window with its clearest split.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    start: usize,
    end: usize,
    at: usize,
    score: f64,
    kind: Kind,
}

/// What Vargha and Delaney call a medium effect.
const SUPERIORITY_MIN: f64 = 0.64;

/// Where the residuals of the best split are as alike as this from one value to the next, no two levels describe the window.
const DRIFT_MEMORY_MIN: f64 = 0.8;

/// Brings the score of lines, which have two parameters a side and are not averaged over thresholds, to the same threshold: simulated on normal noise.
const LINE_SCALE: f64 = 0.4;
