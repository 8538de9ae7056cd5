//! Which runs are watched.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Outbox, OutboxError, Trouble, json, text};
use crate::watch::Watch;

/// Runs that are remembered once they are over, so that none is told twice.
pub const RUNS_KEPT_MAX: usize = 1_000;

/// A run of which nobody has said that it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfinished {
    /// What was heard of it.
    pub watch: Watch,
    /// When it was last heard of, microseconds since the Unix epoch.
    pub seen_unix_us: i64,
}

impl Outbox {
    /// A run is watched from now on. `false`: it was before.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn begin(&mut self, watch: &Watch, now_unix_us: i64) -> Result<bool, OutboxError> {
        self.transact(|transaction| {
            let brief = &watch.brief;
            let added = transaction.execute(
                "INSERT OR IGNORE INTO runs (run, subject, state, seen_unix_us, body) VALUES (?1, ?2, 'running', ?3, ?4)",
                params![brief.run, brief.subject, now_unix_us, text(watch)],
            )?;
            Ok(added > 0)
        })
    }

    /// Notes how far a run is; what a loss of power takes of this is no letter.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn progress(&mut self, watch: &Watch, now_unix_us: i64) -> Result<(), OutboxError> {
        let relaxed = |on: bool, connection: &rusqlite::Connection| {
            connection.pragma_update(None, "synchronous", if on { "NORMAL" } else { "FULL" })
        };
        relaxed(true, &self.connection).map_err(|error| self.failed(error.into()))?;
        let noted = self.transact(|transaction| note(transaction, watch, "running", now_unix_us));
        relaxed(false, &self.connection).map_err(|error| self.failed(error.into()))?;
        noted
    }

    /// The ids of the runs of which nobody has said that they are over.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn unfinished(&self) -> Result<Vec<String>, OutboxError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut select = self
                .connection
                .prepare_cached("SELECT run FROM runs WHERE state = 'running' ORDER BY run")?;
            select.query_map([], |row| row.get(0))?.collect()
        };
        read().map_err(|error| self.failed(error.into()))
    }

    /// The run of this id, if nobody has said that it is over.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn running(&self, run: &str) -> Result<Option<Unfinished>, OutboxError> {
        let found = self
            .connection
            .query_row(
                "SELECT body, seen_unix_us FROM runs WHERE run = ?1 AND state = 'running'",
                [run],
                |row| Ok((row.get::<_, String>(0)?, row.get(1)?)),
            )
            .optional();
        let found = found.map_err(|error| self.failed(error.into()))?;
        let read = |(body, seen_unix_us): (String, i64)| {
            Ok(Unfinished { watch: json(&body, &format!("the run {run}"))?, seen_unix_us })
        };
        found.map(read).transpose().map_err(|trouble| self.failed(trouble))
    }
}

/// Notes what was heard of a run, unless it is over already.
pub(super) fn note(
    transaction: &Transaction<'_>,
    watch: &Watch,
    state: &str,
    now_unix_us: i64,
) -> Result<(), Trouble> {
    transaction
        .prepare_cached(
            "UPDATE runs SET state = ?2, seen_unix_us = ?3, body = ?4 WHERE run = ?1 AND state = 'running'",
        )?
        .execute(params![watch.brief.run, state, now_unix_us, text(watch)])?;
    Ok(())
}
