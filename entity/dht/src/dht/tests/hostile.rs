//! Liars, floods and bounds.

use super::*;
use crate::checked::{CheckedRecord, Ed25519, Forged};
use crate::vocabulary::Inbound;
use entity_wire::payload::dht::DhtMessage;

/// A node that has asked node 2 for records of a key, and what it asked under.
fn asking(key: RecordKey) -> (Dht, RequestId) {
    let mut dht = dht(1);
    meet(&mut dht, 2, START);
    dht.find_records(key, START).unwrap();
    let outputs = drain(&mut dht);
    let [Output::Ask { request, .. }] = outputs[..] else { panic!("{outputs:?}") };
    (dht, request)
}

fn found(records: Vec<Arc<CheckedRecord>>, more: bool) -> Answer {
    Answer::Found { nodes: Vec::new(), records, more }
}

fn records_told(dht: &mut Dht) -> Vec<Arc<CheckedRecord>> {
    let outputs = drain(dht).into_iter();
    let mut told = outputs.filter_map(|output| {
        let Output::Event(Event::FoundRecords { records, .. }) = output else { return None };
        Some(records)
    });
    told.next().unwrap()
}

#[test]
fn a_forged_record_is_none_and_who_shows_it_is_dropped() {
    let forged = entity_wire::payload::dht::SignedRecord {
        signature: Written { version: 2, ..WRITTEN }.signed().signature,
        ..WRITTEN.signed()
    };
    assert_eq!(CheckedRecord::check(forged.clone(), &Ed25519), Err(Forged));
    let store = DhtMessage::Store { request: request(1), record: Box::new(forged.clone()) };
    assert_eq!(Inbound::check(store, &Ed25519), Err(Forged));
    let found = entity_wire::payload::dht::Found { records: vec![forged], ..Default::default() };
    let found = DhtMessage::Found { request: request(1), found };
    assert_eq!(Inbound::check(found, &Ed25519), Err(Forged));

    let (mut dht, _) = asking(WRITTEN.checked().record().key());
    dht.handle_forged(node(2).id(), START);
    let outputs = drain(&mut dht);
    assert_eq!(outputs[0], Output::Event(Event::Misbehaved { node: node(2).id() }));
    assert!(matches!(outputs[1], Output::Event(Event::FoundRecords { .. })));
    assert!(dht.table().is_empty());
    assert_eq!(dht.under_way(), (0, 0));
}

#[test]
fn a_record_of_another_name_and_one_that_does_not_hold_are_none() {
    let key = WRITTEN.checked().record().key();
    let others = [
        Written { name: "y", owner: 2, version: 9, ..WRITTEN },
        Written { owner: 3, seconds: 1, ..WRITTEN },
        Written { owner: 4, issued_at: at(100), ..WRITTEN },
    ];
    let (mut dht, request) = asking(key);
    let mut records: Vec<_> = others.iter().map(|written| written.checked()).collect();
    records.push(WRITTEN.checked());
    dht.handle_answer(node(2).id(), request, found(records, false), at(2));
    assert_eq!(records_told(&mut dht), [WRITTEN.checked()]);
}

#[test]
fn of_what_several_say_the_record_that_wins_is_told_whoever_speaks_last() {
    let (old, new) = (WRITTEN.checked(), Written { version: 2, ..WRITTEN }.checked());
    for order in [[&old, &new], [&new, &old]] {
        let mut dht = dht(1);
        meet(&mut dht, 2, START);
        meet(&mut dht, 3, START);
        dht.find_records(old.record().key(), START).unwrap();
        let asked: Vec<_> = drain(&mut dht)
            .into_iter()
            .filter_map(|output| {
                let Output::Ask { to, request, .. } = output else { return None };
                Some((to.id(), request))
            })
            .collect();
        for ((to, request), record) in asked.into_iter().zip(order) {
            dht.handle_answer(to, request, found(vec![Arc::clone(record)], false), START);
        }
        assert_eq!(records_told(&mut dht), std::slice::from_ref(&new));
    }
}

#[test]
fn a_node_that_always_has_more_is_asked_for_16_pages() {
    let (mut dht, mut request) = asking(WRITTEN.checked().record().key());
    let mut pages = 1;
    loop {
        let record = Written { owner: pages, ..WRITTEN }.checked();
        dht.handle_answer(node(2).id(), request, found(vec![record], true), START);
        let outputs = drain(&mut dht);
        match outputs[0] {
            Output::Ask { request: next, .. } => request = next,
            Output::Answer { .. } | Output::Leave { .. } | Output::Event(_) => break,
        }
        pages += 1;
    }
    assert_eq!(pages, 16);
}

#[test]
fn a_lookup_collects_so_many_owners() {
    let key = WRITTEN.checked().record().key();
    let mut dht = Dht::new(Config { found_max: 3, ..config() }, node(1), [1; 32], START);
    meet(&mut dht, 2, START);
    dht.find_records(key, START).unwrap();
    let outputs = drain(&mut dht);
    let [Output::Ask { request, .. }] = outputs[..] else { panic!("{outputs:?}") };
    let records = (1..=5).map(|owner| Written { owner, ..WRITTEN }.checked()).collect();
    dht.handle_answer(node(2).id(), request, found(records, false), START);
    assert_eq!(records_told(&mut dht).len(), 3);
}

#[test]
fn who_asks_too_much_is_not_answered() {
    let mut dht = dht(1);
    let ask = |dht: &mut Dht, from: u16, now| {
        dht.handle_question(&node(from), request(1), Question::Ping, now);
        drain(dht).len()
    };
    let answered: usize = (0..1_000).map(|_| ask(&mut dht, 2, START)).sum();
    assert_eq!(answered, 200);
    assert_eq!(ask(&mut dht, 3, START), 1, "somebody else is");
    assert_eq!(ask(&mut dht, 2, at(1)), 1);
}

#[test]
fn so_many_lookups_are_under_way() {
    let mut dht = dht(1);
    meet(&mut dht, 2, START);
    for _ in 0..64 {
        dht.find_nodes(node(5).id().into(), START).unwrap();
    }
    let refused = dht.find_nodes(node(5).id().into(), START);
    assert_eq!(refused, Err(BeginError::TooMany { max: 64 }));
    assert_eq!(dht.publish(WRITTEN.checked(), START), Err(BeginError::TooMany { max: 64 }));
}

#[test]
fn joining_again_and_again_is_one_lookup_and_so_many_bootstrap_contacts() {
    let mut dht = dht(1);
    for seed in 2..=200 {
        dht.join([node(seed)], START).unwrap();
    }
    assert_eq!(dht.under_way().0, 1);
    assert_eq!(dht.bootstrap.len(), 64);
}

#[test]
fn a_record_far_from_here_is_not_stored() {
    let mut dht = dht(1);
    for seed in 2..=400 {
        meet(&mut dht, seed, START);
    }
    let names: Vec<String> = (0..60).map(|number| format!("name {number}")).collect();
    let mut outcomes = BTreeMap::new();
    for name in names {
        let record = Written { name: name.leak(), ..WRITTEN }.checked();
        let key = record.record().key();
        let own = Distance::between(node(1).id(), key);
        let nearer =
            dht.table().contacts().filter(|(one, ..)| Distance::between(one.id(), key) < own);
        let is_far = nearer.count() >= 8;
        dht.handle_question(&node(2), request(1), Question::Store(record), START);
        let outputs = drain(&mut dht);
        let [Output::Answer { answer: Answer::Stored(outcome), .. }] = &outputs[..] else {
            panic!("{outputs:?}")
        };
        *outcomes.entry((is_far, *outcome)).or_insert(0) += 1;
    }
    let kinds: Vec<_> = outcomes.keys().copied().collect();
    assert_eq!(
        kinds,
        [(false, StoreOutcome::Stored), (true, StoreOutcome::Refused)],
        "{outcomes:?}"
    );
}

#[test]
fn a_record_that_does_not_hold_is_not_published() {
    let mut dht = dht(1);
    assert_eq!(dht.publish(WRITTEN.checked(), at(7_200)), Err(BeginError::Expired));
    let ahead = Written { issued_at: at(61), ..WRITTEN };
    assert_eq!(dht.publish(ahead.checked(), START), Err(BeginError::Expired));
}

#[test]
fn stores_that_have_no_room_are_told_as_refused() {
    let config = Config { stores_max: 1, stores_in_flight_max: 1, ..config() };
    let mut net = Net::new(0);
    net.add(1, config);
    for number in 2..=6 {
        net.add(number, super::config());
        net.join(number, 1);
    }
    let record = Written { issued_at: net.now, ..WRITTEN }.checked();
    net.publish(1, &record);
    let refused = net.events.iter().find_map(|(_, event)| {
        let Event::Published { stored, refused, .. } = event else { return None };
        Some((*stored, *refused))
    });
    assert!(refused.is_some_and(|(stored, refused)| stored >= 1 && refused >= 3), "{refused:?}");
}
