use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::prune::NEW_FILE;
use crate::retention::{Beyond, Fate, Limits};
use crate::{Pruned, prune};

const ALL: Limits = Limits { keep_runs: None, since_unix_us: None, bytes: None };

fn newest(keep_runs: usize) -> Limits {
    Limits { keep_runs: Some(keep_runs), ..ALL }
}

/// A run with a plan, of which it judges some cells: (unit, key, verdict), and takes over the others.
fn play(
    history: &mut History,
    id: &str,
    at: i64,
    plan: &[(&str, &str)],
    judged: &[(&str, &str, Verdict)],
) {
    history.begin(&RunRow { started_unix_us: at, ..run(id) }).unwrap();
    let cells: Vec<CellRow> = plan
        .iter()
        .map(|(unit, key)| {
            let mut row = cell(unit);
            row.line.key = Some((*key).to_owned());
            row
        })
        .collect();
    history.plan(id, &[], &cells).unwrap();
    for (unit, key, verdict) in judged {
        let key = Some((*key).to_owned());
        history.judged(id, &ResultRow { key, ..result(unit, verdict.clone(), at) }).unwrap();
    }
}

fn runs(folder: &TempDir) -> Vec<String> {
    let history = open(folder);
    let mut statement = history.connection.prepare("SELECT run FROM runs ORDER BY run").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[track_caller]
fn check(folder: &TempDir, limits: &Limits, kept: &[&str]) -> Pruned {
    let expected = open(folder).would_prune(limits).unwrap();
    let pruned = prune(folder.path(), limits).unwrap();
    assert_eq!(runs(folder), kept);
    assert_eq!(pruned.runs, expected.runs);
    pruned
}

#[test]
fn a_verdict_that_the_matrix_recalls_stays_whatever_its_age() {
    let folder = folder();
    let mut history = open(&folder);
    let (x, y) = (("x", "kx1"), ("y", "ky"));
    play(
        &mut history,
        "r1",
        10,
        &[x, y],
        &[("x", "kx1", Verdict::Passed), ("y", "ky", Verdict::Passed)],
    );
    play(&mut history, "r2", 20, &[("x", "kx2"), y], &[("x", "kx2", Verdict::Passed)]);
    play(&mut history, "r3", 30, &[("x", "kx3"), y], &[("x", "kx3", failed())]);
    drop(history);
    // r1 has the verdict on y, which is the same ever since; that of r2 is on an x that is touched.
    let pruned = check(&folder, &newest(1), &["r1", "r3"]);
    let fates: Vec<&Fate> = pruned.runs.iter().map(|(_, fate)| fate).collect();
    assert_eq!(fates, [&Fate::Stays, &Fate::Goes(Beyond::Count), &Fate::Needed(Beyond::Count)]);
    let history = open(&folder);
    assert_eq!(history.recall("ky").unwrap().unwrap().run, "r1");
    assert_eq!(history.recall("kx2").unwrap(), None);
}

#[test]
fn a_failure_is_not_forgotten_before_the_pass_that_it_overtook() {
    let folder = folder();
    let mut history = open(&folder);
    let plan = [("x", "kx"), ("y", "ky")];
    play(
        &mut history,
        "r1",
        10,
        &plan,
        &[("x", "kx", Verdict::Passed), ("y", "ky", Verdict::Passed)],
    );
    play(&mut history, "r2", 20, &[("x", "kx")], &[("x", "kx", failed())]);
    play(&mut history, "r3", 30, &[], &[]);
    drop(history);
    // y keeps r1, whose pass on x would count again without r2.
    check(&folder, &newest(1), &["r1", "r2", "r3"]);
    assert_eq!(open(&folder).recall("kx").unwrap(), None);
}

#[test]
fn all_rows_of_what_stays_are_there_and_none_of_what_goes() {
    let folder = folder();
    let mut history = filled(&folder);
    history.begin(&RunRow { started_unix_us: 8, ..run("r2") }).unwrap();
    history.tested("r2", &[test("two", "passed", 9)]).unwrap();
    history.opened("r2", &incident("i2")).unwrap();
    history.opened("r1", &incident("open since r1")).unwrap();
    history.opened("r1", &incident("closed by r2")).unwrap();
    history.closed("r2", &closing("closed by r2")).unwrap();
    // Its cell is of another content by now.
    let touched = CellRow {
        line: CellLine { key: Some("k2".to_owned()), ..cell("u1").line },
        in_matrix: true,
    };
    history.plan("r2", &[], &[touched]).unwrap();
    drop(history);
    let pruned = check(&folder, &newest(1), &["r2"]);
    assert_eq!(pruned.gone().map(|run| run.run.as_str()).collect::<Vec<_>>(), ["r1"]);
    let history = open(&folder);
    for table in TABLES.iter().filter(|table| table.is_of_runs()) {
        let query = format!("SELECT count(*) FROM {} WHERE run = 'r1'", table.name);
        let left: i64 = history.connection.query_row(&query, [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{}", table.name);
    }
    let text = |query: &str| -> String {
        history.connection.query_row(query, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(text("SELECT group_concat(suite || test) FROM tests"), "cargotwo");
    let incidents = text(
        "SELECT group_concat(incident) FROM (SELECT incident FROM incidents ORDER BY incident)",
    );
    assert_eq!(incidents, "closed by r2,i2,open since r1");
    assert_eq!(text("SELECT group_concat(incident) FROM closings"), "closed by r2");
    // It is a history like any other.
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert!(history.connection.execute("DELETE FROM runs", []).is_err());
    assert!(!folder.path().join(NEW_FILE).exists());
}

#[test]
fn a_history_in_use_is_not_pruned() {
    let folder = folder();
    let mut running = filled(&folder);
    let error = prune(folder.path(), &newest(1)).unwrap_err();
    assert!(matches!(error, HistoryError::InUse { .. }), "{error}");
    running.judged("r2", &result("u1", Verdict::Passed, 20)).unwrap();
    drop(running);
    // Another program that reads it counts, too: it knows nothing of our lock.
    let mut history = open(&folder);
    play(&mut history, "r9", 90, &[("u1", "k9")], &[]);
    drop(history);
    let other = Connection::open(folder.path().join(FILE)).unwrap();
    other.execute_batch("BEGIN; SELECT count(*) FROM runs").unwrap();
    let _rows: i64 = other.query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap();
    let since = Limits { since_unix_us: Some(50), ..ALL };
    let error = prune(folder.path(), &since).unwrap_err();
    assert!(matches!(error, HistoryError::InUse { .. }), "{error}");
    drop(other);
    assert_eq!(runs(&folder).len(), 2);
}

#[test]
fn a_pruning_that_was_killed_is_begun_anew() {
    let folder = folder();
    let mut history = filled(&folder);
    play(&mut history, "r9", 90, &[("u1", "k9")], &[]);
    drop(history);
    std::fs::write(folder.path().join(NEW_FILE), "half of a file").unwrap();
    check(&folder, &newest(1), &["r9"]);
}

#[test]
fn a_history_that_is_small_enough_is_left_alone() {
    let folder = folder();
    drop(filled(&folder));
    let file = std::fs::read(folder.path().join(FILE)).unwrap();
    let pruned = check(&folder, &Limits { bytes: Some(u64::MAX), ..newest(5) }, &["r1"]);
    assert_eq!(pruned.bytes_before, pruned.bytes_after);
    assert_eq!(std::fs::read(folder.path().join(FILE)).unwrap().len(), file.len());
    // Nothing was there: nothing goes.
    let empty = super::folder();
    assert!(prune(empty.path(), &newest(1)).unwrap().runs.is_empty());
}

#[test]
fn the_oldest_go_until_the_size_is_kept() {
    let folder = folder();
    let mut history = open(&folder);
    history.begin_whole().unwrap();
    for at in 0..8_i64 {
        let id = format!("r{at}");
        history.begin(&RunRow { started_unix_us: at, ..run(&id) }).unwrap();
        let tests: Vec<TestRow> =
            (0..400).map(|number| test(&format!("test {number}"), "passed", at)).collect();
        history.tested(&id, &tests).unwrap();
    }
    history.commit_whole().unwrap();
    drop(history);
    let whole = open(&folder).would_prune(&ALL).unwrap().bytes_before;
    let pruned = prune(folder.path(), &Limits { bytes: Some(whole / 4 * 3), ..ALL }).unwrap();
    assert!(pruned.bytes_after <= whole / 4 * 3, "{} of {whole}", pruned.bytes_after);
    let left = runs(&folder);
    assert!(!left.is_empty() && left.len() < 8 && left.last().unwrap() == "r7", "{left:?}");
}

/// What a small matrix does: which of three units, on which of two contents, and with which verdict (none: it is recalled or not come to).
type Played = Vec<(usize, usize, Option<bool>)>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever was played and whatever goes: the matrix recalls what it recalled for the contents that were asked for last, and for no
    /// content anything else than before.
    #[test]
    fn what_the_matrix_recalls_is_what_it_recalled(
        played in proptest::collection::vec(
            proptest::collection::vec((0..3_usize, 0..2_usize, proptest::option::of(any::<bool>())), 0..4), 1..7),
        keep in 0..4_usize,
    ) {
        let folder = folder();
        let mut history = open(&folder);
        // Together: a commit a row would take most of the time.
        history.begin_whole().unwrap();
        let mut newest_keys = BTreeMap::new();
        let mut keys = BTreeSet::new();
        for (at, played) in (0_i64..).zip(&played) {
            let played: &Played = played;
            let mut units: BTreeMap<usize, (usize, Option<bool>)> = BTreeMap::new();
            for (unit, content, verdict) in played {
                units.insert(*unit, (*content, *verdict));
            }
            let names: Vec<(String, String, Option<bool>)> = units
                .into_iter()
                .map(|(unit, (content, verdict))| (format!("u{unit}"), format!("k{unit}{content}"), verdict))
                .collect();
            let plan: Vec<(&str, &str)> = names.iter().map(|(unit, key, _)| (unit.as_str(), key.as_str())).collect();
            let judged: Vec<(&str, &str, Verdict)> = names
                .iter()
                .filter_map(|(unit, key, passed)| {
                    let verdict = if (*passed)? { Verdict::Passed } else { failed() };
                    Some((unit.as_str(), key.as_str(), verdict))
                })
                .collect();
            play(&mut history, &format!("r{at}"), at, &plan, &judged);
            for (unit, key, _) in &names {
                newest_keys.insert(unit.clone(), key.clone());
                keys.insert(key.clone());
            }
        }
        history.commit_whole().unwrap();
        let recall = |history: &History| -> BTreeMap<String, Option<String>> {
            keys.iter().map(|key| (key.clone(), history.recall(key).unwrap().map(|recalled| recalled.run))).collect()
        };
        let before = recall(&history);
        drop(history);
        let pruned = prune(folder.path(), &newest(keep)).unwrap();
        let after = recall(&open(&folder));
        for (key, run) in &after {
            prop_assert!(run.is_none() || run == &before[key], "{key}: {run:?}, before {:?}", before[key]);
        }
        for key in newest_keys.values() {
            prop_assert_eq!(&after[key], &before[key]);
        }
        let last = format!("r{}", played.len() - 1);
        prop_assert!(runs(&folder).contains(&last));
        let free = pruned.runs.iter().filter(|(_, fate)| *fate == Fate::Stays).count();
        prop_assert!(free <= keep.max(1));
    }
}
