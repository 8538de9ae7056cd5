//! What a run adds. Each call is one transaction: after it has returned, a kill of the process takes nothing back.
//! Between [`History::begin_whole`] and [`History::commit_whole`] all of them together are one.

use handfast_scenario::event::CellLine;
use handfast_scenario::verdict::Verdict;
use rusqlite::{Connection, TransactionBehavior, params};

use crate::store::{History, HistoryError};

/// A run that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub run: String,
    /// When, microseconds since the Unix epoch.
    pub started_unix_us: i64,
    /// Version of handfast.
    pub handfast: String,
    /// The command line, program first.
    pub command: Vec<String>,
    /// Seed of the run.
    pub seed: u64,
    /// The folder of its record, relative to the project.
    pub record: String,
}

/// What a peer's program was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildRow {
    /// The peer.
    pub peer: String,
    /// A digest, hex.
    pub digest: String,
}

/// A unit that a run sets out to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellRow {
    /// What it is.
    pub line: CellLine,
    /// Whether it has a place in the matrix.
    pub in_matrix: bool,
}

/// A unit that a run has judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultRow {
    /// The unit.
    pub unit: String,
    /// Its key, where it has one.
    pub key: Option<String>,
    /// The verdict.
    pub verdict: Verdict,
    /// How long it took.
    pub duration_us: u64,
    /// Processor time of its processes.
    pub cpu_us: u64,
    /// When it was over, microseconds since the Unix epoch.
    pub ended_unix_us: i64,
}

/// A verdict that a run took over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallRow {
    /// The unit.
    pub unit: String,
    /// The run that played it.
    pub from_run: String,
}

/// A suite that a run has carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteRow {
    /// Its name.
    pub suite: String,
    /// `passed`, `failed` or `skipped`.
    pub kind: String,
    /// How many tests passed.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How long it took.
    pub duration_us: u64,
    /// When it was over, microseconds since the Unix epoch.
    pub ended_unix_us: i64,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndRow {
    /// The name of its exit code.
    pub exit: String,
    /// Its counts, as JSON.
    pub summary: String,
    /// How long it took.
    pub duration_us: u64,
}

impl History {
    /// What is added from here on is there as a whole or not at all: until [`History::commit_whole`] nobody else sees it, others that
    /// write wait, and a kill takes all of it back.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`].
    pub fn begin_whole(&mut self) -> Result<(), HistoryError> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| self.failed(error))
    }

    /// What was added since [`History::begin_whole`] is there.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`]; then none of it is there.
    pub fn commit_whole(&mut self) -> Result<(), HistoryError> {
        self.connection.execute_batch("COMMIT").map_err(|error| self.failed(error))
    }

    /// A run begins.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`], also if there was a run of this id before.
    pub fn begin(&mut self, row: &RunRow) -> Result<(), HistoryError> {
        let command = serde_json::json!(row.command).to_string();
        self.add(|connection| {
            connection
                .prepare_cached("INSERT INTO runs (run, started_unix_us, handfast, command, seed, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(params![row.run, row.started_unix_us, row.handfast, command, row.seed.to_string(), row.record])?;
            Ok(())
        })
    }

    /// The run knows what it is going to judge, and by what.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`].
    pub fn plan(
        &mut self,
        run: &str,
        builds: &[BuildRow],
        cells: &[CellRow],
    ) -> Result<(), HistoryError> {
        self.add(|connection| {
            for row in builds {
                connection
                    .prepare_cached("INSERT INTO builds (run, peer, digest) VALUES (?1, ?2, ?3)")?
                    .execute(params![run, row.peer, row.digest])?;
            }
            cells.iter().try_for_each(|row| insert_cell(connection, run, row))
        })
    }

    /// The run has judged a unit.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`], also if it had judged it before.
    pub fn judged(&mut self, run: &str, row: &ResultRow) -> Result<(), HistoryError> {
        let verdict = serde_json::json!(row.verdict).to_string();
        let kind = serde_json::json!(row.verdict.kind());
        self.add(|connection| {
            connection
                .prepare_cached("INSERT INTO results (run, unit, key, kind, verdict, duration_us, cpu_us, ended_unix_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
                .execute(params![
                    run, row.unit, row.key, kind.as_str(), verdict,
                    whole(row.duration_us), whole(row.cpu_us), row.ended_unix_us
                ])?;
            Ok(())
        })
    }

    /// The run has taken over verdicts of earlier runs.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`].
    pub fn recalled(&mut self, run: &str, rows: &[RecallRow]) -> Result<(), HistoryError> {
        self.add(|connection| {
            for row in rows {
                connection
                    .prepare_cached(
                        "INSERT INTO recalls (run, unit, from_run) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![run, row.unit, row.from_run])?;
            }
            Ok(())
        })
    }

    /// The run has carried out a suite.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`], also if it had carried it out before.
    pub fn suite_ended(&mut self, run: &str, row: &SuiteRow) -> Result<(), HistoryError> {
        self.add(|connection| {
            connection
                .prepare_cached("INSERT INTO suite_results (run, suite, kind, passed, failed, duration_us, ended_unix_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute(params![
                    run, row.suite, row.kind, whole(row.passed), whole(row.failed),
                    whole(row.duration_us), row.ended_unix_us
                ])?;
            Ok(())
        })
    }

    /// The run is over.
    ///
    /// # Errors
    ///
    /// [`HistoryError::Sqlite`].
    pub fn end(&mut self, run: &str, row: &EndRow) -> Result<(), HistoryError> {
        self.add(|connection| {
            connection
                .prepare_cached(
                    "INSERT INTO ends (run, exit, summary, duration_us) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![run, row.exit, row.summary, whole(row.duration_us)])?;
            Ok(())
        })
    }

    pub(crate) fn add(
        &mut self,
        insert: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), HistoryError> {
        if !self.connection.is_autocommit() {
            return insert(&self.connection).map_err(|error| self.failed(error));
        }
        let added = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                insert(&transaction)?;
                transaction.commit()
            });
        added.map_err(|error| self.failed(error))
    }
}

fn insert_cell(connection: &Connection, run: &str, row: &CellRow) -> rusqlite::Result<()> {
    let line = &row.line;
    let [a, b] = &line.column;
    let column = row.in_matrix.then(|| (a.as_str(), b.as_str()));
    let expected = line.expected.as_ref().map(|expected| serde_json::json!(expected).to_string());
    connection
        .prepare_cached(
            "INSERT INTO cells (run, unit, scenario, name, file, category, key, column_a, column_b, peers, protocols, network, expected) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            run,
            line.unit.as_str(),
            line.scenario,
            line.name,
            line.file,
            line.category.as_str(),
            line.key,
            column.map(|(a, _)| a),
            column.map(|(_, b)| b),
            serde_json::json!(line.peers).to_string(),
            serde_json::json!(line.protocols).to_string(),
            line.network,
            expected,
        ])?;
    Ok(())
}

pub(crate) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
