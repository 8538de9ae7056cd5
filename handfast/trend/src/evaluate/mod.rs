//! How good the statistics are, as tables: on series with known truth, or on recorded data.
//!
//! Reading order: [`data`] (what is evaluated), [`change`], [`flaky`], [`paired`], [`forecast`].

pub mod change;
pub mod data;
pub mod flaky;
pub mod forecast;
pub mod paired;
mod synthetic;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

use self::data::Data;
use crate::random::Dice;

/// All tables.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Whether the data were made, with known truth, or recorded.
    pub source: Source,
    /// From which everything drawn at random follows.
    pub seed: u64,
    /// Change points against annotations.
    pub annotated: change::Annotated,
    /// Steps planted into quiet series.
    pub steps: change::Steps,
    /// Suites of flaky tests with planted regressions and bursts.
    pub flaky: flaky::Flaky,
    /// Two builds compared by pairs; the pairs are made from the seed, whatever the data.
    pub paired: paired::Paired,
    /// Durations forecast, of the series of measurements.
    pub forecasts: forecast::Forecasts,
}

/// Where the data come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Made from the seed.
    Synthetic,
    /// Read from recorded data.
    Recorded,
}

/// Evaluates on recorded data, or on series made from the seed.
pub fn evaluate(recorded: Option<&Data>, seed: u64) -> Report {
    let dice = Dice::new(seed);
    let made;
    let (data, source) = if let Some(data) = recorded {
        (data, Source::Recorded)
    } else {
        made = synthetic::data(&dice.part(1));
        (&made, Source::Synthetic)
    };
    let equal = synthetic::pairs(&mut dice.part(5), 1.0);
    let slower = synthetic::pairs(&mut dice.part(6), paired::SLOWER);
    Report {
        source,
        seed,
        annotated: change::annotated(&data.annotated),
        steps: change::steps(&data.noise, &dice.part(2)),
        flaky: flaky::flaky(&data.rates, &dice.part(3)),
        paired: paired::paired(&equal, &slower, &dice.part(4)),
        forecasts: forecast::forecasts(&data.noise),
    }
}

/// Which part of the data a row belongs to: every third, by name, is held out while constants are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Looked at while constants are chosen.
    Tuned,
    /// Not looked at.
    HeldOut,
}

impl Part {
    /// The part of what stands at this place in order of names.
    pub fn of(place: usize) -> Self {
        if place % 3 == 2 { Self::HeldOut } else { Self::Tuned }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tuned => "tuned",
            Self::HeldOut => "held out",
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Synthetic => "series made from seed",
            Source::Recorded => "recorded data, seed",
        };
        writeln!(f, "{source} {}", self.seed)?;
        write!(
            f,
            "\n{}\n{}\n{}\n{}\n{}",
            self.annotated, self.steps, self.flaky, self.paired, self.forecasts
        )
    }
}
