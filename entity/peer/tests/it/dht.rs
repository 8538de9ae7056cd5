//! The distributed hash table between peers that reach each other.

use std::time::Duration;

use entity_peer::command::Send;
use entity_peer::config::{Config, DhtConfig, Limits, Protocols, Trust};
use entity_peer::dht::{
    CheckedRecord, DhtCommand, DhtError, DhtEvent, DhtResult, DhtState, FoundWay, Got, Put, Source,
    Stored, Wanted,
};
use entity_peer::view::KeyTrust;
use entity_peer::{Command, CommandError, CommandResult, PeerEvent};
use entity_wire::code::ErrorCode;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::dht::{
    Contact, DhtMessage, Record, RecordKey, RecordKind, RecordName, RecordVersion, RequestId,
    SignedRecord, Terms,
};
use entity_wire::payload::task::Capability;

use crate::world::{World, config, key, name, open, public_key};

/// A peer in the table that begins with these others, and meets strangers.
fn member(id: &str, bootstrap: &[&str]) -> Config {
    let contact = |id: &&str| {
        let address = format!("http://{id}").parse().unwrap();
        Contact::new(id.parse().unwrap(), public_key(id), address)
    };
    let bootstrap = bootstrap.iter().map(contact).collect();
    let dht = DhtConfig { bootstrap, ..DhtConfig::default() };
    Config {
        trust: Trust::FirstUse,
        address: Some(format!("http://{id}")),
        dht: Some(dht),
        ..config(id, Protocols::OnlyV1_1)
    }
}

/// Peers `p0` to `p9` at most, all of which know `p0` alone, after they have joined and announced themselves.
fn joined(count: usize) -> World {
    let ids: Vec<String> = (0..count).map(|number| format!("p{number}")).collect();
    let member = |id: &String| member(id, if id == "p0" { &[] } else { &["p0"] });
    let mut world = World::new(ids.iter().map(member));
    for id in &ids {
        let now = world.now;
        world.peer(id).handle_deadline(now);
    }
    world.advance(Duration::from_secs(10));
    world
}

fn dht(world: &mut World, at: &str, command: DhtCommand) -> Result<DhtResult, DhtError> {
    let id = world.start(at, Command::Dht(command));
    world.advance(Duration::from_secs(31));
    match world.end_of(id) {
        Some(Ok(CommandResult::Dht(result))) => Ok(result),
        Some(Err(CommandError::Dht(error))) => Err(error),
        other => panic!("{other:?}"),
    }
}

fn record_key(capability: &str) -> RecordKey {
    RecordKey::of(RecordKind::Capability, &RecordName::of_capability(capability).unwrap())
}

fn put_as(text: &str, version: Option<u64>, lifetime: Duration) -> DhtCommand {
    DhtCommand::Put(Box::new(Put {
        kind: RecordKind::Capability,
        name: RecordName::of_capability("sum").unwrap(),
        value: Object::new().with("text", text),
        lifetime,
        version: version.and_then(RecordVersion::new),
    }))
}

fn put(world: &mut World, at: &str, text: &str, version: u64) -> Result<Stored, DhtError> {
    match dht(world, at, put_as(text, Some(version), Duration::from_hours(1)))? {
        DhtResult::Stored(stored) => Ok(stored),
        other => panic!("{other:?}"),
    }
}

fn get(world: &mut World, at: &str) -> Got {
    let command = DhtCommand::Get { key: record_key("sum"), owner: None };
    match dht(world, at, command) {
        Ok(DhtResult::Got(got)) => got,
        other => panic!("{other:?}"),
    }
}

fn texts(got: &Got) -> Vec<String> {
    let text = |record: &std::sync::Arc<CheckedRecord>| {
        let value = &record.record().terms().value;
        value.get("text").and_then(|text| text.as_str()).unwrap_or_default().to_owned()
    };
    got.records.iter().map(text).collect()
}

fn find(world: &mut World, at: &str, wanted: Wanted) -> Vec<FoundWay> {
    match dht(world, at, DhtCommand::Find(wanted)) {
        Ok(DhtResult::Ways(ways)) => ways,
        other => panic!("{other:?}"),
    }
}

/// Somebody's record, signed by somebody.
fn record(owner: &str, signer: &str, text: &str, version: u64, from_s: i64, to_s: i64) -> Terms2 {
    Terms2 { owner: owner.into(), signer: signer.into(), text: text.into(), version, from_s, to_s }
}

struct Terms2 {
    owner: String,
    signer: String,
    text: String,
    version: u64,
    from_s: i64,
    to_s: i64,
}

impl Terms2 {
    fn sign(self, world: &World) -> SignedRecord {
        let terms = Terms {
            kind: RecordKind::Capability,
            name: RecordName::of_capability("sum").unwrap(),
            owner: public_key(&self.owner),
            value: Object::new().with("text", self.text),
            version: RecordVersion::new(self.version).unwrap(),
            issued_at: world.now.offset(self.from_s * 1_000_000),
            expires_at: world.now.offset(self.to_s * 1_000_000),
        };
        Record::new(terms).unwrap().sign(&key(&self.signer))
    }
}

/// Sends a message of the table that no honest node would.
fn send(world: &mut World, from: &str, to: &str, kind: &str, body: Object) {
    let message = Send::new(name(to), MessageKind::from_text(kind), body);
    let end = world.run(from, Command::Send(message));
    assert!(matches!(end, Some(Ok(CommandResult::Sent(_)))), "{end:?}");
}

fn store(world: &mut World, from: &str, to: &str, record: SignedRecord) {
    let (request, record) = (RequestId::MAX, Box::new(record));
    let message = DhtMessage::Store { request, record };
    send(world, from, to, "dht_store", message.to_object());
}

fn refusals(world: &World, at: &str) -> Vec<String> {
    let refusal = |event: &PeerEvent| match event {
        PeerEvent::MessageRefused { code: ErrorCode::DhtError, detail, .. } => Some(detail.clone()),
        _ => None,
    };
    world.events.iter().filter(|(peer, _)| peer == at).filter_map(|(_, e)| refusal(e)).collect()
}

#[test]
fn who_joins_through_one_contact_finds_everybody() {
    let mut world = joined(8);
    for number in 0..8 {
        let id = format!("p{number}");
        let view = world.peer(&id).dht().unwrap();
        assert_eq!((view.contacts.len(), view.state), (7, DhtState::Here), "{id}");
        let has_joined = |(at, event): &(String, PeerEvent)| {
            *at == id && matches!(event, PeerEvent::Dht(DhtEvent::Joined { .. }))
        };
        assert!(world.events.iter().any(has_joined), "{id}");
    }
    let met = world.peer("p5").peer(&name("p7")).unwrap();
    assert_eq!(met.trust, KeyTrust::FirstUse, "no operator has vouched for it");
}

#[test]
fn an_entity_is_found_by_its_id_and_by_what_it_is_able_to_do() {
    let mut world = joined(6);
    let able = vec![Capability::new("translate").unwrap()];
    world.run("p3", Command::SetCapabilities { able });
    world.advance(Duration::from_secs(5));
    let way = |ways: &[FoundWay]| {
        let of = |way: &FoundWay| (way.contact.entity_id().to_string(), way.source);
        ways.iter().map(of).collect::<Vec<_>>()
    };
    let by_capability = find(&mut world, "p5", Wanted::Capability("translate".to_owned()));
    assert_eq!(way(&by_capability), [("p3".to_owned(), Source::Table)]);
    let by_id = find(&mut world, "p5", Wanted::Entity("p3".parse().unwrap(), None));
    assert_eq!(way(&by_id), [("p3".to_owned(), Source::Table)]);
    assert_eq!(by_id[0].contact.public_key(), &public_key("p3"));
    assert_eq!(by_id[0].contact.address().as_str(), "http://p3");
    assert_eq!(by_id[0].capabilities, Some(vec!["translate".to_owned()]));
    // Whom the operator named is known without a question.
    let bootstrap = find(&mut world, "p5", Wanted::Entity("p0".parse().unwrap(), None));
    assert_eq!(way(&bootstrap), [("p0".to_owned(), Source::Bootstrap)]);
    world.introduce("p5", "friend", Some(public_key("friend")), false);
    let named = find(&mut world, "p5", Wanted::Entity("friend".parse().unwrap(), None));
    assert_eq!(way(&named), [("friend".to_owned(), Source::Static)]);
    let other = Wanted::Entity("p3".parse().unwrap(), Some(public_key("p4")));
    assert_eq!(find(&mut world, "p5", other), [], "a pin is asked for");
}

#[test]
fn who_is_gone_is_found_no_more_when_its_lifetime_is_over() {
    let mut world = joined(4);
    let wanted = || Wanted::Entity("p3".parse().unwrap(), None);
    world.unreachable.push("p3".to_owned());
    assert_eq!(find(&mut world, "p1", wanted()).len(), 1);
    world.peers.remove("p3");
    world.advance(Duration::from_hours(2));
    assert_eq!(find(&mut world, "p1", wanted()), []);
    let alive = Wanted::Entity("p2".parse().unwrap(), None);
    assert_eq!(find(&mut world, "p1", alive).len(), 1, "who lives renews its record");
}

#[test]
fn a_record_is_found_by_everybody_and_the_higher_version_wins() {
    let mut world = joined(6);
    let stored = put(&mut world, "p1", "first", 5).unwrap();
    assert_eq!((stored.stored, stored.refused), (6, 0));
    assert_eq!(texts(&get(&mut world, "p4")), ["first"]);
    assert_eq!(put(&mut world, "p1", "second", 6).unwrap().stored, 6);
    let rolled_back = put(&mut world, "p1", "first", 5).unwrap();
    assert_eq!((rolled_back.stored, rolled_back.refused), (0, 5), "nobody takes a lower version");
    assert_eq!(texts(&get(&mut world, "p4")), ["second"]);
    put(&mut world, "p2", "of another owner", 1).unwrap();
    let got = get(&mut world, "p4");
    assert_eq!(got.records.len(), 2, "a slot belongs to its owner");
    let command = DhtCommand::Get { key: got.key, owner: Some(public_key("p2")) };
    let Ok(DhtResult::Got(got)) = dht(&mut world, "p4", command) else { panic!() };
    assert_eq!(texts(&got), ["of another owner"]);
}

#[test]
fn forged_stale_and_misshapen_records_win_nothing() {
    let mut world = joined(4);
    put(&mut world, "p1", "genuine", 5).unwrap();
    open(&mut world, "p3", "p2");
    let forged = record("p1", "p3", "forged", 9, 0, 60).sign(&world);
    store(&mut world, "p3", "p2", forged);
    assert_eq!(refusals(&world, "p2"), ["a record whose signature does not hold"]);
    let is_named = |(at, event): &(String, PeerEvent)| {
        at == "p2"
            && matches!(event, PeerEvent::Dht(DhtEvent::Misbehaved { peer, .. }) if *peer == name("p3"))
    };
    assert!(world.events.iter().any(is_named));
    let stale = record("p1", "p1", "stale", 9, -120, -1).sign(&world);
    store(&mut world, "p3", "p2", stale);
    let future = record("p1", "p1", "future", 9, 120, 240).sign(&world);
    store(&mut world, "p3", "p2", future);
    let rolled_back = record("p1", "p1", "rolled back", 4, 0, 60).sign(&world);
    store(&mut world, "p3", "p2", rolled_back);
    // Oversized, by hand: no honest code makes such a record.
    let small = record("p1", "p1", "x", 9, 0, 60).sign(&world);
    let mut terms = small.record.to_object();
    terms.insert("value", Object::new().with("text", "x".repeat(9_000)));
    let body = Object::new()
        .with("request", 7_u64)
        .with("record", terms)
        .with("signature", small.signature.to_base64());
    send(&mut world, "p3", "p2", "dht_store", body);
    send(&mut world, "p3", "p2", "dht_find", Object::new().with("request", 0_u64));
    assert_eq!(refusals(&world, "p2").len(), 3, "{:?}", refusals(&world, "p2"));
    for at in ["p0", "p1", "p2", "p3"] {
        assert_eq!(texts(&get(&mut world, at)), ["genuine"], "at {at}");
    }
}

#[test]
fn who_asks_too_much_is_answered_at_its_rate_and_costs_no_other() {
    let mut world = joined(3);
    open(&mut world, "p2", "p1");
    let pongs = |world: &World| {
        let is_pong = |passed: &&crate::world::Passed| {
            String::from_utf8_lossy(&passed.body).contains("\"msg_type\":\"dht_pong\"")
        };
        world.passed.iter().filter(is_pong).count()
    };
    let ping = |request: u64| Object::new().with("request", request);
    for request in 1..=400 {
        send(&mut world, "p2", "p1", "dht_ping", ping(request));
    }
    let answered = pongs(&world);
    assert!((150..=210).contains(&answered), "{answered} of 400 at once");
    send(&mut world, "p0", "p1", "dht_ping", ping(1));
    assert_eq!(pongs(&world), answered + 1, "another one is answered");
    // What is forged costs a verification, and is counted as well.
    world.advance(Duration::from_mins(1));
    for _ in 0..400 {
        let forged = record("p0", "p2", "forged", 9, 0, 60).sign(&world);
        store(&mut world, "p2", "p1", forged);
    }
    let checked = refusals(&world, "p1").len();
    assert!((150..=210).contains(&checked), "{checked} of 400 at once");
}

#[test]
fn an_answer_that_nobody_asked_for_changes_nothing() {
    let mut world = joined(3);
    open(&mut world, "p2", "p1");
    let forged = record("p1", "p2", "forged", 9, 0, 60).sign(&world);
    let found = entity_wire::payload::dht::Found { records: vec![forged], ..Default::default() };
    let message = DhtMessage::Found { request: RequestId::MAX, found };
    send(&mut world, "p2", "p1", "dht_found", message.to_object());
    assert_eq!(refusals(&world, "p1"), Vec::<String>::new());
    assert_eq!(world.peer("p1").dht().unwrap().contacts.len(), 2);
    assert_eq!(get(&mut world, "p0").records, []);
}

#[test]
fn who_leaves_hands_over_and_who_starts_again_needs_no_bootstrap() {
    let mut world = joined(5);
    put(&mut world, "p1", "kept", 5).unwrap();
    world.advance(Duration::from_secs(15));
    for gone in ["p1", "p2"] {
        assert_eq!(dht(&mut world, gone, DhtCommand::Leave), Ok(DhtResult::Left));
        assert_eq!(world.peer(gone).dht().unwrap().state, DhtState::Left);
        let get = DhtCommand::Get { key: record_key("sum"), owner: None };
        assert_eq!(dht(&mut world, gone, get), Err(DhtError::Left));
        assert_eq!(dht(&mut world, gone, DhtCommand::Leave), Err(DhtError::Left));
    }
    assert_eq!(world.peer("p3").dht().unwrap().contacts.len(), 2, "they are told");
    assert_eq!(texts(&get(&mut world, "p4")), ["kept"]);
    // The bootstrap contact of everybody is gone for good.
    world.unreachable.push("p0".to_owned());
    world.restart("p2");
    world.advance(Duration::from_secs(20));
    assert_eq!(texts(&get(&mut world, "p2")), ["kept"]);
    let view = world.peer("p2").dht().unwrap();
    let good = view.contacts.iter().filter(|contact| contact.is_good).count();
    assert_eq!((good, view.slots > 0), (2, true), "{view:?}");
}

#[test]
fn who_ends_before_its_contacts_are_kept_joins_through_those_it_has_met() {
    let mut world = World::new(["p0", "p1", "p2"].map(|id| {
        let mut member = member(id, if id == "p0" { &[] } else { &["p0"] });
        member.dht.as_mut().unwrap().table.save_after = Duration::from_hours(1);
        member
    }));
    world.advance(Duration::from_secs(5));
    assert_eq!(world.peer("p2").dht().unwrap().contacts.len(), 2);
    world.unreachable.push("p0".to_owned());
    world.restart("p2");
    world.advance(Duration::from_secs(5));
    let view = world.peer("p2").dht().unwrap();
    let ids: Vec<_> = view.contacts.iter().map(|held| held.contact.entity_id().as_str()).collect();
    assert_eq!(ids, ["p1"]);
}

#[test]
fn who_takes_no_part_says_so() {
    let outside = Config { dht: None, ..member("b", &[]) };
    let mut world = World::new([member("a", &[]), outside]);
    world.acquaint("a", "b");
    open(&mut world, "a", "b");
    assert_eq!(world.peer("b").dht(), None);
    let leave = dht(&mut world, "b", DhtCommand::Leave);
    assert_eq!(leave, Err(DhtError::Disabled));
    send(&mut world, "a", "b", "dht_ping", Object::new().with("request", 1_u64));
    assert_eq!(refusals(&world, "b"), ["this node takes no part in the table"]);
    assert_eq!(world.peer("a").dht().unwrap().contacts, [], "b does not list the capability");
}

#[test]
fn with_pinned_keys_the_table_has_only_peers_that_were_named() {
    let pinned =
        |id: &str, bootstrap: &[&str]| Config { trust: Trust::Pinned, ..member(id, bootstrap) };
    let mut world = World::new([pinned("a", &[]), pinned("b", &["a"]), pinned("c", &["a"])]);
    world.introduce("a", "b", Some(public_key("b")), false);
    world.introduce("a", "c", Some(public_key("c")), false);
    world.advance(Duration::from_secs(90));
    let contacts = |world: &mut World, at: &str| {
        let view = world.peer(at).dht().unwrap();
        let ids = view.contacts.iter().map(|held| held.contact.entity_id().to_string());
        let mut ids: Vec<_> = ids.collect();
        ids.sort();
        ids
    };
    assert_eq!(contacts(&mut world, "a"), ["b", "c"]);
    assert_eq!(contacts(&mut world, "b"), ["a"]);
    assert_eq!(world.peer("b").peer(&name("c")), None);
}

#[test]
fn so_many_guests_are_remembered_and_no_more() {
    let mut configs: Vec<Config> =
        (0..10).map(|number| member(&format!("p{number}"), &["p9"])).collect();
    configs[0].limits = Limits { guests_max: 3, ..Limits::default() };
    let mut world = World::new(configs);
    world.advance(Duration::from_secs(20));
    let known = world.peer("p0").peers().count();
    assert_eq!(known, 4, "three guests, and the one that the operator named");
    assert!(world.peer("p1").peers().count() > 5);
}

#[test]
fn a_name_that_is_pinned_to_a_key_is_not_followed_to_another() {
    let mut world = World::new([member("a", &[]), member("b", &["a"]), member("c", &["a"])]);
    // Somebody else has been c for b from the start.
    world.introduce("b", "c", Some(public_key("x")), false);
    world.advance(Duration::from_secs(20));
    let view = world.peer("b").dht().unwrap();
    let ids: Vec<_> = view.contacts.iter().map(|held| held.contact.entity_id().as_str()).collect();
    assert_eq!(ids, ["a"]);
    assert_eq!(world.peer("b").peer(&name("c")).unwrap().key, Some(public_key("x")));
}
