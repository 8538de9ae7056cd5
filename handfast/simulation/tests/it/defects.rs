//! Defects that are planted on purpose: a law sees each, where the power fails at the right moment.

use std::time::Duration;

use handfast_simulation::Plan;
use handfast_simulation::laws::Request;
use handfast_simulation::machine::{Defect, Side};
use handfast_simulation::plan::Action;
use handfast_simulation::run::run_plan;

/// Messages and payments so close to each other that several batches are under way to a disk that takes its time.
fn work() -> Plan {
    let mut plan = Plan { disk: Duration::from_millis(300), ..Plan::calm(2) };
    for mark in 0..12 {
        let (at, to) = (0, 1);
        let request = match mark % 2 {
            0 => Request::Durable { to, mark },
            _ => Request::Pay { to, mark, units: 10 + mark },
        };
        let when = Duration::from_secs(3) + Duration::from_millis(170 * mark);
        plan.actions.push((when, Action::Ask { at, request }));
    }
    plan
}

/// The laws that are broken where the power fails at one batch after the other of either machine; without a defect none is.
fn broken_with(defect: Option<Defect>) -> Vec<String> {
    let points = (0..2).flat_map(|at| (1..BATCHES).map(move |number| (at, number)));
    let laws = points.filter_map(|(at, number)| {
        let mut plan = Plan { defect, ..work() };
        plan.machines[at].crash_at = Some((number, Side::Before));
        run_plan(&plan, number, |_| {}).err().map(|broken| broken.law)
    });
    laws.collect()
}

/// More than either machine writes.
const BATCHES: u64 = 40;

#[test]
fn an_acknowledgement_for_what_a_crash_takes_away_is_found() {
    let laws = broken_with(Some(Defect::AnswersTooSoon));
    let found = laws.iter().filter(|law| law.contains("has not arrived"));
    assert!(found.count() > 0, "{laws:#?}");
}

#[test]
fn tokens_that_a_torn_write_makes_or_takes_are_found() {
    let laws = broken_with(Some(Defect::TearsBatches));
    let found = laws.iter().filter(|law| law.contains("do not balance"));
    assert!(found.count() > 0, "{laws:#?}");
}

#[test]
fn without_a_defect_the_same_runs_break_no_law() {
    assert_eq!(broken_with(None), Vec::<String>::new());
}
