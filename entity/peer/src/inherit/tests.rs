use entity_crypto::signing::SigningKey;
use entity_journal::Record;
use entity_wire::canonical;
use entity_wire::payload::token::{Amount, TokenGenesis};

use super::*;

fn key(byte: u8) -> PublicKey {
    SigningKey::from_seed([byte; 32]).public_key()
}

fn store(spaces: &[&str]) -> Stored {
    let mut stored = Stored::default();
    for space in spaces {
        stored.put(space, Record { key: b"a".to_vec(), value: Vec::new() });
    }
    stored
}

/// A store in which a ledger is open whose only member has the key of 1.
fn with_ledger() -> Stored {
    let tokens = vec![TokenGenesis {
        token: "AGT".parse().unwrap(),
        issuer: key(2),
        cap: Amount::new(1_000).unwrap(),
    }];
    let genesis = Genesis::new(vec![key(1)], tokens).unwrap();
    let mut stored = Stored::default();
    let value = canonical::object_to_vec(&genesis.to_object());
    stored.put(LEDGER.name(), Record { key: b"genesis".to_vec(), value });
    stored
}

#[test]
fn only_what_means_nothing_without_the_old_key_goes() {
    let spaces = [
        "inbox",
        "inbox.seen",
        "outbox",
        "outbox.place",
        "roster",
        "session",
        "task",
        "token.key",
        "token.own",
        "token.pending",
    ];
    let gone = inherit(&store(&spaces), &key(1)).unwrap();
    let gone: Vec<_> =
        gone.iter().map(Write::place).map(|(space, key)| (space.name(), key)).collect();
    let key = b"a".as_slice();
    assert_eq!(
        gone,
        [("session", key), ("outbox.place", key), ("token.key", key), ("token.own", key)]
    );
}

#[test]
fn a_member_of_a_committee_cannot_be_followed_and_an_owner_can() {
    assert_eq!(inherit(&with_ledger(), &key(1)), Err(InheritError::Member));
    assert_eq!(inherit(&with_ledger(), &key(2)), Ok(vec![]));
    let damaged = store(&["token.ledger"]);
    assert_eq!(inherit(&damaged, &key(2)), Err(InheritError::Damaged));
}
