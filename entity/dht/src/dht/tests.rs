use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::distance::Distance;
use crate::testing::{START, WRITTEN, Written, at, node};
use crate::vocabulary::{Answer, Effort, Question};

mod ends;
mod hostile;
mod net;
mod upkeep;

use net::Net;

fn config() -> Config {
    Config { k: 4, alpha: 3, paths: 2, ..Config::default() }
}

fn dht(seed: u16) -> Dht {
    Dht::new(config(), node(seed), [u8::try_from(seed % 251).unwrap(); 32], START)
}

fn drain(dht: &mut Dht) -> Vec<Output> {
    std::iter::from_fn(|| dht.poll_output()).collect()
}

fn request(value: u64) -> RequestId {
    RequestId::new(value).unwrap()
}

/// Lets a node hear of another by a question of that one.
fn meet(dht: &mut Dht, seed: u16, now: Timestamp) {
    dht.handle_question(&node(seed), request(1), Question::Ping, now);
    drain(dht);
}

#[test]
fn a_question_is_answered_with_the_nearest_without_asker_and_answerer() {
    let mut dht = dht(1);
    for seed in 2..=40 {
        meet(&mut dht, seed, START);
    }
    let target = node(3).id().into();
    dht.handle_question(&node(3), request(9), Question::Find(target), START);
    let outputs = drain(&mut dht);
    let [Output::Answer { to, request: answered, answer: Answer::Found { nodes, .. } }] =
        &outputs[..]
    else {
        panic!("{outputs:?}")
    };
    assert_eq!((to.id(), *answered, nodes.len()), (node(3).id(), request(9), 4));
    assert!(nodes.iter().all(|one| one.id() != node(3).id() && one.id() != node(1).id()));
    let distances: Vec<_> = nodes.iter().map(|one| Distance::between(one.id(), target)).collect();
    assert!(distances.is_sorted());
}

#[test]
fn a_node_that_knows_nobody_finds_nobody_at_once() {
    let mut dht = dht(1);
    let operation = dht.find_nodes(node(5).id().into(), START).unwrap();
    let event = Event::FoundNodes { operation, nodes: Vec::new(), effort: Effort::default() };
    assert_eq!(drain(&mut dht), [Output::Event(event)]);
    assert_eq!(dht.under_way(), (0, 0));
}

#[test]
fn a_late_question_is_asked_once_more_and_then_given_up() {
    let mut dht = dht(1);
    meet(&mut dht, 2, START);
    dht.find_nodes(node(5).id().into(), START).unwrap();
    let first = drain(&mut dht);
    assert!(matches!(&first[..], [Output::Ask { .. }]), "{first:?}");
    assert_eq!(dht.next_deadline(), Some(at(1)));
    dht.handle_deadline(START.plus(Duration::from_millis(999)));
    assert_eq!(drain(&mut dht), [], "early is harmless");
    dht.handle_deadline(at(1));
    assert_eq!(drain(&mut dht), first, "the same question");
    dht.handle_deadline(at(3));
    let outputs = drain(&mut dht);
    assert!(matches!(&outputs[..], [Output::Event(Event::FoundNodes { .. })]), "{outputs:?}");
    assert_eq!(dht.under_way(), (0, 0));
}

#[test]
fn an_answer_counts_from_whom_was_asked_and_of_the_kind_that_was_asked_for() {
    let mut dht = dht(1);
    meet(&mut dht, 2, START);
    dht.find_nodes(node(5).id().into(), START).unwrap();
    let outputs = drain(&mut dht);
    let [Output::Ask { request: asked, .. }] = outputs[..] else { panic!("{outputs:?}") };
    let found = || Answer::Found { nodes: Vec::new(), records: Vec::new(), more: false };
    dht.handle_answer(node(3).id(), asked, found(), START);
    dht.handle_answer(node(2).id(), request(asked.get() % 1_000 + 7), found(), START);
    dht.handle_answer(node(2).id(), asked, Answer::Pong, START);
    assert_eq!(drain(&mut dht), []);
    dht.handle_answer(node(2).id(), asked, found(), START);
    assert_eq!(drain(&mut dht).len(), 1);
    dht.handle_answer(node(2).id(), asked, found(), START);
    assert_eq!(drain(&mut dht), [], "once");
}

#[test]
fn forty_nodes_join_through_one_and_everybody_finds_everybody() {
    let mut net = Net::grown(40);
    for seed in [1, 17, 40] {
        for wanted in 1..=40 {
            let found = net.find_nodes(seed, node(wanted).id().into());
            assert!(
                wanted == seed || found.first() == Some(&wanted),
                "{seed} -> {wanted}: {found:?}"
            );
        }
    }
}

#[test]
fn what_one_publishes_everybody_finds_and_the_k_nearest_store() {
    let mut net = Net::grown(40);
    let record = Written { issued_at: net.now, ..WRITTEN }.checked();
    net.publish(7, &record);
    for reader in [1, 7, 20, 40] {
        assert_eq!(net.find_records(reader, record.record().key()), std::slice::from_ref(&record));
    }
    let holders = net.holders(record.record().key());
    let mut all: Vec<u16> = (1..=40).collect();
    all.sort_by_key(|seed| Distance::between(node(*seed).id(), record.record().key()));
    let near = holders.iter().filter(|seed| all[..6].contains(seed)).count();
    assert!(near >= 4, "{holders:?} of {:?}", &all[..6]);
}

#[test]
fn records_survive_that_a_third_of_the_nodes_is_gone() {
    let mut net = Net::grown(40);
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let records = names.map(|name| Written { name, issued_at: net.now, ..WRITTEN }.checked());
    for (seed, record) in (1..).zip(&records) {
        net.publish(seed, record);
    }
    for gone in (2..=40).step_by(3) {
        net.kill(gone);
    }
    for record in &records {
        assert_eq!(net.find_records(1, record.record().key()), std::slice::from_ref(record));
    }
}

#[test]
fn a_reader_hands_what_won_to_those_that_are_behind() {
    let mut net = Net::grown(40);
    let old = Written { issued_at: net.now, ..WRITTEN }.checked();
    net.publish(7, &old);
    let key = old.record().key();
    let holders = net.holders(key);
    // One storer alone has heard of the next version.
    let new = Written { version: 2, issued_at: net.now, ..WRITTEN }.checked();
    net.store_at(holders[0], &new);
    assert_eq!(net.find_records(30, key), std::slice::from_ref(&new));
    net.settle();
    let versions: BTreeMap<u16, u64> = net.versions(key);
    let behind = holders.iter().filter(|seed| versions[seed] != 2).count();
    assert_eq!(behind, 0, "{versions:?}");
}

#[test]
fn the_same_seed_makes_the_same_history() {
    let history = |seed| {
        let mut net = Net::grown_from(20, seed);
        net.publish(3, &Written { issued_at: net.now, ..WRITTEN }.checked());
        net.find_nodes(5, node(9).id().into());
        net.letters
    };
    assert_eq!(history(1), history(1));
    assert_ne!(history(1), history(2));
}
