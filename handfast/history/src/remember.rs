//! What else a run adds: single tests of suites, what was flaky, measurements, what was done about failures, incidents.
//!
//! Each call is one transaction, as in [`write`](mod@crate::write).

use rusqlite::{Connection, params};

use crate::store::{History, HistoryError};
use crate::write::whole;

/// A test of a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRow {
    /// The suite.
    pub suite: String,
    /// The test's own name.
    pub test: String,
    /// `passed`, `failed` or `skipped`.
    pub kind: String,
    /// How long it took; 0 where the suite does not say.
    pub duration_us: u64,
    /// When it was told, microseconds since the Unix epoch.
    pub ended_unix_us: i64,
}

/// A value that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasurementRow {
    /// Of what: a unit, a suite, a load.
    pub unit: String,
    /// What of it, such as `latency_p99`.
    pub name: String,
    /// Class of the machine: values of two classes are not compared.
    pub machine: String,
    /// The value, finite.
    pub value: f64,
    /// Such as `us`, `bytes`, `1/s`.
    pub measured_in: String,
    /// When, microseconds since the Unix epoch.
    pub taken_unix_us: i64,
}

/// Something that was done about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealingRow {
    /// The unit or test that failed.
    pub subject: String,
    /// Why it failed, as its verdict says it.
    pub reason: String,
    /// Whose failure it was: `product`, `infra`, `flaky` or `known`.
    pub class: String,
    /// The fault of the machine, where it is one that is repaired.
    pub fault: Option<String>,
    /// What was done, as JSON.
    pub act: String,
    /// What came of it, such as `healed`.
    pub outcome: String,
    /// What led there, as JSON.
    pub evidence: String,
    /// How long it took.
    pub duration_us: u64,
    /// When it was over, microseconds since the Unix epoch.
    pub ended_unix_us: i64,
}

/// Something that is wrong from one run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRow {
    /// Its id.
    pub incident: String,
    /// The unit, test or measurement.
    pub subject: String,
    /// Such as `product`, `infra`, `slower`.
    pub class: String,
    /// The last commit that was well, where it is known.
    pub good_commit: Option<String>,
    /// The first commit that was not, where it is known.
    pub bad_commit: Option<String>,
    /// More about it, as JSON.
    pub detail: String,
    /// Since when, microseconds since the Unix epoch.
    pub opened_unix_us: i64,
}

/// The end of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosingRow {
    /// Its id.
    pub incident: String,
    /// Why it is over.
    pub reason: String,
    /// Since when, microseconds since the Unix epoch.
    pub closed_unix_us: i64,
}

impl History {
    /// The run has heard of tests of suites. One that is told again under the same name gets the next number.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`]; then none of them is there.
    pub fn tested(&mut self, run: &str, rows: &[TestRow]) -> Result<(), HistoryError> {
        self.add(|connection| rows.iter().try_for_each(|row| insert_test(connection, run, row)))
    }

    /// A unit (then the suite is empty) or a test failed in this run, was tried once more unchanged, and passed.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`].
    pub fn flaky(&mut self, run: &str, suite: &str, test: &str) -> Result<(), HistoryError> {
        self.add(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO flaky (run, suite, test) SELECT ?1, ?2, ?3 \
                     WHERE NOT EXISTS (SELECT 1 FROM flaky WHERE run = ?1 AND suite = ?2 AND test = ?3)",
                )?
                .execute(params![run, suite, test])?;
            Ok(())
        })
    }

    /// The run has measured something. A value of the same unit, name and machine gets the next number.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`], also for a value that is no number; then none of them is there.
    pub fn measured(&mut self, run: &str, rows: &[MeasurementRow]) -> Result<(), HistoryError> {
        self.add(|connection| {
            for row in rows {
                // What is no number becomes null, which the table refuses.
                let value = row.value.is_finite().then_some(row.value);
                connection
                    .prepare_cached(
                        "INSERT INTO measurements (run, unit, name, machine, number, value, measured_in, taken_unix_us) \
                         SELECT ?1, ?2, ?3, ?4, 1 + coalesce(max(number), 0), ?5, ?6, ?7 FROM measurements \
                         WHERE run = ?1 AND unit = ?2 AND name = ?3 AND machine = ?4",
                    )?
                    .execute(params![
                        run, row.unit, row.name, row.machine, value, row.measured_in,
                        row.taken_unix_us
                    ])?;
            }
            Ok(())
        })
    }

    /// Something was done about a failure in this run.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`].
    pub fn healed(&mut self, run: &str, row: &HealingRow) -> Result<(), HistoryError> {
        self.add(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO healings (run, number, subject, reason, class, fault, act, outcome, evidence, duration_us, ended_unix_us) \
                     SELECT ?1, 1 + coalesce(max(number), 0), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 FROM healings WHERE run = ?1",
                )?
                .execute(params![
                    run, row.subject, row.reason, row.class, row.fault, row.act, row.outcome, row.evidence,
                    whole(row.duration_us), row.ended_unix_us
                ])?;
            Ok(())
        })
    }

    /// This run has opened an incident.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`], also if there was one of this id before.
    pub fn opened(&mut self, run: &str, row: &IncidentRow) -> Result<(), HistoryError> {
        self.add(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO incidents (incident, run, subject, class, good_commit, bad_commit, detail, opened_unix_us) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    row.incident, run, row.subject, row.class, row.good_commit, row.bad_commit,
                    row.detail, row.opened_unix_us
                ])?;
            Ok(())
        })
    }

    /// This run has closed an incident.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`], also if it was closed before.
    pub fn closed(&mut self, run: &str, row: &ClosingRow) -> Result<(), HistoryError> {
        self.add(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO closings (incident, run, reason, closed_unix_us) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![row.incident, run, row.reason, row.closed_unix_us])?;
            Ok(())
        })
    }
}

fn insert_test(connection: &Connection, run: &str, row: &TestRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO suite_tests (run, suite, test, number, kind, duration_us, ended_unix_us) \
             SELECT ?1, ?2, ?3, 1 + coalesce(max(number), 0), ?4, ?5, ?6 FROM suite_tests \
             WHERE run = ?1 AND suite = ?2 AND test = ?3",
        )?
        .execute(params![
            run,
            row.suite,
            row.test,
            row.kind,
            whole(row.duration_us),
            row.ended_unix_us
        ])?;
    insert_name(connection, &row.suite, &row.test)
}

/// The names of tests, so that a part of one finds it.
pub(crate) fn insert_name(
    connection: &Connection,
    suite: &str,
    test: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO tests (suite, test) SELECT ?1, ?2 \
             WHERE NOT EXISTS (SELECT 1 FROM tests WHERE suite = ?1 AND test = ?2)",
        )?
        .execute(params![suite, test])?;
    Ok(())
}
