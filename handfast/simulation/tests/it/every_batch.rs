//! The same work again and again, each time with the power failing at another batch.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use handfast_simulation::Plan;
use handfast_simulation::laws::Request;
use handfast_simulation::machine::Side;
use handfast_simulation::plan::Action;
use handfast_simulation::run::run_plan;

/// Everything that two peers do with each other, on links that are good.
fn work() -> Plan {
    let mut plan = Plan::calm(2);
    plan.disk = Duration::from_millis(2);
    let asks = [
        (0, Request::Durable { to: 1, mark: 1 }),
        (0, Request::Pay { to: 1, mark: 2, units: 500 }),
        (0, Request::Task { to: 1, mark: 3 }),
        (1, Request::Durable { to: 0, mark: 4 }),
        (1, Request::Pay { to: 0, mark: 5, units: 200 }),
        (0, Request::Pay { to: 1, mark: 6, units: 70 }),
        (1, Request::Task { to: 0, mark: 7 }),
        (1, Request::Message { to: 0, mark: 8 }),
    ];
    for (second, (at, request)) in (1..).zip(asks) {
        plan.actions.push((Duration::from_secs(second), Action::Ask { at, request }));
    }
    plan
}

#[test]
fn every_law_holds_wherever_the_power_fails_beside_a_batch() {
    let mut batches = Vec::new();
    run_plan(&work(), 7, |world| {
        batches = world.machines().iter().map(|machine| machine.batches).collect();
    })
    .unwrap();
    assert!(batches.iter().all(|count| *count > 15), "{batches:?}");
    let points: Vec<(usize, u64, Side)> = (0..)
        .zip(&batches)
        .flat_map(|(at, count)| (1..=*count).map(move |number| (at, number)))
        .flat_map(|(at, number)| [(at, number, Side::Before), (at, number, Side::After)])
        .collect();
    let (next, broken) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (at, number, side) = *point;
                    let mut plan = work();
                    plan.machines[at].crash_at = Some((number, side));
                    match run_plan(&plan, 7, |_| {}) {
                        // The first life ends where it was told to.
                        Ok(verdict) => assert!(verdict.crashes > 0, "{point:?}"),
                        Err(law) => broken.lock().unwrap().push((*point, law)),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{} of {}: {:?}", broken.len(), points.len(), broken.first());
}
