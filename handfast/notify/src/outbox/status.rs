//! What a person wants to know: incidents, letters that are not told, latencies.

use std::time::Duration;

use rusqlite::params;
use serde::Serialize;

use super::{Outbox, OutboxError, Trouble, json, text, whole};
use crate::letter::{Class, Incident, Kind};

/// Letters and incidents that are listed; the rest is counted.
pub const LISTED_MAX: usize = 100;

/// How the outbox stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Incidents that last, the newest first.
    pub open: Vec<OpenIncident>,
    /// Letters that are not told, the oldest first, at most [`LISTED_MAX`].
    pub untold: Vec<Untold>,
    /// How many letters are not told.
    pub untold_count: u64,
    /// How many of them are held until quiet hours are over.
    pub held: u64,
    /// How many of them no channel would have.
    pub refused: u64,
    /// Letters that were told, or still are not, later than the deadline; held time does not count.
    pub late: u64,
    /// Letters that were told.
    pub told: u64,
    /// Attempts that may have made a message appear twice.
    pub maybe_twice: u64,
    /// From the moment a thing was noticed to the moment it was told: of all letters, edits excepted.
    pub latency: Latency,
    /// The same of edits, which wait a second for each other.
    pub edit_latency: Latency,
}

/// An incident that lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OpenIncident {
    /// What its letters' keys begin with.
    pub key: String,
    /// What is watched.
    pub subject: String,
    /// Whose matter it is.
    pub class: Class,
    /// When it was opened, microseconds since the Unix epoch.
    pub opened_unix_us: i64,
    /// Red runs so far.
    pub runs: u64,
    /// The newest of them.
    pub run: String,
}

/// A letter that is not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Untold {
    /// Its key.
    pub key: String,
    /// Its channel.
    pub channel: String,
    /// `waiting` or `never`.
    pub outcome: String,
    /// How often it was tried.
    pub attempts: u64,
    /// When the thing it tells was noticed, microseconds since the Unix epoch.
    pub noticed_unix_us: i64,
    /// When it is tried next.
    pub next_unix_us: i64,
    /// The end of the quiet hours it waits for.
    pub held_until_unix_us: Option<i64>,
    /// What came of the last attempt.
    pub why: Option<String>,
    /// What to do about it.
    pub fix: Option<String>,
}

/// How long it took to tell, microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Of how many letters.
    pub letters: u64,
    /// Half of them took at most this long.
    pub p50_us: u64,
    /// All of them took at most this long.
    pub max_us: u64,
}

impl Status {
    /// Whether somebody should look: something is late, or no channel would have it.
    pub fn is_well(&self) -> bool {
        self.late == 0 && self.refused == 0
    }
}

impl Outbox {
    /// How the outbox stands.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn status(&self, deadline: Duration, now_unix_us: i64) -> Result<Status, OutboxError> {
        let deadline_us = i64::try_from(deadline.as_micros()).unwrap_or(i64::MAX);
        let read = || {
            let mut status = Status { open: self.open_incidents()?, ..Status::default() };
            self.count_untold(&mut status, now_unix_us)?;
            status.late = self.late(deadline_us, now_unix_us)?;
            let twice = "SELECT coalesce(sum(maybe_twice), 0) FROM letters";
            status.maybe_twice = self.connection.query_row(twice, [], |row| whole(row, 0))?;
            let told = "SELECT count(*) FROM letters WHERE outcome = 'told'";
            status.told = self.connection.query_row(told, [], |row| whole(row, 0))?;
            let edit = text(Kind::Edit);
            status.latency = self.latency(&format!("kind <> '{edit}'"))?;
            status.edit_latency = self.latency(&format!("kind = '{edit}'"))?;
            Ok(status)
        };
        read().map_err(|trouble| self.failed(trouble))
    }

    fn open_incidents(&self) -> Result<Vec<OpenIncident>, Trouble> {
        let mut select = self.connection.prepare(
            "SELECT key, body FROM incidents WHERE state = 'open' ORDER BY incident DESC LIMIT ?1",
        )?;
        let limit = i64::try_from(LISTED_MAX).unwrap_or(i64::MAX);
        let rows = select
            .query_map([limit], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let mut open = Vec::new();
        for row in rows {
            let (key, body) = row?;
            let incident: Incident = json(&body, "an incident")?;
            open.push(OpenIncident {
                key,
                subject: incident.subject,
                class: incident.class,
                opened_unix_us: incident.opened_unix_us,
                runs: incident.runs,
                run: incident.run,
            });
        }
        Ok(open)
    }

    fn count_untold(&self, status: &mut Status, now_unix_us: i64) -> Result<(), Trouble> {
        let untold = "outcome IN ('waiting', 'never')";
        status.untold = self.untold(&format!("{untold} ORDER BY letter LIMIT {LISTED_MAX}"))?;
        let count = |condition: &str| {
            let select = format!("SELECT count(*) FROM letters WHERE {condition}");
            self.connection.query_row(&select, [], |row| whole(row, 0))
        };
        status.untold_count = count(untold)?;
        status.refused = count("outcome = 'never'")?;
        status.held =
            count(&format!("outcome = 'waiting' AND held_until_unix_us > {now_unix_us}"))?;
        Ok(())
    }

    fn untold(&self, condition: &str) -> Result<Vec<Untold>, Trouble> {
        let mut select = self.connection.prepare(&format!(
            "SELECT key, channel, outcome, attempts, noticed_unix_us, next_unix_us, held_until_unix_us, why, fix \
             FROM letters WHERE {condition}"
        ))?;
        let rows = select.query_map([], |row| {
            Ok(Untold {
                key: row.get(0)?,
                channel: row.get(1)?,
                outcome: row.get(2)?,
                attempts: whole(row, 3)?,
                noticed_unix_us: row.get(4)?,
                next_unix_us: row.get(5)?,
                held_until_unix_us: row.get(6)?,
                why: row.get(7)?,
                fix: row.get(8)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn late(&self, deadline_us: i64, now_unix_us: i64) -> Result<u64, Trouble> {
        let late = "SELECT count(*) FROM letters WHERE outcome <> 'replaced' AND \
             coalesce(told_unix_us, ?2) - coalesce(held_until_unix_us, noticed_unix_us) > ?1";
        Ok(self
            .connection
            .query_row(late, params![deadline_us, now_unix_us], |row| whole(row, 0))?)
    }

    fn latency(&self, condition: &str) -> Result<Latency, Trouble> {
        let mut select = self.connection.prepare(&format!(
            "SELECT max(0, told_unix_us - coalesce(held_until_unix_us, noticed_unix_us)) AS took FROM letters \
             WHERE outcome = 'told' AND {condition} ORDER BY took"
        ))?;
        let took = select.query_map([], |row| whole(row, 0))?;
        let took: Vec<u64> = took.collect::<Result<_, _>>()?;
        Ok(Latency {
            letters: u64::try_from(took.len()).unwrap_or(u64::MAX),
            p50_us: took.get(took.len().saturating_sub(1) / 2).copied().unwrap_or_default(),
            max_us: took.last().copied().unwrap_or_default(),
        })
    }
}
