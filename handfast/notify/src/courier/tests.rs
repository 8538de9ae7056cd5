use std::fs;
use std::sync::mpsc::channel;

use tempfile::TempDir;

use super::*;
use crate::outbox::write::When;
use crate::presence::{Desk, Presence};
use crate::sample::Run;
use crate::watch::News;

/// A project whose only channel is a port that nobody listens on.
fn project() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("secret"), "xoxb-nobody").unwrap();
    let text = "[project]\nname = \"p\"\n[[notify.channels]]\nname = \"bot\"\nkind = \"slack-bot\"\nchannel = \"C1\"\n\
                api = \"http://127.0.0.1:1/api\"\nsecret = { file = \"secret\" }\n";
    fs::write(root.path().join("handfast.toml"), text).unwrap();
    root
}

fn outbox(root: &Path) -> Outbox {
    Outbox::open(&folder(root)).unwrap()
}

#[test]
fn a_courier_whose_runner_is_dead_and_whose_channel_is_down_ends_and_keeps_the_letter() {
    let root = project();
    let run = Run::new("r");
    outbox(root.path()).begin(&run.watch, unix_us()).unwrap();
    let (lifeline, heard) = channel::<Heard>();
    drop(lifeline);
    let began = unix_us();
    serve(root.path(), "r", &heard, Duration::from_secs(2)).unwrap();
    let took = unix_us() - began;
    assert!((1_000_000..30_000_000).contains(&took), "{took} us");
    let status = outbox(root.path()).status(Duration::from_mins(5), unix_us()).unwrap();
    assert_eq!(status.open.len(), 1, "the death is kept");
    assert_eq!((status.untold_count, status.refused), (1, 0));
    assert!(status.untold[0].attempts > 0, "{status:?}");
}

#[test]
fn a_courier_ends_at_once_when_the_run_is_over_and_nothing_is_due() {
    let root = project();
    let mut run = Run::new("r");
    outbox(root.path()).begin(&run.watch, unix_us()).unwrap();
    run.pass("good");
    let news = run.end();
    let rules = Rules::of(&config::read(root.path()).unwrap().settings);
    outbox(root.path()).apply(&run.watch, &news, &rules, When::now(unix_us())).unwrap();
    let (lifeline, heard) = channel();
    lifeline.send(Heard::Over).unwrap();
    serve(root.path(), "r", &heard, AFTER_MAX).unwrap();
    assert!(outbox(root.path()).status(Duration::from_mins(5), unix_us()).unwrap().open.is_empty());
}

#[test]
fn a_lifeline_that_breaks_after_the_last_word_of_a_run_is_no_death() {
    let root = project();
    let mut run = Run::new("r");
    outbox(root.path()).begin(&run.watch, unix_us()).unwrap();
    run.pass("good");
    let news = run.end();
    let rules = Rules::of(&config::read(root.path()).unwrap().settings);
    outbox(root.path()).apply(&run.watch, &news, &rules, When::now(unix_us())).unwrap();
    let (lifeline, heard) = channel::<Heard>();
    drop(lifeline);
    serve(root.path(), "r", &heard, AFTER_MAX).unwrap();
    assert!(outbox(root.path()).status(Duration::from_mins(5), unix_us()).unwrap().open.is_empty());
}

#[test]
fn only_one_courier_delivers_at_a_time() {
    let root = project();
    let desk = Desk::take(root.path()).unwrap();
    assert!(desk.is_some());
    assert!(Desk::take(root.path()).unwrap().is_none());
    drop(desk);
    assert!(Desk::take(root.path()).unwrap().is_some());
}

#[test]
fn a_runner_lives_until_it_lets_go() {
    let root = project();
    assert!(!presence::is_alive(root.path(), "r").unwrap());
    let presence = Presence::announce(root.path(), "r").unwrap();
    assert!(presence::is_alive(root.path(), "r").unwrap());
    presence.beat(1_700_000_000_000_000);
    assert_eq!(presence::last_beat(root.path(), "r"), Some(1_700_000_000_000_000));
    drop(presence);
    assert!(!presence::is_alive(root.path(), "r").unwrap());
}

#[test]
fn the_next_start_tells_of_a_runner_that_died_with_its_courier() {
    let root = project();
    let mut book = outbox(root.path());
    let rules = Rules::of(&config::read(root.path()).unwrap().settings);
    let (dead, alive) = (Run::new("dead"), Run::new("alive"));
    let now = unix_us();
    book.begin(&dead.watch, now - 60_000_000).unwrap();
    book.begin(&alive.watch, now - 60_000_000).unwrap();
    let presence = Presence::announce(root.path(), "alive").unwrap();
    assert_eq!(deaths::sweep(&mut book, root.path(), &rules, now).unwrap(), ["dead"]);
    assert_eq!(deaths::sweep(&mut book, root.path(), &rules, now).unwrap(), [""; 0]);
    let status = book.status(Duration::from_mins(5), now).unwrap();
    assert_eq!(status.untold[0].noticed_unix_us, now - 60_000_000, "its last sign of life");
    assert_eq!(book.apply(&dead.watch, &News::Died, &rules, When::now(now)).unwrap().letters, 0);
    drop(presence);
}

/// The tables of a project, for what no code of ours writes.
fn raw(root: &Path, statements: &str) {
    let book = rusqlite::Connection::open(folder(root).join(crate::outbox::FILE)).unwrap();
    book.execute_batch(statements).unwrap();
}

#[test]
fn a_run_that_cannot_be_read_is_named_and_keeps_no_other_from_being_told() {
    let root = project();
    let mut book = outbox(root.path());
    let rules = Rules::of(&config::read(root.path()).unwrap().settings);
    for run in ["a-bad", "b-good"] {
        book.begin(&Run::new(run).watch, unix_us()).unwrap();
    }
    raw(root.path(), "UPDATE runs SET body = 'no JSON' WHERE run = 'a-bad'");
    let error = deaths::sweep(&mut book, root.path(), &rules, unix_us()).unwrap_err();
    assert!(error.to_string().contains("the run a-bad"), "{error}");
    assert_eq!(book.unfinished().unwrap(), ["a-bad"], "the other one is told");
    assert_eq!(book.status(Duration::from_mins(5), unix_us()).unwrap().open.len(), 1);
}

#[test]
fn a_death_that_cannot_be_kept_at_once_is_kept_later() {
    let root = project();
    let run = Run::new("r");
    outbox(root.path()).begin(&run.watch, unix_us()).unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON incidents BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    raw(root.path(), full);
    let (lifeline, heard) = channel::<Heard>();
    drop(lifeline);
    let path = root.path().to_owned();
    let courier = std::thread::spawn(move || serve(&path, "r", &heard, Duration::from_secs(4)));
    // Its first tries are in vain.
    let clock = Clock::start();
    while elapsed(&clock) < Duration::from_secs(1) {
        rest();
        assert!(!courier.is_finished(), "it does not give up");
    }
    raw(root.path(), "DROP TRIGGER full");
    drop(courier.join().unwrap());
    let status = outbox(root.path()).status(Duration::from_mins(5), unix_us()).unwrap();
    assert_eq!(status.open.len(), 1, "the death is kept");
}
