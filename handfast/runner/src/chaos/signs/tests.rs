use handfast_scenario::event::{StepId, WireBytes, WireTaken};
use handfast_scenario::name::{EventName, RoleName};
use handfast_scenario::plan::UnitId;
use serde_json::json;

use super::*;

fn unit() -> UnitId {
    UnitId::new("u")
}

fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

fn step() -> RunEvent {
    RunEvent::StepStarted {
        unit: unit(),
        step: StepId("1".to_owned()),
        line: 1,
        text: String::new(),
    }
}

fn step_failed() -> RunEvent {
    let outcome = Outcome::Failed { reason: "no".to_owned() };
    RunEvent::StepEnded { unit: unit(), step: StepId("1".to_owned()), outcome, duration_us: 1 }
}

fn said(event: &str) -> RunEvent {
    let event = EventName::new(event).unwrap();
    RunEvent::PeerEvent { unit: unit(), role: role("a"), n: 1, event, params: json!({}) }
}

fn message() -> RunEvent {
    RunEvent::WireMessage {
        unit: unit(),
        from: role("a"),
        to: role("b"),
        index: 1,
        target: "POST /message".to_owned(),
        message_type: Some("message".to_owned()),
        request: WireBytes::of(b"{}"),
        delivered: None,
        response: None,
        action: WireTaken::Passed,
    }
}

fn disturbance(name: &str, state: DisturbanceState) -> RunEvent {
    let (name, text) = (name.to_owned(), name.to_owned());
    RunEvent::Disturbance { unit: unit(), number: 1, name, line: 0, text, state }
}

fn recorded(events: Vec<RunEvent>) -> Vec<Recorded> {
    (0..).zip(events).map(|(at_us, event)| Recorded { at_us: at_us * 1_000, event }).collect()
}

#[test]
fn what_happens_before_the_first_step_is_no_moment_to_wait_for() {
    let signs = signs(&recorded(vec![said("early"), step(), message(), said("late")]));
    let seen: Vec<u128> = signs.iter().map(|sign| sign.at.as_millis()).collect();
    assert_eq!(seen, [1, 2]);
    let event = Seen::Event { role: "a".to_owned(), event: "late".to_owned() };
    assert_eq!(signs[1].what, event);
}

#[test]
fn disturbances_are_seen_without_their_numbers() {
    let events = vec![
        step(),
        disturbance("b is killed (2)", DisturbanceState::Applied),
        disturbance("b is killed (2)", DisturbanceState::Undone),
        disturbance("x", DisturbanceState::Failed { reason: String::new() }),
    ];
    let disturbance = "b is killed".to_owned();
    let seen: Vec<Seen> = signs(&recorded(events)).into_iter().map(|sign| sign.what).collect();
    assert_eq!(
        seen,
        [Seen::Applied { disturbance: disturbance.clone() }, Seen::Undone { disturbance }]
    );
}

#[test]
fn what_takes_effect_after_the_failure_did_not_cause_it() {
    let events = vec![
        disturbance("first", DisturbanceState::Applied),
        disturbance("never", DisturbanceState::Failed { reason: String::new() }),
        step_failed(),
        disturbance("late", DisturbanceState::Applied),
    ];
    assert_eq!(occurred(&recorded(events)), ["first"]);
}

#[test]
fn a_verdict_is_a_failure_only_where_the_product_failed() {
    use handfast_chaos::Outcome;
    let infra = |reason: &str| outcome(&Verdict::Infra { reason: reason.to_owned() });
    assert_eq!(outcome(&Verdict::Passed), Outcome::Passed);
    assert_eq!(infra("never-exercised: line 3: kill b: its moment did not come"), Outcome::Passed);
    assert_eq!(infra("no port"), Outcome::Unclear { reason: "no port".to_owned() });
    let failed = Verdict::Failed { reason: "no session".to_owned() };
    assert_eq!(outcome(&failed), Outcome::Failed { reason: "no session".to_owned() });
}

#[test]
fn what_comes_after_calm_is_no_moment_to_disturb() {
    let id = StepId("2".to_owned());
    let text = format!("{CALM_WITHIN}20s");
    let calm = RunEvent::StepStarted { unit: unit(), step: id.clone(), line: 2, text };
    let over =
        RunEvent::StepEnded { unit: unit(), step: id, outcome: Outcome::Passed, duration_us: 1 };
    let signs = signs(&recorded(vec![
        step(),
        said("before"),
        calm,
        said("meanwhile"),
        over,
        said("after"),
    ]));
    assert_eq!(signs.len(), 2, "{signs:?}");
}
