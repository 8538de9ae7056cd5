//! Fills a history with a million results and asks it everything that `handfast history` asks.
//!
//! `cargo run --release -p handfast-history --example volume [RUNS [UNITS [TESTS]]]`: so many runs (1,000), each with so many cells (200) and tests of a suite
//! (800). What is written is shown beside the limit of the same machine in the same minute: the same rows in transactions of the same sizes,
//! put into plain tables of SQLite without triggers and indices.
#![expect(clippy::print_stdout, reason = "the figures are what it is for")]

use std::error::Error;
use std::fs;
use std::io::{BufReader, BufWriter, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use handfast_history::retention::Limits;
use handfast_history::{
    CellRow, EndRow, History, Questions, ResultRow, RunRow, SuiteRow, TestName, TestRow, prune,
};
use handfast_scenario::event::CellLine;
use handfast_scenario::name::{CategoryName, PeerName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;
use rusqlite::{Connection, params};

type Done = Result<(), Box<dyn Error>>;

type Question<'a> = (&'static str, &'a dyn Fn(&History) -> Done);

fn main() -> Done {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse());
    let mut next = |usual: usize| arguments.next().unwrap_or(Ok(usual));
    let size = Size { runs: next(1_000)?, units: next(200)?, tests: next(800)? };
    let folder = tempfile::tempdir()?;
    println!(
        "{} runs with {} cells and {} tests each: {} results",
        size.runs,
        size.units,
        size.tests,
        size.runs * size.results()
    );
    let whole = |path: &Path| fill(path, 0..size.runs, &size, Commit::Run);
    beside("a run a transaction (merge)", &size, size.runs, folder.path(), Commit::Run, whole)?;
    let live = (size.runs / 20).clamp(1, 50);
    let rows = |path: &Path| fill(path, size.runs..size.runs + live, &size, Commit::Row);
    beside("a row a transaction (live)", &size, live, folder.path(), Commit::Row, rows)?;
    questions(folder.path(), &size)?;
    elsewhere(folder.path(), &size)
}

struct Size {
    runs: usize,
    units: usize,
    tests: usize,
}

impl Size {
    fn results(&self) -> usize {
        self.units + self.tests
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Commit {
    Run,
    Row,
}

fn beside(
    what: &str,
    size: &Size,
    runs: usize,
    folder: &Path,
    commit: Commit,
    ours: impl FnOnce(&Path) -> Done,
) -> Done {
    let limit = timed(|| plain(&folder.join("plain.db"), runs, size, commit))?;
    let took = timed(|| ours(folder))?;
    let results = runs * size.results();
    let rate = |took: Duration| thousands(results, took);
    println!(
        "{what:<30}{:>7.1} thousand/s in {:>5.1} s, limit {:>7.1} thousand/s",
        rate(took),
        took.as_secs_f64(),
        rate(limit)
    );
    Ok(())
}

/// The same rows without anything that makes a history of them.
fn plain(path: &Path, runs: usize, size: &Size, commit: Commit) -> Done {
    drop(fs::remove_file(path));
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(
        "CREATE TABLE results (run TEXT, unit TEXT, key TEXT, kind TEXT, verdict TEXT, duration_us INTEGER, cpu_us INTEGER, ended_unix_us INTEGER) STRICT;
         CREATE TABLE suite_tests (run TEXT, suite TEXT, test TEXT, number INTEGER, kind TEXT, duration_us INTEGER, ended_unix_us INTEGER) STRICT;",
    )?;
    for run in 0..runs {
        if commit == Commit::Run {
            connection.execute_batch("BEGIN")?;
        }
        let id = run_id(run);
        for unit in 0..size.units {
            connection
                .prepare_cached("INSERT INTO results VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
                .execute(params![
                    id,
                    unit_name(unit),
                    key(run, unit),
                    "passed",
                    "{\"verdict\":\"passed\"}",
                    1_000_000,
                    20_000,
                    at(run, unit)
                ])?;
        }
        for test in 0..size.tests {
            connection
                .prepare_cached("INSERT INTO suite_tests VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
                .execute(params![id, SUITE, test_name(test), 1, "passed", 1_000, at(run, test)])?;
        }
        if commit == Commit::Run {
            connection.execute_batch("COMMIT")?;
        }
    }
    connection.close().map_err(|(_, error)| error)?;
    Ok(fs::remove_file(path)?)
}

fn fill(folder: &Path, runs: std::ops::Range<usize>, size: &Size, commit: Commit) -> Done {
    let cells: Vec<CellRow> = (0..size.units).map(cell).collect();
    let mut history = History::open(folder)?;
    for run in runs {
        if commit == Commit::Run {
            history.begin_whole()?;
        }
        play(&mut history, run, &cells, size)?;
        if commit == Commit::Run {
            history.commit_whole()?;
        }
    }
    Ok(())
}

fn play(history: &mut History, run: usize, cells: &[CellRow], size: &Size) -> Done {
    let id = run_id(run);
    history.begin(&RunRow {
        run: id.clone(),
        started_unix_us: at(run, 0),
        handfast: "0.1.0".to_owned(),
        command: vec!["handfast".to_owned(), "run".to_owned(), "--all".to_owned()],
        seed: 1,
        record: format!(".handfast/runs/{id}"),
    })?;
    let keyed = |(unit, row): (usize, &CellRow)| {
        let line = CellLine { key: Some(key(run, unit)), ..row.line.clone() };
        CellRow { line, in_matrix: true }
    };
    let cells: Vec<CellRow> = cells.iter().enumerate().map(keyed).collect();
    history.plan(&id, &[], &cells)?;
    for unit in 0..size.units {
        let is_failure = mixed(run * 1_000 + unit).is_multiple_of(97);
        let reason = "expected a session within 5 s, there was none".to_owned();
        history.judged(
            &id,
            &ResultRow {
                unit: unit_name(unit),
                key: Some(key(run, unit)),
                verdict: if is_failure { Verdict::Failed { reason } } else { Verdict::Passed },
                duration_us: 1_000_000,
                cpu_us: 20_000,
                ended_unix_us: at(run, unit),
            },
        )?;
    }
    for test in 0..size.tests {
        let is_failure = mixed(run * 1_000 + test).is_multiple_of(89);
        let row = TestRow {
            suite: SUITE.to_owned(),
            test: test_name(test),
            kind: if is_failure { "failed" } else { "passed" }.to_owned(),
            duration_us: 1_000,
            ended_unix_us: at(run, test),
        };
        history.tested(&id, &[row])?;
    }
    history.suite_ended(
        &id,
        &SuiteRow {
            suite: SUITE.to_owned(),
            kind: "passed".to_owned(),
            passed: 1,
            failed: 0,
            duration_us: 9,
            ended_unix_us: at(run, 0),
        },
    )?;
    let (exit, summary) = ("passed".to_owned(), "{\"passed\":1,\"failed\":0}".to_owned());
    Ok(history.end(&id, &EndRow { exit, summary, duration_us: 1 })?)
}

/// Everything that `handfast history` asks, each time on a connection of its own, as by a program that has just been started.
fn questions(folder: &Path, size: &Size) -> Done {
    let unit = TestName { suite: None, test: unit_name(size.units / 2) };
    let test = TestName { suite: Some(SUITE.to_owned()), test: test_name(size.tests / 2) };
    let none = TestName { suite: Some(SUITE.to_owned()), test: "no such test".to_owned() };
    let ask: [Question<'_>; 8] = [
        ("the last 20 runs", &|history| {
            assert_eq!(history.last_runs(20)?.len(), 20.min(size.runs));
            Ok(())
        }),
        ("how much there is", &|history| {
            assert!(history.extent()?.runs >= size.runs);
            Ok(())
        }),
        ("a unit by its name", &|history| {
            assert_eq!(history.named(&unit.test, 50)?.count, 1);
            Ok(())
        }),
        ("a test by its name", &|history| {
            assert_eq!(history.named(&test.test, 50)?.count, 1);
            Ok(())
        }),
        ("all that have a part", &|history| {
            assert_eq!(history.named("_0", 50)?.tests.len(), 50);
            Ok(())
        }),
        ("500 outcomes of a unit", &|history| {
            assert_eq!(history.outcomes(&unit, 500)?.len(), 500.min(size.runs));
            Ok(())
        }),
        ("500 outcomes of a test", &|history| {
            assert_eq!(history.outcomes(&test, 500)?.len(), 500.min(size.runs));
            Ok(())
        }),
        ("a test that never was", &|history| {
            assert_eq!(history.outcomes(&none, 500)?.len(), 0);
            Ok(())
        }),
    ];
    for (what, ask) in ask {
        let mut times = Vec::new();
        for _ in 0..ROUNDS {
            times.push(timed(|| ask(&History::open(folder)?))?);
        }
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
        println!(
            "{what:<30}{:>7.2} ms, the longest of {ROUNDS} {:>7.2} ms",
            ms(times[ROUNDS / 2]),
            ms(times[ROUNDS - 1])
        );
    }
    Ok(())
}

/// Out, into another history, and half of it forgotten.
fn elsewhere(folder: &Path, size: &Size) -> Done {
    let file = folder.join("export.jsonl");
    let rate = |what: &str, rows: u64, took: Duration| {
        let rows = usize::try_from(rows).unwrap_or_default();
        println!(
            "{what:<30}{:>7.1} thousand rows/s in {:>5.1} s",
            thousands(rows, took),
            took.as_secs_f64()
        );
    };
    let mut rows = 0;
    let took = timed(|| {
        let mut out = BufWriter::new(fs::File::create(&file)?);
        rows = History::open(folder)?.export(&mut out)?;
        Ok(out.flush()?)
    })?;
    rate("export", rows, took);
    let other = tempfile::tempdir()?;
    for what in ["import", "import of the same"] {
        let took = timed(|| {
            let input = BufReader::new(fs::File::open(&file)?);
            let imported = History::open(other.path())?.import(input, i64::MAX)?;
            assert_eq!(imported.added + imported.known, rows);
            Ok(())
        })?;
        rate(what, rows, took);
    }
    let half = Limits { keep_runs: Some(size.runs / 2), ..Limits::default() };
    let mut shown = String::new();
    let took = timed(|| {
        let pruned = prune(folder, &half)?;
        let (before, after) = (pruned.bytes_before >> 20, pruned.bytes_after >> 20);
        shown = format!("{} runs go, {before} MiB become {after} MiB", pruned.gone().count());
        Ok(())
    })?;
    println!("{:<30}{:>7.1} s: {shown}", "prune to one half", took.as_secs_f64());
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "what it measures is time")]
fn timed(work: impl FnOnce() -> Done) -> Result<Duration, Box<dyn Error>> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn thousands(count: usize, took: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / took.as_secs_f64() / 1_000.0
}

fn cell(unit: usize) -> CellRow {
    let peer = |name: &str| PeerName::new(name).expect("a name of letters");
    let line = CellLine {
        unit: UnitId::new(unit_name(unit)),
        scenario: unit_name(unit),
        name: "both meet and each has a session".to_owned(),
        file: "scenarios/meeting/test_e2e_meeting.toml".to_owned(),
        category: CategoryName::new("e2e").expect("a name of letters"),
        column: [peer("entity"), peer("python")],
        peers: std::collections::BTreeMap::new(),
        protocols: std::collections::BTreeMap::new(),
        network: "none".to_owned(),
        key: None,
        expected: None,
    };
    CellRow { line, in_matrix: true }
}

fn run_id(run: usize) -> String {
    format!("20261122-{run:06}-{:08x}", mixed(run) & 0xffff_ffff)
}

fn unit_name(unit: usize) -> String {
    format!("meeting/test_e2e_both_meet_{unit:04}[version=1.1] (a=entity b=python)")
}

fn test_name(test: usize) -> String {
    format!("some-crate::it module::tests::what_holds_is_told_in_a_sentence_{test:04}")
}

/// The content of a cell changes every fifth run.
fn key(run: usize, unit: usize) -> String {
    let content = mixed(run / 5 * 10_000 + unit);
    format!("{content:016x}").repeat(4)
}

fn at(run: usize, number: usize) -> i64 {
    let seconds = i64::try_from(run * 3_600 + number).unwrap_or_default();
    1_700_000_000_000_000 + seconds * 1_000_000
}

/// SplitMix64, one step.
fn mixed(number: usize) -> u64 {
    let mut z = u64::try_from(number).unwrap_or_default().wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const SUITE: &str = "workspace";
const ROUNDS: usize = 21;
