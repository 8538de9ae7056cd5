//! What is sealed in a frame of kind 0x11.

use crate::json::{
    self, FieldError, Fields, Layout, Object, ObjectWriter, Problem, RULES_1_1, write_object,
};
use crate::kind::MessageKind;
use crate::limits::KIND_LEN_MAX;
use crate::payload::sealed::{Plaintext, PlaintextError};
use crate::time::Timestamp;

/// `{"ack", "body", "durable"?, "msg_type", "number"?, "timestamp"}`: what an envelope says of a message outside its
/// sealed payload and still matters, and what it says inside.
///
/// Source: `docs/protocol/1.1.md#frame-of-a-message`.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// `msg_type`.
    pub kind: MessageKind,
    /// `timestamp`.
    pub timestamp: Timestamp,
    /// The rest, as in the sealed payload of an envelope.
    pub plaintext: Plaintext,
}

impl Message {
    /// Reads an opened frame, under the same rules of JSON as an envelope. Fields that the protocol does not name are
    /// ignored, as there.
    ///
    /// # Errors
    ///
    /// See [`PlaintextError`].
    pub fn from_slice(opened: &[u8]) -> Result<Self, PlaintextError> {
        let value = json::parse(opened, &RULES_1_1).map_err(PlaintextError::Json)?;
        let object = value.into_object().map_err(|_| PlaintextError::NotAnObject)?;
        let (kind, timestamp) = outer(&object).map_err(PlaintextError::Field)?;
        Ok(Self { kind, timestamp, plaintext: Plaintext::from_object(object)? })
    }

    /// Writes the plaintext of a frame: canonical JSON.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        write(&self.kind, self.timestamp, &self.plaintext, &mut out);
        out
    }
}

/// Appends the plaintext of a frame: canonical JSON, the fields in the order of their names.
pub fn write(kind: &MessageKind, timestamp: Timestamp, plaintext: &Plaintext, out: &mut Vec<u8>) {
    let mut writer = ObjectWriter::new(out, Layout::Canonical);
    writer.integer("ack", plaintext.ack);
    write_object(writer.key("body"), &plaintext.body, Layout::Canonical);
    if let Some(durable) = plaintext.durable {
        writer.text("durable", &durable.to_string());
    }
    writer.text("msg_type", kind.as_str());
    if let Some(number) = plaintext.number {
        writer.integer("number", number.get());
    }
    let time = writer.key("timestamp");
    time.push(b'"');
    time.extend_from_slice(&timestamp.text());
    time.push(b'"');
    writer.end();
}

fn outer(object: &Object) -> Result<(MessageKind, Timestamp), FieldError> {
    let fields = Fields::new(object);
    let kind = fields.short_text("msg_type", KIND_LEN_MAX)?;
    if kind.is_empty() {
        return Err(Problem::Invalid { expected: "a kind of message" }.of("msg_type"));
    }
    let kind = MessageKind::from_text(kind);
    let timestamp = fields.read("timestamp", "YYYY-MM-DDTHH:MM:SS.ffffff+00:00", |text| {
        Timestamp::from_iso_strict(text).ok()
    })?;
    Ok((kind, timestamp))
}
