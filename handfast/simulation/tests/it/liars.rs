//! Members that lie, together with an owner that signs several orders for each slot.

use std::thread;

use entity_peer::PeerEvent;
use entity_peer::tokens::TokenEvent;
use handfast_simulation::history::What;
use handfast_simulation::plan::Action;
use handfast_simulation::run::{plan_of, run_plan, run_seeds};

fn threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Fewer where the code is not optimised: the suite `optimised` runs it as it is released.
#[test]
fn no_owner_has_two_certificates_for_a_slot_while_one_of_four_members_lies() {
    let count = if cfg!(debug_assertions) { 30 } else { 1_000 };
    let total = run_seeds(0..count, 1, threads()).unwrap_or_else(|broken| panic!("{broken}"));
    assert_eq!(total.seeds, count);
    assert!(total.crashes > count / 3, "{total:?}");
}

#[test]
fn the_owner_is_caught_in_some_runs_and_has_its_certificates_in_others() {
    let (mut caught, mut paid) = (0, 0);
    for seed in 0..12 {
        let verdict = run_plan(&plan_of(seed, 1), seed, |world| {
            let told = |is_wanted: fn(&TokenEvent) -> bool| {
                world.history().iter().any(|happened| match &happened.what {
                    What::Event(PeerEvent::Token(event)) => is_wanted(event),
                    What::Event(_)
                    | What::Asked(_)
                    | What::Done(..)
                    | What::Started
                    | What::Crashed => false,
                })
            };
            caught += u32::from(told(|event| matches!(event, TokenEvent::Equivocation { .. })));
            paid += u32::from(told(
                |event| matches!(event, TokenEvent::Applied(movement) if movement.token.as_str() == "BAD"),
            ));
        });
        verdict.unwrap_or_else(|broken| panic!("{broken}"));
    }
    assert!(caught > 3 && paid > 3, "caught in {caught} runs of 12, paid in {paid}");
}

#[test]
fn two_liars_of_four_are_more_than_a_committee_bears_and_that_is_found() {
    // Honest members alone have no quorum then: nobody is asked for anything that would not come to its end.
    let laws = (0..16).filter_map(|seed| {
        let mut plan = plan_of(seed, 2);
        plan.actions.retain(|(_, action)| !matches!(action, Action::Ask { .. }));
        run_plan(&plan, seed, |_| {}).err().map(|broken| broken.law)
    });
    let laws: Vec<String> = laws.collect();
    let found = laws.iter().filter(|law| law.contains("the owner has 2 certificates for slot"));
    assert!(found.count() > 0, "{laws:?}");
}
