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

/// Tells of every run whose runner is dead and that nobody has said to be over; their ids. One that cannot be told keeps no other
/// from being told.
///
/// # Errors
///
/// The first [`OutboxError`], also where the system does not say who lives, once all the others are told.
pub fn sweep(
    outbox: &mut Outbox,
    root: &Path,
    rules: &Rules,
    now_unix_us: i64,
) -> Result<Vec<String>, OutboxError> {
    let mut found = Vec::new();
    let mut first = None;
    for run in outbox.unfinished()? {
        match find(outbox, root, &run, rules, now_unix_us) {
            Ok(true) => found.push(run),
            Ok(false) => {}
            Err(error) => first = first.or(Some(error)),
        }
    }
    first.map_or(Ok(found), Err)
}

/// Tells of one run if its runner is dead.
fn find(
    outbox: &mut Outbox,
    root: &Path,
    run: &str,
    rules: &Rules,
    now_unix_us: i64,
) -> Result<bool, OutboxError> {
    if is_alive(root, run)? {
        return Ok(false);
    }
    let Some(unfinished) = outbox.running(run)? else { return Ok(false) };
    let beat = presence::last_beat(root, run).unwrap_or_default();
    let noticed_unix_us = beat.max(unfinished.seen_unix_us).min(now_unix_us);
    bury(outbox, root, run, rules, When { now_unix_us, noticed_unix_us })
}

fn is_alive(root: &Path, run: &str) -> Result<bool, OutboxError> {
    let failed = |source: io::Error| OutboxError::File { path: presence::folder(root), source };
    presence::is_alive(root, run).map_err(failed)
}
