//! The record of a session, byte for byte, and damaged.

use super::*;

const ID: &str = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";

const GOLDEN: &str = concat!(
    r#"{"acked":7,"capabilities":["x25519"],"confirmed":{"generation":1,"secret":"0101010101010101010101010101010101010101010101010101010101010101"},"#,
    r#""handled":9,"heard_at":1800000000000001,"highest_generation":3,"#,
    r#""key":"8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c","peer":"bob","#,
    r#""pending":{"generation":3,"secret":"0303030303030303030303030303030303030303030303030303030303030303"},"#,
    r#""proposed":{"generation":2,"secret":"0202020202020202020202020202020202020202020202020202020202020202"},"#,
    r#""ready_at":1800000000000000,"reserved":256,"role":"responder"}"#,
);

fn record(value: &str) -> Record {
    Record { key: ID.into(), value: value.into() }
}

#[test]
fn a_record_has_exactly_these_bytes() {
    let essence = Essence::read(&record(GOLDEN)).unwrap();
    assert_eq!(essence.put(), Write::put(SPACE, ID, GOLDEN));
    assert_eq!((essence.acked, essence.reserved, essence.handled), (7, 256, 9));
    assert_eq!(essence.secrets.newest().generation(), Generation::new(2));
}

#[track_caller]
fn refused(from: &str, to: &str) {
    assert!(GOLDEN.contains(from), "{from}");
    let damaged = Essence::read(&record(&GOLDEN.replacen(from, to, 1))).unwrap_err();
    assert_eq!(damaged.key, ID);
    assert!(!damaged.reason.contains("0101"), "a secret is not shown: {damaged}");
}

#[test]
fn a_damaged_record_is_refused() {
    refused("\"acked\":7,", "");
    refused("\"acked\":7", "\"acked\":257");
    refused("\"acked\":7", "\"acked\":-1");
    refused("\"reserved\":256", "\"reserved\":2056");
    refused("\"handled\":9", "\"handled\":9007199254740992");
    refused("responder", "spectator");
    refused("\"highest_generation\":3", "\"highest_generation\":2");
    refused("\"generation\":1", "\"generation\":65536");
    refused("\"generation\":1,", "");
    refused("\"generation\":1", "\"generation\":1,\"more\":1");
    refused("0101", "01");
    refused("8a88", "8a8g");
    refused("\"heard_at\"", "\"seen_at\"");
    refused("{", "[");
    let other_key = Record { key: b"no id\n".to_vec(), value: GOLDEN.into() };
    assert_eq!(Essence::read(&other_key).unwrap_err().key, "no id\\n");
}
