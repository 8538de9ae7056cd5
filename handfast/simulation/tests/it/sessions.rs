//! Sessions over restarts.

use std::collections::BTreeSet;
use std::time::Duration;

use entity_peer::PeerEvent;
use handfast_simulation::Plan;
use handfast_simulation::history::What;
use handfast_simulation::laws::Request;
use handfast_simulation::plan::Action;
use handfast_simulation::run::run_plan;

#[test]
fn one_session_outlives_a_hundred_crashes_of_either_side() {
    const CRASHES: u64 = 100;
    let mut plan = Plan::calm(2);
    plan.ledger = false;
    let second = Duration::from_secs;
    for round in 0..CRASHES {
        let at = usize::from(round % 2 == 1);
        let request = Request::Durable { to: 1 - at, mark: round };
        // The message is asked for just before the power fails, so that much of it lies on the other side of the crash.
        let begins = second(3 + 2 * round);
        plan.actions.push((begins, Action::Ask { at, request }));
        let crash = begins + Duration::from_micros(round * 37);
        plan.actions.push((crash, Action::Crash { at: at ^ usize::from(round % 4 > 1) }));
    }
    plan.heal_at = second(3 + 2 * CRASHES);
    let (mut ids, mut resumed) = (BTreeSet::new(), 0_u64);
    let verdict = run_plan(&plan, 3, |world| {
        for happened in world.history().iter() {
            match &happened.what {
                What::Event(PeerEvent::SessionReady { id, .. }) => {
                    ids.insert(id.clone());
                }
                What::Event(PeerEvent::SessionResumed { id, .. }) => {
                    ids.insert(id.clone());
                    resumed += 1;
                }
                What::Event(_)
                | What::Asked(_)
                | What::Done(..)
                | What::Started
                | What::Crashed => {}
            }
        }
    });
    assert_eq!(verdict.unwrap().crashes, CRASHES);
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert!(resumed >= CRASHES, "{resumed}");
}
