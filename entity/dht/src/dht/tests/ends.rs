//! Leaving, restarting, being alone.

use entity_journal::{Batch, Journal as _, MemoryJournal};

use super::*;
use crate::kept::SPACE;

#[test]
fn who_leaves_hands_its_records_over_and_is_dropped() {
    let mut net = Net::grown(40);
    let record = Written { issued_at: net.now, ..WRITTEN }.checked();
    net.publish(7, &record);
    let key = record.record().key();
    let holders = net.holders(key);
    // One after the other leaves, so that none of those that had it first is left.
    for holder in &holders {
        let now = net.now;
        let contacts = net.machine(*holder).table().contacts().map(|(one, ..)| one.id());
        let contacts: Vec<_> = contacts.collect();
        net.machine(*holder).leave(now).unwrap();
        net.settle();
        assert!(net.machine(*holder).has_left());
        assert!(net.events.contains(&(*holder, Event::Left)));
        net.kill(*holder);
        let told = net.machines.values().filter(|one| contacts.contains(&one.own().id()));
        let gone = node(*holder).id();
        assert!(told.clone().count() >= 4);
        assert!(told.clone().all(|machine| machine.table().get(gone).is_none()));
    }
    let reader = (1..=40).find(|seed| net.machines.contains_key(seed)).unwrap();
    assert_eq!(net.find_records(reader, key), [record]);
}

#[test]
fn a_node_that_has_left_begins_and_answers_nothing() {
    let mut dht = dht(1);
    dht.leave(START).unwrap();
    assert_eq!(drain(&mut dht), [Output::Event(Event::Left)]);
    assert_eq!(dht.leave(START), Err(BeginError::Left));
    assert_eq!(dht.find_nodes(node(5).id().into(), START), Err(BeginError::Left));
    assert_eq!(dht.join([node(2)], START), Err(BeginError::Left));
    meet(&mut dht, 2, START);
    dht.handle_question(&node(2), request(3), Question::Ping, START);
    assert_eq!(drain(&mut dht), []);
    assert_eq!(dht.next_deadline(), None);
}

#[test]
fn leaving_ends_after_30_seconds_though_nobody_answers() {
    let mut dht = dht(1);
    for seed in 2..=5 {
        meet(&mut dht, seed, START);
    }
    for owner in 1..=250 {
        dht.offer(&Written { owner, name: "y", ..WRITTEN }.checked(), START);
    }
    dht.leave(START).unwrap();
    let mut now = START;
    while let Some(next) = dht.next_deadline() {
        now = next;
        dht.handle_deadline(now);
    }
    assert!(dht.has_left() && now <= at(30), "{now}");
}

#[test]
fn a_node_without_an_answer_says_that_it_is_alone_and_tries_again() {
    let mut net = Net::new(0);
    net.add(1, config());
    net.add(2, config());
    let now = net.now;
    net.kill(1);
    net.machine(2).join([node(1)], now).unwrap();
    net.run_for(Duration::from_secs(10));
    assert_eq!(net.events, [(2, Event::Alone)]);
    net.add(1, config());
    net.run_for(Duration::from_mins(2));
    assert_eq!(net.events[1..], [(2, Event::Joined { contacts: 1 })]);
}

/// Starts a node again with what its journal holds.
fn restart(journal: &MemoryJournal, number: u16, now: Timestamp) -> Dht {
    let mut stored = journal.load().unwrap();
    Dht::restore(config(), node(number), [77; 32], stored.take(SPACE), now).unwrap()
}

fn commit(journal: &mut MemoryJournal, machine: &mut Dht) {
    journal.commit(&[Batch::from(machine.take_writes())]).unwrap();
}

#[test]
fn a_restarted_node_rejoins_without_its_bootstrap_contact() {
    let mut net = Net::grown(20);
    let mut journal = MemoryJournal::default();
    net.run_for(Duration::from_mins(2));
    let before = net.machine(9).table().len();
    commit(&mut journal, net.machine(9));
    net.kill(9);
    // The one through which everybody joined is gone as well.
    net.kill(1);
    let machine = restart(&journal, 9, net.now);
    assert_eq!(machine.table().len(), before);
    net.put(9, machine);
    net.events.clear();
    net.settle();
    assert!(matches!(net.events[..], [(9, Event::Joined { .. }), ..]), "{:?}", net.events);
    assert_eq!(net.find_nodes(9, node(15).id().into()).first(), Some(&15));
}

#[test]
fn a_restarted_storer_has_its_records_and_takes_nothing_older() {
    let mut machine = dht(1);
    let mut journal = MemoryJournal::default();
    let (old, new) = (WRITTEN, Written { version: 2, ..WRITTEN });
    machine.offer(&new.checked(), START);
    let short = Written { owner: 2, version: 9, seconds: 5, ..WRITTEN };
    machine.offer(&short.checked(), START);
    commit(&mut journal, &mut machine);
    machine.handle_deadline(at(6));
    commit(&mut journal, &mut machine);
    let mut machine = restart(&journal, 1, at(10));
    let key = WRITTEN.checked().record().key();
    assert_eq!(machine.stored(key).collect::<Vec<_>>(), [&new.checked()]);
    assert_eq!(machine.offer(&old.checked(), at(10)), StoreOutcome::Older);
    let withdrawn = Written { owner: 2, version: 8, ..WRITTEN };
    assert_eq!(machine.offer(&withdrawn.checked(), at(10)), StoreOutcome::Older);
    // What is forgotten is not kept either.
    machine.handle_deadline(at(200_000));
    commit(&mut journal, &mut machine);
    assert_eq!(journal.load().unwrap().records(SPACE).count(), 0);
}

#[test]
fn who_is_cut_off_does_not_give_up_those_it_knows() {
    let mut net = Net::grown(10);
    let known = net.machine(5).table().len();
    let alone = net.machines.remove(&5).unwrap();
    let mut cut = Net::new(0);
    cut.now = net.now.plus(Duration::from_mins(5));
    for number in 1..=10 {
        cut.add(number, config());
        cut.kill(number);
    }
    cut.put(5, alone);
    for _ in 0..20 {
        cut.find_nodes(5, node(3).id().into());
    }
    assert_eq!(cut.machine(5).table().len(), known);
}
