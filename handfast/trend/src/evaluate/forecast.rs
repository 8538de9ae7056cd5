//! Forecasts held against what came.

use std::collections::BTreeMap;
use std::fmt;

use handfast_statistics::number::{mean, median};
use serde::Serialize;

use super::Part;
use super::flaky::Tally;
use crate::change::Series;
use crate::forecast::forecast;

/// How far forecasts were off, by part, and over all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecasts {
    /// By part; the last is all.
    pub rows: Vec<ForecastRow>,
}

/// Of the series of one part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ForecastRow {
    /// Over which series; `None` is all.
    pub part: Option<Part>,
    /// Values that were no higher than [`crate::forecast::Forecast::high`].
    pub within: Tally,
    /// The median of how far values were off what was expected, as a share of them.
    pub off: f64,
    /// The same, if the value before had been expected.
    pub off_last: f64,
    /// The same, if the mean of all before had been.
    pub off_mean: f64,
}

/// Forecasts each value of each series from those before it, from the sixth on.
pub fn forecasts(series: &BTreeMap<String, Vec<f64>>) -> Forecasts {
    let mut rows: Vec<Collected> =
        [Some(Part::Tuned), Some(Part::HeldOut), None].map(Collected::new).into();
    for (place, values) in series.values().enumerate() {
        let part = Part::of(place);
        let mut past = Series::new();
        for &value in values {
            let told = forecast(&past).filter(|_| past.values().len() >= PAST_MIN);
            if let Some(told) = told {
                let off =
                    |expected: f64| (value - expected).abs() / value.abs().max(f64::MIN_POSITIVE);
                let last = past.values().last().copied().unwrap_or_default();
                let offs = [off(told.expected), off(last), off(mean(past.values()))];
                for row in rows.iter_mut().filter(|row| row.part.is_none_or(|of| of == part)) {
                    row.within.add(value <= told.high);
                    for (all, off) in row.offs.iter_mut().zip(offs) {
                        all.push(off);
                    }
                }
            }
            // A series that refuses a value is evaluated as far as it goes.
            if past.push(value).is_err() {
                break;
            }
        }
    }
    Forecasts { rows: rows.into_iter().map(Collected::row).collect() }
}

const PAST_MIN: usize = 5;

struct Collected {
    part: Option<Part>,
    within: Tally,
    offs: [Vec<f64>; 3],
}

impl Collected {
    fn new(part: Option<Part>) -> Self {
        Self { part, within: Tally::default(), offs: Default::default() }
    }

    fn row(self) -> ForecastRow {
        let [off, off_last, off_mean] = self.offs.map(|offs| median(&offs));
        ForecastRow { part: self.part, within: self.within, off, off_last, off_mean }
    }
}

impl fmt::Display for Forecasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Durations forecast, each from those before")?;
        writeln!(
            f,
            "  {:<10}{:>9}{:>14}{:>14}{:>17}{:>17}",
            "part", "values", "below high", "off", "off, by last", "off, by mean"
        )?;
        for row in &self.rows {
            let part = row.part.map_or("all".to_owned(), |part| part.to_string());
            let ForecastRow { within, off, off_last, off_mean, .. } = row;
            writeln!(
                f,
                "  {part:<10}{:>9}{:>14.3}{off:>14.3}{off_last:>17.3}{off_mean:>17.3}",
                within.of,
                within.share()
            )?;
        }
        Ok(())
    }
}
