use proptest::prelude::*;

use super::Gate;

#[test]
fn with_nothing_under_way_everything_passes_at_once() {
    let mut gate = Gate::new();
    assert!(gate.is_open());
    assert_eq!(gate.pass("a"), Some("a"));
    assert_eq!(gate.next(), None);
}

#[test]
fn what_comes_after_a_batch_waits_for_it_in_order() {
    let mut gate = Gate::new();
    gate.submitted(1);
    assert_eq!((gate.pass("first"), gate.pass("second")), (None, None));
    gate.submitted(1);
    assert_eq!(gate.pass("third"), None);
    assert_eq!(gate.next(), None);
    gate.durable(1);
    assert_eq!((gate.next(), gate.next(), gate.next()), (Some("first"), Some("second"), None));
    assert!(!gate.is_open());
    gate.durable(1);
    assert_eq!((gate.next(), gate.next()), (Some("third"), None));
    assert_eq!(gate.pass("fourth"), Some("fourth"));
}

#[test]
fn a_shut_gate_drops_everything() {
    let mut gate = Gate::new();
    gate.submitted(1);
    assert_eq!(gate.pass("waits"), None);
    gate.shut();
    gate.durable(1);
    assert_eq!((gate.next(), gate.pass("comes")), (None, None));
    assert!(gate.is_full() && !gate.is_open());
}

#[test]
fn a_gate_is_full_at_either_limit_until_the_disk_has_caught_up() {
    let mut gate = Gate::<()>::new();
    for _ in 1..Gate::<()>::BATCHES_MAX {
        gate.submitted(0);
    }
    assert!(!gate.is_full());
    gate.submitted(0);
    assert!(gate.is_full());
    gate.durable(1);
    assert!(!gate.is_full());
    gate.submitted(Gate::<()>::BYTES_MAX);
    assert!(gate.is_full());
    gate.durable(Gate::<()>::BATCHES_MAX);
    assert!(gate.is_open() && !gate.is_full());
}

#[derive(Debug, Clone)]
enum Step {
    Submit,
    Pass,
    Durable(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![Just(Step::Submit), Just(Step::Pass), (0..4_usize).prop_map(Step::Durable)]
}

proptest! {
    /// Whatever leaves does so in the order it came, never before the batches it rests on, and never later than it may.
    #[test]
    fn what_leaves_rests_on_durable_batches_alone(steps in prop::collection::vec(step(), 0..200)) {
        let mut gate = Gate::new();
        let (mut submitted, mut durable, mut came, mut left) = (0, 0, 0, 0);
        let mut rests_on = Vec::new();
        for step in steps {
            match step {
                Step::Submit => {
                    submitted += 1;
                    gate.submitted(1);
                }
                Step::Pass => {
                    rests_on.push(submitted);
                    if let Some(item) = gate.pass(came) {
                        prop_assert_eq!(item, left);
                        prop_assert_eq!(durable, submitted);
                        left += 1;
                    }
                    came += 1;
                }
                Step::Durable(batches) => {
                    let batches = batches.min(submitted - durable);
                    durable += batches;
                    gate.durable(batches);
                    while let Some(item) = gate.next() {
                        prop_assert_eq!(item, left);
                        left += 1;
                    }
                }
            }
            prop_assert!(rests_on[..left].iter().all(|needs| *needs <= durable));
            prop_assert!(rests_on[left..].iter().all(|needs| *needs > durable));
            prop_assert_eq!(gate.is_open(), submitted == durable);
        }
    }
}
