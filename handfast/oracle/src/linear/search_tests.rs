use proptest::prelude::*;

use super::*;

/// A register with the number 0 in it.
struct Number;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Do {
    Write(u8),
    Read(u8),
}

impl Model for Number {
    type State = u8;
    type Mark = u8;
    type Action = Do;

    fn begin(&self) -> u8 {
        0
    }

    fn apply(&self, state: &u8, action: &Do) -> Option<u8> {
        match action {
            Do::Write(number) => Some(*number),
            Do::Read(number) => (number == state).then_some(*state),
        }
    }

    fn only_looks(&self, action: &Do) -> bool {
        matches!(action, Do::Read(_))
    }

    fn mark(&self, state: &u8) -> u8 {
        *state
    }
}

fn at(began: usize, ended: Option<usize>, action: Do) -> Operation<Do> {
    Operation { began, ended, action, title: format!("{action:?}") }
}

#[track_caller]
fn decides(operations: &[Operation<Do>], expected: bool) {
    match explain(&Number, operations.to_vec(), Limits::OURS) {
        Decision::Explained => assert!(expected, "it was explained"),
        Decision::Unexplained { placed, of, stuck } => {
            assert!(!expected, "{placed} of {of}, then one of {stuck:?}");
        }
        Decision::Undecided { limit } => panic!("{limit}"),
    }
}

#[test]
fn what_comes_one_after_the_other_has_one_order() {
    let right = [at(0, Some(1), Do::Write(1)), at(2, Some(3), Do::Read(1))];
    decides(&right, true);
    decides(&[at(0, Some(1), Do::Write(1)), at(2, Some(3), Do::Read(0))], false);
}

#[test]
fn what_overlaps_may_come_in_either_order() {
    for read in [0, 1] {
        decides(&[at(0, Some(3), Do::Write(1)), at(1, Some(2), Do::Read(read))], true);
    }
    decides(&[at(0, Some(3), Do::Write(1)), at(1, Some(2), Do::Read(2))], false);
}

#[test]
fn a_write_that_was_seen_is_not_unseen_again() {
    let write = at(0, Some(9), Do::Write(1));
    let (new, old) = (at(1, Some(2), Do::Read(1)), at(3, Some(4), Do::Read(0)));
    decides(&[write.clone(), new, old], false);
    decides(&[write, at(1, Some(2), Do::Read(0)), at(3, Some(4), Do::Read(1))], true);
}

#[test]
fn what_has_no_answer_may_happen_late_or_never() {
    let lost = at(0, None, Do::Write(1));
    decides(&[lost.clone(), at(5, Some(6), Do::Read(0)), at(7, Some(8), Do::Read(1))], true);
    decides(&[lost.clone(), at(5, Some(6), Do::Read(0))], true);
    let twice = [at(1, Some(2), Do::Read(1)), at(3, Some(4), Do::Read(0))];
    decides(&[&[lost][..], &twice].concat(), false);
}

#[test]
fn the_reason_names_what_could_not_be_next() {
    let operations = vec![at(0, Some(1), Do::Write(1)), at(2, Some(3), Do::Read(7))];
    let decision = explain(&Number, operations, Limits::OURS);
    let expected = Decision::Unexplained { placed: 1, of: 2, stuck: vec!["Read(7)".to_owned()] };
    assert_eq!(decision, expected);
}

/// Writes that all overlap, and a read of what nobody wrote: every order has to be tried.
fn endless(count: u8) -> Vec<Operation<Do>> {
    let last = usize::from(count) + 5;
    let write = |number: u8| at(usize::from(number), Some(last), Do::Write(number));
    let mut operations: Vec<_> = (1..count).map(write).collect();
    operations.push(at(0, Some(last), Do::Read(255)));
    operations
}

#[test]
fn work_beyond_the_limit_is_no_answer() {
    let limits = Limits { work: 10_000, ..Limits::OURS };
    let decision = explain(&Number, endless(40), limits);
    assert_eq!(decision, Decision::Undecided { limit: "10000 looks at operations".to_owned() });
}

#[test]
fn memory_beyond_the_limit_is_no_answer() {
    let limits = Limits { memory: 10_000, ..Limits::OURS };
    let decision = explain(&Number, endless(40), limits);
    assert_eq!(decision, Decision::Undecided { limit: "10000 bytes of what was tried".to_owned() });
}

/// What is remembered makes the difference between 2^20 ways and 20!.
#[test]
fn what_was_tried_is_not_tried_again() {
    decides(&endless(12), false);
}

#[test]
fn a_long_history_without_overlaps_costs_little() {
    let mut operations = Vec::new();
    for round in 0..5_000 {
        let number = u8::try_from(round % 200).unwrap();
        operations.push(at(4 * round, Some(4 * round + 1), Do::Write(number)));
        operations.push(at(4 * round + 2, Some(4 * round + 3), Do::Read(number)));
    }
    decides(&operations, true);
}

/// Every order that real time allows, one after the other: the law that the search is measured by.
fn by_force(operations: &[Operation<Do>], placed: &mut Vec<usize>, state: u8) -> bool {
    let open = |at: &usize| !placed.contains(at);
    let left: Vec<usize> = (0..operations.len()).filter(open).collect();
    if left.iter().all(|at| operations[*at].ended.is_none()) {
        return true;
    }
    for at in &left {
        let is_next = left.iter().all(|other| {
            operations[*other].ended.is_none_or(|ended| operations[*at].began < ended)
        });
        let Some(state) = Number.apply(&state, &operations[*at].action).filter(|_| is_next) else {
            continue;
        };
        placed.push(*at);
        if by_force(operations, placed, state) {
            return true;
        }
        placed.pop();
    }
    false
}

/// Some operations with begins and ends that all differ, as events have numbers.
fn few_operations() -> impl Strategy<Value = Vec<Operation<Do>>> {
    let one = (0_u8..3, any::<bool>(), 0_usize..12, 1_usize..8, 0_u8..5);
    prop::collection::vec(one, 1..7).prop_map(|drawn| {
        let operation = |(index, (number, reads, began, lasts, fate)): (usize, _)| {
            let (began, lasts): (usize, usize) = (began, lasts);
            let action = if reads { Do::Read(number) } else { Do::Write(number) };
            let ended = (reads || fate > 0).then_some((began + lasts) * 8 + index);
            at(began * 8 + index, ended, action)
        };
        drawn.into_iter().enumerate().map(operation).collect()
    })
}

proptest! {
    #[test]
    fn the_search_agrees_with_trying_everything(operations in few_operations()) {
        let expected = by_force(&operations, &mut Vec::new(), 0);
        let found = explain(&Number, operations, Limits::OURS) == Decision::Explained;
        prop_assert_eq!(found, expected);
    }

    /// A history that a real register made, each operation taking effect at some moment between its begin and its end.
    #[test]
    fn what_a_register_did_is_always_explained(
        drawn in prop::collection::vec((0_u8..4, any::<bool>(), 0_usize..40, 0_usize..40, any::<bool>()), 1..60)
    ) {
        let mut state = 0;
        let mut operations = Vec::new();
        for (index, (number, reads, before, after, is_lost)) in drawn.into_iter().enumerate() {
            let moment = 1_000 + index * 10;
            let action = if reads { Do::Read(state) } else { Do::Write(number) };
            if !reads {
                state = number;
            }
            let ended = (reads || !is_lost).then_some(moment + after * 10 + 1);
            operations.push(at(moment - before * 10 - 1, ended, action));
        }
        prop_assert_eq!(explain(&Number, operations, Limits::OURS), Decision::Explained);
    }
}
