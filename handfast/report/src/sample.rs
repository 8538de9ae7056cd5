//! Small runs for the tests of this crate.

use std::collections::BTreeMap;

use handfast_scenario::event::{
    AccountLine, AccountVerdict, CallOutcome, FORMAT, Healing, Outcome, Standing, StepId, Summary,
    WireBytes, WireResponse, WireTaken,
};
use handfast_scenario::name::{CategoryName, EventName, MethodName, PeerName, RoleName, SuiteName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{ExitCode, Recorded, RunEvent};
use serde_json::Value;

pub(crate) fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

pub(crate) fn unit(id: &str) -> UnitId {
    serde_json::from_value(Value::from(id)).unwrap()
}

pub(crate) fn at(at_us: u64, event: RunEvent) -> Recorded {
    Recorded { at_us, event }
}

pub(crate) fn wire(id: &str, request: &[u8], action: WireTaken) -> RunEvent {
    let answered = matches!(action, WireTaken::Passed);
    RunEvent::WireMessage {
        unit: unit(id),
        from: role("a"),
        to: role("b"),
        index: 1,
        target: "POST /message".to_owned(),
        message_type: Some("message".to_owned()),
        request: WireBytes::of(request),
        delivered: None,
        response: answered.then(|| WireResponse { status: 200, body: WireBytes::of(b"{}") }),
        action,
    }
}

pub(crate) fn peer_event(id: &str, who: &str, event: &str, params: Value) -> RunEvent {
    RunEvent::PeerEvent {
        unit: unit(id),
        role: role(who),
        n: 1,
        event: EventName::new(event).unwrap(),
        params,
    }
}

pub(crate) fn call(id: &str, call: u64, who: &str, method: &str, params: Value) -> [RunEvent; 2] {
    let method = MethodName::new(method).unwrap();
    let outcome = CallOutcome::Ok { result: serde_json::json!({ "x": 1 }) };
    [
        RunEvent::CallStarted {
            unit: unit(id),
            call,
            role: role(who),
            method: method.clone(),
            params,
        },
        RunEvent::CallEnded {
            unit: unit(id),
            call,
            role: role(who),
            method,
            outcome,
            duration_us: 1,
        },
    ]
}

pub(crate) fn step_started(id: &str, step: &str, line: usize, text: &str) -> RunEvent {
    RunEvent::StepStarted {
        unit: unit(id),
        step: StepId(step.to_owned()),
        line,
        text: text.to_owned(),
    }
}

fn step_ended(id: &str, step: &str, outcome: Outcome, duration_us: u64) -> RunEvent {
    RunEvent::StepEnded { unit: unit(id), step: StepId(step.to_owned()), outcome, duration_us }
}

fn run_started(units: usize, suites: usize) -> Recorded {
    at(
        0,
        RunEvent::RunStarted {
            format: FORMAT,
            run: "r1".to_owned(),
            handfast: "0.1.0".to_owned(),
            command: vec!["handfast".to_owned(), "run".to_owned()],
            seed: 7,
            started_unix_us: 1_000_000,
            units,
            suites,
            shard: None,
        },
    )
}

fn run_ended(at_us: u64, summary: Summary) -> Recorded {
    at(at_us, RunEvent::RunEnded { summary, exit: ExitCode::of(&summary), duration_us: at_us })
}

fn unit_started(at_us: u64, id: &str) -> Recorded {
    let entity = PeerName::new("entity").unwrap();
    at(
        at_us,
        RunEvent::UnitStarted {
            unit: unit(id),
            name: "two peers meet".to_owned(),
            file: "scenarios/x.toml".to_owned(),
            category: CategoryName::new("integration").unwrap(),
            proves: vec!["ab.handshake".to_owned()],
            peers: BTreeMap::from([(role("a"), entity.clone()), (role("b"), entity)]),
            budget_us: 60_000_000,
        },
    )
}

fn unit_ended(at_us: u64, id: &str, verdict: Verdict) -> Recorded {
    at(at_us, RunEvent::UnitEnded { unit: unit(id), verdict, duration_us: 40_000, cpu_us: 10_000 })
}

fn passed_unit(id: &str, from_us: u64) -> Vec<Recorded> {
    let warning = Outcome::Skipped { reason: "rule 1".to_owned() };
    vec![
        unit_started(from_us, id),
        at(from_us + 30_000, step_started(id, "1", 3, "call session.open on a")),
        at(from_us + 31_000, step_started(id, "1.1", 4, "inner")),
        at(from_us + 38_000, step_ended(id, "1.1", Outcome::Passed, 7_000)),
        at(from_us + 40_000, step_ended(id, "1", Outcome::Passed, 10_000)),
        at(
            from_us + 40_000,
            RunEvent::CheckEnded {
                unit: unit(id),
                check: "never-exercised".to_owned(),
                outcome: warning,
            },
        ),
        unit_ended(from_us + 40_000, id, Verdict::Passed),
    ]
}

pub(crate) fn passed_events() -> Vec<Recorded> {
    let mut events = vec![run_started(1, 0)];
    events.extend(passed_unit("u1", 1_000));
    events.push(run_ended(50_000, Summary { passed: 1, ..Summary::default() }));
    events
}

/// A unit that passed over a network of its own.
pub(crate) fn disturbed_events() -> Vec<Recorded> {
    let mut events = passed_events();
    let line = AccountLine {
        what: "loss".to_owned(),
        asked: "2 %".to_owned(),
        measured: "2.1 % of 4,000".to_owned(),
        verdict: AccountVerdict::Held,
    };
    let account = RunEvent::Account {
        unit: unit("u1"),
        subject: "a -> b".to_owned(),
        from_us: 1_000,
        until_us: 9_000,
        lines: vec![line],
    };
    let end = events.len() - 2;
    events.insert(end, at(40_000, account));
    events
}

pub(crate) fn disturbed_run() -> crate::book::Book {
    book(disturbed_events())
}

/// A unit that failed, and what was made of that.
pub(crate) fn healed_events(standing: Standing) -> Vec<Recorded> {
    let healing = Healing {
        verdict: VerdictKind::Failed,
        class: "known: late".to_owned(),
        evidence: vec!["rule late, https://example.org/7".to_owned()],
        act: "marked as known, https://example.org/7".to_owned(),
        outcome: "stands".to_owned(),
        is_healed: false,
        standing,
        entry: Value::Null,
    };
    let mut events = failed_events();
    let end = events.len() - 2;
    events.insert(end, at(40_000, RunEvent::UnitHealing { unit: unit("u1"), healing }));
    events
}

pub(crate) fn failed_events() -> Vec<Recorded> {
    let reason = "expected ready\n     got failed".to_owned();
    let log = RunEvent::PeerLog {
        unit: unit("u1"),
        role: role("a"),
        line: "WARN something".to_owned(),
        truncated: false,
    };
    vec![
        run_started(1, 0),
        unit_started(1_000, "u1"),
        at(9_000, wire("u1", b"{}", WireTaken::Passed)),
        at(10_000, step_started("u1", "2", 7, "expect session.list")),
        at(11_000, log),
        at(20_000, step_ended("u1", "2", Outcome::Failed { reason: reason.clone() }, 10_000)),
        unit_ended(41_000, "u1", Verdict::Failed { reason }),
        run_ended(50_000, Summary { failed: 1, ..Summary::default() }),
    ]
}

pub(crate) fn empty_events() -> Vec<Recorded> {
    vec![run_started(0, 0), run_ended(10, Summary::default())]
}

pub(crate) fn suite_events_with(output: &str) -> Vec<Recorded> {
    let suite = SuiteName::new("cargo").unwrap();
    let failed = Outcome::Failed { reason: output.to_owned() };
    let test = RunEvent::SuiteTest {
        suite: suite.clone(),
        test: "tests::bad".to_owned(),
        outcome: failed,
        duration_us: 5,
    };
    let mut events = suite_events(&suite, 0, 1, false);
    events.insert(2, at(20, test));
    events
}

fn suite_events(suite: &SuiteName, passed: u64, failed: u64, good: bool) -> Vec<Recorded> {
    let outcome =
        if good { Outcome::Passed } else { Outcome::Failed { reason: "exit code 101".to_owned() } };
    let summary = Summary {
        suites_failed: u64::from(!good),
        suite_tests_passed: passed,
        suite_tests_failed: failed,
        ..Summary::default()
    };
    let started = RunEvent::SuiteStarted {
        suite: suite.clone(),
        category: CategoryName::new("unit").unwrap(),
        command: vec!["cargo".to_owned(), "test".to_owned()],
    };
    let ended =
        RunEvent::SuiteEnded { suite: suite.clone(), outcome, passed, failed, duration_us: 30 };
    vec![run_started(0, 1), at(10, started), at(40, ended), run_ended(50, summary)]
}

pub(crate) fn book(events: Vec<Recorded>) -> crate::book::Book {
    let mut book = crate::book::Book::new();
    for event in &events {
        book.read(event);
    }
    book
}

pub(crate) fn passed_run() -> crate::book::Book {
    book(passed_events())
}

pub(crate) fn failed_run() -> crate::book::Book {
    book(failed_events())
}

pub(crate) fn repeated_run(times: u64) -> crate::book::Book {
    let mut events = vec![run_started(5, 0)];
    for time in 0..times {
        events.extend(passed_unit(&format!("u{time}"), time * 100_000));
    }
    book(events)
}

pub(crate) fn suite_run(passed: u64, failed: u64, good: bool) -> crate::book::Book {
    book(suite_events(&SuiteName::new("cargo").unwrap(), passed, failed, good))
}
