//! What tests of several modules need.

use std::sync::Arc;
use std::time::Duration;

use entity_crypto::signing::SigningKey;
use entity_wire::json::Object;
use entity_wire::payload::dht::{
    Contact, Record, RecordKind, RecordName, RecordVersion, SignedRecord, Terms,
};
use entity_wire::time::Timestamp;

use crate::checked::{CheckedRecord, Ed25519};
use crate::node::Node;

pub(crate) const START: Timestamp = Timestamp::UNIX_EPOCH;

pub(crate) fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

pub(crate) fn key(seed: u16) -> SigningKey {
    let mut bytes = [5; 32];
    bytes[..2].copy_from_slice(&seed.to_be_bytes());
    SigningKey::from_seed(bytes)
}

/// A node at a local address of its own.
pub(crate) fn node(seed: u16) -> Arc<Node> {
    let address = format!("http://127.0.0.1:{seed}").parse().unwrap();
    let id = format!("n{seed}").parse().unwrap();
    Node::new(Contact::new(id, key(seed).public_key(), address))
}

/// A record of a capability, of an owner, with a version, from a time on and for so many seconds.
#[derive(Clone, Copy)]
pub(crate) struct Written {
    pub(crate) name: &'static str,
    pub(crate) owner: u16,
    pub(crate) version: u64,
    pub(crate) issued_at: Timestamp,
    pub(crate) seconds: u64,
    pub(crate) padding: usize,
}

pub(crate) const WRITTEN: Written =
    Written { name: "x", owner: 1, version: 1, issued_at: START, seconds: 7_200, padding: 0 };

impl Written {
    pub(crate) fn signed(self) -> SignedRecord {
        let owner = key(self.owner);
        let terms = Terms {
            kind: RecordKind::Capability,
            name: RecordName::of_capability(self.name).unwrap(),
            owner: owner.public_key(),
            value: Object::new().with("padding", "p".repeat(self.padding)),
            version: RecordVersion::new(self.version).unwrap(),
            issued_at: self.issued_at,
            expires_at: self.issued_at.plus(Duration::from_secs(self.seconds)),
        };
        Record::new(terms).unwrap().sign(&owner)
    }

    pub(crate) fn checked(self) -> Arc<CheckedRecord> {
        CheckedRecord::check(self.signed(), &Ed25519).unwrap()
    }
}
