//! Change points against what people marked, and against steps that were planted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use handfast_statistics::number::{mean, median, real};
use serde::Serialize;

use super::Part;
use super::data::AnnotatedSeries;
use crate::change::change_points;
use crate::random::Dice;

/// Change points against annotations.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Annotated {
    /// One row a series, by name.
    pub rows: Vec<AnnotatedRow>,
    /// The mean measure over the series that were looked at while constants were chosen.
    pub tuned: f64,
    /// Over those held out.
    pub held_out: f64,
    /// Over all.
    pub all: f64,
    /// What finding nothing would reach, over all.
    pub nothing: f64,
}

/// One annotated series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnnotatedRow {
    /// Its name.
    pub name: String,
    /// Whether it was looked at.
    pub part: Part,
    /// [`f_measure`] of what was found.
    pub measure: f64,
    /// [`f_measure`] of finding nothing.
    pub nothing: f64,
    /// What was found.
    pub found: Vec<usize>,
}

/// How near a found change point must be to a marked one.
pub const MARGIN: usize = 5;

/// Finds change points in annotated series; series that are refused count as nothing found.
pub fn annotated(series: &BTreeMap<String, AnnotatedSeries>) -> Annotated {
    let row = |(place, (name, series)): (usize, (&String, &AnnotatedSeries))| {
        let found = indices(&series.values);
        AnnotatedRow {
            name: name.clone(),
            part: Part::of(place),
            measure: f_measure(&series.annotations, &found, MARGIN),
            nothing: f_measure(&series.annotations, &[], MARGIN),
            found,
        }
    };
    let rows: Vec<AnnotatedRow> = series.iter().enumerate().map(row).collect();
    let over = |part: Option<Part>| {
        let rows = rows.iter().filter(|row| part.is_none_or(|part| part == row.part));
        mean(&rows.map(|row| row.measure).collect::<Vec<_>>())
    };
    let nothing = mean(&rows.iter().map(|row| row.nothing).collect::<Vec<_>>());
    Annotated {
        tuned: over(Some(Part::Tuned)),
        held_out: over(Some(Part::HeldOut)),
        all: over(None),
        nothing,
        rows,
    }
}

/// The F1 of found change points against several annotators: precision against what any of them marked, recall as the mean of theirs, and
/// index 0 found and marked by all; 0 to 1.
///
/// G. J. J. van den Burg, C. K. I. Williams, An evaluation of change point detection algorithms, arXiv 2003.06222, section 3.2; with no annotators 0.
pub fn f_measure(
    annotations: &BTreeMap<String, Vec<usize>>,
    found: &[usize],
    margin: usize,
) -> f64 {
    let found: BTreeSet<usize> = found.iter().copied().chain([0]).collect();
    let with_start =
        |marked: &Vec<usize>| marked.iter().copied().chain([0]).collect::<BTreeSet<_>>();
    let annotators: Vec<BTreeSet<usize>> = annotations.values().map(with_start).collect();
    let anyone: BTreeSet<usize> = annotators.iter().flatten().copied().collect();
    let precision = real(matched(&anyone, &found, margin)) / real(found.len());
    let recalls: Vec<f64> = annotators
        .iter()
        .map(|marked| real(matched(marked, &found, margin)) / real(marked.len()))
        .collect();
    let recall = mean(&recalls);
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

/// How many of the marked are near a found one; each of those found stands for one.
fn matched(marked: &BTreeSet<usize>, found: &BTreeSet<usize>, margin: usize) -> usize {
    let mut left = found.clone();
    let mut matched = 0;
    for &mark in marked {
        let near = left.iter().copied().filter(|index| index.abs_diff(mark) <= margin);
        if let Some(nearest) = near.min_by_key(|index| (index.abs_diff(mark), *index)) {
            left.remove(&nearest);
            matched += 1;
        }
    }
    matched
}

/// Steps planted into quiet series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Steps {
    /// One row a benchmark and kind of quiet series.
    pub rows: Vec<StepRow>,
    /// Sums by kind of quiet series and part.
    pub sums: Vec<StepSum>,
}

/// The quiet series of one benchmark.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepRow {
    /// The benchmark.
    pub name: String,
    /// Whether it was looked at.
    pub part: Part,
    /// How its quiet series are made.
    pub quiet: Quiet,
    /// What was counted.
    pub count: Count,
}

/// Sums over benchmarks.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepSum {
    /// How the quiet series are made.
    pub quiet: Quiet,
    /// Over which part; `None` is all.
    pub part: Option<Part>,
    /// What was counted.
    pub count: Count,
    /// Found steps over planted ones.
    pub recall: f64,
    /// Found steps over all that was found in series with a step.
    pub precision: f64,
    /// Points found in quiet series, over quiet series.
    pub false_points: f64,
}

/// How quiet series come out of a recorded one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Quiet {
    /// Each value over the median of the 21 around it, drawn anew in blocks of 5: the noise without the levels.
    Levelled,
    /// Stretches as they were recorded, of which the medians of the three thirds differ by less than 4 %.
    Recorded,
}

/// Values of a quiet series.
pub const QUIET_LENGTH: usize = 100;

/// How near a step must be found.
pub const STEP_MARGIN: usize = 10;

/// What a step multiplies values by.
pub const STEP: f64 = 1.1;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Quiet series.
    pub quiet: usize,
    /// Points found in them.
    pub false_points: usize,
    /// Steps planted, one a series.
    pub planted: usize,
    /// Steps of which a point within [`STEP_MARGIN`] was found.
    pub found: usize,
    /// Other points found in series with a step.
    pub beside: usize,
}

/// Plants steps into quiet series, and looks for change points with and without them.
pub fn steps(noise: &BTreeMap<String, Vec<f64>>, dice: &Dice) -> Steps {
    let mut rows = Vec::new();
    for (place, (name, values)) in (0_u64..).zip(noise) {
        let mut dice = dice.part(place);
        for (quiet, series) in
            [(Quiet::Levelled, levelled(values, &mut dice)), (Quiet::Recorded, recorded(values))]
        {
            let mut count = Count::default();
            for series in &series {
                plant(series, &mut dice, &mut count);
            }
            rows.push(StepRow { name: name.clone(), part: Part::of(rows.len() / 2), quiet, count });
        }
    }
    let mut sums = Vec::new();
    for quiet in [Quiet::Levelled, Quiet::Recorded] {
        for part in [Some(Part::Tuned), Some(Part::HeldOut), None] {
            let of =
                |row: &&StepRow| row.quiet == quiet && part.is_none_or(|part| part == row.part);
            sums.push(StepSum::of(quiet, part, rows.iter().filter(of)));
        }
    }
    Steps { rows, sums }
}

impl StepSum {
    fn of<'a>(quiet: Quiet, part: Option<Part>, rows: impl Iterator<Item = &'a StepRow>) -> Self {
        let mut count = Count::default();
        for row in rows {
            count.quiet += row.count.quiet;
            count.false_points += row.count.false_points;
            count.planted += row.count.planted;
            count.found += row.count.found;
            count.beside += row.count.beside;
        }
        Self {
            quiet,
            part,
            count,
            recall: share(count.found, count.planted),
            precision: share(count.found, count.found + count.beside),
            false_points: share(count.false_points, count.quiet),
        }
    }
}

fn plant(series: &[f64], dice: &mut Dice, count: &mut Count) {
    count.quiet += 1;
    count.false_points += indices(series).len();
    for _ in 0..PLANTED {
        let at = series.len() / 4 + dice.below(series.len() / 2);
        let mut stepped = series.to_vec();
        for value in &mut stepped[at..] {
            *value *= STEP;
        }
        let found = indices(&stepped);
        let near = found.iter().filter(|index| index.abs_diff(at) <= STEP_MARGIN).count();
        count.planted += 1;
        count.found += near.min(1);
        count.beside += found.len() - near;
    }
}

/// Steps a quiet series.
const PLANTED: usize = 5;

/// Quiet series a benchmark that are drawn anew.
const LEVELLED: usize = 40;

fn levelled(values: &[f64], dice: &mut Dice) -> Vec<Vec<f64>> {
    let (reach, block) = (10, 5);
    let noise: Vec<f64> = (0..values.len())
        .map(|index| {
            let around = index.saturating_sub(reach)..(index + reach + 1).min(values.len());
            values[index] / median(&values[around])
        })
        .collect();
    if noise.len() < block || noise.iter().any(|value| !value.is_finite()) {
        return Vec::new();
    }
    let mut draw = || {
        let mut series = Vec::with_capacity(QUIET_LENGTH + block);
        while series.len() < QUIET_LENGTH {
            let start = dice.below(noise.len() - block + 1);
            series.extend(&noise[start..start + block]);
        }
        series.truncate(QUIET_LENGTH);
        series
    };
    (0..LEVELLED).map(|_| draw()).collect()
}

fn recorded(values: &[f64]) -> Vec<Vec<f64>> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(stretch) = values.get(start..start + QUIET_LENGTH) {
        let medians: Vec<f64> = stretch.chunks(QUIET_LENGTH.div_ceil(3)).map(median).collect();
        let least = medians.iter().copied().fold(f64::INFINITY, f64::min);
        let most = medians.iter().copied().fold(0.0, f64::max);
        let is_quiet = most < 1.04 * least;
        if is_quiet {
            found.push(stretch.to_vec());
        }
        start += if is_quiet { QUIET_LENGTH / 2 } else { QUIET_LENGTH / 4 };
    }
    found
}

fn indices(values: &[f64]) -> Vec<usize> {
    change_points(values).unwrap_or_default().into_iter().map(|point| point.index).collect()
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { real(part) / real(whole) }
}

impl fmt::Display for Annotated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Change points, F1 with margin {MARGIN} against annotators")?;
        writeln!(f, "  {:<24}{:<10}{:>6}{:>9}  found", "series", "part", "F1", "nothing")?;
        for row in &self.rows {
            let found = row.found.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
            let AnnotatedRow { name, part, measure, nothing, .. } = row;
            writeln!(f, "  {name:<24}{part:<10}{measure:>6.3}{nothing:>9.3}  {found}")?;
        }
        let Self { tuned, held_out, all, nothing, .. } = self;
        writeln!(
            f,
            "  mean: tuned {tuned:.3}, held out {held_out:.3}, all {all:.3}; finding nothing {nothing:.3}"
        )
    }
}

impl fmt::Display for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = (STEP - 1.0) * 100.0;
        writeln!(
            f,
            "Steps of {more:+.0} % in quiet series of {QUIET_LENGTH} values, found within {STEP_MARGIN}"
        )?;
        writeln!(
            f,
            "  {:<40}{:<10}{:<10}{:>7}{:>9}{:>8}{:>10}{:>8}",
            "series", "quiet", "part", "quiet", "false", "steps", "precision", "recall"
        )?;
        for row in &self.rows {
            let sum = StepSum::of(row.quiet, Some(row.part), std::iter::once(row));
            let name: String = row.name.chars().take(38).collect();
            write_sum(f, &name, &sum)?;
        }
        self.sums.iter().try_for_each(|sum| write_sum(f, "sum", sum))
    }
}

fn write_sum(f: &mut fmt::Formatter<'_>, name: &str, sum: &StepSum) -> fmt::Result {
    let quiet = match sum.quiet {
        Quiet::Levelled => "levelled",
        Quiet::Recorded => "recorded",
    };
    let part = sum.part.map_or("all".to_owned(), |part| part.to_string());
    let StepSum { count, recall, precision, false_points, .. } = sum;
    writeln!(
        f,
        "  {name:<40}{quiet:<10}{part:<10}{:>7}{false_points:>9.3}{:>8}{precision:>10.3}{recall:>8.3}",
        count.quiet, count.planted
    )
}
