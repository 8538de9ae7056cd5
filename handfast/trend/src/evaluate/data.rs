//! What is evaluated: the texts of recorded data, read.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Everything that is evaluated.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// Series in which people have marked changes.
    pub annotated: BTreeMap<String, AnnotatedSeries>,
    /// Measurements of code that hardly changed, by benchmark.
    pub noise: BTreeMap<String, Vec<f64>>,
    /// How often each test of a suite fails, 0 to 1.
    pub rates: Vec<f64>,
}

/// A series in which people have marked changes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct AnnotatedSeries {
    /// The values, oldest first.
    pub values: Vec<f64>,
    /// By annotator: the indices at which something new begins, from 0.
    pub annotations: BTreeMap<String, Vec<usize>>,
}

/// Why data cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The text is not what it should be.
    #[error("{file} is no such data")]
    Malformed {
        /// Which of [`Data::FILES`].
        file: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A line does not say how often a test failed.
    #[error("{file}: line {line} is no test with its failing and passing runs")]
    Line {
        /// Which of [`Data::FILES`].
        file: &'static str,
        /// The line, from 1.
        line: usize,
    },
    /// Nothing is in it.
    #[error("{file} holds nothing")]
    Empty {
        /// Which of [`Data::FILES`].
        file: &'static str,
    },
}

impl Data {
    /// Where the texts lie below a folder of data, in the order of [`Data::read`].
    pub const FILES: [&'static str; 3] = [ANNOTATED, NOISE, RERUNS];

    /// Reads the texts of [`Data::FILES`]: `{name: {values, annotations: {annotator: [index]}}}`, `{name: [value]}`, and lines `test,failing_runs,passing_runs`
    /// below a head.
    ///
    /// # Errors
    ///
    /// Names the file whose text is something else, or holds nothing.
    pub fn read(texts: [&str; 3]) -> Result<Self, DataError> {
        let [annotated, noise, reruns] = texts;
        let annotated: BTreeMap<String, AnnotatedSeries> = serde_json::from_str(annotated)
            .map_err(|source| DataError::Malformed { file: ANNOTATED, source })?;
        let noise: BTreeMap<String, Vec<f64>> = serde_json::from_str(noise)
            .map_err(|source| DataError::Malformed { file: NOISE, source })?;
        if annotated.is_empty() {
            return Err(DataError::Empty { file: ANNOTATED });
        }
        if noise.is_empty() {
            return Err(DataError::Empty { file: NOISE });
        }
        Ok(Self { annotated, noise, rates: rates(reruns)? })
    }
}

fn rates(reruns: &str) -> Result<Vec<f64>, DataError> {
    let rate = |line: &str| {
        let mut fields = line.rsplit(',');
        let mut count = || fields.next()?.trim().parse::<u32>().ok();
        let (passed, failed) = (f64::from(count()?), f64::from(count()?));
        (passed + failed > 0.0).then(|| failed / (passed + failed))
    };
    let lines = (1..).zip(reruns.lines()).skip(1).filter(|(_, line)| !line.trim().is_empty());
    let rates: Vec<f64> = lines
        .map(|(number, text)| rate(text).ok_or(DataError::Line { file: RERUNS, line: number }))
        .collect::<Result<_, _>>()?;
    if rates.is_empty() { Err(DataError::Empty { file: RERUNS }) } else { Ok(rates) }
}

const ANNOTATED: &str = "changepoints/annotated-series.json";
const NOISE: &str = "runner-noise/series.json";
const RERUNS: &str = "flaky/rerun-counts.csv";
