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
pub use weave::{Merged, started_unix_us, weave};

/// Reads every record to its end and says whether they are one whole.
pub fn judge(found: Vec<Found>) -> Judgement {
    Judgement::of(found.into_iter().map(Part::read).collect())
}

/// Writes what the shards found into the history: each under the id of its own run, and none that the history has already.
/// The merged run itself is there with its counts only.
///
/// # Errors
///
/// [`HistoryError`]; what was written until then stays.
pub fn remember(
    open: impl Fn() -> Result<History, HistoryError>,
    judgement: &Judgement,
    head: &RunRow,
    merged: &Merged,
) -> Result<(), RememberError> {
    let mut history = open()?;
    let readable = |part: &&Judged| !part.is_copy && !part.part.run.is_empty();
    for part in judgement.parts().iter().filter(readable) {
        if history.has_run(&part.part.run)? {
            continue;
        }
        let mut sink = HistorySink::new(open()?).recorded_in(head.record.clone());
        for recorded in Lines::open(&part.part.file)?.map_while(Result::ok) {
            sink.event(&recorded);
        }
        sink.finish()?;
    }
    history.begin(head)?;
    let exit = serde_json::json!(merged.exit).as_str().unwrap_or_default().to_owned();
    let summary = serde_json::json!(merged.summary).to_string();
    history.end(&head.run, &EndRow { exit, summary, duration_us: merged.duration_us })?;
    Ok(())
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
