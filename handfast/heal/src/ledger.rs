//! The healing ledger: every act of healing, what it was done for, and what came of it.
//!
//! A file of JSON lines that only grows. The first line names the format; each further one is an [`Entry`]. Nothing is healed that does
//! not stand in it: [`Budget`] is what allows an act, and the entry is what it costs.

mod summary;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::class::{Class, EVIDENCE_MAX, Evidence};
use crate::fault::{InfraFault, Remedy};
use crate::normal::cut;

pub use summary::Summary;

/// Version of the format that this code writes, and the only one it reads.
///
/// It rises whenever a reader of the earlier version would misread a line.
pub const FORMAT: u32 = 1;

/// Most entries that are read from a file.
pub const ENTRIES_MAX: usize = 1_000_000;

/// Longest reason in an entry, bytes.
pub const REASON_LEN_MAX: usize = 1024;

/// One act, or the decision to do nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// When, microseconds since the Unix epoch, by the caller's clock.
    pub at_unix_us: i64,
    /// Id of the run.
    pub run: String,
    /// What failed: a unit, or `suite/test`.
    pub failed: String,
    /// Why, as the verdict says it; at most [`REASON_LEN_MAX`] bytes.
    pub reason: String,
    /// Whose failure it was.
    pub class: Class,
    /// What led there.
    pub evidence: Vec<Evidence>,
    /// What was done.
    pub act: Act,
    /// What came of it.
    pub outcome: Outcome,
    /// What it took, the further tries among it, microseconds.
    pub cost_us: u64,
}

/// What was done about a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// One thing was repaired, and what it hit was run again.
    Repaired {
        /// The thing.
        remedy: Remedy,
    },
    /// It was run again, unchanged.
    Retried,
    /// It was told as known, by a rule.
    Marked {
        /// Where it is being worked on.
        issue: String,
    },
    /// It was not run, by a rule.
    Skipped {
        /// Where it is being worked on.
        issue: String,
    },
    /// It ran, and its result decided nothing.
    Quarantined {
        /// Where it is being worked on.
        issue: String,
    },
    /// Nothing.
    Left {
        /// Why.
        why: String,
    },
}

/// What came of an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passed after a repair. It counts as flaky, not as passed.
    Healed,
    /// It passed when it was run again, unchanged. It counts as flaky.
    Flaky,
    /// It failed again.
    FailedAgain,
    /// The repair itself failed; nothing was run again.
    NotRepaired,
    /// Nothing was run again: it stands as it failed.
    Stands,
}

/// How much healing a run may do. A machine on which everything has to be healed is broken, and that is what is to be told.
#[derive(Debug, Clone)]
pub struct Budget {
    limits: Limits,
    acts: u32,
    spent: Duration,
    of: BTreeMap<InfraFault, u32>,
}

/// What a run may spend on healing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most repairs.
    pub acts_max: u32,
    /// Most repairs of the same fault: one that comes back is not repaired by repeating.
    pub acts_of_fault_max: u32,
    /// Longest time of all repairs together, the further tries among it. An act that is begun before is ended.
    pub time_max: Duration,
}

/// Why the budget allows no further repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Spent {
    /// There were as many repairs as a run may have.
    #[error("the run has had its {acts_max} repairs")]
    Acts {
        /// How many it may have.
        acts_max: u32,
    },
    /// There were as many of this fault.
    #[error("{fault} was repaired {acts_max} times in this run already, and came back")]
    Fault {
        /// The fault.
        fault: InfraFault,
        /// How many there may be.
        acts_max: u32,
    },
    /// The time is over.
    #[error("repairs have taken the {} s that a run has for them", time_max.as_secs_f64())]
    Time {
        /// How long they may take.
        time_max: Duration,
    },
}

impl Default for Limits {
    /// Ten repairs, three of a kind, five minutes (guessed: each of the twelve faults is to be healed within a minute).
    fn default() -> Self {
        Self { acts_max: 10, acts_of_fault_max: 3, time_max: Duration::from_mins(5) }
    }
}

impl Budget {
    /// The budget of a run.
    pub fn new(limits: Limits) -> Self {
        Self { limits, acts: 0, spent: Duration::ZERO, of: BTreeMap::new() }
    }

    /// Takes a repair of a fault out of the budget.
    ///
    /// # Errors
    ///
    /// [`Spent`] says which limit is reached; nothing was taken.
    pub fn take(&mut self, fault: InfraFault) -> Result<(), Spent> {
        let Limits { acts_max, acts_of_fault_max, time_max } = self.limits;
        if self.acts >= acts_max {
            return Err(Spent::Acts { acts_max });
        }
        if self.spent >= time_max {
            return Err(Spent::Time { time_max });
        }
        let of = self.of.entry(fault).or_default();
        if *of >= acts_of_fault_max {
            return Err(Spent::Fault { fault, acts_max: acts_of_fault_max });
        }
        *of += 1;
        self.acts += 1;
        Ok(())
    }

    /// A repair that was taken has cost this, its further tries among it.
    pub fn spend(&mut self, cost: Duration) {
        self.spent = self.spent.saturating_add(cost);
    }

    /// Repairs taken, and time spent.
    pub fn spent(&self) -> (u32, Duration) {
        (self.acts, self.spent)
    }
}

/// Why a line is not part of a ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The first line does not name the format.
    #[error(
        "{file}:1: this is no ledger of healings, its first line does not name one: move it away, and a new one is begun"
    )]
    Headless {
        /// The file.
        file: String,
    },
    /// The ledger was written in a format that this code does not know.
    #[error(
        "{file}:1: the ledger has format {found}, this handfast reads format {FORMAT}: use the handfast that wrote it, or move the file away"
    )]
    Format {
        /// The file.
        file: String,
        /// The format it names.
        found: u32,
    },
    /// A line is no entry.
    #[error(
        "{file}:{line}: this is no entry of the ledger: take the line out, the others stand for themselves"
    )]
    Line {
        /// The file.
        file: String,
        /// Which line, from 1.
        line: usize,
        /// What the decoder says.
        #[source]
        source: serde_json::Error,
    },
    /// There are more entries than [`ENTRIES_MAX`].
    #[error(
        "{file}: the ledger has more than {ENTRIES_MAX} entries: move it away, and a new one is begun"
    )]
    TooLong {
        /// The file.
        file: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    ledger: String,
    format: u32,
}

const NAME: &str = "handfast healings";

/// The first line of every ledger, with its line feed.
pub fn head_line() -> String {
    line(&Head { ledger: NAME.to_owned(), format: FORMAT })
}

impl Entry {
    /// The same as a JSON value.
    pub fn to_value(&self) -> serde_json::Value {
        // Texts and numbers in plain structs cannot fail.
        serde_json::from_str(&self.to_line()).unwrap_or_default()
    }

    /// One line of a ledger, with its line feed; what is longer than it may be is cut.
    pub fn to_line(&self) -> String {
        let reason = cut(&self.reason, REASON_LEN_MAX).to_owned();
        let evidence = self.evidence.iter().take(EVIDENCE_MAX).cloned().collect();
        line(&Self { reason, evidence, ..self.clone() })
    }
}

fn line(value: &impl Serialize) -> String {
    // Texts and numbers in plain structs cannot fail.
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

/// Reads a whole ledger; `file` is what it is called in messages.
///
/// A last line without its line feed is one that was being written when its writer was ended: it is left out.
///
/// # Errors
///
/// [`LedgerError`] for the first line that is not what it should be.
pub fn read(file: &str, text: &str) -> Result<Vec<Entry>, LedgerError> {
    let file = file.to_owned();
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let mut lines = whole.lines();
    let head = lines.next().and_then(|line| serde_json::from_str::<Head>(line).ok());
    match head.filter(|head| head.ledger == NAME) {
        Some(Head { format: FORMAT, .. }) => {}
        Some(Head { format: found, .. }) => return Err(LedgerError::Format { file, found }),
        None => return Err(LedgerError::Headless { file }),
    }
    let mut entries = Vec::new();
    for (at, line) in lines.enumerate() {
        if entries.len() == ENTRIES_MAX {
            return Err(LedgerError::TooLong { file });
        }
        match serde_json::from_str(line) {
            Ok(entry) => entries.push(entry),
            Err(source) => return Err(LedgerError::Line { file, line: at + 2, source }),
        }
    }
    Ok(entries)
}

impl fmt::Display for Act {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repaired { remedy } => write!(formatter, "{remedy}"),
            Self::Retried => formatter.write_str("run again"),
            Self::Marked { issue } => write!(formatter, "marked as known, {issue}"),
            Self::Skipped { issue } => write!(formatter, "skipped, {issue}"),
            Self::Quarantined { issue } => write!(formatter, "in quarantine, {issue}"),
            Self::Left { why } => write!(formatter, "left: {why}"),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Healed => "healed",
            Self::Flaky => "flaky",
            Self::FailedAgain => "failed again",
            Self::NotRepaired => "not repaired",
            Self::Stands => "stands",
        })
    }
}
