//! What a run adds: each piece of news is one transaction.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Outbox, OutboxError, Trouble, json, runs, text, word};
use crate::incident::{self, Step, Turn};
use crate::letter::{Class, Incident, Kind, Mention};
use crate::rules::Rules;
use crate::watch::{News, Watch};

/// Letters of one channel that may wait or be refused; what comes then is not told there, which the console says.
pub const WAITING_MAX: i64 = 10_000;

/// Incidents that may be open; one more closes the oldest.
pub const OPEN_MAX: i64 = 1_000;

/// How long an edit waits for others that would replace it, microseconds.
pub const EDIT_AFTER_US: i64 = 1_000_000;

impl Outbox {
    /// Takes in the news of a run: what its incidents become, the letters that tell it, and how far the run is.
    /// A channel that is full gets none, and one incident too many closes the oldest: both are said.
    ///
    /// News of a run that is over already change nothing, whoever brings them: its end is told once.
    ///
    /// # Errors
    ///
    /// [`OutboxError`]; nothing is changed then.
    pub fn apply(
        &mut self,
        watch: &Watch,
        news: &News,
        rules: &Rules,
        when: When,
    ) -> Result<Applied, OutboxError> {
        self.transact(|transaction| {
            let mut applied = Applied::default();
            let state: Option<String> = transaction
                .query_row("SELECT state FROM runs WHERE run = ?1", [&watch.brief.run], |row| {
                    row.get(0)
                })
                .optional()?;
            if state.as_deref() != Some("running") {
                return Ok(applied);
            }
            for class in incident::touched(news) {
                let open = open(transaction, watch, *class)?;
                let (row, open) = open.map_or((None, None), |(row, open)| (Some(row), Some(open)));
                let Some(step) = incident::step(watch, news, *class, open, when.noticed_unix_us)
                else {
                    continue;
                };
                let row = keep(transaction, watch, row, &step, &mut applied)?;
                write_letters(transaction, &row, &step, (rules, when), &mut applied)?;
            }
            let state = match news {
                News::Failed(_) => "running",
                News::Ended => "over",
                News::Died => "died",
            };
            runs::note(transaction, watch, state, when.now_unix_us)?;
            Ok(applied)
        })
    }
}

/// What came of news.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Letters that were written.
    pub letters: usize,
    /// What could not be kept as it should, in words for the console.
    pub said: Vec<String>,
}

/// The moment of news, microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// Now.
    pub now_unix_us: i64,
    /// When it could have been noticed first: for a runner that died together with its courier, its last sign of life.
    pub noticed_unix_us: i64,
}

impl When {
    /// Noticed now.
    pub fn now(now_unix_us: i64) -> Self {
        Self { now_unix_us, noticed_unix_us: now_unix_us }
    }
}

/// A row of `incidents`.
struct Row {
    id: i64,
    key: String,
    letters: i64,
}

fn open(
    transaction: &Transaction<'_>,
    watch: &Watch,
    class: Class,
) -> Result<Option<(Row, Incident)>, Trouble> {
    let found = transaction
        .prepare_cached(
            "SELECT incident, key, letters, body FROM incidents WHERE project = ?1 AND subject = ?2 AND class = ?3 AND state = 'open'",
        )?
        .query_row(params![watch.brief.project, watch.brief.subject, word(class)], |row| {
            let kept = Row { id: row.get(0)?, key: row.get(1)?, letters: row.get(2)? };
            Ok((kept, row.get::<_, String>(3)?))
        })
        .optional()?;
    found.map(|(row, body)| Ok((row, json(&body, "an incident")?))).transpose()
}

fn keep(
    transaction: &Transaction<'_>,
    watch: &Watch,
    row: Option<Row>,
    step: &Step,
    applied: &mut Applied,
) -> Result<Row, Trouble> {
    let incident = &step.incident;
    if let Some(row) = row {
        transaction
            .prepare_cached("UPDATE incidents SET state = ?2, changed_unix_us = ?3, body = ?4 WHERE incident = ?1")?
            .execute(params![row.id, word(incident.state), incident.seen_unix_us, text(incident)])?;
        return Ok(row);
    }
    make_room(transaction, applied)?;
    let key = key_of(watch, incident.class);
    transaction
        .prepare_cached(
            "INSERT INTO incidents (key, project, subject, class, state, opened_unix_us, changed_unix_us, letters, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
        )?
        .execute(params![
            key,
            incident.project,
            incident.subject,
            word(incident.class),
            word(incident.state),
            incident.opened_unix_us,
            incident.seen_unix_us,
            text(incident)
        ])?;
    Ok(Row { id: transaction.last_insert_rowid(), key, letters: 0 })
}

/// Closes the incidents that nothing was heard of for longest, where too many are open: they would keep every new one out.
fn make_room(transaction: &Transaction<'_>, applied: &mut Applied) -> Result<(), Trouble> {
    let mut select = transaction.prepare_cached(
        "SELECT incident, key FROM incidents WHERE state = 'open' \
         ORDER BY changed_unix_us DESC, incident DESC LIMIT -1 OFFSET ?1",
    )?;
    let oldest = select.query_map([OPEN_MAX - 1], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let oldest: Vec<(i64, String)> = oldest.collect::<Result<_, _>>()?;
    for (incident, key) in oldest {
        transaction
            .prepare_cached("UPDATE incidents SET state = 'recovered' WHERE incident = ?1")?
            .execute([incident])?;
        applied.said.push(format!(
            "more than {OPEN_MAX} incidents are open: the oldest, {key}, is closed without a word to anybody"
        ));
    }
    Ok(())
}

fn write_letters(
    transaction: &Transaction<'_>,
    row: &Row,
    step: &Step,
    (rules, when): (&Rules, When),
    applied: &mut Applied,
) -> Result<(), Trouble> {
    let (mention, held_until_unix_us) = rules.hush(when.now_unix_us);
    let mut number = row.letters;
    for channel in rules.channels_of(step.incident.class) {
        // Only of the same run: what an earlier one found is not taken back before anybody has read it.
        let told = step.turn == Turn::Changed
            && told_by_the_post(transaction, row.id, &channel.name, &step.incident)?;
        for kind in incident::letters(step, channel.edits) {
            let mut noticed_unix_us = when.noticed_unix_us;
            if *kind == Kind::Edit {
                if told {
                    continue;
                }
                let earlier = replace_edit(transaction, row.id, &channel.name)?;
                noticed_unix_us = earlier.unwrap_or(noticed_unix_us);
            }
            number += 1;
            let wait = if *kind == Kind::Edit { EDIT_AFTER_US } else { 0 };
            let due = held_until_unix_us.unwrap_or(noticed_unix_us.saturating_add(wait));
            let letter = NewLetter {
                key: format!("{}/{}/{number}", row.key, brief_name(&channel.name, 24)),
                incident: Some(row.id),
                channel: &channel.name,
                kind: *kind,
                mention,
                body: text(&step.incident),
                noticed_unix_us,
                held_until_unix_us,
                next_unix_us: due,
            };
            match insert(transaction, &letter)? {
                None => applied.letters += 1,
                // The others are told all the same.
                Some(full) => applied.said.push(full),
            }
        }
    }
    transaction
        .prepare_cached("UPDATE incidents SET letters = ?2 WHERE incident = ?1")?
        .execute(params![row.id, number])?;
    Ok(())
}

/// The message of the incident that was never tried says the newest at once; no edit is needed then.
///
/// Unless a newer letter waits behind it: an edit among them would overwrite the newest with what it was before.
fn told_by_the_post(
    transaction: &Transaction<'_>,
    incident: i64,
    channel: &str,
    body: &Incident,
) -> Result<bool, Trouble> {
    let changed = transaction
        .prepare_cached(
            "UPDATE letters SET body = ?4 WHERE incident = ?1 AND channel = ?2 AND kind = ?3 \
             AND outcome = 'waiting' AND attempts = 0 AND NOT EXISTS (SELECT 1 FROM letters n WHERE n.incident = ?1 \
             AND n.channel = ?2 AND n.letter > letters.letter AND n.outcome IN ('waiting', 'never'))",
        )?
        .execute(params![incident, channel, text(Kind::Post), text(body)])?;
    Ok(changed > 0)
}

/// Takes an edit out that waits and is not just being sent; when the first thing happened that it would have told.
fn replace_edit(
    transaction: &Transaction<'_>,
    incident: i64,
    channel: &str,
) -> Result<Option<i64>, Trouble> {
    let waiting: Option<(i64, i64)> = transaction
        .prepare_cached(
            "SELECT letter, noticed_unix_us FROM letters WHERE incident = ?1 AND channel = ?2 AND kind = ?3 \
             AND outcome = 'waiting' AND sending = 0 ORDER BY letter DESC LIMIT 1",
        )?
        .query_row(params![incident, channel, text(Kind::Edit)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((letter, noticed_unix_us)) = waiting else { return Ok(None) };
    transaction
        .prepare_cached("UPDATE letters SET outcome = 'replaced' WHERE letter = ?1")?
        .execute([letter])?;
    Ok(Some(noticed_unix_us))
}

struct NewLetter<'a> {
    key: String,
    incident: Option<i64>,
    channel: &'a str,
    kind: Kind,
    mention: Mention,
    body: String,
    noticed_unix_us: i64,
    held_until_unix_us: Option<i64>,
    next_unix_us: i64,
}

/// Writes a letter; where its channel is full, says so instead.
fn insert(transaction: &Transaction<'_>, row: &NewLetter<'_>) -> Result<Option<String>, Trouble> {
    let waiting: i64 = transaction
        .prepare_cached(
            "SELECT count(*) FROM letters WHERE outcome IN ('waiting', 'never') AND channel = ?1",
        )?
        .query_row([row.channel], |row| row.get(0))?;
    if waiting >= WAITING_MAX {
        return Ok(Some(format!(
            "the channel {} is told nothing more: {WAITING_MAX} letters wait for it; `handfast notify status` shows why",
            row.channel
        )));
    }
    transaction
        .prepare_cached(
            "INSERT INTO letters (key, incident, channel, kind, mention, body, noticed_unix_us, held_until_unix_us, next_unix_us, outcome) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'waiting')",
        )?
        .execute(params![
            row.key,
            row.incident,
            row.channel,
            text(row.kind),
            word(row.mention),
            row.body,
            row.noticed_unix_us,
            row.held_until_unix_us,
            row.next_unix_us
        ])?;
    Ok(None)
}

/// `daily-1a2b3c4d:product:20261122-093045-1f3c`: short and plain, and of no other project, subject, class or run.
fn key_of(watch: &Watch, class: Class) -> String {
    let brief = &watch.brief;
    let whole = format!("{}\0{}", brief.project, brief.subject);
    let subject = brief_name(&brief.subject, 24);
    format!("{subject}-{:08x}:{}:{}", short_hash(&whole), word(class), brief_name(&brief.run, 24))
}

/// A name of at most `len` plain characters, with a digest behind it where that took something away.
fn brief_name(name: &str, len: usize) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let brief: String = name.chars().map(plain).take(len).collect();
    if brief == name { brief } else { format!("{brief}-{:08x}", short_hash(name)) }
}

/// FNV-1a, folded to 32 bits: enough to keep names apart that somebody chose.
pub fn short_hash(text: &str) -> u32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u32::try_from((hash >> 32) ^ (hash & 0xffff_ffff)).unwrap_or_default()
}
