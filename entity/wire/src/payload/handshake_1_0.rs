//! The payloads of the 1.0 handshake.
//!
//! Source: `docs/protocol/1.0.md#handshake`.

use entity_crypto::agreement::AgreementKey;
use entity_crypto::signing::{PublicKey, Signature, SigningKey};

use super::{bounded, texts};
use crate::canonical;
use crate::json::{FieldError, Fields, Object, Value};
use crate::limits::LEGACY_ID_LEN_MAX;
use crate::time::Timestamp;

/// `handshake`: the initiator's opening.
///
/// Source: `docs/protocol/1.0.md#handshake-first`.
#[derive(Clone, Debug, PartialEq)]
pub struct Handshake {
    /// The session that is proposed: the text of a UUID of version 4.
    pub session_id: String,
    /// The challenge, in the spelling in which it is answered.
    pub challenge: Challenge,
    /// The initiator's identity key.
    pub public_key: PublicKey,
    /// The versions that the initiator has; decoration but for `"1.1"`, which is a downgrade.
    ///
    /// Source: `docs/protocol/1.1.md#downgrade-protection`.
    pub supported_versions: Vec<String>,
    /// What the initiator can do; decoration.
    pub capabilities: Vec<String>,
    /// The offer to seal the session; `None` where `e2e_enabled` is false.
    pub sealing: Option<Sealing>,
}

/// `handshake_ack`: the responder's answer.
///
/// Source: `docs/protocol/1.0.md#handshake-ack`.
#[derive(Clone, Debug, PartialEq)]
pub struct HandshakeAck {
    /// The session, where the payload names it; the envelope always does.
    pub session_id: Option<String>,
    /// The responder's identity key.
    pub public_key: PublicKey,
    /// The signature over the challenge; the earlier peer takes an acknowledgement without one.
    pub challenge_response: Option<Signature>,
    /// The versions that the responder has, where it says so.
    ///
    /// Source: `docs/protocol/1.1.md#downgrade-protection`.
    pub supported_versions: Option<Vec<String>>,
    /// The sealing that was agreed; `None` where `e2e_accepted` is false.
    pub sealing: Option<Sealing>,
}

/// `handshake_confirm`: the initiator's last word.
///
/// Source: `docs/protocol/1.0.md#handshake-confirm`.
#[derive(Clone, Debug, PartialEq)]
pub struct HandshakeConfirm {
    /// The session, where the payload names it; the envelope always does.
    pub session_id: Option<String>,
    /// When it was sent, where it says so.
    pub timestamp: Option<Timestamp>,
}

/// A sealed session that is offered or agreed.
///
/// Source: `docs/protocol/1.0.md#session-sealing`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sealing {
    /// Its own id; the responder's names the session.
    pub session_id: String,
    /// The ephemeral key of the side that sends it.
    pub ephemeral_key: AgreementKey,
}

/// The text of a challenge: 64 hex digits.
///
/// Its spelling is kept because the text itself is signed.
///
/// Source: `docs/protocol/1.0.md#odd-signed-objects`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge(String);

impl Challenge {
    /// The challenge of 32 random bytes, in lower case.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(entity_crypto::encoding::hex_encode(bytes))
    }

    /// Takes 64 hex digits of either case.
    pub fn from_text(text: &str) -> Option<Self> {
        let hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        hex.then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Answers the challenge.
    pub fn answer(&self, key: &SigningKey) -> Signature {
        key.sign(&canonical::text_to_vec(&self.0))
    }

    /// Whether `answer` is the answer of the holder of `key`.
    pub fn is_answered_by(&self, answer: &Signature, key: &PublicKey) -> bool {
        key.verify(&canonical::text_to_vec(&self.0), answer).is_ok()
    }
}

impl Handshake {
    /// What this project's peers list, and the earlier peer as well.
    pub const CAPABILITIES: [&'static str; 3] = ["e2e_encryption", "aes_256_gcm", "x25519"];

    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// `session_id`, `challenge` or `public_key` is absent or wrong; `e2e_enabled` is true and the offer is not
    /// readable; another named field has the wrong type.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let list = |field| fields.optional(field).map(|_| fields.texts(field)).transpose();
        Ok(Self {
            session_id: uuid_text(fields, "session_id")?,
            challenge: fields.read("challenge", "64 hex digits", Challenge::from_text)?,
            public_key: public_key(fields)?,
            supported_versions: list("supported_versions")?.unwrap_or_default(),
            capabilities: list("capabilities")?.unwrap_or_default(),
            sealing: Sealing::from_fields(fields, "e2e_enabled")?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let object = Object::new()
            .with("version", "1.0")
            .with("session_id", self.session_id.as_str())
            .with("challenge", self.challenge.as_str())
            .with("public_key", self.public_key.to_hex())
            .with("supported_versions", texts(&self.supported_versions))
            .with("capabilities", texts(&self.capabilities));
        Sealing::write(self.sealing.as_ref(), object, "e2e_enabled")
    }
}

impl HandshakeAck {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// `public_key` is absent or wrong; `e2e_accepted` is true and the sealing is not readable; another named field
    /// has the wrong type.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let signature = |text: &str| Signature::from_base64(text).ok();
        Ok(Self {
            session_id: session_of(fields)?,
            public_key: public_key(fields)?,
            challenge_response: fields.read_optional(
                "challenge_response",
                "base64 of 64 bytes",
                signature,
            )?,
            supported_versions: fields
                .optional("supported_versions")
                .map(|_| fields.texts("supported_versions"))
                .transpose()?,
            sealing: Sealing::from_fields(fields, "e2e_accepted")?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new();
        if let Some(session_id) = &self.session_id {
            object.insert("session_id", session_id.as_str());
        }
        object.insert("public_key", self.public_key.to_hex());
        if let Some(answer) = &self.challenge_response {
            object.insert("challenge_response", answer.to_base64());
        }
        object.insert("selected_version", "1.0");
        object.insert("confirm", true);
        let mut object = Sealing::write(self.sealing.as_ref(), object, "e2e_accepted");
        if let Some(versions) = &self.supported_versions {
            object.insert("supported_versions", texts(versions));
        }
        object
    }
}

impl HandshakeConfirm {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A named field has the wrong type, or `timestamp` is no ISO text with an offset.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let time = |text: &str| Timestamp::from_iso(text).ok();
        Ok(Self {
            session_id: session_of(fields)?,
            timestamp: fields.read_optional("timestamp", "ISO 8601 with an offset", time)?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new();
        if let Some(session_id) = &self.session_id {
            object.insert("session_id", session_id.as_str());
        }
        object.insert("confirm", true);
        if let Some(timestamp) = self.timestamp {
            object.insert("timestamp", timestamp.to_string());
        }
        object
    }
}

impl Sealing {
    /// Reads the two fields of a sealing, where the flag before them is true.
    fn from_fields(fields: Fields<'_>, flag: &'static str) -> Result<Option<Self>, FieldError> {
        if fields.optional(flag).and_then(Value::as_bool) != Some(true) {
            return Ok(None);
        }
        let key = |text: &str| AgreementKey::from_base64(text).ok();
        Ok(Some(Self {
            session_id: uuid_text(fields, "e2e_session_id")?,
            ephemeral_key: fields.read("e2e_ephemeral_key", "base64 of 32 bytes", key)?,
        }))
    }

    fn write(sealing: Option<&Self>, object: Object, flag: &str) -> Object {
        let id = sealing.map_or(Value::Null, |sealing| Value::from(sealing.session_id.as_str()));
        let key =
            sealing.map_or(Value::Null, |sealing| Value::from(sealing.ephemeral_key.to_base64()));
        object
            .with(flag, sealing.is_some())
            .with("e2e_session_id", id)
            .with("e2e_ephemeral_key", key)
    }
}

fn session_of(fields: Fields<'_>) -> Result<Option<String>, FieldError> {
    let text = fields.optional_text("session_id")?;
    text.map(|text| bounded("session_id", text, LEGACY_ID_LEN_MAX)).transpose()
}

fn public_key(fields: Fields<'_>) -> Result<PublicKey, FieldError> {
    // The earlier peer reads hex of either case.
    let key = |text: &str| PublicKey::from_hex(&text.to_ascii_lowercase()).ok();
    fields.read("public_key", "64 hex digits of an Ed25519 public key", key)
}

fn uuid_text(fields: Fields<'_>, field: &'static str) -> Result<String, FieldError> {
    fields.read(field, "a UUID of version 4", |text| is_uuid_v4(text).then(|| text.to_owned()))
}

/// Whether a text is a UUID of version 4 with hyphens, in either case.
fn is_uuid_v4(text: &str) -> bool {
    text.to_ascii_lowercase().parse::<crate::id::SessionId>().is_ok()
}
