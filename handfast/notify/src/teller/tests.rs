use std::cell::Cell;
use std::path::Path;

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::outbox::FILE;
use crate::sample::{brief, settings};

/// A teller whose courier ends at once, in vain.
fn teller() -> (TempDir, Teller) {
    let root = tempfile::tempdir().unwrap();
    let teller = begin(root.path(), "r");
    (root, teller)
}

fn begin(root: &Path, run: &str) -> Teller {
    let means =
        Means { root: root.to_owned(), settings: settings(""), program: OsString::from("false") };
    Teller::begin(means, brief(run)).unwrap()
}

fn raw(root: &Path, statements: &str) {
    let book = Connection::open(folder(root).join(FILE)).unwrap();
    book.busy_timeout(Duration::from_secs(10)).unwrap();
    book.execute_batch(statements).unwrap();
}

fn state(root: &Path) -> String {
    let book = Connection::open(folder(root).join(FILE)).unwrap();
    book.query_row("SELECT state FROM runs WHERE run = 'r'", [], |row| row.get(0)).unwrap()
}

#[test]
fn an_end_that_cannot_be_kept_at_once_is_kept_before_the_runner_ends() {
    let (root, mut teller) = teller();
    let full =
        "CREATE TRIGGER full BEFORE INSERT ON letters BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    raw(root.path(), full);
    teller.refuse(ExitCode::Usage, "no scenario");
    assert!(teller.presence.is_some() && state(root.path()) == "running");
    let looks = Cell::new(0);
    let words = teller.finish(|| {
        looks.set(looks.get() + 1);
        match looks.get() {
            3 => {
                assert!(
                    crate::presence::is_alive(root.path(), "r").unwrap(),
                    "its end is not kept"
                );
                raw(root.path(), "DROP TRIGGER full");
                false
            }
            looks => looks > 5,
        }
    });
    assert_eq!(state(root.path()), "over");
    assert!(words.iter().all(|word| !word.contains("disk full")), "{words:?}");
}

#[test]
fn a_wait_for_a_courier_that_cannot_live_rests() {
    let (_root, mut teller) = teller();
    teller.refuse(ExitCode::Usage, "no scenario");
    let clock = Clock::start();
    let looks = Cell::new(0);
    teller.finish(|| {
        looks.set(looks.get() + 1);
        elapsed(&clock) >= Duration::from_secs(1)
    });
    assert!(looks.get() <= 60, "{} looks in a second", looks.get());
}

#[test]
fn an_earlier_run_that_cannot_be_told_does_not_silence_this_one() {
    let root = tempfile::tempdir().unwrap();
    drop(begin(root.path(), "earlier"));
    raw(root.path(), "UPDATE runs SET body = 'no JSON'");
    let words = begin(root.path(), "r").finish(|| true);
    assert!(words[0].contains("the run earlier"), "{words:?}");
}
