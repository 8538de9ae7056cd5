//! What a run is told of its healings at its end.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::{Act, Entry, Outcome};

/// The healings of a run, for a person.
///
/// ```text
/// healing: 2 healed, 1 flaky, 1 stands; 3.2 s
///   healed        meeting/x              infra: port taken: leave port 40213, take another
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary<'a> {
    entries: Vec<&'a Entry>,
    run: &'a str,
}

impl<'a> Summary<'a> {
    /// How many are named; of more only the count is told.
    pub const NAMED_MAX: usize = 50;

    /// What the entries of a run say, in their order; those of other runs are passed over.
    pub fn of(run: &'a str, entries: &'a [Entry]) -> Self {
        Self { entries: entries.iter().filter(|entry| entry.run == run).collect(), run }
    }

    /// The run.
    pub fn run(&self) -> &str {
        self.run
    }

    /// How many entries came to what.
    pub fn counts(&self) -> BTreeMap<Outcome, usize> {
        let mut counts = BTreeMap::new();
        for entry in &self.entries {
            *counts.entry(entry.outcome).or_default() += 1;
        }
        counts
    }

    /// What all of it took.
    pub fn cost(&self) -> Duration {
        let sum = self.entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.cost_us));
        Duration::from_micros(sum)
    }

    /// Whether something passed that had failed: such a run is not told as plainly passed.
    pub fn has_softened(&self) -> bool {
        self.entries.iter().any(|entry| {
            matches!(entry.outcome, Outcome::Healed | Outcome::Flaky)
                || matches!(
                    entry.act,
                    Act::Marked { .. } | Act::Skipped { .. } | Act::Quarantined { .. }
                )
        })
    }
}

impl fmt::Display for Summary<'_> {
    /// Nothing where nothing was healed; else a line with the counts, and one for each entry.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entries.is_empty() {
            return Ok(());
        }
        let counts: Vec<String> =
            self.counts().iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
        let cost = self.cost().as_secs_f64();
        writeln!(formatter, "healing: {}; {cost:.1} s", counts.join(", "))?;
        let named = self.entries.iter().take(Self::NAMED_MAX);
        let width =
            named.clone().map(|entry| entry.failed.chars().count()).max().unwrap_or_default();
        for Entry { failed, class, act, outcome, .. } in named {
            writeln!(formatter, "  {outcome:<12}  {failed:<width$}  {class}: {act}")?;
        }
        match self.entries.len().saturating_sub(Self::NAMED_MAX) {
            0 => Ok(()),
            more => writeln!(formatter, "  and {more} more: see the ledger"),
        }
    }
}
