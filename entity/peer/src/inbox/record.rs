//! The inbox as it is kept.
//!
//! | space | key | value |
//! |---|---|---|
//! | `inbox` | the index, 16 hex digits | `{"body", "durable", "from", "len", "number", "received_at", "sealed", "sequence", "session", "type", "version"}` |
//! | `inbox.index` | `reserved` | `{"index"}`: no higher one was given out |

use std::sync::Arc;

use entity_journal::{Record, Space, Stored, Write};
use entity_wire::json::{FieldError, Fields, Object, Problem};
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use crate::output::Received;
use crate::record::{self, damaged, key_of_number, number_of_key};
use crate::restore::RestoreError;
use crate::view::SessionName;

const MESSAGES: Space = Space::state("inbox");
const INDEX: Space = Space::state("inbox.index");
const RESERVED: &str = "reserved";

const FIELDS: [&str; 11] = [
    "body",
    "durable",
    "from",
    "len",
    "number",
    "received_at",
    "sealed",
    "sequence",
    "session",
    "type",
    "version",
];

pub(super) fn put_reserved(index: u64) -> Write {
    record::put(INDEX, RESERVED, &Object::new().with("index", index))
}

pub(super) fn put_message(index: u64, received: &Received, len_bytes: usize) -> Write {
    let mut object = Object::new()
        .with("body", Object::clone(&received.body))
        .with("from", received.from.as_str())
        .with("len", u64::try_from(len_bytes).unwrap_or(u64::MAX))
        .with("received_at", received.received_at.to_string())
        .with("sealed", received.sealed)
        .with("sequence", received.sequence)
        .with("session", received.session.0.as_str())
        .with("type", received.kind.as_str())
        .with("version", received.version.as_str());
    if let Some(id) = received.durable {
        object.insert("durable", id.to_string());
    }
    if let Some(number) = received.number {
        object.insert("number", number);
    }
    record::put(MESSAGES, key_of_number(index), &object)
}

pub(super) fn delete_message(index: u64) -> Write {
    Write::delete(MESSAGES, key_of_number(index))
}

/// Reads up to which index some were given out; 0 where none was.
pub(super) fn read_reserved(stored: &mut Stored) -> Result<u64, RestoreError> {
    let mut reserved = 0;
    for record in stored.take(INDEX) {
        if record.key != RESERVED.as_bytes() {
            return Err(damaged(INDEX, &record, "its key is not `reserved`"));
        }
        reserved = record::read(INDEX, &record, &["index"], |fields| fields.unsigned("index"))?;
    }
    Ok(reserved)
}

/// Reads the messages, in the order of their indices, each with its weight.
pub(super) fn read_messages(
    stored: &mut Stored,
    reserved: u64,
) -> Result<Vec<(Received, usize)>, RestoreError> {
    stored.take(MESSAGES).map(|record| read_message(&record, reserved)).collect()
}

fn read_message(record: &Record, reserved: u64) -> Result<(Received, usize), RestoreError> {
    let index = number_of_key(MESSAGES, record)?;
    if index > reserved {
        return Err(damaged(MESSAGES, record, "its index was never given out"));
    }
    record::read(MESSAGES, record, &FIELDS, |fields| read_fields(fields, index))
}

fn read_fields(fields: Fields<'_>, index: u64) -> Result<(Received, usize), FieldError> {
    let number = fields.optional("number").map(|_| fields.unsigned("number")).transpose()?;
    let len_bytes = usize::try_from(fields.unsigned("len")?);
    let received = Received {
        index: Some(index),
        from: fields.parsed("from", "the name of a peer")?,
        kind: MessageKind::from_text(fields.text("type")?),
        body: Arc::new(fields.object("body")?.clone()),
        session: SessionName(fields.text("session")?.to_owned()),
        sequence: fields.unsigned("sequence")?,
        number,
        version: fields.read("version", "a version", Version::from_text)?,
        sealed: fields.flag("sealed")?,
        received_at: fields
            .read("received_at", "a time", |text| Timestamp::from_iso_strict(text).ok())?,
        durable: Some(fields.parsed("durable", "a lower-case UUID of version 4")?),
    };
    Ok((received, len_bytes.map_err(|_| Problem::Invalid { expected: "a length" }.of("len"))?))
}
