use handfast_scenario::event::Outcome;

use super::*;
use crate::sample::{Story, failed, infra, ok, peer, refused, role, unit};

#[track_caller]
fn check(story: Story, verdict: Verdict, expected: Judgement) {
    assert_eq!(story.failure(verdict).judgement(), expected);
}

fn timed_out() -> Verdict {
    Verdict::TimedOut { after_us: 1, during: "step 1".to_owned() }
}

#[test]
fn a_unit_that_is_under_way_tells_its_failure_as_one_that_has_ended_does() {
    let (unit, verdict) = (unit(), failed("late"));
    let story = Story::played().step("1").call("b", CallOutcome::TimedOut);
    let events = story.step_failed("1", "late").log("b", "a line").events(verdict.clone());
    let mut cases = Cases::default();
    assert_eq!(cases.failure(&unit, &verdict, 7), None, "nothing was heard of it");
    let (end, before) = events.split_last().unwrap();
    for Recorded { at_us, event } in before.iter().filter(|one| Cases::is_of_interest(&one.event)) {
        cases.hear(*at_us, event);
    }
    let failure = cases.failure(&unit, &verdict, end.at_us);
    assert_eq!(failure, Failure::of_unit(&unit, &events));
    assert!(failure.is_some());
    assert_eq!(cases.failure(&unit, &Verdict::Passed, end.at_us), None);
    cases.hear(end.at_us, &end.event);
    assert_eq!(
        cases.failure(&unit, &verdict, end.at_us),
        None,
        "its end is the end of what is kept"
    );
}

#[test]
fn a_peer_that_answered_wrongly_was_judged() {
    let story =
        |outcome| Story::played().step("1").call("b", outcome).step_failed("1", "expected x");
    check(story(ok()), failed("expected x"), Judgement::Answered);
    check(story(refused()), failed("expected x"), Judgement::Answered);
    check(story(CallOutcome::Unsupported), failed("expected x"), Judgement::Answered);
    // A step that waits for a notification has no call: the peers live, and one has not said what it should.
    check(
        Story::played().step("1").step_failed("1", "no event"),
        failed("no event"),
        Judgement::Answered,
    );
}

#[test]
fn a_peer_that_crashed_was_judged() {
    for how in [Exit::Code { code: 101 }, Exit::Signal { signal: 9 }, Exit::Signal { signal: 11 }] {
        let story = Story::played().step("1").call("b", CallOutcome::Lost).exited("b", how);
        check(story.step_failed("1", "it went away"), failed("it went away"), Judgement::Answered);
    }
    check(Story::played().step("1"), failed("b ended with exit code 1"), Judgement::Answered);
}

#[test]
fn a_check_of_the_history_judges_whatever_else_there_was() {
    let found = Outcome::Failed { reason: "a coin too many".to_owned() };
    check(Story::new().check("ledger", found.clone()), infra("account: x"), Judgement::Answered);
    check(Story::played().step("1").check("ledger", found), timed_out(), Judgement::Answered);
}

#[test]
fn silence_and_death_by_the_kernel_judge_nobody() {
    let silent =
        Story::played().step("1").call("b", CallOutcome::TimedOut).step_failed("1", "late");
    check(silent, failed("late"), Judgement::Unanswered);
    let killed =
        Story::played().step("1").call("b", CallOutcome::Lost).exited("b", Exit::OutOfMemory);
    check(killed.step_failed("1", "it went away"), failed("it went away"), Judgement::Unanswered);
    check(Story::played().step("1"), timed_out(), Judgement::Unanswered);
}

#[test]
fn a_peer_that_does_not_come_up_again_judged_nobody() {
    let reason = "the peer of b did not start: initialize failed: it went away before it answered (exit code 3)";
    // As a record has it: another program had taken the port of a peer that was away.
    let again = |how| {
        let story = Story::played().step("2").call("a", CallOutcome::TimedOut).step("3");
        let story = story.log("b", "failed to listen on 127.0.0.1:46863: Address already in use");
        story.exited("b", how).step_failed("3", reason)
    };
    check(again(Exit::Code { code: 3 }), failed(reason), Judgement::NotUp);
    check(again(Exit::Signal { signal: 11 }), failed(reason), Judgement::Answered);
    // Somebody else ended, and the peer that did not start still lives: it answered what it should not.
    let other = Story::played().step("3").exited("a", Exit::Code { code: 3 });
    check(other.step_failed("3", reason), failed(reason), Judgement::Answered);
    // With a second try that judged somebody, that one counts.
    let second = again(Exit::Code { code: 3 }).step("4").call("b", refused());
    check(second.step_failed("4", "refused"), failed("refused"), Judgement::Answered);
}

#[test]
fn what_never_began_judged_nobody() {
    check(Story::new(), infra("no port"), Judgement::Unbegun);
    check(Story::new(), timed_out(), Judgement::Unbegun);
    check(
        Story::new().exited("b", Exit::Code { code: 1 }),
        failed("it did not start"),
        Judgement::Unbegun,
    );
}

#[test]
fn of_steps_inside_steps_the_innermost_says_why() {
    let story =
        Story::played().step("1").call("a", ok()).step("1.1").call("b", CallOutcome::TimedOut);
    let failure =
        story.step_failed("1.1", "late").step_failed("1", "1.1 failed").failure(failed("late"));
    assert_eq!(failure.step.as_ref().unwrap().step.0, "1.1");
    assert_eq!(failure.judgement(), Judgement::Unanswered);
}

#[test]
fn of_two_tries_the_worse_counts() {
    let first = Story::played().step("1").call("b", CallOutcome::TimedOut).step_failed("1", "late");
    let second = first.step("2").call("b", refused()).step_failed("2", "refused");
    check(second, failed("refused"), Judgement::Answered);
}

#[test]
fn what_passed_is_no_failure_and_what_passed_again_is_one() {
    assert_eq!(Failure::of_unit(&unit(), &Story::new().events(Verdict::Passed)), None);
    assert_eq!(Failure::of_unit(&UnitId::new("other"), &Story::new().events(failed("x"))), None);
    let failure = Story::played().step("1").flaky(failed("late")).failure(Verdict::Passed);
    assert!(failure.passed_again);
    assert_eq!(failure.verdict, failed("late"));
}

#[test]
fn an_absence_that_is_allowed_is_no_failure() {
    let absent = |allowed| {
        is_failure(&Verdict::Absent { peer: peer("python"), reason: String::new(), allowed })
    };
    assert_eq!([absent(true), absent(false)], [false, true]);
}

#[test]
fn the_last_lines_of_a_log_are_kept() {
    let lines = LOG_LINES_MAX + 5;
    let story = (0..lines).fold(Story::new(), |story, line| story.log("b", &line.to_string()));
    let failure = story.failure(infra("x"));
    let kept = &failure.log[&role("b")];
    assert_eq!((kept.len(), kept[0].as_str()), (LOG_LINES_MAX, "5"));
}

#[test]
fn sightings_have_their_limit() {
    let found = || Outcome::Failed { reason: "x".to_owned() };
    let story = (0..=SIGHTINGS_MAX).fold(Story::new(), |story, _| {
        story.check("ledger", found()).exited("b", Exit::Code { code: 1 })
    });
    let failure = story.failure(infra("x"));
    assert_eq!((failure.checks.len(), failure.exits.len()), (SIGHTINGS_MAX, SIGHTINGS_MAX));
}

#[test]
fn a_unit_is_of_its_scenario_and_variant() {
    let scenario = |id: &str| Subject::Unit(UnitId::new(id)).scenario();
    assert_eq!(scenario("meeting/x[v=1.1] (a=rust, b=python) #seed=14"), "meeting/x[v=1.1]");
    assert_eq!(scenario("meeting/x"), "meeting/x");
    let test = Subject::Test { suite: SuiteName::new("cargo").unwrap(), test: "a::b".to_owned() };
    assert_eq!(
        (test.scenario(), test.to_string()),
        ("cargo/a::b".to_owned(), "cargo/a::b".to_owned())
    );
}

#[test]
fn all_failures_of_a_run_are_read_at_once() {
    let suite = || SuiteName::new("cargo").unwrap();
    let told = |outcome| RunEvent::SuiteTest {
        suite: suite(),
        test: "a::b".to_owned(),
        outcome,
        duration_us: 1,
    };
    let story = Story::played().step("1").call("b", refused()).step_failed("1", "refused");
    let mut events = story.clone().events(failed("refused"));
    let own = events.len();
    // Another unit between its events, and tests of a suite behind them.
    let mut other = Story::played().step("1").flaky(failed("late")).events(Verdict::Passed);
    for recorded in &mut other {
        *recorded.event.unit_mut().unwrap() = UnitId::new("token/y");
    }
    let mixed = other.iter().zip(&events).flat_map(|(one, two)| [one.clone(), two.clone()]);
    let rest = events[other.len().min(own)..].to_vec();
    events = mixed.chain(rest).chain(other.iter().skip(own).cloned()).collect();
    let reason = || "left != right".to_owned();
    let flaky = RunEvent::SuiteTestFlaky { suite: suite(), test: "c".to_owned(), reason: reason() };
    for event in [told(Outcome::Failed { reason: reason() }), told(Outcome::Passed), flaky] {
        events.push(Recorded { at_us: 1_000_000, event });
    }
    let of = |unit: &UnitId| Failure::of_unit(unit, &events).unwrap();
    let expected = [
        of(&UnitId::new("token/y")),
        of(&unit()),
        Failure::of_test(suite(), "a::b".to_owned(), reason(), false),
        Failure::of_test(suite(), "c".to_owned(), reason(), true),
    ];
    assert_eq!(Failure::all(&events), expected);
    assert_eq!((expected[0].passed_again, expected[0].has_begun), (true, true));
    assert_eq!(expected[1], story.failure(failed("refused")));
}
