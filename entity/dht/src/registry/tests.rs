use entity_wire::json::Object;

use super::*;
use crate::checked::Ed25519;
use crate::testing::{START, at, key};

fn presence(id: &str, capabilities: &[&str]) -> Presence {
    Presence {
        entity_id: id.parse().unwrap(),
        addresses: vec![
            "http://127.0.0.1:1".parse().unwrap(),
            "http://127.0.0.1:2".parse().unwrap(),
        ],
        capabilities: Some(capabilities.iter().map(|text| (*text).to_owned()).collect()),
    }
}

fn announcer(seed: u16) -> Announcer {
    Announcer::new(key(seed).public_key(), Announcer::LIFETIME)
}

fn drafts(announcer: &mut Announcer, now: Timestamp) -> Vec<Record> {
    std::iter::from_fn(|| announcer.poll_draft(now)).collect()
}

/// What a node finds after this was signed and stored.
fn signed(drafts: Vec<Record>, seed: u16) -> Vec<Arc<CheckedRecord>> {
    let sign = |draft: Record| CheckedRecord::check(draft.sign(&key(seed)), &Ed25519).unwrap();
    drafts.into_iter().map(sign).collect()
}

#[test]
fn an_entity_is_found_by_its_id_and_by_each_capability() {
    let mut announcer = announcer(1);
    announcer.announce(presence("alice", &["translate", "sum"]), START).unwrap();
    let records = signed(drafts(&mut announcer, START), 1);
    let keys: Vec<_> = records.iter().map(|record| record.record().key()).collect();
    assert_eq!(keys.len(), 3);
    assert!(keys.contains(&key_of_entity(&"alice".parse().unwrap())));
    assert!(keys.contains(&key_of_capability("translate").unwrap()));
    assert!(keys.contains(&key_of_capability("sum").unwrap()));
    for found in resolve(&records, None) {
        assert_eq!(found.owner, key(1).public_key());
        assert_eq!(found.presence.entity_id.as_str(), "alice");
        let addresses: Vec<_> = found.contacts().map(|one| one.address().to_string()).collect();
        assert_eq!(addresses, ["http://127.0.0.1:1", "http://127.0.0.1:2"]);
    }
    assert_eq!(key_of_capability(""), None);
}

#[test]
fn under_one_name_the_pinned_key_decides() {
    let mut records = Vec::new();
    for seed in [1, 2] {
        let mut announcer = announcer(seed);
        announcer.announce(presence("alice", &[]), START).unwrap();
        records.extend(signed(drafts(&mut announcer, START), seed));
    }
    assert_eq!(resolve(&records, None).len(), 2, "anybody can sign for any name");
    let pinned = key(2).public_key();
    let found = resolve(&records, Some(&pinned));
    assert_eq!(found.iter().map(|one| one.owner).collect::<Vec<_>>(), [pinned]);
    assert_eq!(resolve(&records, Some(&key(3).public_key())), []);
}

#[test]
fn what_is_no_presence_or_speaks_of_another_name_is_skipped() {
    let record = |value: Object| {
        let terms = Terms {
            kind: RecordKind::Entity,
            name: RecordName::of_entity(&"alice".parse().unwrap()),
            owner: key(1).public_key(),
            value,
            version: RecordVersion::FIRST,
            issued_at: START,
            expires_at: at(9),
        };
        signed(vec![Record::new(terms).unwrap()], 1)
    };
    assert_eq!(resolve(&record(presence("alice", &[]).to_object()), None).len(), 1);
    assert_eq!(resolve(&record(presence("bob", &[]).to_object()), None), []);
    assert_eq!(resolve(&record(Object::new()), None), []);
}

#[test]
fn records_are_made_anew_when_half_of_their_lifetime_is_over_under_a_higher_version() {
    let mut announcer = announcer(1);
    let begin = Timestamp::from_micros(1_700_000_000_000_000);
    announcer.announce(presence("alice", &["sum"]), begin).unwrap();
    let first = drafts(&mut announcer, begin);
    assert_eq!(first.len(), 2);
    assert_eq!(drafts(&mut announcer, begin), []);
    let hour = begin.plus(Duration::from_hours(1));
    assert_eq!(announcer.next_deadline(), Some(hour));
    assert_eq!(drafts(&mut announcer, hour.offset(-1)), []);
    let second = drafts(&mut announcer, hour);
    for (old, new) in first.iter().zip(&second) {
        assert_eq!(old.key(), new.key());
        assert!(new.terms().version > old.terms().version);
        assert_eq!(new.terms().expires_at, hour.plus(Duration::from_hours(2)));
    }
    // A node that lost everything, or whose clock went back while it ran, is not behind itself.
    let mut lost = self::announcer(1);
    lost.announce(presence("alice", &["sum"]), hour.offset(1)).unwrap();
    assert!(drafts(&mut lost, hour.offset(1))[0].terms().version > second[0].terms().version);
    announcer.announce(presence("alice", &["sum"]), begin).unwrap();
    assert!(drafts(&mut announcer, begin)[0].terms().version > second[0].terms().version);
}

#[test]
fn what_is_not_announced_any_more_is_not_renewed() {
    let mut announcer = announcer(1);
    announcer.announce(presence("alice", &["sum", "sort"]), START).unwrap();
    drafts(&mut announcer, START);
    announcer.announce(presence("alice", &["sort"]), at(5)).unwrap();
    assert_eq!(drafts(&mut announcer, at(5)).len(), 2);
    assert_eq!(drafts(&mut announcer, at(90_000)).len(), 2);
}

#[test]
fn what_makes_no_record_is_refused_and_what_was_announced_stays() {
    let mut announcer = announcer(1);
    announcer.announce(presence("alice", &["sum"]), START).unwrap();
    let many: Vec<String> = (0..=CAPABILITIES_MAX).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let refused = announcer.announce(presence("alice", &many), START);
    assert_eq!(refused, Err(AnnounceError::TooMany { count: CAPABILITIES_MAX + 1 }));
    assert!(announcer.announce(presence("alice", &many[1..]), START).is_ok());
    let refused = announcer.announce(presence("alice", &["a\nb"]), START);
    assert_eq!(refused, Err(AnnounceError::Capability));
    let long = format!("http://{}", "a".repeat(500)).parse().unwrap();
    let long = Presence { addresses: vec![long; 20], ..presence("alice", &[]) };
    assert!(matches!(announcer.announce(long, START), Err(AnnounceError::Record(_))));
    assert_eq!(drafts(&mut announcer, START).len(), CAPABILITIES_MAX + 1);
}
