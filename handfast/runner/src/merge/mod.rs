//! The records of shards, made one.
//!
//! Nothing becomes kinder on the way: every unit of every record is in the merged one with its verdict, what is missing is counted and
//! named, and the exit code is computed from the counts of the whole as for any run. A record is a stream: it is read twice, once to know what
//! it is a part of, and once more to weave its events into those of the others.
//!
//! 1. `find`: records in folders; [`lines`]: one record, event by event.
//! 2. [`part`]: what is known of a record once it was read to its end.
//! 3. `judge`: whether the parts are the whole.
//! 4. `weave`: their events, in the order of their times.

use handfast_history::{EndRow, History, HistoryError, RunRow};

use crate::chronicle::HistorySink;
use crate::sink::EventSink;

pub mod find;
pub mod judge;
pub mod lines;
pub mod part;
pub mod weave;

pub use find::{FindError, Found, find};
pub use judge::{Judged, Judgement};
pub use lines::Lines;
pub use part::Part;
pub use weave::{Merged, WeaveError, started_unix_us, weave};

/// Reads every record to its end and says whether they are one whole.
pub fn judge(found: Vec<Found>) -> Judgement {
    Judgement::of(found.into_iter().map(Part::read).collect())
}

/// Writes what the sound shards found into the history: each under the id of its own run, as a whole, and none that the history has
/// already. No time of theirs is later than `now_unix_us`, which is that of this machine. The merged run itself is there with its counts
/// only.
///
/// # Errors
///
/// The first [`RememberError`]; the history has everything else.
pub fn remember(
    open: impl Fn() -> Result<History, HistoryError>,
    judgement: &Judgement,
    head: &RunRow,
    merged: &Merged,
    now_unix_us: i64,
) -> Result<(), RememberError> {
    let mut result = Ok(());
    for part in judgement.parts().iter().filter(|part| part.is_sound) {
        result = result.and(remember_part(&open, &part.part, head, now_unix_us));
    }
    result.and(remember_whole(&open, head, merged))
}

fn remember_part(
    open: impl Fn() -> Result<History, HistoryError>,
    part: &Part,
    head: &RunRow,
    now_unix_us: i64,
) -> Result<(), RememberError> {
    // Read before anybody has to wait for it.
    let mut essence = Vec::new();
    for recorded in Lines::open(&part.file)? {
        let recorded = recorded.map_err(std::io::Error::other)?;
        if HistorySink::is_essence(&recorded.event) {
            essence.push(recorded);
        }
    }
    let mut history = open()?;
    history.begin_whole()?;
    if history.has_run(&part.run)? {
        return Ok(());
    }
    let sink = HistorySink::new(history);
    let mut sink = sink.recorded_in(head.record.clone()).not_after(now_unix_us);
    for recorded in &essence {
        sink.event(recorded);
    }
    Ok(sink.commit_whole()?)
}

fn remember_whole(
    open: impl Fn() -> Result<History, HistoryError>,
    head: &RunRow,
    merged: &Merged,
) -> Result<(), RememberError> {
    let mut history = open()?;
    history.begin_whole()?;
    history.begin(head)?;
    let exit = serde_json::json!(merged.exit).as_str().unwrap_or_default().to_owned();
    let summary = serde_json::json!(merged.summary).to_string();
    history.end(&head.run, &EndRow { exit, summary, duration_us: merged.duration_us })?;
    Ok(history.commit_whole()?)
}

/// Why the history does not have everything.
#[derive(Debug, thiserror::Error)]
pub enum RememberError {
    /// It cannot be written.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A record cannot be read any more, or the history has refused a row of it.
    #[error(transparent)]
    Record(#[from] std::io::Error),
}

#[cfg(test)]
mod tests;
