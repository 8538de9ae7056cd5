//! Runners that died: found by the courier at once, and by the next start where the courier died with its runner.

use std::io;
use std::path::Path;

use crate::outbox::write::When;
use crate::outbox::{Outbox, OutboxError};
use crate::presence;
use crate::rules::Rules;
use crate::watch::News;

/// Tells that the runner of `run` is dead, unless its run is over or its death is told already. Whether it was told now.
///
/// # Errors
///
/// [`OutboxError`].
pub fn bury(
    outbox: &mut Outbox,
    root: &Path,
    run: &str,
    rules: &Rules,
    when: When,
) -> Result<bool, OutboxError> {
    let Some(unfinished) = outbox.running(run)? else { return Ok(false) };
    outbox.apply(&unfinished.watch, &News::Died, rules, when)?;
    presence::forget(root, run);
    Ok(true)
}

/// Tells of every run whose runner is dead and that nobody has said to be over; their ids.
///
/// # Errors
///
/// [`OutboxError`], also where the system does not say who lives.
pub fn sweep(
    outbox: &mut Outbox,
    root: &Path,
    rules: &Rules,
    now_unix_us: i64,
) -> Result<Vec<String>, OutboxError> {
    let mut found = Vec::new();
    for unfinished in outbox.unfinished()? {
        let run = &unfinished.watch.brief.run;
        if is_alive(root, run)? {
            continue;
        }
        let beat = presence::last_beat(root, run).unwrap_or_default();
        let noticed_unix_us = beat.max(unfinished.seen_unix_us).min(now_unix_us);
        if bury(outbox, root, run, rules, When { now_unix_us, noticed_unix_us })? {
            found.push(run.clone());
        }
    }
    Ok(found)
}

fn is_alive(root: &Path, run: &str) -> Result<bool, OutboxError> {
    let failed = |source: io::Error| OutboxError::File { path: presence::folder(root), source };
    presence::is_alive(root, run).map_err(failed)
}
