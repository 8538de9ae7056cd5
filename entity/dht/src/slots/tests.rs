use proptest::prelude::*;

use super::*;
use crate::testing::{START, WRITTEN, Written, at};

fn config() -> Config {
    Config::default()
}

fn slots() -> Slots {
    Slots::new([1; 32])
}

fn offer(slots: &mut Slots, written: Written, now: Timestamp) -> StoreOutcome {
    offer_within(slots, written, &config(), now)
}

fn offer_within(
    slots: &mut Slots,
    written: Written,
    config: &Config,
    now: Timestamp,
) -> StoreOutcome {
    slots.offer(&written.checked(), now.plus(config.republish_after), (config, now))
}

fn versions(slots: &Slots, written: Written) -> Vec<u64> {
    let records = slots.records(written.checked().record().key());
    records.map(|record| record.record().terms().version.get()).collect()
}

#[test]
fn the_higher_version_wins_in_whichever_order_they_come() {
    let v = |version| Written { version, ..WRITTEN };
    let mut slots = slots();
    assert_eq!(offer(&mut slots, v(2), START), StoreOutcome::Stored);
    assert_eq!(offer(&mut slots, v(1), START), StoreOutcome::Older);
    assert_eq!(offer(&mut slots, v(2), START), StoreOutcome::Stored, "the same again");
    assert_eq!(offer(&mut slots, v(3), START), StoreOutcome::Stored);
    assert_eq!(versions(&slots, WRITTEN), [3]);
}

#[test]
fn of_one_version_the_larger_digest_wins() {
    let (a, b) = (Written { padding: 1, ..WRITTEN }, Written { padding: 2, ..WRITTEN });
    let greater = if a.checked().record().digest() > b.checked().record().digest() { a } else { b };
    for order in [[a, b], [b, a]] {
        let mut slots = slots();
        for written in order {
            offer(&mut slots, written, START);
        }
        let held = slots.records(a.checked().record().key()).next().unwrap();
        assert_eq!(held.record().digest(), greater.checked().record().digest());
    }
}

#[test]
fn owners_have_slots_of_their_own() {
    let mut slots = slots();
    for owner in 1..=5 {
        let version = u64::from(owner);
        offer(&mut slots, Written { owner, version, ..WRITTEN }, START);
    }
    let mut held = versions(&slots, WRITTEN);
    held.sort_unstable();
    assert_eq!(held, [1, 2, 3, 4, 5]);
}

#[test]
fn what_does_not_hold_now_is_not_stored() {
    let mut slots = slots();
    let ahead = Written { issued_at: at(61), ..WRITTEN };
    assert_eq!(offer(&mut slots, ahead, START), StoreOutcome::Expired);
    assert_eq!(offer(&mut slots, ahead, at(1)), StoreOutcome::Stored, "60 s ahead");
    let short = Written { owner: 2, seconds: 10, ..WRITTEN };
    assert_eq!(offer(&mut slots, short, at(10)), StoreOutcome::Expired);
    assert_eq!(offer(&mut slots, short, at(9)), StoreOutcome::Stored);
}

#[test]
fn what_expires_is_gone_and_cannot_be_rolled_back_after() {
    let mut slots = slots();
    let old = Written { version: 1, seconds: 86_400, ..WRITTEN };
    let withdrawn = Written { version: 2, issued_at: at(5), seconds: 1, ..WRITTEN };
    assert_eq!(offer(&mut slots, old, at(5)), StoreOutcome::Stored);
    assert_eq!(offer(&mut slots, withdrawn, at(5)), StoreOutcome::Stored);
    let key = WRITTEN.checked().record().key();
    assert_eq!(slots.page(key, None, at(6)).0, [], "expired, though nobody has cleared it yet");
    assert_eq!(slots.next_due(), Some(at(6)));
    assert_eq!(slots.take_due(at(6), Duration::ZERO), Some(Due::Over));
    assert_eq!(versions(&slots, WRITTEN), Vec::<u64>::new());
    assert_eq!(offer(&mut slots, old, at(7)), StoreOutcome::Older, "it holds, and has lost");
    assert_eq!(offer(&mut slots, old, at(86_399)), StoreOutcome::Older);
    // Nothing that lost can hold any more, so what won is forgotten.
    assert_eq!(slots.take_due(at(86_404), Duration::ZERO), None);
    assert_eq!(slots.take_due(at(86_405), Duration::ZERO), Some(Due::Over));
    assert_eq!((slots.usage(), slots.next_due()), ((0, 0), None));
}

#[test]
fn a_record_is_sent_on_when_it_did_not_come_in_for_an_hour() {
    let mut slots = slots();
    let hour = Duration::from_hours(1);
    offer(&mut slots, WRITTEN, START);
    assert_eq!(slots.next_due(), Some(START.plus(hour)));
    offer(&mut slots, WRITTEN, at(600));
    assert_eq!(slots.next_due(), Some(at(600).plus(hour)), "it came in again");
    let due = slots.take_due(at(4_200), hour);
    assert_eq!(due, Some(Due::SendOn(WRITTEN.checked())));
    assert_eq!(slots.next_due(), Some(at(7_200)), "it expires before it is due again");
}

#[test]
fn an_owner_has_so_many_slots_and_bytes() {
    let names = ["a", "b", "c", "d"];
    let config = Config { slots_per_owner_max: 3, ..config() };
    let mut slots = slots();
    let outcomes =
        names.map(|name| offer_within(&mut slots, Written { name, ..WRITTEN }, &config, START));
    assert_eq!(outcomes[2..], [StoreOutcome::Stored, StoreOutcome::Full]);
    let other = Written { name: "d", owner: 2, ..WRITTEN };
    assert_eq!(offer_within(&mut slots, other, &config, START), StoreOutcome::Stored);
    let len = WRITTEN.checked().record().len_bytes();
    let config = Config { bytes_per_owner_max: 2 * len, ..self::config() };
    let mut slots = self::slots();
    let outcomes =
        names.map(|name| offer_within(&mut slots, Written { name, ..WRITTEN }, &config, START));
    assert_eq!(outcomes[1..3], [StoreOutcome::Stored, StoreOutcome::Full]);
    // A version of the same length takes the place of the one before.
    let next = Written { name: "a", version: 2, ..WRITTEN };
    assert_eq!(offer_within(&mut slots, next, &config, START), StoreOutcome::Stored);
    let longer = Written { name: "a", version: 3, padding: 1, ..WRITTEN };
    assert_eq!(offer_within(&mut slots, longer, &config, START), StoreOutcome::Full);
}

#[test]
fn a_node_has_so_many_slots_and_bytes() {
    let of = |owner: u16| Written { owner, ..WRITTEN };
    let config = Config { slots_max: 2, ..config() };
    let mut slots = slots();
    let outcomes = [1, 2, 3].map(|owner| offer_within(&mut slots, of(owner), &config, START));
    assert_eq!(outcomes[1..], [StoreOutcome::Stored, StoreOutcome::Full]);
    let len = WRITTEN.checked().record().len_bytes();
    let config = Config { bytes_max: 2 * len, ..self::config() };
    let mut slots = self::slots();
    let outcomes = [1, 2, 3].map(|owner| offer_within(&mut slots, of(owner), &config, START));
    assert_eq!(outcomes[1..], [StoreOutcome::Stored, StoreOutcome::Full]);
    assert_eq!(slots.usage(), (2, 2 * len));
}

fn owners(slots: &Slots) -> Vec<PublicKey> {
    let records = slots.records(WRITTEN.checked().record().key());
    records.map(|record| record.record().terms().owner).collect()
}

#[test]
fn who_stays_where_more_want_a_key_is_drawn_and_does_not_depend_on_the_order() {
    let config = Config { records_per_key_max: 8, ..config() };
    let filled = |secret: u8, order: &mut dyn Iterator<Item = u16>| {
        let mut slots = Slots::new([secret; 32]);
        for owner in order {
            offer_within(&mut slots, Written { owner, ..WRITTEN }, &config, START);
        }
        assert_eq!(slots.records(WRITTEN.checked().record().key()).count(), 8);
        owners(&slots)
    };
    let kept = filled(1, &mut (1..=40));
    assert_eq!(kept, filled(1, &mut (1..=40).rev()));
    assert_ne!(kept, filled(2, &mut (1..=40)), "each storer draws for itself");
    let mut first: Vec<_> = (1..=8).map(|owner| crate::testing::key(owner).public_key()).collect();
    first.sort_unstable();
    assert_ne!(kept, first, "being first does not decide it");
}

#[test]
fn who_lost_its_room_cannot_come_back_with_an_older_record() {
    let config = Config { records_per_key_max: 1, ..config() };
    let mut slots = slots();
    offer_within(&mut slots, Written { version: 5, ..WRITTEN }, &config, START);
    let mut owner = 2;
    while owners(&slots) == [crate::testing::key(1).public_key()] {
        offer_within(&mut slots, Written { owner, ..WRITTEN }, &config, START);
        owner += 1;
    }
    let old = Written { version: 4, ..WRITTEN };
    assert_eq!(offer_within(&mut slots, old, &config, START), StoreOutcome::Older);
    let same = Written { version: 5, ..WRITTEN };
    assert_eq!(offer_within(&mut slots, same, &config, START), StoreOutcome::Full);
}

#[test]
fn memories_of_one_key_are_no_more_than_the_most() {
    let config = Config { records_per_key_max: 2, slots_per_key_max: 6, ..config() };
    let mut slots = slots();
    for owner in 1..=60 {
        offer_within(&mut slots, Written { owner, ..WRITTEN }, &config, START);
    }
    assert!(slots.usage().0 <= 6, "{:?}", slots.usage());
    assert_eq!(owners(&slots).len(), 2);
}

#[test]
fn pages_have_64_records_or_64_kib_and_join_to_the_whole() {
    let config = Config { records_per_key_max: 200, ..config() };
    let mut slots = slots();
    for owner in 1..=80 {
        let padding = if owner % 2 == 0 { 0 } else { 3_000 };
        offer_within(&mut slots, Written { owner, padding, ..WRITTEN }, &config, START);
    }
    let key = WRITTEN.checked().record().key();
    let (mut all, mut after, mut pages) = (Vec::new(), None, 0);
    loop {
        let (page, more) = slots.page(key, after.as_ref(), START);
        let bytes: usize = page.iter().map(|record| record.signed().len_bytes()).sum();
        assert!(page.len() <= RECORDS_MAX && bytes <= RECORDS_LEN_MAX && !page.is_empty());
        all.extend(page.iter().map(|record| record.record().terms().owner));
        after = all.last().copied();
        pages += 1;
        if !more {
            break;
        }
    }
    assert_eq!(all, owners(&slots));
    assert!(pages >= 3, "{pages}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The reference: of everything that was offered while it held, the greatest of each owner.
    #[test]
    fn whatever_the_order_the_greatest_of_each_owner_stays(
        offered in proptest::collection::vec((1_u16..4, 1_u64..6, 0_usize..3), 1..40),
    ) {
        let mut slots = slots();
        let mut model: BTreeMap<PublicKey, Rank> = BTreeMap::new();
        for (owner, version, padding) in offered {
            let written = Written { owner, version, padding, ..WRITTEN };
            let record = written.checked();
            let rank = record.record().rank();
            let before = model.get(&record.record().terms().owner).copied();
            let outcome = offer(&mut slots, written, START);
            let wins = before.is_none_or(|before| rank >= before);
            let expected = if wins { StoreOutcome::Stored } else { StoreOutcome::Older };
            prop_assert_eq!(outcome, expected);
            if wins {
                model.insert(record.record().terms().owner, rank);
            }
        }
        let held: BTreeMap<_, _> = slots
            .all()
            .map(|record| (record.record().terms().owner, record.record().rank()))
            .collect();
        prop_assert_eq!(held, model);
    }

    #[test]
    fn what_is_counted_is_what_is_there(
        happened in proptest::collection::vec((1_u16..6, 1_u64..5, 0_usize..200, 0_u64..9_000, 1_u64..20_000), 0..60),
    ) {
        let config = Config { records_per_key_max: 3, slots_per_key_max: 4, ..config() };
        let mut slots = slots();
        let mut now = START;
        for (owner, version, padding, pause, seconds) in happened {
            now = now.plus(Duration::from_secs(pause));
            while slots.take_due(now, Duration::from_hours(1)).is_some() {}
            offer_within(&mut slots, Written { owner, version, padding, issued_at: now, seconds, ..WRITTEN }, &config, now);
            let bytes: usize = slots.all().map(|record| record.record().len_bytes()).sum();
            let count: usize = slots.keys.values().map(BTreeMap::len).sum();
            prop_assert_eq!(slots.usage(), (count, bytes));
            prop_assert_eq!(slots.due.len(), count);
            let per_owner = slots.usages.values().map(|usage| usage.slots).sum::<usize>();
            prop_assert_eq!(per_owner, count);
            prop_assert!(count <= 4 && slots.all().count() <= 3);
        }
        while slots.take_due(now.plus(Duration::from_hours(30)), Duration::from_hours(1)).is_some() {}
        prop_assert_eq!(slots.usage(), (0, 0));
        prop_assert!(slots.usages.is_empty() && slots.due.is_empty() && slots.keys.is_empty());
    }
}
