use std::time::Duration;

use proptest::prelude::*;

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn skip(pairs: &[(u64, u64)]) -> Skip {
    let number = |value| MessageNumber::new(value).unwrap();
    Skip::new(pairs.iter().map(|&(first, last)| (number(first), number(last))).collect()).unwrap()
}

/// Takes `numbers` in this order, each a message of one byte that carries its number.
#[track_caller]
fn check(numbers: &[u64], expected: &[&[u64]]) {
    let mut incoming = Incoming::new();
    let handled: Vec<Vec<u64>> =
        numbers.iter().map(|&number| incoming.record(number, number, 1, START)).collect();
    assert_eq!(handled, expected);
}

#[test]
fn numbers_in_order_are_handled_as_they_come() {
    check(&[1, 2, 3], &[&[1], &[2], &[3]]);
}

#[test]
fn an_early_number_waits_for_the_missing_one() {
    check(&[2, 3, 1], &[&[], &[], &[1, 2, 3]]);
}

#[test]
fn a_number_is_handled_once() {
    check(&[1, 1, 3, 3, 2, 3], &[&[1], &[], &[], &[], &[2, 3], &[]]);
}

#[test]
fn numbers_up_to_1_024_ahead_are_held_back_and_further_ones_refused() {
    let incoming = Incoming::<u64>::new();
    assert_eq!(incoming.look(AHEAD_MAX, 1), Ok(Arrival::New));
    let expected = NumberRefusal::TooFarAhead { number: AHEAD_MAX + 1, handled: 0 };
    assert_eq!(incoming.look(AHEAD_MAX + 1, 1), Err(expected));
    assert_eq!(incoming.look(0, 1), Err(NumberRefusal::Zero));
    let mut incoming = incoming;
    assert!(incoming.record(AHEAD_MAX + 1, 1, 1, START).is_empty());
    assert!(incoming.held.is_empty());
}

#[test]
fn the_bytes_held_back_are_bounded_but_the_next_number_always_fits() {
    let mut incoming = Incoming::new();
    incoming.record(2, 2, HOLD_BACK_LEN_MAX, START);
    let full = NumberRefusal::HoldBackFull { held: HOLD_BACK_LEN_MAX, offered: 1 };
    assert_eq!(incoming.look(3, 1), Err(full));
    assert_eq!(incoming.look(2, 1), Ok(Arrival::Duplicate));
    assert_eq!(incoming.record(1, 1, 1, START), [1, 2]);
    assert_eq!(incoming.look(4, HOLD_BACK_LEN_MAX), Ok(Arrival::New));
}

#[test]
fn skipped_numbers_count_as_handled() {
    let mut incoming = Incoming::new();
    incoming.record(3, 3, 1, START);
    assert_eq!(incoming.record_skip(&skip(&[(1, 2), (5, 5)]), START), [3]);
    assert_eq!(incoming.handled(), 3);
    assert_eq!(incoming.look(2, 1), Ok(Arrival::Duplicate));
    assert_eq!(incoming.record(4, 4, 1, START), [4]);
    assert_eq!(incoming.handled(), 5);
}

#[test]
fn a_message_that_arrived_is_handled_although_it_was_skipped() {
    let mut incoming = Incoming::new();
    incoming.record(2, 2, 1, START);
    assert_eq!(incoming.record_skip(&skip(&[(1, 2)]), START), [2]);
}

#[test]
fn a_skip_further_ahead_than_a_sender_may_run_is_refused() {
    let mut incoming = Incoming::<u64>::new();
    let far = skip(&[(AHEAD_MAX + 1, AHEAD_MAX + 1)]);
    assert!(incoming.look_at_skip(&far).is_err());
    assert!(incoming.record_skip(&far, START).is_empty());
    assert_eq!(incoming.next_deadline(), None);
}

#[test]
fn the_first_unacknowledged_message_sets_the_time_of_the_acknowledgement() {
    let mut incoming = Incoming::new();
    assert_eq!(incoming.next_deadline(), None);
    incoming.record(1, 1, 1, START);
    incoming.record(2, 2, 1, START.plus(Duration::from_millis(900)));
    let due = START.plus(ACK_DELAY);
    assert_eq!(incoming.next_deadline(), Some(due));
    assert!(!incoming.is_ack_due(START));
    assert!(incoming.is_ack_due(due));
    assert_eq!(incoming.take_ack(), 2);
    assert_eq!(incoming.next_deadline(), None);
}

#[test]
fn the_256th_unacknowledged_message_makes_it_due_at_once() {
    let mut incoming = Incoming::new();
    for number in 1..ACK_EVERY {
        incoming.record(number, number, 1, START);
    }
    assert!(!incoming.is_ack_due(START));
    incoming.record(ACK_EVERY, ACK_EVERY, 1, START);
    assert!(incoming.is_ack_due(START));
}

#[test]
fn a_duplicate_and_a_repeated_skip_are_acknowledged_again() {
    let mut incoming = Incoming::new();
    incoming.record(1, 1, 1, START);
    incoming.take_ack();
    incoming.record(1, 1, 1, START);
    assert_eq!(incoming.next_deadline(), Some(START.plus(ACK_DELAY)));
    incoming.take_ack();
    incoming.record_skip(&skip(&[(1, 1)]), START);
    assert!(incoming.is_ack_due(START));
}

proptest! {
    #[test]
    fn any_order_of_arrival_with_duplicates_and_skips_is_handled_once_in_order(
        arrivals in prop::collection::vec(1_u64..40, 0..200),
        lost in prop::collection::btree_set(1_u64..40, 0..10),
    ) {
        let mut incoming = Incoming::new();
        let mut handled = Vec::new();
        for number in arrivals.iter().copied().filter(|number| !lost.contains(number)) {
            handled.extend(incoming.record(number, number, 1, START));
        }
        if let Some(skip) = Skip::of_numbers(lost.iter().copied().filter_map(MessageNumber::new)) {
            handled.extend(incoming.record_skip(&skip, START));
        }
        for number in (1..40).filter(|number| !lost.contains(number)) {
            handled.extend(incoming.record(number, number, 1, START));
        }
        let expected: Vec<u64> = (1..40).filter(|number| !lost.contains(number)).collect();
        prop_assert_eq!(handled, expected);
        prop_assert_eq!(incoming.handled(), 39);
        prop_assert_eq!(incoming.held_len, 0);
    }
}
