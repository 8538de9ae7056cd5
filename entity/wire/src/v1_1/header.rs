//! The fields of an envelope of 1.1, and the canonical bytes that are written from them.

use entity_crypto::identity::PeerId;
use entity_crypto::signing::Signature;

use crate::id::{Generation, Nonce, Sequence, SessionId};
use crate::json::{Layout, Object, ObjectWriter, Value, write_object, write_object_without};
use crate::kind::MessageKind;
use crate::time::Timestamp;

/// Every field of an envelope of 1.1 but `version`, `payload` and `signature`.
///
/// Source: `docs/protocol/1.1.md#envelope`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `msg_type`.
    pub kind: MessageKind,
    /// `sender_id`.
    pub sender: PeerId,
    /// `recipient_id`.
    pub recipient: PeerId,
    /// `session_id`.
    pub session: SessionId,
    /// `sequence_num`.
    pub sequence: Sequence,
    /// `timestamp`.
    pub timestamp: Timestamp,
    /// `nonce`.
    pub nonce: Nonce,
    /// `expires_at`: only in messages meant to be stored and forwarded.
    pub expires_at: Option<Timestamp>,
}

/// What is written as `payload`.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    /// The payload itself.
    Whole(&'a Object),
    /// The payload without one field.
    Without(&'a Object, &'a str),
    /// `{"generation": g}`.
    Generation(Generation),
}

/// Writes the canonical envelope: `C(m)` without a signature, the body of the request with one.
pub(super) fn write(
    header: &Header,
    payload: Payload<'_>,
    extra: &Object,
    signature: Option<&Signature>,
) -> Vec<u8> {
    let mut fields: Vec<Field<'_>> = Vec::with_capacity(11 + extra.len());
    fields.extend(header.expires_at.as_ref().map(|time| Field::Time("expires_at", time)));
    fields.extend([
        Field::Text("msg_type", header.kind.as_str()),
        Field::Nonce(&header.nonce),
        Field::Payload(payload),
        Field::Text("recipient_id", header.recipient.as_str()),
        Field::Text("sender_id", header.sender.as_str()),
        Field::Sequence(header.sequence),
        Field::Session(&header.session),
    ]);
    fields.extend(signature.map(Field::Signature));
    fields.extend([Field::Time("timestamp", &header.timestamp), Field::Text("version", "1.1")]);
    if !extra.is_empty() {
        fields.extend(extra.iter().map(|(key, value)| Field::Extra(key, value)));
        fields.sort_unstable_by_key(Field::key);
    }
    let mut out = Vec::with_capacity(1024);
    let mut writer = ObjectWriter::new(&mut out, Layout::Canonical);
    for field in fields {
        field.write(&mut writer);
    }
    writer.end();
    out
}

/// A field to be written in its place.
enum Field<'a> {
    Text(&'a str, &'a str),
    Time(&'a str, &'a Timestamp),
    Nonce(&'a Nonce),
    Payload(Payload<'a>),
    Sequence(Sequence),
    Session(&'a SessionId),
    Signature(&'a Signature),
    Extra(&'a str, &'a Value),
}

impl<'a> Field<'a> {
    fn key(&self) -> &'a str {
        match self {
            Self::Text(key, _) | Self::Time(key, _) | Self::Extra(key, _) => key,
            Self::Nonce(_) => "nonce",
            Self::Payload(_) => "payload",
            Self::Sequence(_) => "sequence_num",
            Self::Session(_) => "session_id",
            Self::Signature(_) => "signature",
        }
    }

    fn write(self, writer: &mut ObjectWriter<'_>) {
        let key = self.key();
        match self {
            Self::Text(_, text) => writer.text(key, text),
            Self::Time(_, time) => quoted(writer.key(key), &time.text()),
            Self::Nonce(nonce) => quoted(writer.key(key), &nonce.text()),
            Self::Session(session) => quoted(writer.key(key), &session.text()),
            Self::Sequence(sequence) => writer.integer(key, sequence.get()),
            Self::Signature(signature) => writer.text(key, &signature.to_base64()),
            Self::Extra(_, value) => writer.value(key, value),
            Self::Payload(Payload::Whole(object)) => {
                write_object(writer.key(key), object, Layout::Canonical);
            }
            Self::Payload(Payload::Without(object, omitted)) => {
                write_object_without(writer.key(key), object, omitted, Layout::Canonical);
            }
            Self::Payload(Payload::Generation(generation)) => {
                let mut payload = ObjectWriter::new(writer.key(key), Layout::Canonical);
                payload.integer("generation", u64::from(generation.get()));
                payload.end();
            }
        }
    }
}

/// Writes a text that needs no escape.
fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}
