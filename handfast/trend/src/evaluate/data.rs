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
    /// Nothing is in it.
    #[error("{file} holds nothing")]
    Empty {
        /// Which of [`Data::FILES`].
        file: &'static str,
    },
}

impl Data {
    /// Where the texts lie below a folder of data, in the order of [`Data::read`].
    pub const FILES: [&'static str; 2] = [ANNOTATED, NOISE];

    /// Reads the texts of [`Data::FILES`]: `{name: {values, annotations: {annotator: [index]}}}` and `{name: [value]}`.
    ///
    /// # Errors
    ///
    /// Names the file whose text is something else, or holds nothing.
    pub fn read(texts: [&str; 2]) -> Result<Self, DataError> {
        let [annotated, noise] = texts;
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
        Ok(Self { annotated, noise })
    }
}

const ANNOTATED: &str = "changepoints/annotated-series.json";
const NOISE: &str = "runner-noise/series.json";
