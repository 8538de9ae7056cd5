use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use handfast_history::{ResultRow, RunRow};
use handfast_scenario::event::{CellLine, FORMAT, Outcome, Shard, ShardMark, Summary};
use handfast_scenario::name::{CategoryName, PeerName, RoleName, SuiteName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;
use handfast_scenario::{ExitCode, Recorded, RunEvent};
use tempfile::TempDir;

use super::*;
use crate::sink::tally;

/// A record to be: what it says it is and what is in it.
struct Made {
    run: &'static str,
    mark: Option<ShardMark>,
    started_unix_us: i64,
    units: Vec<(&'static str, Verdict)>,
    /// Units of its plan beside those that have a verdict.
    unjudged: usize,
    suites: Vec<&'static str>,
    is_killed: bool,
}

fn mark(shard: &str, partition: &str, pieces: u64) -> ShardMark {
    let shard: Shard = shard.parse().unwrap();
    ShardMark { shard, partition: partition.to_owned(), pieces }
}

fn shard(shard: &str, run: &'static str, units: &[&'static str]) -> Made {
    Made {
        run,
        mark: Some(mark(shard, "p", 3)),
        started_unix_us: 1_000_000,
        units: units.iter().map(|unit| (*unit, Verdict::Passed)).collect(),
        unjudged: 0,
        suites: Vec::new(),
        is_killed: false,
    }
}

fn failed() -> Verdict {
    Verdict::Failed { reason: "no session".to_owned() }
}

impl Made {
    fn events(&self) -> Vec<Recorded> {
        let mut events = vec![RunEvent::RunStarted {
            format: FORMAT,
            run: self.run.to_owned(),
            handfast: "0.1.0".to_owned(),
            command: vec!["handfast".to_owned()],
            seed: 7,
            started_unix_us: self.started_unix_us,
            units: self.units.len() + self.unjudged,
            suites: self.suites.len(),
            shard: self.mark.clone(),
        }];
        for (unit, verdict) in &self.units {
            let id = UnitId::new(*unit);
            let peer = PeerName::new("py").unwrap();
            events.push(RunEvent::UnitStarted {
                unit: id.clone(),
                name: (*unit).to_owned(),
                file: "x.toml".to_owned(),
                category: CategoryName::new("unit").unwrap(),
                proves: Vec::new(),
                peers: BTreeMap::from([(RoleName::new("a").unwrap(), peer)]),
                budget_us: 1,
            });
            let verdict = verdict.clone();
            events.push(RunEvent::UnitEnded { unit: id, verdict, duration_us: 5, cpu_us: 1 });
        }
        for suite in &self.suites {
            let suite = SuiteName::new(*suite).unwrap();
            let category = CategoryName::new("unit").unwrap();
            events.push(RunEvent::SuiteStarted {
                suite: suite.clone(),
                category,
                command: Vec::new(),
            });
            let outcome = Outcome::Passed;
            events.push(RunEvent::SuiteEnded {
                suite,
                outcome,
                passed: 2,
                failed: 0,
                duration_us: 9,
            });
        }
        let mut events: Vec<Recorded> =
            (0..).zip(events).map(|(at, event)| Recorded { at_us: at * 10, event }).collect();
        if !self.is_killed {
            let summary = tally(&events).summary();
            let exit = ExitCode::of(&summary);
            let event = RunEvent::RunEnded { summary, exit, duration_us: 100 };
            events.push(Recorded { at_us: 100, event });
        }
        events
    }

    fn write(&self, folder: &TempDir, name: &str) {
        let folder = folder.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        let text: String = self.events().iter().map(Recorded::to_line).collect();
        fs::write(folder.join(find::EVENTS), text).unwrap();
    }
}

fn head() -> RunRow {
    RunRow {
        run: "merged".to_owned(),
        started_unix_us: 1_000_000,
        handfast: "0.1.0".to_owned(),
        command: vec!["handfast".to_owned(), "merge".to_owned()],
        seed: 7,
        record: ".handfast/runs/merged".to_owned(),
    }
}

/// The time of the machine that merges.
const NOW: i64 = 5_000_000;

/// Records, each in a folder of its number.
fn written(made: &[Made]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (at, made) in made.iter().enumerate() {
        made.write(&folder, &format!("artifacts/{at}"));
    }
    folder
}

fn judged(folder: &TempDir) -> Judgement {
    judge(find(&[folder.path().to_owned()]).unwrap())
}

fn woven(judgement: &Judgement) -> (Vec<Recorded>, Merged) {
    let mut events = Vec::new();
    let merged = weave(judgement, &head(), |recorded| events.push(recorded.clone())).unwrap();
    (events, merged)
}

/// Merges records and asserts the one fault they have, in parts, and the exit code.
#[track_caller]
fn check_fault(made: &[Made], fault: &[&str], exit: ExitCode) -> (Judgement, Merged) {
    let folder = written(made);
    let judgement = judged(&folder);
    assert_eq!(judgement.faults().len(), 1, "{:?}", judgement.faults());
    for part in fault {
        assert!(judgement.faults()[0].contains(part), "{part:?}: {:?}", judgement.faults());
    }
    let (_, merged) = woven(&judgement);
    assert_eq!((merged.exit, merged.summary.shard_faults), (exit, 1));
    (judgement, merged)
}

fn three() -> [Made; 3] {
    let mut two = shard("2/3", "r2", &["u2"]);
    two.units[0].1 = failed();
    let mut three = shard("3/3", "r3", &[]);
    three.suites = vec!["cargo"];
    [shard("1/3", "r1", &["u1"]), two, three]
}

#[test]
fn the_shards_of_a_whole_are_one_run_with_all_their_counts() {
    let folder = written(&three());
    let judgement = judged(&folder);
    assert!(judgement.faults().is_empty() && judgement.notes().is_empty(), "{judgement:?}");
    let (events, merged) = woven(&judgement);
    let expected = Summary { passed: 1, failed: 1, suite_tests_passed: 2, ..Summary::default() };
    assert_eq!(
        merged,
        Merged { summary: expected, exit: ExitCode::ProductFailure, duration_us: 100 }
    );
    assert_eq!(tally(&events).summary(), expected);
    assert!(
        matches!(&events[0].event, RunEvent::RunStarted { units: 2, suites: 1, run, shard: None, .. } if run == "merged"),
        "{:?}",
        events[0]
    );
    assert!(matches!(&events[1].event, RunEvent::ShardsMerged { shards, .. } if shards.len() == 3));
    let text: String = events.iter().map(Recorded::to_line).collect();
    assert_eq!(handfast_scenario::event::read_record(&text).unwrap(), events);
}

#[test]
fn events_stand_in_the_order_of_their_times_on_the_clock_of_all() {
    let mut made = three();
    made[0].started_unix_us += 15;
    let folder = written(&made);
    let (events, merged) = woven(&judged(&folder));
    let times: Vec<u64> = events.iter().map(|recorded| recorded.at_us).collect();
    assert!(times.is_sorted(), "{times:?}");
    let first = events.iter().find(|recorded| recorded.event.unit().is_some()).unwrap();
    assert_eq!((first.at_us, first.event.unit().unwrap().as_str()), (10, "u2"));
    assert_eq!(merged.duration_us, 115);
}

#[test]
fn a_missing_shard_is_named_and_what_it_had_to_do_is_counted() {
    let [one, two, _] = three();
    let parts = ["shard 3/3 is missing"];
    // The product has failed, too, which hides nothing.
    let (judgement, merged) = check_fault(&[one, two], &parts, ExitCode::ProductFailure);
    assert_eq!((judgement.not_run(), merged.summary.not_run), (1, 1));
    let [one, _, three] = three();
    check_fault(&[one, three], &["shard 2/3 is missing"], ExitCode::Infrastructure);
}

#[test]
fn a_killed_shard_is_named_and_what_it_found_is_there() {
    let [mut one, _, three] = three();
    one.is_killed = true;
    one.unjudged = 2;
    one.mark = Some(mark("1/2", "p", 4));
    let three = Made { mark: Some(mark("2/2", "p", 4)), ..three };
    let fault = ["shard 1/2 (run r1", "was killed", "2 of its 3 units"];
    let (_, merged) = check_fault(&[one, three], &fault, ExitCode::Infrastructure);
    assert_eq!((merged.summary.passed, merged.summary.not_run), (1, 2));
}

#[test]
fn a_torn_last_line_is_that_of_a_killed_shard_and_a_broken_one_is_damage() {
    let folder =
        written(&[Made { mark: Some(mark("1/1", "p", 1)), ..shard("1/1", "r1", &["u1"]) }]);
    let file = folder.path().join("artifacts/0").join(find::EVENTS);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() - 9]).unwrap();
    assert!(judged(&folder).faults()[0].contains("was killed"), "{:?}", judged(&folder));
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&file, [lines[0], "{}", lines[2], lines[3]].join("\n") + "\n").unwrap();
    let faults = judged(&folder).faults().to_vec();
    assert!(faults[0].contains("is damaged") && faults[0].contains("line 2"), "{faults:?}");
    let (_, merged) = woven(&judged(&folder));
    assert_eq!((merged.summary.passed, merged.summary.not_run), (0, 1));
    for head in ["", "{}\n", &lines[0].replace("\"format\":4", "\"format\":3")] {
        fs::write(&file, head.to_owned() + "\n").unwrap();
        let judgement = judged(&folder);
        assert!(!judgement.faults().is_empty(), "{head:?}");
        assert_eq!(woven(&judgement).1.exit, ExitCode::Infrastructure, "{head:?}");
    }
}

#[test]
fn a_shard_that_is_there_twice_is_named_and_both_are_shown() {
    let [one, two, three] = three();
    let mut again = shard("1/3", "r9", &["u1"]);
    again.units[0].1 = failed();
    let fault = ["shard 1/3 is there 2 times", "run r1 in", "run r9 in"];
    let folder = written(&[one, two, three, again]);
    let judgement = judged(&folder);
    assert!(fault.iter().all(|part| judgement.faults()[0].contains(part)), "{judgement:?}");
    let (events, merged) = woven(&judgement);
    assert_eq!((merged.summary.passed, merged.summary.failed), (1, 2));
    let ended = events.iter().filter(|event| matches!(event.event, RunEvent::UnitEnded { .. }));
    let mut units: Vec<&str> = ended.map(|event| event.event.unit().unwrap().as_str()).collect();
    units.sort_unstable();
    assert_eq!(units, ["u1", "u1 #2", "u2"]);
}

#[test]
fn two_copies_of_one_record_count_once_and_are_named() {
    let [one, two, three] = three();
    let copy = shard("1/3", "r1", &["u1"]);
    let (_, merged) =
        check_fault(&[one, two, three, copy], &["run r1 is there twice"], ExitCode::ProductFailure);
    assert_eq!(merged.summary.passed, 1);
}

#[test]
fn other_partitions_and_whole_runs_are_named() {
    let [one, _, three] = three();
    let two = Made { mark: Some(mark("2/3", "q", 3)), ..shard("2/3", "r2", &["u2"]) };
    let folder = written(&[one, two, three]);
    let faults = judged(&folder).faults().to_vec();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].contains("of another partition") && faults[0].contains("--shard-plan"));
    assert!(faults[1].contains("shard 2/3 is missing"), "{faults:?}");
    let whole = Made { mark: None, ..shard("1/1", "r1", &["u1"]) };
    check_fault(&[whole], &["is a whole run, and no shard of one"], ExitCode::Infrastructure);
}

#[test]
fn a_shard_with_more_than_the_partition_gave_it_is_named() {
    let [one, mut two, three] = three();
    two.units.push(("u3", Verdict::Passed));
    let fault = ["the partition has 3 units and suites, and the shards have 4"];
    check_fault(&[one, two, three], &fault, ExitCode::ProductFailure);
}

#[test]
fn a_record_whose_end_is_kinder_than_its_events_is_named() {
    let folder = written(&three());
    let file = folder.path().join("artifacts/1").join(find::EVENTS);
    let text = fs::read_to_string(&file).unwrap();
    let kinder = text.replace("\"passed\":0,\"failed\":1", "\"passed\":1,\"failed\":0");
    fs::write(&file, &kinder).unwrap();
    let faults = judged(&folder).faults().to_vec();
    assert!(faults[0].contains("passed: 1 by its end, 0 by its events"), "{faults:?}");
    assert_eq!(woven(&judged(&folder)).1.exit, ExitCode::ProductFailure);
    fs::write(&file, text.replace("\"product_failure\"", "\"passed\"")).unwrap();
    let faults = judged(&folder).faults().to_vec();
    assert!(faults[0].contains("exit code 0, but 1 follows from its counts"), "{faults:?}");
}

#[test]
fn the_history_has_every_shard_once_under_its_own_run() {
    let folder = written(&three());
    let judgement = judged(&folder);
    let merged = woven(&judgement).1;
    let place = folder.path().join("history");
    let open = || History::open(&place);
    remember(open, &judgement, &head(), &merged, NOW).unwrap();
    let again = RunRow { run: "merged-2".to_owned(), ..head() };
    remember(open, &judgement, &again, &merged, NOW).unwrap();
    let history = open().unwrap();
    for run in ["r1", "r2", "r3", "merged", "merged-2"] {
        assert!(history.has_run(run).unwrap(), "{run}");
    }
    let costs = history.usual_costs(["u1", "u2"]).unwrap();
    assert_eq!((costs["u1"].duration_us, costs["u2"].duration_us), (5, 5));
    assert_eq!(history.usual_suite_costs(["cargo"]).unwrap()["cargo"].duration_us, 9);
}

/// A record of one matrix cell with the key `k`, the only shard of its partition.
fn cell_record(
    folder: &TempDir,
    run: &'static str,
    started_unix_us: i64,
    verdict: Verdict,
) -> Judgement {
    let mut made = shard("1/1", run, &["u1"]);
    (made.mark, made.started_unix_us) = (Some(mark("1/1", "p", 1)), started_unix_us);
    made.units[0].1 = verdict;
    let mut events = made.events();
    let peer = PeerName::new("py").unwrap();
    let cell = CellLine {
        unit: UnitId::new("u1"),
        scenario: "u1".to_owned(),
        name: "u1".to_owned(),
        file: "x.toml".to_owned(),
        category: CategoryName::new("unit").unwrap(),
        column: [peer.clone(), peer.clone()],
        peers: BTreeMap::new(),
        protocols: BTreeMap::new(),
        network: "none".to_owned(),
        key: Some("k".to_owned()),
        expected: None,
    };
    let (peers, builds, faults) = (vec![peer], BTreeMap::new(), Vec::new());
    let event = RunEvent::MatrixStarted { peers, builds, cells: vec![cell], faults };
    events.insert(1, Recorded { at_us: 0, event });
    let place = folder.path().join(run);
    fs::create_dir_all(&place).unwrap();
    let text: String = events.iter().map(Recorded::to_line).collect();
    fs::write(place.join(find::EVENTS), text).unwrap();
    judge(find(&[place]).unwrap())
}

fn remembered(place: &Path, judgement: &Judgement, run: &str) {
    let merged = woven(judgement).1;
    let head = RunRow { run: run.to_owned(), ..head() };
    remember(|| History::open(place), judgement, &head, &merged, NOW).unwrap();
}

#[test]
fn a_pass_of_a_machine_whose_clock_is_ahead_does_not_outlive_a_later_failure_here() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("history");
    let ahead = cell_record(&folder, "r1", NOW * 1_000, Verdict::Passed);
    remembered(&place, &ahead, "m1");
    assert_eq!(History::open(&place).unwrap().recall("k").unwrap().unwrap().run, "r1");
    let local = ResultRow {
        unit: "u1".to_owned(),
        key: Some("k".to_owned()),
        verdict: failed(),
        duration_us: 1,
        cpu_us: 1,
        ended_unix_us: NOW,
    };
    History::open(&place).unwrap().judged("local", &local).unwrap();
    assert_eq!(History::open(&place).unwrap().recall("k").unwrap(), None);
}

#[test]
fn a_record_with_a_fault_of_its_own_is_not_remembered_and_a_killed_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("history");
    let sound = cell_record(&folder, "r1", 0, Verdict::Passed);
    let file = folder.path().join("r1").join(find::EVENTS);
    let text = fs::read_to_string(&file).unwrap();
    let again = || judge(find(&[folder.path().join("r1")]).unwrap());
    let contradicted = text.replace("\"passed\":1", "\"passed\":2");
    let damaged = text.clone() + "{}\n";
    let whole = text.replace("\"shard\":{", "\"other\":{");
    for (at, bad) in [contradicted, damaged, whole].into_iter().enumerate() {
        assert_ne!(bad, text);
        fs::write(&file, bad).unwrap();
        assert_eq!(again().faults().len(), 1, "{:?}", again().faults());
        remembered(&place, &again(), &format!("m{at}"));
        let history = History::open(&place).unwrap();
        assert!(!history.has_run("r1").unwrap() && history.recall("k").unwrap().is_none(), "{at}");
    }
    fs::write(&file, &text[..text.len() - 9]).unwrap();
    remembered(&place, &again(), "m8");
    assert!(History::open(&place).unwrap().recall("k").unwrap().is_some());
    drop(sound);
}

#[test]
fn the_parts_of_another_partition_are_not_remembered() {
    let [one, _, three] = three();
    let two = Made { mark: Some(mark("2/3", "q", 3)), ..shard("2/3", "r2", &["u2"]) };
    let folder = written(&[one, two, three]);
    let place = folder.path().join("history");
    remembered(&place, &judged(&folder), "merged");
    let history = History::open(&place).unwrap();
    assert_eq!(["r1", "r2", "r3"].map(|run| history.has_run(run).unwrap()), [true, false, true]);
}

#[test]
fn a_history_that_refuses_one_record_has_the_others() {
    let folder = written(&three());
    let place = folder.path().join("history");
    let judgement = judged(&folder);
    let merged = woven(&judgement).1;
    fs::remove_file(folder.path().join("artifacts/0").join(find::EVENTS)).unwrap();
    let open = || History::open(&place);
    remember(open, &judgement, &head(), &merged, NOW).unwrap_err();
    let history = open().unwrap();
    let runs = ["r1", "r2", "r3", "merged"].map(|run| history.has_run(run).unwrap());
    assert_eq!(runs, [false, true, true, true]);
}

#[test]
fn a_record_that_is_gone_or_other_the_second_time_ends_the_merge() {
    let folder = written(&three());
    let file = folder.path().join("artifacts/1").join(find::EVENTS);
    let text = fs::read_to_string(&file).unwrap();
    let judgement = judged(&folder);
    let again = || weave(&judgement, &head(), |_| ()).unwrap_err().to_string();
    let first = text.lines().next().unwrap();
    fs::write(&file, format!("{first}\n")).unwrap();
    assert!(again().contains("had 4 events when it was judged and has 1 now"), "{}", again());
    fs::write(&file, format!("{first}\n{{}}\n")).unwrap();
    assert!(
        again().contains("shard 2/3 (run r2") && again().contains("read a second"),
        "{}",
        again()
    );
    fs::write(&file, format!("{text}{}\n", text.lines().last().unwrap())).unwrap();
    assert!(again().contains("has 5 now"), "{}", again());
    fs::remove_file(&file).unwrap();
    assert!(again().contains("cannot be opened a second time"), "{}", again());
}

#[test]
fn two_records_with_one_id_and_different_content_both_count_and_are_named() {
    let [one, two, three] = three();
    let mut collided = shard("1/3", "r1", &["u1"]);
    collided.units[0].1 = failed();
    let folder = written(&[one, two, three, collided]);
    let judgement = judged(&folder);
    assert!(
        judgement.faults()[0].contains("run r1 is there twice with different content"),
        "{judgement:?}"
    );
    let merged = woven(&judgement).1;
    assert_eq!((merged.summary.passed, merged.summary.failed), (1, 2));
    let place = folder.path().join("history");
    remembered(&place, &judgement, "merged");
    assert!(!History::open(&place).unwrap().has_run("r1").unwrap());
}

#[test]
fn a_torn_copy_does_not_hide_the_failure_of_the_whole_one() {
    let mut made = shard("1/1", "r1", &["u1", "u2"]);
    made.mark = Some(mark("1/1", "p", 2));
    made.units[1].1 = failed();
    let folder = written(&[shard("1/1", "r1", &[]), made]);
    let whole = fs::read_to_string(folder.path().join("artifacts/1").join(find::EVENTS)).unwrap();
    let torn: String = whole.split_inclusive('\n').take(3).collect();
    fs::write(folder.path().join("artifacts/0").join(find::EVENTS), torn).unwrap();
    let merged = woven(&judged(&folder)).1;
    assert_eq!((merged.summary.failed, merged.exit), (1, ExitCode::ProductFailure));
}

#[test]
fn a_record_that_says_nothing_of_a_piece_is_named_and_the_piece_counted() {
    let [mut one, mut two, three] = three();
    (one.unjudged, two.units[0].1) = (1, Verdict::Passed);
    let made = [one, two, three]
        .map(|made| Made { mark: made.mark.map(|mark| ShardMark { pieces: 4, ..mark }), ..made });
    let fault = ["2 units and suites by its beginning, 1 with a verdict or not run"];
    let (_, merged) = check_fault(&made, &fault, ExitCode::Infrastructure);
    assert_eq!(merged.summary.not_run, 1);
}

#[test]
fn records_are_found_however_deep_they_lie_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let record = shard("1/1", "r1", &[]);
    record.write(&folder, "a/.handfast/runs/r1");
    record.write(&folder, "b");
    fs::create_dir_all(folder.path().join("b/logs/deep")).unwrap();
    let both = [folder.path().to_owned(), folder.path().join("b")];
    assert_eq!(find(&both).unwrap().len(), 2);
    assert!(find(&[folder.path().join("b/logs")]).unwrap().is_empty());
    assert!(matches!(find(&[folder.path().join("c")]), Err(FindError::Folder { .. })));
    record.write(&folder, "1/2/3/4/5/6/7/8/9");
    assert!(matches!(find(&[folder.path().join("1")]), Ok(found) if found.len() == 1));
    assert!(matches!(find(&[folder.path().to_owned()]), Err(FindError::TooMany { .. })));
}
