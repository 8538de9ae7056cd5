use handfast_scenario::ExitCode;
use handfast_scenario::event::{FORMAT, Outcome, Summary};
use handfast_scenario::name::RoleName;
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;

use super::*;

fn started() -> Recorded {
    let event = RunEvent::RunStarted {
        format: FORMAT,
        run: "r".to_owned(),
        handfast: "0".to_owned(),
        command: Vec::new(),
        seed: 1,
        started_unix_us: 0,
        units: 0,
        suites: 0,
        shard: None,
    };
    Recorded { at_us: 0, event }
}

fn log(line: &str) -> Recorded {
    let event = RunEvent::PeerLog {
        unit: UnitId::new("x/../y (a=b)"),
        role: RoleName::new("a").unwrap(),
        line: line.to_owned(),
        truncated: false,
    };
    Recorded { at_us: 1, event }
}

fn ended() -> Recorded {
    let event =
        RunEvent::RunEnded { summary: Summary::default(), exit: ExitCode::Passed, duration_us: 2 };
    Recorded { at_us: 2, event }
}

fn records() -> (tempfile::TempDir, Records) {
    let root = tempfile::tempdir().unwrap();
    let records = Records::of(root.path());
    (root, records)
}

fn write(records: &Records, run: &str, events: &[Recorded]) {
    let mut sink = RecordSink::create(&records.folder_of(run)).unwrap();
    for event in events {
        sink.event(event);
    }
    sink.finish().unwrap();
}

/// What others are told after the record has heard it is on the way to the disk, so that a kill takes nothing that was told.
#[test]
fn every_result_is_written_before_it_is_told_to_anybody_else() {
    let (_root, records) = records();
    let folder = records.folder_of("20260101-a");
    let mut sink = RecordSink::create(&folder).unwrap();
    let suite = handfast_scenario::name::SuiteName::new("s").unwrap();
    let results = [
        RunEvent::SuiteTest {
            suite: suite.clone(),
            test: "t".to_owned(),
            outcome: Outcome::Passed,
            duration_us: 1,
        },
        RunEvent::SuiteEnded {
            suite,
            outcome: Outcome::Passed,
            passed: 1,
            failed: 0,
            duration_us: 1,
        },
        RunEvent::UnitEnded {
            unit: UnitId::new("u"),
            verdict: Verdict::Passed,
            duration_us: 1,
            cpu_us: 0,
        },
    ];
    for event in results {
        let recorded = Recorded { at_us: 3, event };
        sink.event(&recorded);
        let text = fs::read_to_string(folder.join("events.jsonl")).unwrap();
        assert!(text.ends_with(&recorded.to_line()), "{recorded:?}");
    }
}

#[test]
fn a_healing_is_a_line_of_the_ledger_beside_the_record() {
    let (_root, records) = records();
    let entry = ledger::Entry {
        at_unix_us: 7,
        run: "r".to_owned(),
        failed: "u".to_owned(),
        reason: "no".to_owned(),
        class: handfast_heal::class::Class::Product,
        evidence: Vec::new(),
        act: ledger::Act::Retried,
        outcome: ledger::Outcome::FailedAgain,
        cost_us: 3,
    };
    let healing = handfast_scenario::event::Healing {
        verdict: handfast_scenario::verdict::VerdictKind::Failed,
        class: entry.class.to_string(),
        evidence: Vec::new(),
        act: entry.act.to_string(),
        outcome: entry.outcome.to_string(),
        is_healed: false,
        standing: handfast_scenario::event::Standing::Decides,
        entry: entry.to_value(),
    };
    let event = RunEvent::UnitHealing { unit: UnitId::new("u"), healing };
    let healing = Recorded { at_us: 1, event };
    write(&records, "a", &[started(), healing.clone(), healing, ended()]);
    let path = records.folder_of("a").join(HEALINGS);
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(ledger::read(HEALINGS, &text).unwrap(), [entry.clone(), entry]);
    write(&records, "b", &[started(), ended()]);
    assert!(!records.folder_of("b").join(HEALINGS).exists(), "nothing failed");
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let (_root, records) = records();
    let events = [started(), log("hello"), ended()];
    write(&records, "20260101-a", &events);
    assert_eq!(records.read("20260101-a").unwrap(), events);
    assert_eq!(records.read("2026").unwrap(), events);
    assert_eq!(records.read("last").unwrap(), events);
    let folder = records.folder_of("20260101-a");
    assert!(folder.join("junit.xml").is_file() && folder.join("summary.json").is_file());
    assert!(fs::read_to_string(folder.join("report.html")).unwrap().ends_with("</html>\n"));
}

#[test]
fn a_peers_log_has_a_file_inside_the_run_whatever_the_unit_is_called() {
    let (_root, records) = records();
    write(&records, "r", &[started(), log("one"), log("two"), ended()]);
    let path = records.folder_of("r").join("logs").join("x_.._y__a=b_").join("a.log");
    assert_eq!(fs::read_to_string(path).unwrap(), "one\ntwo\n");
}

#[test]
fn the_torn_last_line_of_a_killed_run_is_left_out() {
    let (_root, records) = records();
    write(&records, "r", &[started(), log("one")]);
    let path = records.folder_of("r").join("events.jsonl");
    let mut text = fs::read_to_string(&path).unwrap();
    text.push_str("{\"at_us\":3,\"ev");
    fs::write(&path, text).unwrap();
    assert_eq!(records.read("r").unwrap().len(), 2);
}

#[test]
fn an_unknown_run_names_the_newest() {
    let (_root, records) = records();
    write(&records, "r1", &[started()]);
    write(&records, "r2", &[started()]);
    let error = records.read("r").unwrap_err();
    assert!(
        matches!(&error, ReadError::NotFound { hint, .. } if hint.contains("r2, r1")),
        "{error:?}"
    );
}

#[test]
fn the_oldest_records_make_room() {
    let (_root, records) = records();
    for number in 0..RUNS_KEPT_MAX {
        fs::create_dir_all(records.folder_of(&format!("r{number:03}"))).unwrap();
    }
    records.make_room().unwrap();
    let runs = records.list();
    assert_eq!(runs.len(), RUNS_KEPT_MAX - 1);
    assert_eq!(runs[0], "r001");
}

#[test]
fn beyond_its_limit_a_record_keeps_what_decides() {
    let (_root, records) = records();
    let mut sink = RecordSink::create(&records.folder_of("r")).unwrap();
    sink.bytes_max = 1_000;
    sink.event(&started());
    for _ in 0..100 {
        sink.event(&log("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
    }
    let verdict = Verdict::Passed;
    let unit_ended =
        RunEvent::UnitEnded { unit: UnitId::new("u"), verdict, duration_us: 0, cpu_us: 0 };
    sink.event(&Recorded { at_us: 3, event: unit_ended });
    sink.finish().unwrap();
    let read = records.read("r").unwrap();
    assert!(read.len() < 20, "{}", read.len());
    assert!(matches!(read.last().unwrap().event, RunEvent::UnitEnded { .. }));
}
