//! A signed record, and the presence in it: `docs/protocol/1.1.md#dht-record`, `docs/protocol/1.1.md#registry`.

use std::sync::LazyLock;

use entity_wire::canonical;
use entity_wire::decode;
use entity_wire::json::RULES_1_1;
use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::payload::dht::{Presence, SignedRecord};
use serde_json::{Value, json};

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "dht_record",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 1_024,
        len_max: Some(MESSAGE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(object) = decode::read_object(&RULES_1_1, input) else { return Outcome::Refused };
    let Ok(record) = SignedRecord::from_object(&object) else { return Outcome::Refused };
    let written = record.to_object();
    let bytes = canonical::object_to_vec(&written);
    assert_eq!(record.len_bytes(), bytes.len(), "a record counts other bytes than it has");
    law::object_settles(&written, &RULES_1_1, |object| {
        SignedRecord::from_object(object).map(|record| record.to_object())
    });
    if record.is_genuine() {
        assert!(GENUINE.contains(&bytes), "a record holds that its owner never signed");
    }
    let value = &record.record.terms().value;
    if let Ok(presence) = Presence::from_object(value) {
        law::object_settles(&presence.to_object(), &RULES_1_1, |object| {
            Presence::from_object(object).map(|presence| presence.to_object())
        });
    }
    Outcome::Taken
}

fn vectors() -> Vec<(Value, String)> {
    let vectors = corpus::json("docs/protocol/vectors/dht_1_1.json");
    let records = vectors["records"].as_array().into_iter().flatten();
    let record = |record: &Value| {
        let canonical = serde_json::from_str(record["canonical"].as_str()?).ok()?;
        Some((canonical, record["signature"].as_str()?.to_owned()))
    };
    records.filter_map(record).collect()
}

/// The canonical forms of the records that were ever signed.
static GENUINE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let canonical = |entry: &Vec<u8>| {
        let object = decode::read_object(&RULES_1_1, entry).ok()?;
        Some(canonical::object_to_vec(&object))
    };
    golden().entries().iter().filter_map(canonical).collect()
});

fn golden() -> Corpus {
    let records = vectors().into_iter();
    let text =
        |(record, signature)| json!({ "record": record, "signature": signature }).to_string();
    Corpus::of(records.map(text))
}
