//! Records of the distributed hash table that another implementation has signed: `docs/protocol/vectors/dht_1_1.json`.

use entity_crypto::encoding::hex_encode;
use entity_wire::canonical;
use entity_wire::json::{self, Object, RULES_1_1};
use entity_wire::payload::dht::{NodeId, SignedRecord};
use serde_json::Value;

use crate::data::{list, public_key, signing_key, text};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../docs/protocol/vectors/dht_1_1.json")).unwrap()
}

/// The signed record of a vector.
fn record(vector: &Value) -> SignedRecord {
    let record = json::parse(text(vector, "canonical").as_bytes(), &RULES_1_1).unwrap();
    let object = Object::new().with("record", record).with("signature", text(vector, "signature"));
    SignedRecord::from_object(&object).unwrap()
}

#[test]
fn a_node_lies_where_another_implementation_says() {
    let vectors = vectors();
    let key = public_key(&vectors, "public_key");
    assert_eq!(signing_key(&vectors, "seed").public_key(), key);
    assert_eq!(NodeId::of(&key).to_string(), text(&vectors, "node_id"));
}

#[test]
fn records_that_another_implementation_has_signed_read_and_are_made_again_byte_for_byte() {
    let vectors = vectors();
    let owner = signing_key(&vectors, "seed");
    assert_eq!(list(&vectors, "records").len(), 2);
    for vector in list(&vectors, "records") {
        let read = record(vector);
        assert!(read.is_genuine());
        assert_eq!(read.record.key().to_string(), text(vector, "key"));
        assert_eq!(hex_encode(read.record.digest()), text(vector, "sha256"));
        let written = canonical::object_to_vec(&read.record.to_object());
        assert_eq!(String::from_utf8(written).unwrap(), text(vector, "canonical"));
        let signed = read.record.clone().sign(&owner);
        assert_eq!(signed.signature.to_base64(), text(vector, "signature"));
    }
}
