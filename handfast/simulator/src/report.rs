//! What came of a run.

use std::collections::BTreeMap;

use serde::Serialize;

/// What came of a run. A person is shown `lines`, a program the rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    /// Which network.
    pub(crate) network: &'static str,
    /// Everything left to chance followed from it.
    pub(crate) seed: u64,
    /// Equal for equal histories of one build: 16 hex digits.
    pub(crate) history: String,
    /// Whether every law held.
    pub(crate) outcome: Outcome,
    /// The law that does not hold, in words.
    pub(crate) broken: Option<String>,
    /// What was counted and measured.
    pub(crate) figures: BTreeMap<&'static str, f64>,
    /// The same for people.
    pub(crate) lines: Vec<String>,
    /// What it cost.
    pub(crate) cost: Cost,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// Every law held.
    Passed,
    /// One did not.
    Failed,
    /// It cannot be run: `broken` says why.
    Refused,
    /// Somebody ended it; what is here is what there was until then.
    EndedEarly,
}

/// What a run cost on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(crate) struct Cost {
    /// Seconds from its beginning to its end.
    pub(crate) wall_s: f64,
    /// Seconds of one core.
    pub(crate) processor_s: f64,
    /// The most memory that it had at once.
    pub(crate) memory_peak_bytes: u64,
}
