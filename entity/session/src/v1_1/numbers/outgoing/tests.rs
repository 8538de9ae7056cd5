//! Laws of the numbers of one direction.

use super::*;

const START: Timestamp = Timestamp::UNIX_EPOCH;

fn after(duration: Duration) -> Timestamp {
    START.plus(duration)
}

fn sent(count: u64) -> Outgoing {
    let mut outgoing = Outgoing::new();
    for expected in 1..=count {
        assert_eq!(outgoing.reserve(Class::Volatile, START), Ok(number(expected)));
    }
    outgoing
}

fn number(value: u64) -> MessageNumber {
    MessageNumber::new(value).unwrap()
}

fn skipped(outgoing: &mut Outgoing, now: Timestamp) -> Option<Vec<(u64, u64)>> {
    let skip = outgoing.take_skip(now)?;
    Some(skip.ranges().iter().map(|(first, last)| (first.get(), last.get())).collect())
}

#[test]
fn the_window_closes_1_024_above_the_last_acknowledgement() {
    let mut outgoing = sent(AHEAD_MAX);
    assert_eq!(outgoing.reserve(Class::Volatile, START), Err(SendWindowFull));
    outgoing.record_ack(1, START);
    assert_eq!(outgoing.reserve(Class::Volatile, START), Ok(number(AHEAD_MAX + 1)));
    assert_eq!(outgoing.reserve(Class::Volatile, START), Err(SendWindowFull));
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_is_refused() {
    let mut outgoing = sent(2);
    assert_eq!(outgoing.look_at_ack(2), Ok(()));
    assert_eq!(outgoing.look_at_ack(3), Err(AckRefusal::Future { ack: 3, highest_sent: 2 }));
    outgoing.record_ack(3, START);
    assert_eq!(outgoing.acked(), 0);
}

#[test]
fn an_overtaken_acknowledgement_changes_nothing() {
    let mut outgoing = sent(5);
    outgoing.record_ack(4, START);
    outgoing.record_ack(2, START);
    assert_eq!(outgoing.acked(), 4);
}

#[test]
fn a_message_without_acknowledgement_is_lost_after_exactly_30_s() {
    let mut outgoing = sent(3);
    outgoing.record_ack(1, START);
    assert_eq!(outgoing.next_deadline(), Some(after(LOST_AFTER)));
    let just_before = after(LOST_AFTER).offset(-1);
    outgoing.expire(just_before);
    assert_eq!(skipped(&mut outgoing, just_before), None);
    outgoing.expire(after(LOST_AFTER));
    assert_eq!(skipped(&mut outgoing, after(LOST_AFTER)), Some(vec![(2, 3)]));
}

#[test]
fn a_skip_is_repeated_with_growing_pauses_until_acknowledged() {
    let mut outgoing = sent(4);
    outgoing.give_up(number(2), START);
    outgoing.give_up(number(4), START);
    assert_eq!(skipped(&mut outgoing, START), Some(vec![(2, 2), (4, 4)]));
    assert_eq!(skipped(&mut outgoing, START), None);
    assert_eq!(outgoing.next_deadline(), Some(after(SKIP_REPEAT_MIN)));
    assert!(skipped(&mut outgoing, after(SKIP_REPEAT_MIN)).is_some());
    assert_eq!(outgoing.next_deadline(), Some(after(SKIP_REPEAT_MIN * 3)));
    outgoing.record_ack(2, START);
    assert_eq!(skipped(&mut outgoing, after(SKIP_REPEAT_MIN * 3)), Some(vec![(4, 4)]));
    outgoing.record_ack(4, START);
    assert_eq!(outgoing.next_deadline(), None);
}

#[test]
fn the_pause_between_skips_grows_to_a_minute_and_no_further() {
    let mut outgoing = sent(1);
    outgoing.give_up(number(1), START);
    let mut now = START;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        assert!(outgoing.take_skip(now).is_some());
        let due = outgoing.skip.unwrap().due;
        pauses.push(due.since(now).as_secs());
        now = due;
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
}

#[test]
fn a_number_is_pending_until_it_is_acknowledged_or_given_up() {
    let mut outgoing = sent(3);
    outgoing.record_ack(1, START);
    outgoing.give_up(number(2), START);
    let fates = [1, 2, 3].map(|value| outgoing.fate(number(value)));
    assert_eq!(fates, [Fate::Acknowledged, Fate::GivenUp, Fate::Pending]);
}

#[test]
fn what_is_acknowledged_cannot_be_given_up() {
    let mut outgoing = sent(2);
    outgoing.record_ack(2, START);
    outgoing.give_up(number(1), START);
    outgoing.give_up(number(9), START);
    assert_eq!(skipped(&mut outgoing, START), None);
}

#[test]
fn durable_numbers_are_never_given_up_by_time() {
    let mut outgoing = Outgoing::new();
    let id = entity_wire::id::MessageId::from_random([1; 16]);
    assert_eq!(outgoing.reserve(Class::Durable(id), START), Ok(number(1)));
    assert_eq!(outgoing.reserve(Class::Volatile, START), Ok(number(2)));
    let much_later = after(LOST_AFTER * 1_000);
    outgoing.expire(much_later);
    outgoing.give_up(number(1), much_later);
    assert_eq!(skipped(&mut outgoing, much_later), Some(vec![(2, 2)]));
    assert!(outgoing.awaits(number(1)));
    outgoing.withdraw(number(1), much_later);
    assert_eq!(outgoing.fate(number(1)), Fate::GivenUp);
}

#[test]
fn numbers_are_reserved_in_blocks_that_stay_within_the_window() {
    let mut outgoing = sent(1);
    assert_eq!(outgoing.reserved(), RESERVED_BLOCK);
    for _ in 1..RESERVED_BLOCK {
        outgoing.reserve(Class::Volatile, START).unwrap();
    }
    assert_eq!((outgoing.highest_sent(), outgoing.reserved()), (256, 256));
    outgoing.reserve(Class::Volatile, START).unwrap();
    assert_eq!(outgoing.reserved(), 512);
    let outgoing = sent(AHEAD_MAX);
    assert_eq!(outgoing.reserved(), AHEAD_MAX);
    let mut closed = sent(3);
    closed.close_books();
    assert_eq!(closed.reserved(), 3);
}

#[test]
fn what_a_peer_has_forgotten_is_declared_as_far_as_it_looks_ahead() {
    let mut outgoing = sent(AHEAD_MAX);
    outgoing.record_ack(1_000, START);
    for _ in 0..1_000 {
        outgoing.reserve(Class::Volatile, START).unwrap();
    }
    outgoing.resume(500, START);
    assert_eq!(outgoing.fate(number(1_000)), Fate::Acknowledged);
    assert_eq!(skipped(&mut outgoing, START), Some(vec![(501, 1_524)]));
    outgoing.record_ack(1_524, START);
    assert_eq!(skipped(&mut outgoing, START), Some(vec![(1_525, 2_024)]));
}

#[test]
fn a_peer_may_forget_1_024_numbers_and_no_more() {
    let mut outgoing = sent(1_024);
    outgoing.record_ack(1_024, START);
    outgoing.reserve(Class::Volatile, START).unwrap();
    outgoing.record_ack(1_025, START);
    assert_eq!(outgoing.look_at_resumption(1), Ok(()));
    let lost = AckRefusal::TooMuchForgotten { acknowledged: 0, acked: 1_025 };
    assert_eq!(outgoing.look_at_resumption(0), Err(lost));
    assert!(outgoing.look_at_resumption(1_026).is_err());
}

#[test]
fn a_peer_that_forgets_again_and_again_has_forgotten_all_of_it() {
    let mut outgoing = sent(1_024);
    for _ in 0..4 {
        outgoing.record_ack(outgoing.highest_sent(), START);
        for _ in 0..1_024 {
            outgoing.reserve(Class::Volatile, START).unwrap();
        }
    }
    outgoing.resume(3_500, START);
    outgoing.resume(3_072, START);
    assert_eq!(outgoing.acked(), 3_072, "1,024 below 4,096");
    let lost = AckRefusal::TooMuchForgotten { acknowledged: 3_071, acked: 4_096 };
    assert_eq!(outgoing.look_at_resumption(3_071), Err(lost));
    outgoing.resume(2_048, START);
    assert_eq!((outgoing.acked(), outgoing.given_up.len()), (3_072, 2_048));
    // A restart forgets how far the peer had come, and goes by what is reserved.
    let numbers = (outgoing.reserved(), outgoing.acked());
    let mut restored = Outgoing::restore(numbers, &BTreeSet::new(), START);
    assert!(restored.look_at_resumption(3_071).is_err());
    restored.resume(2_048, START);
    assert_eq!((restored.acked(), restored.given_up.len()), (3_072, 2_048));
}
