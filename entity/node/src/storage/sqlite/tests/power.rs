//! The power fails at every moment of a life of the store.

use entity_journal::conformance::{ARCHIVE, OTHER_STATE, STATE, after_power_loss};

use super::disk::{Act, Disk, Fate, History};
use super::*;

/// Pages in the log after which it is brought into the file: few, so that a short life has many.
const PAGES_BEFORE_CHECKPOINT: i64 = 10;

/// How often chance decides what is left, at each moment.
const TORN: u64 = 3;

/// What happened to a disk, and how many batches were acknowledged when.
struct Life {
    batches: Vec<Batch>,
    history: History,
    /// The moment after which so many batches, from 1 on, were acknowledged.
    acknowledged: Vec<usize>,
}

fn open(disk: &Disk) -> Result<SqliteJournal, StorageError> {
    let beside = Beside { has_log: disk.has_log(), key: LogKey::new([8; 32]) };
    SqliteJournal::begin(disk.connect(), disk.log(), "entity.db".into(), &owner(1).into(), &beside)
}

/// Batches with everything that matters to pages: new records, changed and removed ones, some larger than a page.
fn batches() -> Vec<Batch> {
    let value = |n: usize, len: usize| vec![u8::try_from(n).unwrap(); len];
    let batch = |n: usize| {
        let mut batch = Batch::from(vec![
            Write::put(STATE, "counter", format!("{n}")),
            Write::put(STATE, format!("{:02}", n % 5), value(n, 300)),
            Write::put(ARCHIVE, format!("{n:04}"), value(n, 60 * n)),
        ]);
        if n.is_multiple_of(3) {
            batch.push(Write::put(OTHER_STATE, "large", value(n, 9000)));
        }
        if n.is_multiple_of(4) {
            batch.push(Write::delete(STATE, format!("{:02}", (n + 1) % 5)));
        }
        batch
    };
    (1..=24).map(batch).collect()
}

/// A store that is made, used, closed, opened again and used on; `change` may spoil it.
fn live(change: impl Fn(&Connection)) -> Life {
    let disk = Disk::new();
    let (batches, mut acknowledged) = (batches(), Vec::new());
    let (first, second) = batches.split_at(14);
    for part in [first, second] {
        let mut journal = open(&disk).unwrap();
        journal
            .connection
            .pragma_update(None, "wal_autocheckpoint", PAGES_BEFORE_CHECKPOINT)
            .unwrap();
        change(&journal.connection);
        // Groups of one, two and three.
        let mut rest = part;
        for len in [1, 2, 3].into_iter().cycle() {
            let (group, later) = rest.split_at(len.min(rest.len()));
            journal.commit(group).unwrap();
            // Sometimes the log goes into the tables.
            if len == 3 {
                journal.bring_in().unwrap();
            }
            acknowledged.extend(group.iter().map(|_| disk.moment()));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
    }
    let journal = open(&disk).unwrap();
    assert_eq!(after_power_loss(&batches, batches.len(), &journal), Ok(batches.len()));
    journal.over.set(Some("its power failed"));
    Life { history: disk.history(), batches, acknowledged }
}

/// Says what is wrong with the store that is found after the power failed at `moment`, or after it failed once more when the
/// store had gone on.
fn found(life: &Life, moment: usize, fate: Fate) -> Result<usize, String> {
    let disk = Disk::after_power_loss(&life.history[..moment], fate);
    let mut journal = open(&disk).map_err(told)?;
    let check: String = journal
        .connection
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .map_err(told)?;
    if check != "ok" {
        return Err(check);
    }
    let acknowledged = life.acknowledged.iter().filter(|at| **at <= moment).count();
    let held = after_power_loss(&life.batches, acknowledged, &journal)?;
    // And it goes on.
    for batch in life.batches[held..].iter().take(1) {
        journal.commit(std::slice::from_ref(batch)).map_err(told)?;
        let again = Disk::after_power_loss(&disk.history(), Fate::Lost);
        let journal = open(&again).map_err(told)?;
        after_power_loss(&life.batches, held + 1, &journal)
            .map_err(|wrong| format!("lost once more: {wrong}"))?;
    }
    let rest = life.batches.get(held + 1..).unwrap_or_default();
    journal.commit(rest).map_err(told)?;
    drop(journal);
    let journal = open(&disk).map_err(told)?;
    after_power_loss(&life.batches, life.batches.len(), &journal)
}

fn told(error: impl std::error::Error) -> String {
    let cause = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", cause.unwrap_or_default())
}

fn fates(moment: usize) -> impl Iterator<Item = Fate> {
    let seed = u64::try_from(moment).unwrap() * TORN;
    [Fate::Kept, Fate::Lost].into_iter().chain((seed..seed + TORN).map(Fate::Torn))
}

/// The first moment at which something is wrong, and what.
fn first_loss(life: &Life) -> Option<String> {
    (0..=life.history.len()).find_map(|moment| {
        fates(moment).find_map(|fate| {
            let found = found(life, moment, fate).err()?;
            Some(format!("power lost after {moment} of {}, {fate:?}: {found}", life.history.len()))
        })
    })
}

#[test]
fn a_loss_of_power_at_any_moment_loses_nothing_acknowledged_and_tears_no_batch() {
    let life = live(|_| ());
    let count =
        |wanted: fn(&Act) -> bool| life.history.iter().filter(|(_, act)| wanted(act)).count();
    // A life in which something happens: logs are begun, brought in and removed.
    assert!(count(|act| matches!(act, Act::Sync)) > 20);
    assert!(count(|act| matches!(act, Act::Delete)) >= 2);
    assert!(life.history.iter().filter(|(name, _)| name == FILE_NAME).count() > 20);
    assert_eq!(first_loss(&life), None);
}

/// Checks that what is wrong is a loss: it is there to be seen, or the store saw it itself.
#[track_caller]
fn check_lost(loss: &str) {
    let losses = ["were acknowledged", "is damaged at byte", "not of the same moment"];
    assert!(losses.iter().any(|told| loss.contains(told)), "{loss}");
}

#[test]
fn a_store_that_does_not_wait_for_the_disk_is_found_out() {
    let life = live(|connection| connection.pragma_update(None, "synchronous", "OFF").unwrap());
    check_lost(&first_loss(&life).unwrap());
}

#[test]
fn a_store_that_waits_only_for_checkpoints_is_found_out() {
    let life = live(|connection| connection.pragma_update(None, "synchronous", "NORMAL").unwrap());
    check_lost(&first_loss(&life).unwrap());
}

#[test]
fn a_disk_that_lies_about_syncs_is_found_out() {
    let mut life = live(|_| ());
    for (_, act) in &mut life.history {
        if matches!(act, Act::Sync | Act::SyncNames) {
            // Nothing happens where the sync was.
            *act = Act::Write { offset: 0, data: Vec::new() };
        }
    }
    assert!(first_loss(&life).is_some());
}
