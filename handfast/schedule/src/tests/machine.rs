use std::time::Duration;

use jiff::Timestamp;

use crate::machine::COUNT_MAX;
use crate::note::{Then, Why};
use crate::{
    Begin, Calendar, CatchUp, Claim, Cron, Job, JobName, Machine, Mark, Note, Outcome, Output,
    Stage, State, Zone,
};

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn name(text: &str) -> JobName {
    JobName::new(text).unwrap()
}

pub(super) fn job(called: &str, cron: &str) -> Job {
    let zone = Zone::named("Europe/Berlin").unwrap();
    Job {
        name: name(called),
        calendar: Calendar { cron: Cron::parse(cron).unwrap(), zone },
        command: vec!["run".to_owned()],
        jitter: Duration::ZERO,
        catch_up: CatchUp::Within(Duration::from_hours(7 * 24)),
    }
}

fn machine(jobs: Vec<Job>) -> Machine {
    Machine::new(jobs, State::new(7), None, at("2026-11-20T12:00:00Z"))
}

/// What began and what was told since the last time.
fn drain(machine: &mut Machine) -> (Vec<Begin>, Vec<Note>) {
    let (mut begun, mut told) = (Vec::new(), Vec::new());
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Begin(begin) => begun.push(begin),
            Output::Tell(note) => told.push(note),
            Output::Keep(_) => {}
        }
    }
    (begun, told)
}

#[track_caller]
fn begins(machine: &mut Machine, expected: &[(&str, &str, u8)]) -> Vec<Note> {
    let (begun, told) = drain(machine);
    let found: Vec<(String, String, u8)> = begun
        .iter()
        .map(|begin| (begin.job.to_string(), begin.occurrence.to_string(), begin.attempt))
        .collect();
    let expected: Vec<(String, String, u8)> = expected
        .iter()
        .map(|(job, at, attempt)| ((*job).to_owned(), (*at).to_owned(), *attempt))
        .collect();
    assert_eq!(found, expected, "{told:?}");
    told
}

/// The machine after `kill -9` and a new start.
fn restarted(machine: &Machine, mark: Option<(&str, Stage)>, jobs: Vec<Job>, now: &str) -> Machine {
    let state = State::parse(&machine.state().to_bytes()).unwrap();
    let mark = mark.map(|(claim, stage)| Mark::new(Claim::parse(claim).unwrap(), stage));
    Machine::new(jobs, state, mark.as_ref(), at(now))
}

fn daily() -> Vec<Job> {
    vec![job("daily", "0 2 * * *")]
}

#[test]
fn a_new_job_begins_with_its_next_occurrence() {
    let mut machine = machine(daily());
    assert_eq!(begins(&mut machine, &[]), [Note::New { job: name("daily") }]);
    assert_eq!(machine.next_deadline(), Some(at("2026-11-21T01:00:00Z")));
    machine.handle_deadline(at("2026-11-21T00:59:59Z"));
    begins(&mut machine, &[]);
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut machine, &[("daily", "2026-11-21T01:00:00Z", 1)]);
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut machine, &[]);
}

#[test]
fn what_was_missed_is_made_up_for_once() {
    let before = machine(daily());
    let mut after = restarted(&before, None, daily(), "2026-11-24T12:00:00Z");
    let told = begins(&mut after, &[("daily", "2026-11-24T01:00:00Z", 1)]);
    assert_eq!(
        told,
        [Note::MadeUp { job: name("daily"), occurrence: at("2026-11-24T01:00:00Z"), missed: 4 }]
    );
    after.handle_ended(Outcome::Exited(0), at("2026-11-24T12:10:00Z"));
    begins(&mut after, &[]);
}

#[test]
fn what_is_too_old_or_not_wanted_is_not_made_up_for() {
    let mut short = daily();
    short[0].catch_up = CatchUp::Within(Duration::from_hours(2));
    let mut never = daily();
    never[0].catch_up = CatchUp::Never;
    for (jobs, why) in [(short, Why::TooOld), (never, Why::NoCatchUp)] {
        let before = machine(jobs.clone());
        // Up to a minute late is on time.
        let mut after = restarted(&before, None, jobs.clone(), "2026-11-21T01:01:00Z");
        begins(&mut after, &[("daily", "2026-11-21T01:00:00Z", 1)]);
        let mut after = restarted(&before, None, jobs, "2026-11-24T12:00:00Z");
        let told = begins(&mut after, &[]);
        let occurrence = at("2026-11-24T01:00:00Z");
        assert_eq!(told, [Note::Skipped { job: name("daily"), occurrence, missed: 4, why }]);
        assert_eq!(after.next_deadline(), Some(at("2026-11-25T01:00:00Z")));
    }
}

#[test]
fn what_falls_due_while_one_runs_waits_once_a_job() {
    let jobs = vec![job("a", "0 2 * * *"), job("b", "0 * * * *")];
    let mut machine = machine(jobs);
    drain(&mut machine);
    for hour in ["2026-11-20T13:00:00Z", "2026-11-20T14:00:00Z", "2026-11-20T15:00:00Z"] {
        machine.handle_deadline(at(hour));
    }
    let told = begins(&mut machine, &[("b", "2026-11-20T13:00:00Z", 1)]);
    assert!(told.contains(&Note::Waits {
        job: name("b"),
        occurrence: at("2026-11-20T14:00:00Z"),
        behind: name("b")
    }));
    machine.handle_ended(Outcome::Exited(0), at("2026-11-20T15:30:00Z"));
    begins(&mut machine, &[("b", "2026-11-20T15:00:00Z", 1)]);
    machine.handle_ended(Outcome::Exited(0), at("2026-11-20T15:40:00Z"));
    begins(&mut machine, &[]);
}

#[test]
fn what_waits_begins_even_where_nothing_is_caught_up() {
    let mut jobs = vec![job("a", "0 * * * *"), job("b", "30 * * * *")];
    jobs[1].catch_up = CatchUp::Never;
    let mut machine = machine(jobs.clone());
    machine.handle_deadline(at("2026-11-20T13:00:00Z"));
    machine.handle_deadline(at("2026-11-20T13:30:00Z"));
    drain(&mut machine);
    let claim = Some(("a 2026-11-20T13:00:00Z 1", Stage::Ended(0)));
    let mut after = restarted(&machine, claim, jobs, "2026-11-20T13:50:00Z");
    begins(&mut after, &[("b", "2026-11-20T13:30:00Z", 1)]);
}

#[test]
fn what_waits_gets_old_only_while_nobody_is_there() {
    let mut jobs = vec![job("long", "0 * * * *"), job("short", "5 13 * * *")];
    jobs[1].catch_up = CatchUp::Within(Duration::from_mins(10));
    let mut machine = machine(jobs.clone());
    machine.handle_deadline(at("2026-11-20T13:00:00Z"));
    begins(&mut machine, &[("long", "2026-11-20T13:00:00Z", 1)]);
    machine.handle_deadline(at("2026-11-21T12:05:00Z"));
    let claim = Some(("long 2026-11-20T13:00:00Z 1", Stage::Ended(0)));
    let mut later = restarted(&machine, claim, jobs, "2026-11-21T12:30:00Z");
    let (_, told) = drain(&mut later);
    let (job, occurrence) = (name("short"), at("2026-11-21T12:05:00Z"));
    assert!(
        told.contains(&Note::Skipped { job, occurrence, missed: 1, why: Why::TooOld }),
        "{told:?}"
    );
    machine.handle_ended(Outcome::Exited(0), at("2026-11-21T12:30:00Z"));
    begins(&mut machine, &[("long", "2026-11-21T12:00:00Z", 1)]);
    machine.handle_ended(Outcome::Exited(0), at("2026-11-21T12:40:00Z"));
    begins(&mut machine, &[("short", "2026-11-21T12:05:00Z", 1)]);
}

#[test]
fn several_at_one_instant_begin_in_the_order_of_the_file() {
    let jobs = vec![job("z", "0 2 * * *"), job("a", "0 2 * * *"), job("m", "0 2 * * *")];
    let mut machine = machine(jobs);
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut machine, &[("z", "2026-11-21T01:00:00Z", 1)]);
    machine.handle_ended(Outcome::Exited(0), at("2026-11-21T02:00:00Z"));
    begins(&mut machine, &[("a", "2026-11-21T01:00:00Z", 1)]);
    machine.handle_ended(Outcome::Exited(0), at("2026-11-21T03:00:00Z"));
    begins(&mut machine, &[("m", "2026-11-21T01:00:00Z", 1)]);
}

#[test]
fn an_interrupted_run_begins_once_more_and_no_third_time() {
    let mut first = machine(daily());
    first.handle_deadline(at("2026-11-21T01:00:00Z"));
    let began = Some(("daily 2026-11-21T01:00:00Z 1", Stage::Began));
    let mut second = restarted(&first, began, daily(), "2026-11-21T01:05:00Z");
    let told = begins(&mut second, &[("daily", "2026-11-21T01:00:00Z", 2)]);
    let occurrence = at("2026-11-21T01:00:00Z");
    let interrupted = |then| Note::Interrupted { job: name("daily"), occurrence, then };
    assert_eq!(told, [interrupted(Then::Again)]);
    let began = Some(("daily 2026-11-21T01:00:00Z 2", Stage::Began));
    let mut third = restarted(&second, began, daily(), "2026-11-21T01:10:00Z");
    assert_eq!(begins(&mut third, &[]), [interrupted(Then::NotAgain)]);
    assert_eq!(third.next_deadline(), Some(at("2026-11-22T01:00:00Z")));
}

#[test]
fn a_claim_that_led_to_no_run_is_no_attempt() {
    let mut machine = machine(daily());
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    for minute in 1..9 {
        // The mark of an earlier run says nothing of this one.
        let mark = Some(("daily 2026-11-20T01:00:00Z 1", Stage::Ended(0)));
        machine = restarted(&machine, mark, daily(), &format!("2026-11-21T01:0{minute}:00Z"));
        begins(&mut machine, &[("daily", "2026-11-21T01:00:00Z", 1)]);
    }
}

#[test]
fn a_run_that_ended_while_the_scheduler_was_killed_is_not_repeated() {
    let mut first = machine(daily());
    first.handle_deadline(at("2026-11-21T01:00:00Z"));
    let ended = Some(("daily 2026-11-21T01:00:00Z 1", Stage::Ended(1)));
    let mut second = restarted(&first, ended, daily(), "2026-11-21T01:05:00Z");
    begins(&mut second, &[]);
    let last = second.state().last(&name("daily")).unwrap();
    assert_eq!(last.outcome, Outcome::Exited(1));
}

#[test]
fn a_newer_occurrence_makes_up_for_an_interrupted_run() {
    let mut first = machine(daily());
    first.handle_deadline(at("2026-11-21T01:00:00Z"));
    let began = Some(("daily 2026-11-21T01:00:00Z 1", Stage::Began));
    let mut second = restarted(&first, began, daily(), "2026-11-22T09:00:00Z");
    begins(&mut second, &[("daily", "2026-11-22T01:00:00Z", 1)]);
    second.handle_ended(Outcome::Exited(0), at("2026-11-22T09:30:00Z"));
    begins(&mut second, &[]);
}

#[test]
fn a_stop_begins_nothing_more_and_loses_nothing() {
    let jobs = vec![job("a", "0 2 * * *"), job("b", "0 2 * * *")];
    let mut first = machine(jobs.clone());
    first.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut first, &[("a", "2026-11-21T01:00:00Z", 1)]);
    first.handle_stop(at("2026-11-21T01:01:00Z"));
    assert_eq!(first.next_deadline(), None);
    first.handle_ended(Outcome::Interrupted, at("2026-11-21T01:02:00Z"));
    begins(&mut first, &[]);
    let mut second = restarted(&first, None, jobs, "2026-11-21T08:00:00Z");
    begins(&mut second, &[("a", "2026-11-21T01:00:00Z", 2)]);
    second.handle_ended(Outcome::Exited(0), at("2026-11-21T08:10:00Z"));
    begins(&mut second, &[("b", "2026-11-21T01:00:00Z", 1)]);
}

#[test]
fn a_clock_that_is_set_back_runs_nothing_twice() {
    let mut machine = machine(daily());
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut machine, &[("daily", "2026-11-21T01:00:00Z", 1)]);
    machine.handle_ended(Outcome::Exited(0), at("2026-11-21T01:05:00Z"));
    machine.handle_deadline(at("2026-11-21T00:30:00Z"));
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut machine, &[]);
    machine.handle_deadline(at("2026-11-22T01:00:00Z"));
    begins(&mut machine, &[("daily", "2026-11-22T01:00:00Z", 1)]);
}

#[test]
fn a_clock_that_was_years_ahead_stops_nothing() {
    let mut machine = machine(daily());
    // Somebody's clock says 2030, one occurrence of then begins, and the clock is put right.
    machine.handle_deadline(at("2030-11-21T12:00:00Z"));
    begins(&mut machine, &[("daily", "2030-11-21T01:00:00Z", 1)]);
    machine.handle_ended(Outcome::Exited(0), at("2030-11-21T12:05:00Z"));
    machine.handle_deadline(at("2026-11-20T13:00:00Z"));
    assert!(begins(&mut machine, &[]).contains(&Note::SetBack { job: name("daily") }));
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut machine, &[("daily", "2026-11-21T01:00:00Z", 1)]);
    machine.handle_ended(Outcome::Exited(0), at("2026-11-21T01:05:00Z"));
    drain(&mut machine);
    machine.handle_deadline(at("2030-11-21T01:00:30Z"));
    // It began when the clock was wrong.
    let told = begins(&mut machine, &[]);
    assert!(
        matches!(told[..], [Note::Skipped { why: Why::HadBegun, missed: COUNT_MAX, .. }]),
        "{told:?}"
    );
}

#[test]
fn a_job_that_became_known_while_the_clock_was_ahead_misses_nothing() {
    let ahead = Machine::new(daily(), State::new(7), None, at("2026-11-21T08:00:00Z"));
    let mut machine = restarted(&ahead, None, daily(), "2026-11-20T20:00:00Z");
    assert_eq!(machine.next_deadline(), Some(at("2026-11-21T01:00:00Z")));
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut machine, &[("daily", "2026-11-21T01:00:00Z", 1)]);
    // From now on it has something that must not come twice.
    machine.handle_ended(Outcome::Exited(0), at("2026-11-21T01:05:00Z"));
    machine.handle_deadline(at("2026-11-21T00:30:00Z"));
    assert_eq!(machine.next_deadline(), Some(at("2026-11-22T01:00:00Z")));
}

#[test]
fn what_could_not_be_started_is_tried_once_more_after_a_minute() {
    let mut machine = machine(daily());
    let occurrence = at("2026-11-21T01:00:00Z");
    let not_started = |then| Note::NotStarted { job: name("daily"), occurrence, then };
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut machine, &[("daily", "2026-11-21T01:00:00Z", 1)]);
    machine.handle_ended(Outcome::NotStarted, at("2026-11-21T01:00:01Z"));
    assert_eq!(begins(&mut machine, &[]), [not_started(Then::Again)]);
    assert!(!machine.is_idle());
    assert_eq!(machine.next_deadline(), Some(at("2026-11-21T01:01:01Z")));
    machine.handle_deadline(at("2026-11-21T01:01:00Z"));
    begins(&mut machine, &[]);
    // A new start of the scheduler, and a clock that is set back, do not wait.
    begins(
        &mut restarted(&machine, None, daily(), "2026-11-21T01:01:00Z"),
        &[("daily", "2026-11-21T01:00:00Z", 2)],
    );
    let mut set_back = machine.clone();
    set_back.handle_deadline(at("2026-11-21T00:55:00Z"));
    begins(&mut set_back, &[("daily", "2026-11-21T01:00:00Z", 2)]);
    machine.handle_deadline(at("2026-11-21T01:01:01Z"));
    begins(&mut machine, &[("daily", "2026-11-21T01:00:00Z", 2)]);
    assert_eq!(machine.next_deadline(), Some(at("2026-11-22T01:00:00Z")));
    machine.handle_ended(Outcome::NotStarted, at("2026-11-21T01:01:02Z"));
    assert_eq!(begins(&mut machine, &[]), [not_started(Then::NotAgain)]);
    assert_eq!(machine.next_deadline(), Some(at("2026-11-22T01:00:00Z")));
}

#[test]
fn what_could_not_be_started_holds_no_other_job_back() {
    let jobs = vec![job("a", "0 2 * * *"), job("b", "0 2 * * *")];
    let mut machine = machine(jobs);
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut machine, &[("a", "2026-11-21T01:00:00Z", 1)]);
    machine.handle_ended(Outcome::NotStarted, at("2026-11-21T01:00:01Z"));
    begins(&mut machine, &[("b", "2026-11-21T01:00:00Z", 1)]);
    // Nothing can begin beside it: its end is what is waited for.
    assert_eq!(machine.next_deadline(), Some(at("2026-11-22T01:00:00Z")));
    machine.handle_ended(Outcome::Exited(0), at("2026-11-21T01:10:00Z"));
    begins(&mut machine, &[("a", "2026-11-21T01:00:00Z", 2)]);
}

#[test]
fn a_changed_expression_begins_anew() {
    let before = machine(daily());
    let jobs = vec![job("daily", "0 3 * * *")];
    let mut after = restarted(&before, None, jobs, "2026-11-24T12:00:00Z");
    assert_eq!(begins(&mut after, &[]), [Note::Changed { job: name("daily") }]);
    assert_eq!(after.next_deadline(), Some(at("2026-11-25T02:00:00Z")));
}

#[test]
fn a_job_that_is_gone_leaves_nothing_behind() {
    let mut before = machine(daily());
    before.handle_deadline(at("2026-11-21T01:00:00Z"));
    let began = Some(("daily 2026-11-21T01:00:00Z 1", Stage::Began));
    let jobs = vec![job("renamed", "0 2 * * *")];
    let mut after = restarted(&before, began, jobs, "2026-11-21T01:05:00Z");
    let told = begins(&mut after, &[]);
    assert!(told.contains(&Note::Gone { job: name("daily") }), "{told:?}");
    assert!(told.contains(&Note::New { job: name("renamed") }), "{told:?}");
    // A job that comes back later has missed nothing.
    let mut back = restarted(&after, None, daily(), "2026-11-25T12:00:00Z");
    begins(&mut back, &[]);
}

#[test]
fn jobs_that_change_while_one_runs_leave_the_run_alone() {
    let mut machine = machine(daily());
    machine.handle_deadline(at("2026-11-21T01:00:00Z"));
    drain(&mut machine);
    machine.handle_jobs(vec![job("other", "30 2 * * *")], at("2026-11-21T01:10:00Z"));
    machine.handle_deadline(at("2026-11-21T01:30:00Z"));
    begins(&mut machine, &[]);
    machine.handle_ended(Outcome::Exited(0), at("2026-11-21T02:00:00Z"));
    begins(&mut machine, &[("other", "2026-11-21T01:30:00Z", 1)]);
}

#[test]
fn a_restart_does_not_move_the_jitter() {
    let mut jobs = daily();
    jobs[0].jitter = Duration::from_hours(3);
    let mut before = machine(jobs.clone());
    let due = before.next_deadline().unwrap();
    assert!(due > at("2026-11-21T01:00:00Z"), "{due}");
    before.handle_deadline(at("2026-11-21T01:00:00Z"));
    begins(&mut before, &[]);
    let mut after = restarted(&before, None, jobs, "2026-11-21T01:00:01Z");
    begins(&mut after, &[]);
    assert_eq!(after.next_deadline(), Some(due));
    after.handle_deadline(due);
    begins(&mut after, &[("daily", "2026-11-21T01:00:00Z", 1)]);
}

#[test]
fn a_job_that_never_comes_wants_no_deadline() {
    let mut machine = machine(Vec::new());
    assert_eq!(machine.next_deadline(), None);
    assert!(machine.is_idle());
    begins(&mut machine, &[]);
}
