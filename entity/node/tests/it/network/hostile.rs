//! Records that must not win, as bodies of `dht_store`.

use entity_crypto::signing::SigningKey;
use entity_node::seed::TestSeed;
use entity_wire::canonical;
use entity_wire::json::Object;
use entity_wire::payload::dht::{
    Record, RecordKind, RecordName, RecordVersion, SignedRecord, Terms,
};
use entity_wire::time::Timestamp;
use serde_json::Value;

use super::VERSION;
use super::member::{SEED, name as name_of};

/// A record in the name of a member: forged, stale, rolled back, oversized. All but the first are signed by its own key.
pub(crate) fn attacks(owner: usize, name: &str) -> [Value; 4] {
    let identity = TestSeed::new(name_of(owner), SEED).identity();
    let stranger = SigningKey::from_seed([9; 32]);
    let record = |version: u64, from_s: i64, to_s: i64| {
        let terms = Terms {
            kind: RecordKind::Capability,
            name: RecordName::of_capability(name).unwrap(),
            owner: identity.public_key(),
            value: Object::new().with("text", "what an attacker wrote"),
            version: RecordVersion::new(version).unwrap(),
            issued_at: now().offset(from_s * 1_000_000),
            expires_at: now().offset(to_s * 1_000_000),
        };
        Record::new(terms).unwrap()
    };
    let forged = record(VERSION + 10, 0, 3_600).sign(&stranger);
    let stale = record(VERSION + 11, -7_200, -1).sign(&identity);
    let rolled_back = record(VERSION - 1, 0, 3_600).sign(&identity);
    let small = record(VERSION + 12, 0, 3_600).sign(&identity);
    let oversized = Object::new().with("text", "x".repeat(9_000));
    let mut terms = small.record.to_object();
    terms.insert("value", oversized);
    let oversized = body(terms, &small);
    [&forged, &stale, &rolled_back]
        .map(|signed| body(signed.record.to_object(), signed))
        .into_iter()
        .chain([oversized])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

fn body(record: Object, signed: &SignedRecord) -> Value {
    let body = Object::new()
        .with("request", 1_u64)
        .with("record", record)
        .with("signature", signed.signature.to_base64());
    serde_json::from_slice(&canonical::object_to_vec(&body)).unwrap()
}

fn now() -> Timestamp {
    entity_node::clock::Clock::start().now()
}
