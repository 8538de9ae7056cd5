//! What people ask: the last runs, and one test over time.
//!
//! [`Questions`] is the seam for a second store; [`History`] answers from its one file, by indices alone, so that a million results cost
//! milliseconds.

use std::fmt;
use std::fs;

use rusqlite::{Row, params};

use crate::store::{History, HistoryError};

/// What a store of runs can be asked.
pub trait Questions {
    /// The last `most` runs, the newest first.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    fn last_runs(&self, most: usize) -> Result<Vec<RunSeen>, HistoryError>;

    /// The tests of this name: a unit, a test of a suite, or `suite: test`. If there is none, those whose name has it as a part.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    fn named(&self, name: &str, most: usize) -> Result<Named, HistoryError>;

    /// The last `most` outcomes of a test, the newest first.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    fn outcomes(&self, test: &TestName, most: usize) -> Result<Vec<Seen>, HistoryError>;

    /// The last `most` measurements of this unit and name on machines of this class, the newest first.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    fn measurements(
        &self,
        of: &MeasuredName,
        most: usize,
    ) -> Result<Vec<MeasurementSeen>, HistoryError>;

    /// What has ever been measured, and where, by name.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    fn measured_names(&self) -> Result<Vec<MeasuredName>, HistoryError>;

    /// The incidents that are open, the newest first; of one subject, or of all.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    fn open_incidents(&self, subject: Option<&str>) -> Result<Vec<IncidentSeen>, HistoryError>;

    /// How much there is.
    ///
    /// # Errors
    ///
    /// [`HistoryError`].
    fn extent(&self) -> Result<Extent, HistoryError>;
}

/// A run, as far as the history knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSeen {
    /// Its id.
    pub run: String,
    /// When it began, microseconds since the Unix epoch.
    pub started_unix_us: i64,
    /// Version of handfast.
    pub handfast: String,
    /// The command line, program first, as a JSON list.
    pub command: String,
    /// The folder of its record, which may be gone.
    pub record: String,
    /// How it ended; nothing of one that was killed or is not over.
    pub end: Option<EndSeen>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndSeen {
    /// The name of its exit code.
    pub exit: String,
    /// Its counts, as JSON.
    pub summary: String,
    /// How long it took.
    pub duration_us: u64,
}

/// A test: a unit of scenarios, or one test of a suite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestName {
    /// The suite; nothing for a unit.
    pub suite: Option<String>,
    /// The unit, or the test's own name.
    pub test: String,
}

impl fmt::Display for TestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.suite {
            Some(suite) => write!(f, "{suite}: {}", self.test),
            None => f.write_str(&self.test),
        }
    }
}

/// The tests that a name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The first of them, by name.
    pub tests: Vec<TestName>,
    /// How many there are.
    pub count: usize,
}

/// What a test did in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The run.
    pub run: String,
    /// A kind of verdict, or of a suite `passed`, `failed`, `skipped`.
    pub kind: String,
    /// Its first try failed: what is said of it is the second one.
    pub is_flaky: bool,
    /// How long it took; 0 where nobody knows.
    pub duration_us: u64,
    /// When it was over, microseconds since the Unix epoch.
    pub ended_unix_us: i64,
}

/// What was measured, of what, on which class of machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeasuredName {
    /// Of what.
    pub unit: String,
    /// What of it.
    pub name: String,
    /// Class of the machine.
    pub machine: String,
}

/// A value that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasurementSeen {
    /// The run.
    pub run: String,
    /// The folder of its record, which may be gone.
    pub record: String,
    /// The value.
    pub value: f64,
    /// Such as `us`.
    pub measured_in: String,
    /// When, microseconds since the Unix epoch.
    pub taken_unix_us: i64,
}

/// An incident that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentSeen {
    /// Its id.
    pub incident: String,
    /// The run that opened it.
    pub run: String,
    /// The unit, test or measurement.
    pub subject: String,
    /// Such as `product`, `infra`, `worse`.
    pub class: String,
    /// The last commit that was well, where it is known.
    pub good_commit: Option<String>,
    /// The first commit that was not, where it is known.
    pub bad_commit: Option<String>,
    /// Since when, microseconds since the Unix epoch.
    pub opened_unix_us: i64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// How many runs.
    pub runs: usize,
    /// When the oldest of them began, microseconds since the Unix epoch.
    pub oldest_unix_us: Option<i64>,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Runs in which a test of a suite is looked for, from the newest on: one that is in none of them has not been run for years.
pub const RUNS_MAX: usize = 20_000;

pub(crate) const LAST_RUNS: &str = "SELECT runs.run, started_unix_us, handfast, command, record, exit, summary, duration_us FROM runs \
     LEFT JOIN ends ON ends.run = runs.run ORDER BY started_unix_us DESC, runs.run DESC LIMIT ?1";

pub(crate) const UNIT_OF_NAME: &str = "SELECT unit FROM results WHERE unit = ?1 LIMIT 1";

pub(crate) const TESTS_OF_NAME: &str =
    "SELECT suite, test FROM tests WHERE test = ?1 OR suite || ': ' || test = ?1";

pub(crate) const TESTS_WITH: &str =
    "SELECT suite, test FROM tests WHERE instr(suite || ': ' || test, ?1) > 0";

/// From each unit to the next one by the index, and not over their results.
pub(crate) const UNITS_WITH: &str = "WITH RECURSIVE units (unit) AS (SELECT min(unit) FROM results \
     UNION ALL SELECT (SELECT min(unit) FROM results WHERE unit > units.unit) FROM units WHERE units.unit IS NOT NULL) \
     SELECT unit FROM units WHERE instr(unit, ?1) > 0";

pub(crate) const OUTCOMES_OF_UNIT: &str = "SELECT run, kind, EXISTS (SELECT 1 FROM flaky WHERE flaky.run = results.run AND suite = '' AND test = unit), \
     duration_us, ended_unix_us FROM results WHERE unit = ?1 ORDER BY ended_unix_us DESC LIMIT ?2";

pub(crate) const RUNS_NEWEST_FIRST: &str =
    "SELECT run FROM runs ORDER BY started_unix_us DESC, run DESC LIMIT ?1";

pub(crate) const OUTCOMES_OF_TEST: &str = "SELECT run, kind, EXISTS (SELECT 1 FROM flaky WHERE flaky.run = suite_tests.run AND flaky.suite = ?2 AND flaky.test = ?3), \
     duration_us, ended_unix_us FROM suite_tests WHERE run = ?1 AND suite = ?2 AND test = ?3 ORDER BY number DESC";

pub(crate) const MEASUREMENTS: &str = "SELECT measurements.run, record, value, measured_in, taken_unix_us FROM measurements \
     JOIN runs ON runs.run = measurements.run WHERE unit = ?1 AND name = ?2 AND machine = ?3 ORDER BY taken_unix_us DESC, number DESC LIMIT ?4";

pub(crate) const MEASURED_NAMES: &str =
    "SELECT DISTINCT unit, name, machine FROM measurements ORDER BY unit, name, machine";

pub(crate) const OPEN_INCIDENTS: &str = "SELECT incident, run, subject, class, good_commit, bad_commit, opened_unix_us FROM incidents \
     WHERE (?1 IS NULL OR subject = ?1) AND NOT EXISTS (SELECT 1 FROM closings WHERE closings.incident = incidents.incident) \
     ORDER BY opened_unix_us DESC";

pub(crate) const EXTENT: &str =
    "SELECT (SELECT count(*) FROM runs), (SELECT min(started_unix_us) FROM runs)";

impl Questions for History {
    fn last_runs(&self, most: usize) -> Result<Vec<RunSeen>, HistoryError> {
        let read = || -> rusqlite::Result<Vec<RunSeen>> {
            let mut statement = self.connection.prepare_cached(LAST_RUNS)?;
            statement.query_map([limit(most)], run_seen)?.collect()
        };
        read().map_err(|error| self.failed(error))
    }

    fn named(&self, name: &str, most: usize) -> Result<Named, HistoryError> {
        let read = || -> rusqlite::Result<Named> {
            let mut tests = self.names(UNIT_OF_NAME, TESTS_OF_NAME, name)?;
            if tests.is_empty() {
                tests = self.names(UNITS_WITH, TESTS_WITH, name)?;
            }
            let count = tests.len();
            tests.truncate(most);
            Ok(Named { tests, count })
        };
        read().map_err(|error| self.failed(error))
    }

    fn outcomes(&self, test: &TestName, most: usize) -> Result<Vec<Seen>, HistoryError> {
        let read = || -> rusqlite::Result<Vec<Seen>> {
            if let Some(suite) = &test.suite {
                return self.outcomes_of_test(suite, &test.test, most);
            }
            let mut statement = self.connection.prepare_cached(OUTCOMES_OF_UNIT)?;
            statement.query_map(params![test.test, limit(most)], seen)?.collect()
        };
        read().map_err(|error| self.failed(error))
    }

    fn measurements(
        &self,
        of: &MeasuredName,
        most: usize,
    ) -> Result<Vec<MeasurementSeen>, HistoryError> {
        let read = || -> rusqlite::Result<Vec<MeasurementSeen>> {
            let mut statement = self.connection.prepare_cached(MEASUREMENTS)?;
            let rows =
                statement.query_map(params![of.unit, of.name, of.machine, limit(most)], |row| {
                    Ok(MeasurementSeen {
                        run: row.get(0)?,
                        record: row.get(1)?,
                        value: row.get(2)?,
                        measured_in: row.get(3)?,
                        taken_unix_us: row.get(4)?,
                    })
                })?;
            rows.collect()
        };
        read().map_err(|error| self.failed(error))
    }

    fn measured_names(&self) -> Result<Vec<MeasuredName>, HistoryError> {
        let read = || -> rusqlite::Result<Vec<MeasuredName>> {
            let mut statement = self.connection.prepare_cached(MEASURED_NAMES)?;
            let rows = statement.query_map([], |row| {
                Ok(MeasuredName { unit: row.get(0)?, name: row.get(1)?, machine: row.get(2)? })
            })?;
            rows.collect()
        };
        read().map_err(|error| self.failed(error))
    }

    fn open_incidents(&self, subject: Option<&str>) -> Result<Vec<IncidentSeen>, HistoryError> {
        let read = || -> rusqlite::Result<Vec<IncidentSeen>> {
            let mut statement = self.connection.prepare_cached(OPEN_INCIDENTS)?;
            let rows = statement.query_map([subject], |row| {
                Ok(IncidentSeen {
                    incident: row.get(0)?,
                    run: row.get(1)?,
                    subject: row.get(2)?,
                    class: row.get(3)?,
                    good_commit: row.get(4)?,
                    bad_commit: row.get(5)?,
                    opened_unix_us: row.get(6)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|error| self.failed(error))
    }

    fn extent(&self) -> Result<Extent, HistoryError> {
        let counted = self.connection.query_row(EXTENT, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Option<i64>>(1)?))
        });
        let (runs, oldest_unix_us) = counted.map_err(|error| self.failed(error))?;
        Ok(Extent {
            runs: usize::try_from(runs).unwrap_or_default(),
            oldest_unix_us,
            bytes: self.bytes()?,
        })
    }
}

impl History {
    /// Bytes on disk, those of the write-ahead log among them.
    ///
    /// # Errors
    ///
    /// [`HistoryError::File`].
    pub fn bytes(&self) -> Result<u64, HistoryError> {
        let file = fs::metadata(&self.path)
            .map_err(|source| HistoryError::File { path: self.path.clone(), source })?;
        let mut log = self.path.clone().into_os_string();
        log.push("-wal");
        // There is none before the first write.
        let log = fs::metadata(log).map_or(0, |log| log.len());
        Ok(file.len() + log)
    }

    /// In the order of their names, units first.
    fn names(&self, units: &str, tests: &str, name: &str) -> rusqlite::Result<Vec<TestName>> {
        let mut units = self.connection.prepare_cached(units)?;
        let units =
            units.query_map([name], |row| Ok(TestName { suite: None, test: row.get(0)? }))?;
        let mut tests = self.connection.prepare_cached(tests)?;
        let tests = tests.query_map([name], |row| {
            Ok(TestName { suite: Some(row.get(0)?), test: row.get(1)? })
        })?;
        units.chain(tests).collect()
    }

    /// Run by run: an index over names would have to be written to at one more place for every test.
    fn outcomes_of_test(
        &self,
        suite: &str,
        test: &str,
        most: usize,
    ) -> rusqlite::Result<Vec<Seen>> {
        let mut found = Vec::new();
        let mut runs = self.connection.prepare_cached(RUNS_NEWEST_FIRST)?;
        let mut runs = runs.query([limit(RUNS_MAX)])?;
        let mut outcomes = self.connection.prepare_cached(OUTCOMES_OF_TEST)?;
        while let Some(run) = runs.next()? {
            let run = run.get_ref(0)?.as_str()?;
            for outcome in outcomes.query_map(params![run, suite, test], seen)? {
                if found.len() == most {
                    return Ok(found);
                }
                found.push(outcome?);
            }
        }
        Ok(found)
    }
}

fn run_seen(row: &Row<'_>) -> rusqlite::Result<RunSeen> {
    let exit: Option<String> = row.get(5)?;
    let end = match exit {
        Some(exit) => Some(EndSeen { exit, summary: row.get(6)?, duration_us: positive(row, 7)? }),
        None => None,
    };
    Ok(RunSeen {
        run: row.get(0)?,
        started_unix_us: row.get(1)?,
        handfast: row.get(2)?,
        command: row.get(3)?,
        record: row.get(4)?,
        end,
    })
}

fn seen(row: &Row<'_>) -> rusqlite::Result<Seen> {
    Ok(Seen {
        run: row.get(0)?,
        kind: row.get(1)?,
        is_flaky: row.get(2)?,
        duration_us: positive(row, 3)?,
        ended_unix_us: row.get(4)?,
    })
}

fn positive(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default())
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
