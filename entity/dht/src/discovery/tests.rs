use super::*;
use crate::checked::Ed25519;
use crate::config::Config;
use crate::testing::{START, key, node};
use crate::vocabulary::{Answer, Question};
use entity_wire::payload::dht::RequestId;

fn discovery() -> Discovery {
    let table = Dht::new(Config::default(), node(1), [1; 32], START);
    Discovery::new(table, Announcer::new(key(1).public_key(), Announcer::LIFETIME))
}

fn contact(seed: u16, port: u16) -> Contact {
    let address = format!("http://127.0.0.1:{port}").parse().unwrap();
    Contact::new(format!("n{seed}").parse().unwrap(), key(seed).public_key(), address)
}

fn wanted(seed: u16) -> Wanted {
    Wanted::Entity(format!("n{seed}").parse().unwrap(), None)
}

fn told(discovery: &mut Discovery) -> Vec<Told> {
    std::iter::from_fn(|| discovery.poll_output()).collect()
}

#[test]
fn whom_the_operator_named_comes_first_and_nobody_is_asked() {
    let mut discovery = discovery();
    discovery.join(vec![contact(2, 20), contact(3, 30)], START).unwrap();
    told(&mut discovery);
    discovery.name(contact(2, 99)).unwrap();
    let Search::Known(ways) = discovery.find(wanted(2), START).unwrap() else { panic!() };
    let sources: Vec<_> = ways.iter().map(|way| (way.source, way.contact.clone())).collect();
    assert_eq!(sources, [(Source::Static, contact(2, 99)), (Source::Bootstrap, contact(2, 20))]);
    assert_eq!(told(&mut discovery), []);
}

#[test]
fn a_contact_with_another_key_than_the_pinned_one_is_none() {
    let mut discovery = discovery();
    discovery.name(contact(2, 20)).unwrap();
    let pinned = |seed: u16| Wanted::Entity("n2".parse().unwrap(), Some(key(seed).public_key()));
    assert!(matches!(discovery.find(pinned(2), START), Ok(Search::Known(_))));
    assert!(matches!(discovery.find(pinned(3), START), Ok(Search::Begun(_))));
}

#[test]
fn whom_only_the_table_knows_is_looked_for_there() {
    let mut discovery = discovery();
    discovery.table_mut().handle_question(&node(5), RequestId::MAX, Question::Ping, START);
    told(&mut discovery);
    let Ok(Search::Begun(begun)) = discovery.find(wanted(7), START) else { panic!() };
    let asked = told(&mut discovery);
    let [Told::Table(Output::Ask { request, .. })] = asked[..] else { panic!("{asked:?}") };
    let mut others = Vec::new();
    for owner in [7, 8] {
        let mut announcer = Announcer::new(key(owner).public_key(), Announcer::LIFETIME);
        let presence = Presence {
            entity_id: "n7".parse().unwrap(),
            addresses: vec![contact(7, owner).address().clone()],
            capabilities: None,
        };
        announcer.announce(presence, START).unwrap();
        let draft = announcer.poll_draft(START).unwrap().sign(&key(owner));
        others.push(CheckedRecord::check(draft, &Ed25519).unwrap());
    }
    let found = Answer::Found { nodes: Vec::new(), records: others, more: false };
    discovery.table_mut().handle_answer(node(5).id(), request, found, START);
    let ended = told(&mut discovery);
    let [Told::Discovered(ended)] = &ended[..] else { panic!("{ended:?}") };
    assert_eq!((ended.operation, &ended.wanted), (begun, &wanted(7)));
    let keys: Vec<_> =
        ended.ways.iter().map(|way| (way.source, *way.contact.public_key())).collect();
    let expected = [7, 8].map(|seed| (Source::Table, key(seed).public_key()));
    assert!(expected.iter().all(|way| keys.contains(way)), "a name without a pin is a choice");
}

#[test]
fn what_is_announced_is_signed_elsewhere_and_published() {
    let mut discovery = discovery();
    let presence = Presence {
        entity_id: "n1".parse().unwrap(),
        addresses: vec![contact(1, 1).address().clone()],
        capabilities: Some(vec!["sum".to_owned()]),
    };
    discovery.announce(presence, START).unwrap();
    let drafts = told(&mut discovery);
    assert_eq!(drafts.len(), 2);
    for draft in drafts {
        let Told::Sign(draft) = draft else { panic!("{draft:?}") };
        let forged = draft.clone().sign(&key(2));
        let refused = discovery.handle_signed(forged, &Ed25519, START);
        assert_eq!(refused, Err(SignedError::Forged(Forged)));
        discovery.handle_signed(draft.sign(&key(1)), &Ed25519, START).unwrap();
    }
    let published = told(&mut discovery).into_iter().filter(|told| {
        matches!(told, Told::Table(Output::Event(Event::Published { stored: 1, .. })))
    });
    assert_eq!(published.count(), 2, "alone it stores for itself");
    let capability = discovery.find(Wanted::Capability("sum".to_owned()), START).unwrap();
    let Search::Begun(_) = capability else { panic!() };
    let ended = told(&mut discovery);
    let [Told::Discovered(ended)] = &ended[..] else { panic!("{ended:?}") };
    assert_eq!(ended.found.len(), 1);
    assert!(discovery.next_deadline() <= Some(START.plus(Announcer::LIFETIME / 2)));
}

#[test]
fn what_is_no_capability_is_known_to_nobody() {
    let found = discovery().find(Wanted::Capability(String::new()), START);
    assert_eq!(found, Ok(Search::Known(Vec::new())));
}

#[test]
fn there_are_so_many_static_contacts() {
    let mut discovery = discovery();
    let of = |number: usize| {
        let id = format!("s{number}").parse().unwrap();
        Contact::new(id, key(9).public_key(), "http://127.0.0.1:9".parse().unwrap())
    };
    assert!((0..STATIC_MAX).all(|number| discovery.name(of(number)).is_ok()));
    assert_eq!(discovery.name(of(STATIC_MAX)), Err(StaticsFull));
    assert_eq!(discovery.name(of(0)), Ok(()), "one that is there can be replaced");
}
