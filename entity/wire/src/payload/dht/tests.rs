use entity_crypto::identity::PeerId;
use entity_crypto::signing::{PublicKey, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::canonical;
use crate::json::{self, Object, RULES_1_1, Value};
use crate::time::Timestamp;

const A: &str = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";

fn object(text: &str) -> Object {
    json::parse(text.as_bytes(), &RULES_1_1).unwrap().into_object().unwrap()
}

fn canonical(object: &Object) -> String {
    String::from_utf8(canonical::object_to_vec(object)).unwrap()
}

/// The key of the seed `000102..1f`.
fn signing() -> SigningKey {
    SigningKey::from_seed(std::array::from_fn(|index| u8::try_from(index).unwrap()))
}

fn id(text: &str) -> PeerId {
    text.parse().unwrap()
}

fn contact() -> Contact {
    Contact::new(id("alice"), signing().public_key(), "http://127.0.0.1:4001".parse().unwrap())
}

fn presence() -> Presence {
    Presence {
        entity_id: id("alice"),
        addresses: vec!["http://127.0.0.1:4001".parse().unwrap()],
        capabilities: Some(vec!["translate".to_owned()]),
    }
}

fn terms() -> Terms {
    let issued_at = Timestamp::from_iso_strict("2026-01-02T03:04:05.000006+00:00").unwrap();
    Terms {
        kind: RecordKind::Entity,
        name: RecordName::of_entity(&id("alice")),
        owner: signing().public_key(),
        value: presence().to_object(),
        version: RecordVersion::new(7).unwrap(),
        issued_at,
        expires_at: issued_at.plus(std::time::Duration::from_hours(2)),
    }
}

fn signed() -> SignedRecord {
    Record::new(terms()).unwrap().sign(&signing())
}

fn record_text() -> String {
    format!(
        r#"{{"expires_at":"2026-01-02T05:04:05.000006+00:00","issued_at":"2026-01-02T03:04:05.000006+00:00","kind":"entity","name":"alice","owner":"{A}","value":{{"addresses":["http://127.0.0.1:4001"],"capabilities":["translate"],"entity_id":"alice"}},"version":7}}"#
    )
}

const SIGNATURE: &str =
    "BncdcukPQI2YdWcm+IQ4akV5rXNTV+Qp67VlMmSdkKJthEdfoyZfvK9/PsounBEXBZGLL21nPU8IHU3q4wAWDA==";

fn contact_text() -> String {
    format!(r#"{{"address":"http://127.0.0.1:4001","entity_id":"alice","public_key":"{A}"}}"#)
}

#[test]
fn points_of_nodes_and_records_are_exactly_these() {
    let node = NodeId::of(&signing().public_key());
    assert_eq!(
        node.to_string(),
        "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c"
    );
    let key = |kind, name: &str| RecordKey::of(kind, &RecordName::new(kind, name).unwrap());
    let entity = key(RecordKind::Entity, "alice");
    assert_eq!(
        entity.to_string(),
        "dab37f1c0f9279d846a0167a4ad8a1adf005b22d02071b952dae95692371dc05"
    );
    let capability = key(RecordKind::Capability, "alice");
    assert_eq!(
        capability.to_string(),
        "c1a1957c3c3ce98c4b16c9eee4d1327a3e9c3f1200516c69c503147272bed41e"
    );
}

#[test]
fn a_record_and_its_signature_have_exactly_these_bytes() {
    let signed = signed();
    assert_eq!(canonical(&signed.record.to_object()), record_text());
    let mut bytes = b"peer-v1.1-dht-record\0".to_vec();
    bytes.extend_from_slice(record_text().as_bytes());
    assert_eq!(signed.record.signed_bytes(), bytes);
    assert_eq!(signed.signature.to_base64(), SIGNATURE);
    let text = format!(r#"{{"record":{},"signature":"{SIGNATURE}"}}"#, record_text());
    assert_eq!(canonical(&signed.to_object()), text);
    assert_eq!(signed.len_bytes(), text.len());
    let read = SignedRecord::from_object(&object(&text)).unwrap();
    assert_eq!(read, signed);
    assert!(read.is_genuine());
}

#[test]
fn one_changed_field_makes_a_record_a_forgery() {
    let change: [fn(&mut Terms); 6] = [
        |terms| terms.kind = RecordKind::Capability,
        |terms| terms.name = RecordName::of_entity(&id("bob")),
        |terms| terms.value = Object::new(),
        |terms| terms.version = RecordVersion::new(8).unwrap(),
        |terms| terms.issued_at = terms.issued_at.offset(1),
        |terms| terms.owner = SigningKey::from_seed([9; 32]).public_key(),
    ];
    for change in change {
        let mut forged = terms();
        change(&mut forged);
        let record = Record::new(forged).unwrap();
        assert!(!SignedRecord { record, ..signed() }.is_genuine());
    }
}

#[test]
fn a_record_is_exact() {
    let valid = signed().record.to_object();
    for key in ["expires_at", "issued_at", "kind", "name", "owner", "value", "version"] {
        let mut without = valid.clone();
        without.remove(key);
        assert!(Record::from_object(&without).is_err(), "without {key}");
        assert!(
            Record::from_object(&valid.clone().with(key, true)).is_err(),
            "{key} of another type"
        );
    }
    assert!(Record::from_object(&valid.clone().with("more", 1_u64)).is_err());
    assert!(Record::from_object(&valid.with("version", 0_u64)).is_err());
    let signed = signed().to_object();
    assert!(SignedRecord::from_object(&signed.with("more", 1_u64)).is_err());
}

#[test]
fn a_record_has_at_most_8192_bytes() {
    let padded = |len: usize| {
        let mut terms = terms();
        terms.value = Object::new().with("x", "y".repeat(len));
        terms
    };
    let around = Record::new(padded(0)).unwrap().len_bytes();
    let most = Record::new(padded(RECORD_LEN_MAX - around)).unwrap();
    assert_eq!(most.len_bytes(), RECORD_LEN_MAX);
    assert_eq!(Record::from_object(&most.to_object()), Ok(most.clone()));
    let too_long = padded(RECORD_LEN_MAX - around + 1);
    assert_eq!(
        Record::new(too_long.clone()),
        Err(RecordError::TooLong { len: RECORD_LEN_MAX + 1 })
    );
    let written = most.to_object().with("value", too_long.value);
    assert_eq!(Record::from_object(&written).map_err(|error| error.field), Err("record"));
}

#[test]
fn a_record_lives_24_hours_at_most_and_some_time_at_least() {
    let living = |micros: i64| Terms { expires_at: terms().issued_at.offset(micros), ..terms() };
    let day = i64::try_from(LIFETIME_MAX.as_micros()).unwrap();
    assert!(Record::new(living(1)).is_ok() && Record::new(living(day)).is_ok());
    for micros in [day + 1, 0, -1] {
        assert_eq!(Record::new(living(micros)), Err(RecordError::Lifetime), "{micros}");
    }
    let record = signed().record;
    let ahead = std::time::Duration::from_mins(1);
    let (issued, expires) = (record.terms().issued_at, record.terms().expires_at);
    let holds = |at: Timestamp| record.holds_at(at, ahead);
    assert_eq!([holds(issued.minus(ahead)), holds(issued.minus(ahead).offset(-1))], [true, false]);
    assert_eq!([holds(expires.offset(-1)), holds(expires)], [true, false]);
}

#[test]
fn a_value_nests_15_deep_at_most_and_has_no_floats() {
    let nested = |depth: usize| {
        let innermost = Value::Array(Vec::new());
        let value = (2..depth).fold(innermost, |inner, _| Value::Array(vec![inner]));
        Terms { value: Object::new().with("x", value), ..terms() }
    };
    assert!(Record::new(nested(RECORD_DEPTH_MAX - 1)).is_ok());
    assert_eq!(Record::new(nested(RECORD_DEPTH_MAX)), Err(RecordError::Value));
    let float = Terms { value: Object::new().with("x", Value::float(1.0)), ..terms() };
    assert_eq!(Record::new(float), Err(RecordError::Value));
}

#[test]
fn names_follow_the_grammar_of_their_kind() {
    let is_name = |kind, text: &str| RecordName::new(kind, text).is_some();
    let longest = "x".repeat(CAPABILITY_LEN_MAX);
    assert!(is_name(RecordKind::Capability, &longest) && is_name(RecordKind::Entity, &longest));
    for text in ["", "a\nb", &format!("{longest}x")] {
        assert!(!is_name(RecordKind::Capability, text) && !is_name(RecordKind::Entity, text));
    }
    assert!(is_name(RecordKind::Capability, "translate: de -> en"));
    assert!(!is_name(RecordKind::Entity, "translate: de -> en"));
    let wrong = Terms { name: RecordName::of_capability("a b").unwrap(), ..terms() };
    assert_eq!(Record::new(wrong), Err(RecordError::Name));
}

#[test]
fn an_address_is_an_http_url_of_visible_characters() {
    let authority =
        |text: &str| text.parse::<Address>().map(|address| address.authority().to_owned());
    assert_eq!(authority("http://10.0.0.1:80/a/b?c"), Ok("10.0.0.1:80".to_owned()));
    assert_eq!(authority("http://[::1]:4000"), Ok("[::1]:4000".to_owned()));
    let long = format!("http://{}", "a".repeat(505));
    assert!(authority(&long).is_ok() && authority(&format!("{long}a")).is_err());
    for text in
        ["", "http://", "https://a", "http://a b", "http://a\r\nb", "http://u@h", "http:///x"]
    {
        assert_eq!(authority(text), Err(InvalidAddress), "{text}");
    }
}

fn messages() -> Vec<(DhtMessage, String)> {
    let request = RequestId::new(5).unwrap();
    let key = signed().record.key();
    let zeros = "0".repeat(64);
    let found = Found { contacts: vec![contact()], records: vec![signed()], more: true };
    let (record, contact) = (record_text(), contact_text());
    vec![
        (DhtMessage::Ping { request }, r#"{"request":5}"#.to_owned()),
        (DhtMessage::Pong { request }, r#"{"request":5}"#.to_owned()),
        (
            DhtMessage::Find { request, target: Point::from_bytes([0; 32]) },
            format!(r#"{{"request":5,"target":"{zeros}"}}"#),
        ),
        (
            DhtMessage::Get { request, key, after: None },
            format!(r#"{{"key":"{key}","request":5}}"#),
        ),
        (
            DhtMessage::Get { request, key, after: Some(signing().public_key()) },
            format!(r#"{{"after":"{A}","key":"{key}","request":5}}"#),
        ),
        (
            DhtMessage::Found { request, found: Found::default() },
            r#"{"contacts":[],"request":5}"#.to_owned(),
        ),
        (
            DhtMessage::Found { request, found },
            format!(
                r#"{{"contacts":[{contact}],"more":true,"records":[{{"record":{record},"signature":"{SIGNATURE}"}}],"request":5}}"#
            ),
        ),
        (
            DhtMessage::Store { request, record: Box::new(signed()) },
            format!(r#"{{"record":{record},"request":5,"signature":"{SIGNATURE}"}}"#),
        ),
        (
            DhtMessage::Stored { request, outcome: StoreOutcome::Older },
            r#"{"outcome":"older","request":5}"#.to_owned(),
        ),
        (DhtMessage::Leave, "{}".to_owned()),
    ]
}

#[test]
fn every_message_has_exactly_these_bytes() {
    for (message, text) in messages() {
        assert_eq!(canonical(&message.to_object()), text);
        let read = DhtMessage::from_object(message.kind(), &object(&text));
        assert_eq!(read, Some(Ok(message)));
    }
    let kinds: std::collections::BTreeSet<_> =
        messages().iter().map(|(message, _)| message.kind()).collect();
    assert_eq!(kinds, DhtMessage::KINDS.into_iter().collect());
    assert_eq!(DhtMessage::from_object("dht_other", &Object::new()), None);
}

#[test]
fn every_field_of_a_message_is_wanted_and_of_its_type() {
    for (message, _) in messages() {
        let valid = message.to_object();
        let read = |object: &Object| DhtMessage::from_object(message.kind(), object).unwrap();
        let keys: Vec<String> = valid.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            let mut without = valid.clone();
            without.remove(&key);
            let is_optional = matches!(key.as_str(), "after" | "more" | "records");
            assert_eq!(read(&without).is_ok(), is_optional, "{valid:?} without {key}");
            assert!(read(&valid.clone().with(&key, -1_i64)).is_err(), "{valid:?}: {key} is -1");
        }
        assert!(read(&valid.clone().with("unknown", 1_u64)).is_ok());
    }
}

#[test]
fn a_message_has_20_contacts_and_64_kib_of_records_at_most() {
    let request = RequestId::new(1).unwrap();
    let found = |contacts: usize, records: Vec<SignedRecord>| {
        let found = Found { contacts: vec![contact(); contacts], records, more: false };
        let object = DhtMessage::Found { request, found }.to_object();
        DhtMessage::from_object("dht_found", &object).unwrap()
    };
    assert!(found(CONTACTS_MAX, Vec::new()).is_ok());
    assert!(found(CONTACTS_MAX + 1, Vec::new()).is_err());
    let of = |seed: u16, len: usize| {
        let mut bytes = [0; 32];
        bytes[..2].copy_from_slice(&seed.to_be_bytes());
        let key = SigningKey::from_seed(bytes);
        let value = Object::new().with("x", "y".repeat(len));
        Record::new(Terms { owner: key.public_key(), value, ..terms() }).unwrap().sign(&key)
    };
    let sorted = |count: u16, len: usize| {
        let mut records: Vec<_> = (0..count).map(|seed| of(seed, len)).collect();
        records.sort_by_key(|record| record.record.terms().owner);
        records
    };
    let most = sorted(64, 500);
    assert!(found(0, most.clone()).is_ok());
    assert!(found(0, sorted(65, 0)).is_err(), "too many");
    assert!(found(0, sorted(9, 7_500)).is_err(), "too long together");
    let mut twice = most.clone();
    twice[1] = twice[0].clone();
    assert!(found(0, twice).is_err(), "one owner twice");
    let mut unsorted = most;
    unsorted.swap(0, 1);
    assert!(found(0, unsorted).is_err(), "not ascending");
}

#[test]
fn an_outcome_that_nobody_knows_is_a_refusal() {
    for outcome in StoreOutcome::ALL {
        assert_eq!(StoreOutcome::from_text(outcome.as_str()), outcome);
    }
    assert_eq!(StoreOutcome::from_text("perhaps"), StoreOutcome::Refused);
}

#[test]
fn a_presence_reads_back_and_has_1_to_8_addresses() {
    let text = r#"{"addresses":["http://127.0.0.1:4001"],"capabilities":["translate"],"entity_id":"alice"}"#;
    assert_eq!(canonical(&presence().to_object()), text);
    assert_eq!(Presence::from_object(&object(text)), Ok(presence()));
    let bare = Presence { capabilities: None, ..presence() };
    assert_eq!(Presence::from_object(&bare.to_object()), Ok(bare));
    let with = |count: usize| {
        let addresses = vec![presence().addresses[0].clone(); count];
        Presence::from_object(&Presence { addresses, ..presence() }.to_object())
    };
    assert!(with(0).is_err() && with(8).is_ok() && with(9).is_err());
    for (field, value) in [("entity_id", "a b"), ("addresses", "http://a"), ("capabilities", "x")] {
        assert!(Presence::from_object(&presence().to_object().with(field, value)).is_err());
    }
}

proptest! {
    #[test]
    fn of_two_ranks_the_higher_version_is_the_greater(a in 1_u64..1 << 53, b in 1_u64..1 << 53) {
        let of = |version| {
            let version = RecordVersion::new(version).unwrap();
            Record::new(Terms { version, ..terms() }).unwrap()
        };
        let (first, second) = (of(a), of(b));
        prop_assert_eq!(first.rank() > second.rank(), a > b);
        prop_assert_eq!(first.rank() == second.rank(), a == b);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}", kind in 0_usize..8) {
        if let Ok(Value::Object(object)) = json::parse(text.as_bytes(), &RULES_1_1) {
            drop(DhtMessage::from_object(DhtMessage::KINDS[kind], &object));
            drop(Record::from_object(&object));
            drop(Presence::from_object(&object));
        }
        drop(text.parse::<Address>());
    }

    #[test]
    fn no_change_of_a_byte_panics(place in 0_usize..2_000, byte in 32_u8..127, kind in 0_usize..10) {
        let (message, text) = messages().remove(kind);
        let mut bytes = text.into_bytes();
        let place = place % bytes.len();
        bytes[place] = byte;
        if let Ok(Value::Object(object)) = json::parse(&bytes, &RULES_1_1) {
            drop(DhtMessage::from_object(message.kind(), &object));
        }
    }

    #[test]
    fn the_key_of_a_record_tells_kind_and_name_apart(a in "[a-z]{1,6}", b in "[a-z]{1,6}") {
        let key = |kind, text: &str| RecordKey::of(kind, &RecordName::new(kind, text).unwrap());
        prop_assert_eq!(key(RecordKind::Entity, &a) == key(RecordKind::Entity, &b), a == b);
        prop_assert_ne!(key(RecordKind::Entity, &a), key(RecordKind::Capability, &b));
    }

    #[test]
    fn a_node_lies_where_the_hash_of_its_key_says(seed: [u8; 32]) {
        let key: PublicKey = SigningKey::from_seed(seed).public_key();
        let digest = entity_crypto::derivation::sha256(key.as_bytes());
        prop_assert_eq!(NodeId::of(&key), NodeId::from_bytes(digest));
    }
}
