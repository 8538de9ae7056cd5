//! What the next run wants to know.

use std::collections::BTreeMap;

use handfast_scenario::verdict::{Verdict, VerdictKind};
use rusqlite::{OptionalExtension as _, params};

use crate::store::{History, HistoryError};

/// A verdict of an earlier run on the same content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// The run.
    pub run: String,
    /// The verdict: passed, or declared unsupported.
    pub verdict: Verdict,
    /// How long it took then.
    pub duration_us: u64,
}

/// Passes of a unit that are looked at for how long it takes: the middle one of so many is not the one when the machine was busy.
pub const PASSES_MAX: usize = 5;

/// What a unit cost when it was played last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// How long it took.
    pub duration_us: u64,
    /// Processor time of its processes.
    pub cpu_us: u64,
}

impl History {
    /// What the last run that judged this key said, if the cell need not be played again: it passed, or a peer declared not to
    /// support it. A cell that failed the last time is played again, whatever runs before that had said; of verdicts at the same
    /// moment the one that has it played again counts.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub fn recall(&self, key: &str) -> Result<Option<Recalled>, HistoryError> {
        let newest = "SELECT run, verdict, duration_us FROM results WHERE key = ?1 ORDER BY ended_unix_us DESC, kind IN ('passed', 'unsupported'), run DESC LIMIT 1";
        let row = self.connection.prepare_cached(newest).and_then(|mut statement| {
            let row = statement.query_row([key], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
            });
            row.optional()
        });
        let Some((run, verdict, duration_us)) = row.map_err(|error| self.failed(error))? else {
            return Ok(None);
        };
        let verdict: Verdict = serde_json::from_str(&verdict).map_err(|_| HistoryError::Row {
            path: self.path.clone(),
            what: format!("the verdict {verdict}"),
        })?;
        let duration_us = u64::try_from(duration_us).unwrap_or_default();
        Ok(match verdict.kind() {
            VerdictKind::Passed | VerdictKind::Unsupported => {
                Some(Recalled { run, verdict, duration_us })
            }
            VerdictKind::Failed
            | VerdictKind::Infra
            | VerdictKind::TimedOut
            | VerdictKind::Absent
            | VerdictKind::DidNotFit => None,
        })
    }

    /// What each of these units takes: the middle one of its last [`PASSES_MAX`] passes; of one that never passed, its last result.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub fn usual_costs<'a>(
        &self,
        units: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Cost>, HistoryError> {
        let passes = "SELECT duration_us, cpu_us FROM results WHERE unit = ?1 AND kind = 'passed' ORDER BY ended_unix_us DESC LIMIT ?2";
        let newest = "SELECT duration_us, cpu_us FROM results WHERE unit = ?1 AND kind IN ('failed', 'timed_out') ORDER BY ended_unix_us DESC LIMIT ?2";
        self.usual(units, [passes, newest])
    }

    /// What each of these suites takes, found as in [`History::usual_costs`].
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub fn usual_suite_costs<'a>(
        &self,
        suites: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Cost>, HistoryError> {
        let passes = "SELECT duration_us, 0 FROM suite_results WHERE suite = ?1 AND kind = 'passed' ORDER BY ended_unix_us DESC LIMIT ?2";
        let newest = "SELECT duration_us, 0 FROM suite_results WHERE suite = ?1 AND kind <> 'passed' ORDER BY ended_unix_us DESC LIMIT ?2";
        self.usual(suites, [passes, newest])
    }

    /// Whether a run of this id is in the history.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub fn has_run(&self, run: &str) -> Result<bool, HistoryError> {
        let count = self.connection.query_row(
            "SELECT count(*) FROM runs WHERE run = ?1",
            params![run],
            |row| row.get::<_, i64>(0),
        );
        Ok(count.map_err(|error| self.failed(error))? > 0)
    }

    fn usual<'a>(
        &self,
        names: impl IntoIterator<Item = &'a str>,
        [passes, newest]: [&str; 2],
    ) -> Result<BTreeMap<String, Cost>, HistoryError> {
        let mut costs = BTreeMap::new();
        let read = || -> rusqlite::Result<()> {
            for name in names {
                let mut found = self.last_costs(passes, name, PASSES_MAX)?;
                if found.is_empty() {
                    found = self.last_costs(newest, name, 1)?;
                }
                found.sort_unstable_by_key(|cost| cost.duration_us);
                let middle = found.get((found.len().max(1) - 1) / 2);
                costs.extend(middle.map(|cost| (name.to_owned(), *cost)));
            }
            Ok(())
        };
        read().map_err(|error| self.failed(error))?;
        Ok(costs)
    }

    fn last_costs(&self, query: &str, name: &str, count: usize) -> rusqlite::Result<Vec<Cost>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(query)?;
        let rows = statement.query_map(params![name, count], |row| {
            let number = |at| -> rusqlite::Result<u64> {
                Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default())
            };
            Ok(Cost { duration_us: number(0)?, cpu_us: number(1)? })
        })?;
        rows.collect()
    }

    /// What each of these units cost when it was played last, whatever it was made of then.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    pub fn costs<'a>(
        &self,
        units: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, Cost>, HistoryError> {
        let newest = "SELECT duration_us, cpu_us FROM results WHERE unit = ?1 AND cpu_us > 0 AND kind <> 'did_not_fit' ORDER BY ended_unix_us DESC LIMIT 1";
        let mut costs = BTreeMap::new();
        let read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare_cached(newest)?;
            for unit in units {
                let cost = statement.query_row(params![unit], |row| {
                    let number = |at| -> rusqlite::Result<u64> {
                        Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default())
                    };
                    Ok(Cost { duration_us: number(0)?, cpu_us: number(1)? })
                });
                costs.extend(cost.optional()?.map(|cost| (unit.to_owned(), cost)));
            }
            Ok(())
        };
        read().map_err(|error| self.failed(error))?;
        Ok(costs)
    }
}
