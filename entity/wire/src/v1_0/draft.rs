//! A message of 1.0 to be signed and sent.

use entity_crypto::signing::{Signature, SigningKey};

use super::{Flavour, Stamp};
use crate::json::{Layout, Object, ObjectWriter, Value};
use crate::kind::MessageKind;
use crate::version::Version;

/// A message of 1.0 that is not signed yet.
///
/// `stamp` and `nonce` are given as text because their exact form is signed; [`Flavour::stamp`] and
/// [`Flavour::nonce`] make them.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// How the envelope is written. The first handshake message is always [`Flavour::Iso`].
    pub flavour: Flavour,
    /// `"1.0"` or `"0.3"`.
    pub version: Version,
    /// `msg_type`.
    pub kind: MessageKind,
    /// `sender_id`.
    pub sender: String,
    /// `recipient_id`; not signed.
    pub recipient: Option<String>,
    /// `session_id`; not signed.
    pub session: Option<String>,
    /// `sequence_num`; not signed.
    pub sequence: Option<u64>,
    /// `timestamp`.
    pub stamp: Stamp,
    /// `nonce`.
    pub nonce: String,
    /// `payload`, sealed already where it is to be.
    pub payload: Object,
}

impl Draft {
    /// The bytes that the signature covers.
    ///
    /// Source: `docs/protocol/1.0.md#signature`.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let mut writer = ObjectWriter::new(&mut out, Layout::Canonical);
        writer.text("msg_type", self.kind.as_str());
        writer.text("nonce", &self.nonce);
        writer.object("payload", &self.payload);
        writer.text("sender_id", &self.sender);
        writer.value("timestamp", &self.stamp.to_value());
        writer.text("version", self.version.as_str());
        writer.end();
        out
    }

    /// Signs the message and writes it, byte for byte as the earlier peer would.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        self.write(&key.sign(&self.signed_bytes()))
    }

    fn write(&self, signature: &Signature) -> Vec<u8> {
        let signature = signature.to_base64();
        let mut out = Vec::with_capacity(1024);
        let mut writer = ObjectWriter::new(&mut out, Layout::Spaced);
        for field in self.order() {
            self.write_field(&mut writer, field, &signature);
        }
        writer.end();
        out
    }

    /// The order of the fields. The earlier peer writes the first handshake message, the only one of this flavour in
    /// which it names the recipient, in another order than the others.
    fn order(&self) -> &'static [&'static str] {
        match self.flavour {
            Flavour::Dataclass => &DATACLASS_ORDER,
            Flavour::Iso if self.recipient.is_some() => &ISO_ORDER_WITH_RECIPIENT,
            Flavour::Iso => &ISO_ORDER,
        }
    }

    fn write_field(&self, writer: &mut ObjectWriter<'_>, field: &'static str, signature: &str) {
        match field {
            "version" => writer.text(field, self.version.as_str()),
            "msg_type" => writer.text(field, self.kind.as_str()),
            "sender_id" => writer.text(field, &self.sender),
            "payload" => writer.object(field, &self.payload),
            "timestamp" => writer.value(field, &self.stamp.to_value()),
            "nonce" => writer.text(field, &self.nonce),
            "signature" => writer.text(field, signature),
            "recipient_id" => {
                self.write_optional(writer, field, self.recipient.as_deref().map(Value::from));
            }
            "session_id" => {
                self.write_optional(writer, field, self.session.as_deref().map(Value::from));
            }
            "sequence_num" => self.write_optional(writer, field, self.sequence.map(Value::from)),
            // The fields that are null in every message of the flavour that has them.
            _ => writer.null(field),
        }
    }

    fn write_optional(&self, writer: &mut ObjectWriter<'_>, field: &str, value: Option<Value>) {
        match (value, self.flavour) {
            (Some(value), _) => writer.value(field, &value),
            (None, Flavour::Dataclass) => writer.null(field),
            (None, Flavour::Iso) => {}
        }
    }
}

/// Source: `docs/protocol/1.0.md#flavours`.
const ISO_ORDER_WITH_RECIPIENT: [&str; 10] = [
    "version",
    "msg_type",
    "sender_id",
    "recipient_id",
    "session_id",
    "sequence_num",
    "timestamp",
    "nonce",
    "payload",
    "signature",
];

/// As recorded from the earlier peer for every message but the first of a handshake.
const ISO_ORDER: [&str; 9] = [
    "version",
    "msg_type",
    "sender_id",
    "payload",
    "timestamp",
    "nonce",
    "session_id",
    "sequence_num",
    "signature",
];

/// Source: `docs/protocol/1.0.md#flavours`.
const DATACLASS_ORDER: [&str; 13] = [
    "payload",
    "timestamp",
    "nonce",
    "signature",
    "encrypted_payload",
    "sender_public_key",
    "jwt_token",
    "sender_id",
    "recipient_id",
    "session_id",
    "sequence_num",
    "version",
    "msg_type",
];
