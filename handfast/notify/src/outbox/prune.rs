//! What is forgotten: told letters, incidents that are over, and runs, after some time or when there are too many.

use std::time::Duration;

use rusqlite::params;

use super::runs::RUNS_KEPT_MAX;
use super::{Outbox, OutboxError};

/// How long told letters and incidents that are over are kept.
pub const KEPT: Duration = Duration::from_hours(24 * 30);

/// Letters that are kept once nothing is left to do for them.
pub const LETTERS_KEPT_MAX: usize = 20_000;

/// Incidents that are kept once they are over.
pub const INCIDENTS_KEPT_MAX: usize = 2_000;

/// What waits for a message that was refused before `?1`.
pub(super) const FORGET_BEHIND_REFUSED: &str = "DELETE FROM letters WHERE outcome = 'waiting' AND (incident, channel) IN (\
     SELECT incident, channel FROM letters WHERE outcome = 'never' AND kind = '{\"kind\":\"post\"}' AND noticed_unix_us < ?1)";

impl Outbox {
    /// Forgets what is old, refused letters with those that wait for them too. Nothing else that waits, no open incident and no run that lasts is ever forgotten.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn prune(&mut self, now_unix_us: i64) -> Result<(), OutboxError> {
        self.prune_to(now_unix_us, LETTERS_KEPT_MAX, INCIDENTS_KEPT_MAX, RUNS_KEPT_MAX)
    }

    /// Brings everything into the one file, so that a copy of it is whole: for CI, which carries it from machine to machine.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn fold(&self) -> Result<(), OutboxError> {
        let folded = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        folded.map_err(|error| self.failed(error.into()))
    }

    pub(super) fn prune_to(
        &mut self,
        now_unix_us: i64,
        letters_max: usize,
        incidents_max: usize,
        runs_max: usize,
    ) -> Result<(), OutboxError> {
        let kept_us = i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX);
        let oldest = now_unix_us.saturating_sub(kept_us);
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.transact(|transaction| {
            // What waits for a message that was refused would go without it once that is forgotten.
            transaction.execute(FORGET_BEHIND_REFUSED, [oldest])?;
            transaction.execute(
                "DELETE FROM letters WHERE outcome = 'never' AND noticed_unix_us < ?1",
                [oldest],
            )?;
            transaction.execute(
                "DELETE FROM letters WHERE outcome IN ('told', 'replaced') AND (noticed_unix_us < ?1 OR letter IN (\
                 SELECT letter FROM letters WHERE outcome IN ('told', 'replaced') ORDER BY letter DESC LIMIT -1 OFFSET ?2))",
                params![oldest, count(letters_max)],
            )?;
            transaction.execute(
                "DELETE FROM incidents WHERE state = 'recovered' AND (changed_unix_us < ?1 OR incident IN (\
                 SELECT incident FROM incidents WHERE state = 'recovered' ORDER BY incident DESC LIMIT -1 OFFSET ?2)) \
                 AND NOT EXISTS (SELECT 1 FROM letters l WHERE l.incident = incidents.incident AND l.outcome IN ('waiting', 'never'))",
                params![oldest, count(incidents_max)],
            )?;
            transaction.execute(
                "DELETE FROM runs WHERE state <> 'running' AND run IN (\
                 SELECT run FROM runs WHERE state <> 'running' ORDER BY seen_unix_us DESC, run LIMIT -1 OFFSET ?1)",
                params![count(runs_max)],
            )?;
            transaction.execute_batch(
                "DELETE FROM threads WHERE incident NOT IN (SELECT incident FROM incidents);\
                 DELETE FROM attempts WHERE letter NOT IN (SELECT letter FROM letters);",
            )?;
            Ok(())
        })
    }
}
