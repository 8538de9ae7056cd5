//! What the courier takes out, and what came of it.
//!
//! A letter is marked before it is sent and settled afterwards, each in a transaction of its own. One that is found marked by the
//! next courier was perhaps accepted: it goes again as [`unsure`](Letter::unsure).

use std::time::Duration;

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Outbox, OutboxError, Trouble, json, text};
use crate::letter::{Incident, Key, Kind, Letter, Mention, Reference};
use crate::outcome::Outcome;
use crate::rules::ChannelRule;

/// Waiting time after the first failed attempt; doubled with each further one.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);

/// Shortest waiting time after a lost answer: the service may still be busy with the first attempt, and is asked for it next.
pub const BACKOFF_UNSURE: Duration = Duration::from_secs(1);

/// Shortest time from the beginning of an attempt whose courier died in it to the next one: as long as a call may last, since the service may
/// still be busy with it, and would not be found to have the letter.
pub const ORPHANED: Duration = Duration::from_secs(10);

/// Longest waiting time that we choose ourselves: with a deadline of minutes no letter may miss the moment at which its channel is back.
pub const BACKOFF_MAX: Duration = Duration::from_secs(20);

/// Longest waiting time that a channel may ask for; one that asks for more is asked again after this.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(1);

/// A letter that is to be tried later than any pause allows was put off by a clock that has been set back since: it is due. What quiet
/// hours hold is not meant.
const FAR: Duration = Duration::from_mins(90);

/// Attempts that are kept of a letter, the newest.
pub const ATTEMPTS_KEPT_MAX: i64 = 100;

/// Longest explanation that is kept, characters.
pub const WHY_LEN_MAX: usize = 500;

/// What there is to do for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// This letter is to be sent now; it is marked.
    Letter {
        /// Its row.
        row: i64,
        /// The letter.
        letter: Box<Letter>,
    },
    /// Nothing before this moment, microseconds since the Unix epoch.
    At(i64),
    /// Nothing at all.
    Nothing,
}

/// When a letter is to be tried, if what lies behind `?2` is too far.
pub(super) const MOMENT: &str = "(CASE WHEN l.next_unix_us > ?2 AND l.next_unix_us IS NOT l.held_until_unix_us THEN 0 ELSE l.next_unix_us END)";

/// The letter that is next: of those of one incident the first, unless the incident's message cannot be told.
///
/// The first ones are found in one pass over what waits. Looked for behind each letter, they would be looked for among all that was told of
/// its incident: with 10,000 letters of one incident that took seconds.
pub(super) const NEXT: &str = "FROM letters l WHERE l.outcome = 'waiting' AND l.sending = 0 AND l.channel = ?1 AND l.letter IN (\
     SELECT min(w.letter) FROM letters w WHERE w.outcome = 'waiting' AND w.channel = ?1 GROUP BY coalesce(w.incident, -w.letter)) \
     AND NOT EXISTS (SELECT 1 FROM letters e WHERE e.incident = l.incident AND e.channel = l.channel AND e.letter < l.letter \
     AND +e.outcome = 'never' AND e.kind = '{\"kind\":\"post\"}')";

/// Edits that no channel would have, with a newer one (`?1` is the kind of an edit).
pub(super) const OVERTAKEN: &str = "UPDATE letters SET outcome = 'replaced' WHERE outcome = 'never' AND kind = ?1 AND letter NOT IN (\
     SELECT max(letter) FROM letters WHERE kind = ?1 AND outcome <> 'replaced' GROUP BY incident, channel)";

impl Outbox {
    /// Marks the next letter of a channel as being sent, and gives it out.
    ///
    /// Of one incident a letter goes only after all earlier ones; letters of different incidents go as they become due.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn claim(&mut self, channel: &ChannelRule, now_unix_us: i64) -> Result<Claim, OutboxError> {
        if let Some(moment) = self.next_at(&channel.name, now_unix_us)? {
            if moment > now_unix_us {
                return Ok(Claim::At(moment));
            }
        } else {
            return Ok(Claim::Nothing);
        }
        self.transact(|transaction| claim(transaction, channel, now_unix_us))
    }

    /// When the next letter of a channel is to be tried, microseconds since the Unix epoch.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn next_at(&self, channel: &str, now_unix_us: i64) -> Result<Option<i64>, OutboxError> {
        let select = format!("SELECT min({MOMENT}) {NEXT}");
        let next = self.connection.prepare_cached(&select).and_then(|mut select| {
            select.query_row(params![channel, far(now_unix_us)], |row| row.get(0))
        });
        next.map_err(|error| self.failed(error.into()))
    }

    /// Notes what came of an attempt. `dice` is any number: the jitter follows from it.
    ///
    /// # Errors
    ///
    /// [`OutboxError`]: the letter stays marked then, and goes again as unsure.
    pub fn settle(
        &mut self,
        row: i64,
        outcome: &Outcome,
        now_unix_us: i64,
        dice: u64,
    ) -> Result<(), OutboxError> {
        self.transact(|transaction| settle(transaction, row, outcome, now_unix_us, dice))
    }

    /// Takes back what a dead courier was sending. Only who holds the couriers' lock may ask for it.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn release_orphans(&mut self) -> Result<usize, OutboxError> {
        self.transact(|transaction| {
            let orphans = "UPDATE letters SET sending = 0, unsure = 1, \
                 next_unix_us = max(next_unix_us, coalesce(last_unix_us, 0) + ?1) WHERE sending = 1 AND outcome = 'waiting'";
            let wait = i64::try_from(ORPHANED.as_micros()).unwrap_or_default();
            Ok(transaction.execute(orphans, [wait])?)
        })
    }

    /// The same for one channel: for who delivers to it alone and could not note what came of an attempt.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn release_orphans_of(&mut self, channel: &str) -> Result<usize, OutboxError> {
        self.transact(|transaction| {
            let orphans = "UPDATE letters SET sending = 0, unsure = 1 \
                 WHERE sending = 1 AND outcome = 'waiting' AND channel = ?1";
            Ok(transaction.execute(orphans, [channel])?)
        })
    }

    /// Whether a letter to a channel is being sent, by whoever has the desk, or is to be tried before a moment.
    ///
    /// One look: between two, a letter could change from the one to the other.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn is_due(&self, channel: &str, before_unix_us: i64) -> Result<bool, OutboxError> {
        let select = format!(
            "SELECT EXISTS (SELECT 1 FROM letters WHERE outcome = 'waiting' AND channel = ?1 AND sending = 1) \
             OR EXISTS (SELECT 1 {NEXT} AND {MOMENT} <= ?3)"
        );
        let due = self.connection.prepare_cached(&select).and_then(|mut select| {
            let values = params![channel, far(before_unix_us), before_unix_us];
            select.query_row(values, |row| row.get(0))
        });
        due.map_err(|error| self.failed(error.into()))
    }

    /// Lets those be tried again that no channel would have: what was wrong may have been mended. Of the edits of one message only the newest
    /// counts: an older one would put back what has changed since.
    ///
    /// # Errors
    ///
    /// [`OutboxError`].
    pub fn retry_refused(&mut self, now_unix_us: i64) -> Result<usize, OutboxError> {
        self.transact(|transaction| {
            transaction.execute(OVERTAKEN, [text(Kind::Edit)])?;
            let again =
                "UPDATE letters SET outcome = 'waiting', next_unix_us = ?1 WHERE outcome = 'never'";
            Ok(transaction.execute(again, [now_unix_us])?)
        })
    }
}

/// How long to wait after so many attempts in vain: doubled with each, with a quarter more or less.
pub fn backoff(attempts: u64, dice: u64) -> Duration {
    let doubled = u32::try_from(attempts.saturating_sub(1).min(16)).unwrap_or(16);
    let plain = BACKOFF_FIRST.saturating_mul(1 << doubled).min(BACKOFF_MAX);
    let quarter = u64::try_from(plain.as_micros() / 4).unwrap_or(u64::MAX).max(1);
    plain.saturating_sub(Duration::from_micros(quarter))
        + Duration::from_micros(dice % (2 * quarter))
}

/// The moment behind which no letter of ours is put off.
fn far(now_unix_us: i64) -> i64 {
    now_unix_us.saturating_add(i64::try_from(FAR.as_micros()).unwrap_or(i64::MAX))
}

/// Holds what was held before once more, where it would go in the middle of the next quiet hours.
fn hold_again(
    transaction: &Transaction<'_>,
    channel: &ChannelRule,
    now_unix_us: i64,
) -> Result<(), Trouble> {
    let Some(end) = channel.held_again(now_unix_us) else { return Ok(()) };
    transaction
        .prepare_cached(
            "UPDATE letters SET held_until_unix_us = ?3, next_unix_us = ?3 WHERE outcome = 'waiting' AND sending = 0 \
             AND channel = ?1 AND held_until_unix_us IS NOT NULL AND next_unix_us <= ?2",
        )?
        .execute(params![channel.name, now_unix_us, end])?;
    Ok(())
}

fn claim(
    transaction: &Transaction<'_>,
    channel: &ChannelRule,
    now_unix_us: i64,
) -> Result<Claim, Trouble> {
    hold_again(transaction, channel, now_unix_us)?;
    let select = format!(
        "SELECT l.letter, l.key, l.kind, l.mention, l.body, l.unsure, l.incident, l.attempts {NEXT} \
         AND {MOMENT} <= ?3 ORDER BY l.next_unix_us, l.letter LIMIT 1"
    );
    let found = transaction
        .prepare_cached(&select)?
        .query_row(params![channel.name, far(now_unix_us), now_unix_us], |row| {
            let texts: [String; 4] = [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?];
            let numbers: (i64, bool, Option<i64>, i64) =
                (row.get(0)?, row.get(5)?, row.get(6)?, row.get(7)?);
            Ok((texts, numbers))
        })
        .optional()?;
    let Some(([key, kind, mention, body], (row, unsure, incident, attempts))) = found else {
        return Ok(Claim::Nothing);
    };
    let twice = i64::from(unsure && !channel.edits);
    transaction
        .prepare_cached(
            "UPDATE letters SET sending = 1, attempts = attempts + 1, maybe_twice = maybe_twice + ?3, \
             first_unix_us = coalesce(first_unix_us, ?2), last_unix_us = ?2 WHERE letter = ?1",
        )?
        .execute(params![row, now_unix_us, twice])?;
    transaction
        .prepare_cached(
            "INSERT INTO attempts (letter, attempt, began_unix_us) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![row, attempts + 1, now_unix_us])?;
    transaction
        .prepare_cached("DELETE FROM attempts WHERE letter = ?1 AND attempt <= ?2")?
        .execute(params![row, attempts + 1 - ATTEMPTS_KEPT_MAX])?;
    let reference = transaction
        .prepare_cached("SELECT reference FROM threads WHERE incident = ?1 AND channel = ?2")?
        .query_row(params![incident, channel.name], |row| row.get::<_, String>(0))
        .optional()?;
    let key = Key::new(key).ok_or_else(|| Trouble::Row("a key".to_owned()))?;
    let kind: Kind = json(&kind, "the kind of a letter")?;
    let mention: Mention = json(&text(mention), "how loud a letter is")?;
    let incident: Incident = json(&body, "an incident")?;
    let reference = reference.map(Reference);
    let letter = Letter { key, kind, incident, mention, reference, unsure };
    Ok(Claim::Letter { row, letter: Box::new(letter) })
}

fn settle(
    transaction: &Transaction<'_>,
    row: i64,
    outcome: &Outcome,
    now_unix_us: i64,
    dice: u64,
) -> Result<(), Trouble> {
    let (attempts, incident, channel): (i64, Option<i64>, String) = transaction.query_row(
        "SELECT attempts, incident, channel FROM letters WHERE letter = ?1",
        [row],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let later = |wait: Duration| {
        now_unix_us.saturating_add(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
    };
    let own = backoff(u64::try_from(attempts).unwrap_or_default(), dice);
    let word = match outcome {
        Outcome::Told { reference } => {
            let told = "UPDATE letters SET outcome = 'told', sending = 0, told_unix_us = ?2, why = NULL, fix = NULL WHERE letter = ?1";
            transaction.prepare_cached(told)?.execute(params![row, now_unix_us])?;
            if let (Some(incident), Some(reference)) = (incident, reference) {
                transaction
                    .prepare_cached(
                        "INSERT OR IGNORE INTO threads (incident, channel, reference) VALUES (?1, ?2, ?3)",
                    )?
                    .execute(params![incident, channel, reference.0])?;
            }
            "told"
        }
        Outcome::Later { after, why } => {
            let asked = after.unwrap_or_default().min(RETRY_AFTER_MAX);
            wait(transaction, row, later(asked.max(own)), false, why)?;
            "later"
        }
        Outcome::Unsure { why } => {
            wait(transaction, row, later(own.max(BACKOFF_UNSURE)), true, why)?;
            "unsure"
        }
        Outcome::Never { why, fix } => {
            let never = "UPDATE letters SET outcome = 'never', sending = 0, why = ?2, fix = ?3 WHERE letter = ?1";
            transaction.prepare_cached(never)?.execute(params![row, brief(why), brief(fix)])?;
            "never"
        }
    };
    transaction
        .prepare_cached(
            "UPDATE attempts SET ended_unix_us = ?3, outcome = ?4 WHERE letter = ?1 AND attempt = ?2",
        )?
        .execute(params![row, attempts, now_unix_us, word])?;
    Ok(())
}

fn wait(
    transaction: &Transaction<'_>,
    row: i64,
    next_unix_us: i64,
    unsure: bool,
    why: &str,
) -> Result<(), Trouble> {
    // What may have been accepted once may have been for ever, whatever later attempts say.
    transaction
        .prepare_cached(
            "UPDATE letters SET sending = 0, next_unix_us = ?2, unsure = max(unsure, ?3), why = ?4, fix = NULL WHERE letter = ?1",
        )?
        .execute(params![row, next_unix_us, unsure, brief(why)])?;
    Ok(())
}

fn brief(text: &str) -> String {
    text.chars().take(WHY_LEN_MAX).collect()
}
