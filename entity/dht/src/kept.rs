//! What is kept of the table, as records of the space `dht`.
//!
//! | key | value |
//! |---|---|
//! | `contact/NODE` | a contact, and when it was last heard |
//! | `slot/KEY/OWNER` | which record won a slot, until when that is remembered, and the record while it holds |
//!
//! A slot is kept at once, so that a storer that was restarted takes nothing older; contacts some time after a
//! change ([`crate::Config::save_after`]; in a peer 10 s).

use std::sync::Arc;

use entity_crypto::encoding::{hex_decode_array, hex_encode};
use entity_crypto::signing::PublicKey;
use entity_journal::{Record, Space, Write};
use entity_wire::canonical;
use entity_wire::json::{self, FieldError, Fields, Object, Problem, RULES_1_1};
use entity_wire::payload::dht::{Contact, NodeId, RecordVersion, SignedRecord};
use entity_wire::time::Timestamp;
use thiserror::Error;

use crate::checked::CheckedRecord;
use crate::node::Node;
use crate::slots::{Place, Rank, Slot};

/// Where the table is kept.
pub const SPACE: Space = Space::state("dht");

/// A record that was not written by this code, or was damaged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key}: {reason}")]
pub struct DamagedRecord {
    /// Its key, printable characters as they are.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A record as it was read.
#[derive(Debug)]
pub(crate) enum Kept {
    Contact { node: Arc<Node>, heard_at: Timestamp },
    Slot { place: Place, won: Rank, forget_at: Timestamp, record: Option<Arc<CheckedRecord>> },
}

impl Kept {
    pub(crate) fn write_contact(node: &Node, heard_at: Timestamp) -> Write {
        let object = node.contact().to_object().with("heard_at_us", heard_at.micros());
        Write::put(SPACE, contact_key(node.id()), canonical::object_to_vec(&object))
    }

    pub(crate) fn delete_contact(id: NodeId) -> Write {
        Write::delete(SPACE, contact_key(id))
    }

    /// The change that keeps a slot as it is now, or none of it.
    pub(crate) fn write_slot(place: Place, slot: Option<&Slot>) -> Write {
        let key = format!("slot/{}/{}", place.0, place.1.to_hex()).into_bytes();
        let Some(slot) = slot else { return Write::delete(SPACE, key) };
        let mut object = Object::new()
            .with("digest", hex_encode(&slot.won.1))
            .with("forget_at_us", slot.forget_at.micros())
            .with("version", slot.won.0.get());
        if let Some(record) = &slot.record {
            object.insert("signed", record.signed().to_object());
        }
        Write::put(SPACE, key, canonical::object_to_vec(&object))
    }

    /// Reads a record.
    pub(crate) fn read(record: &Record) -> Result<Self, DamagedRecord> {
        let damaged =
            |reason: String| DamagedRecord { key: record.key.escape_ascii().to_string(), reason };
        let key = Key::read(&record.key).ok_or_else(|| damaged("no such key".to_owned()))?;
        let value = json::parse(&record.value, &RULES_1_1);
        let value = value.map_err(|error| damaged(error.to_string()))?;
        let object = value.into_object().map_err(|_| damaged("no object".to_owned()))?;
        // One form: what does not come out as it went in was written by somebody else.
        if canonical::object_to_vec(&object) != record.value {
            return Err(damaged("not in canonical form".to_owned()));
        }
        let read = match key {
            Key::Contact(id) => contact_of(id, &object),
            Key::Slot(place) => slot_of(place, &object),
        };
        read.map_err(|error| damaged(error.to_string()))
    }
}

enum Key {
    Contact(NodeId),
    Slot(Place),
}

impl Key {
    fn read(key: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(key).ok()?.split('/');
        let read = match (parts.next()?, parts.next()?, parts.next()) {
            ("contact", id, None) => Self::Contact(id.parse().ok()?),
            ("slot", key, Some(owner)) => {
                Self::Slot((key.parse().ok()?, PublicKey::from_hex(owner).ok()?))
            }
            _ => return None,
        };
        parts.next().is_none().then_some(read)
    }
}

fn contact_key(id: NodeId) -> Vec<u8> {
    format!("contact/{id}").into_bytes()
}

fn contact_of(id: NodeId, object: &Object) -> Result<Kept, FieldError> {
    let contact = Contact::from_object(object)?;
    if contact.node_id() != id {
        return Err(Problem::Invalid { expected: "the key of the node" }.of("public_key"));
    }
    let heard_at = time(Fields::new(object), "heard_at_us")?;
    Ok(Kept::Contact { node: Node::new(contact), heard_at })
}

fn slot_of(place: Place, object: &Object) -> Result<Kept, FieldError> {
    let fields = Fields::new(object);
    let version = RecordVersion::new(fields.unsigned("version")?);
    let won = (
        version.ok_or(Problem::Invalid { expected: "a version" }.of("version"))?,
        fields.read("digest", "64 hex digits", |text| hex_decode_array(text).ok())?,
    );
    let record = match fields.optional("signed") {
        Some(_) => Some(SignedRecord::from_object(fields.object("signed")?)?),
        None => None,
    };
    let is_of_slot = record.as_ref().is_none_or(|signed| {
        let record = &signed.record;
        (record.key(), record.terms().owner) == place && record.rank() == won
    });
    if !is_of_slot {
        return Err(Problem::Invalid { expected: "the record that won the slot" }.of("signed"));
    }
    let forget_at = time(fields, "forget_at_us")?;
    Ok(Kept::Slot { place, won, forget_at, record: record.map(CheckedRecord::kept) })
}

fn time(fields: Fields<'_>, field: &'static str) -> Result<Timestamp, FieldError> {
    let integer = fields.required(field)?.as_integer();
    let integer = integer.ok_or(Problem::WrongType { expected: "an integer" }.of(field))?;
    let micros = integer.as_i64().ok_or(Problem::Invalid { expected: "64 bits" }.of(field))?;
    Ok(Timestamp::from_micros(micros))
}

#[cfg(test)]
mod tests;
