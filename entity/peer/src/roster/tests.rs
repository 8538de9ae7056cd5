use entity_crypto::signing::SigningKey;

use super::*;

fn key(seed: u8) -> PublicKey {
    SigningKey::from_seed([seed; 32]).public_key()
}

/// Adds one name twice under these keys, and returns what the second time gave and what is stored then.
fn add_twice(
    first: Option<PublicKey>,
    second: Option<PublicKey>,
) -> (Result<Added, AddError>, String, Option<PublicKey>, KeyTrust) {
    let mut roster = Roster::new(1);
    assert_eq!(
        roster.add("b".parse().unwrap(), "http://1".to_owned(), first, Origin::Operator),
        Ok(Added::New)
    );
    let added = roster.add("b".parse().unwrap(), "http://2".to_owned(), second, Origin::Operator);
    let entry = roster.get("b").unwrap();
    (added, entry.address.clone(), entry.key, entry.trust)
}

#[test]
fn a_known_peer_gets_its_new_address() {
    let key = key(1);
    let expected = (Ok(Added::Known), "http://2".to_owned(), Some(key), KeyTrust::Pinned);
    assert_eq!(add_twice(Some(key), Some(key)), expected);
    assert_eq!(add_twice(Some(key), None), expected);
    assert_eq!(add_twice(None, Some(key)), expected);
}

#[test]
fn another_key_is_refused_and_changes_nothing() {
    let expected = (Err(AddError::OtherKey), "http://1".to_owned(), Some(key(1)), KeyTrust::Pinned);
    assert_eq!(add_twice(Some(key(1)), Some(key(2))), expected);
}

#[test]
fn a_peer_too_many_is_refused() {
    let mut roster = Roster::new(1);
    assert_eq!(
        roster.add("b".parse().unwrap(), String::new(), None, Origin::Operator),
        Ok(Added::New)
    );
    assert_eq!(
        roster.add("c".parse().unwrap(), String::new(), None, Origin::Operator),
        Err(AddError::Full)
    );
    assert_eq!(
        roster.add("b".parse().unwrap(), String::new(), None, Origin::Operator),
        Ok(Added::Known)
    );
}

#[test]
fn first_use_pins_once() {
    let mut roster = Roster::new(1);
    roster.add("b".parse().unwrap(), String::new(), None, Origin::Operator).unwrap();
    let entry = roster.get_mut("b").unwrap();
    assert!(entry.pin_first_use(key(1)));
    assert!(!entry.pin_first_use(key(2)));
    assert_eq!((entry.key, entry.trust), (Some(key(1)), KeyTrust::FirstUse));
}

#[test]
fn a_proved_version_never_goes_down() {
    let mut roster = Roster::new(1);
    roster.add("b".parse().unwrap(), String::new(), None, Origin::Operator).unwrap();
    let entry = roster.get_mut("b").unwrap();
    assert!(entry.prove(Version::V1_1));
    assert!(!entry.prove(Version::V1_0));
    assert_eq!(entry.proved, Some(Version::V1_1));
}
