//! A message of 1.0 as it came, and as a proof that its signature held.

use entity_crypto::signing::{PublicKey, Signature};

use super::{SIGNED_FIELDS, Stamp, signed_bytes};
use crate::decode::echo;
use crate::json::{FieldError, Number, Object, Problem, Value};
use crate::kind::MessageKind;
use crate::limits::{KIND_LEN_MAX, LEGACY_ID_LEN_MAX, LEGACY_NONCE_LEN_MAX};
use crate::version::Version;
use entity_flaw::{Flaw, planted};

/// A message of 1.0 or 0.3 whose signature nobody has looked at: everything in it is a claim.
#[derive(Clone, Debug)]
pub struct Unverified {
    version: Version,
    sender: String,
    recipient: Option<String>,
    object: Object,
}

/// Why a message is not what its sender signed.
///
/// The order of the variants is the order in which they are looked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There is no signature, or an empty one: `Missing signature`.
    #[error("no signature")]
    MissingSignature,
    /// A signed field is absent: `Signature verification error: 'FIELD'`.
    #[error("signed field {0} is absent")]
    MissingField(&'static str),
    /// The signature is no base64 of 64 bytes, or does not hold: `Invalid signature`.
    #[error("signature does not hold")]
    InvalidSignature,
    /// The signature holds, but a signed field has a type or length that is not taken.
    #[error("signed field not acceptable")]
    Field(#[source] FieldError),
}

impl Unverified {
    /// Takes a parsed object with `version` read already.
    pub(crate) fn read(object: Object, version: Version) -> Result<Self, FieldError> {
        let sender = match object.get("sender_id") {
            Some(sender) => echo("sender_id", sender)?,
            None => return Err(Problem::Missing.of("sender_id")),
        };
        let recipient = object.get("recipient_id").filter(|value| !value.is_null());
        let recipient = recipient.map(|value| echo("recipient_id", value)).transpose()?;
        Ok(Self { version, sender, recipient, object })
    }

    /// 1.0 or 0.3.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The sender that it claims; at most [`LEGACY_ID_LEN_MAX`] bytes.
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// The recipient that it names; `None` where absent or null. Never signed.
    pub fn recipient(&self) -> Option<&str> {
        self.recipient.as_deref()
    }

    /// The kind that it claims, where that is a text.
    pub fn kind(&self) -> Option<MessageKind> {
        self.object.get("msg_type").and_then(Value::as_str).map(MessageKind::from_text)
    }

    /// The payload that it claims.
    pub fn payload(&self) -> Option<&Value> {
        self.object.get("payload")
    }

    /// Whether there is a signature to look at; without one the sender's key is not even looked up.
    ///
    /// # Errors
    ///
    /// [`VerifyError::MissingSignature`].
    pub fn signature_present(&self) -> Result<(), VerifyError> {
        match self.object.get("signature") {
            None | Some(Value::Null) => Err(VerifyError::MissingSignature),
            Some(Value::String(text)) if text.is_empty() => Err(VerifyError::MissingSignature),
            Some(_) => Ok(()),
        }
    }

    /// Looks at the signature under the sender's key.
    ///
    /// # Errors
    ///
    /// See [`VerifyError`].
    ///
    /// Source: `docs/protocol/1.0.md#order-of-checks` step 5.
    pub fn verify(mut self, key: &PublicKey) -> Result<Envelope, VerifyError> {
        self.signature_present()?;
        let mut fields = [&Value::Null; SIGNED_FIELDS.len()];
        for (slot, field) in fields.iter_mut().zip(SIGNED_FIELDS) {
            *slot = self.object.get(field).ok_or(VerifyError::MissingField(field))?;
        }
        let [version, kind, sender, payload, stamp, nonce] = fields;
        let signature = self.object.get("signature").and_then(Value::as_str);
        let signature = signature.and_then(|text| Signature::from_base64(text).ok());
        let signature = signature.ok_or(VerifyError::InvalidSignature)?;
        let signed_bytes = signed_bytes(version, kind, sender, payload, stamp, nonce);
        let holds = key.verify_often(&signed_bytes, &signature).is_ok();
        if !holds && !planted(Flaw::VerifiesNothing) {
            return Err(VerifyError::InvalidSignature);
        }

        let kind = text("msg_type", kind, KIND_LEN_MAX)?;
        let nonce = text("nonce", nonce, LEGACY_NONCE_LEN_MAX)?;
        let stamp = match stamp {
            Value::String(text) => Stamp::Text(text.clone()),
            Value::Number(number) => Stamp::Number(number.clone()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                return Err(VerifyError::Field(
                    Problem::WrongType { expected: "a string or a number" }.of("timestamp"),
                ));
            }
        };
        Ok(Envelope {
            version: self.version,
            kind: MessageKind::from_text(&kind),
            session: session_of(&self.object)?,
            sequence: SequenceField::of(self.object.get("sequence_num")),
            payload: self.object.remove("payload").unwrap_or_default(),
            sender: self.sender,
            recipient: self.recipient,
            stamp,
            nonce,
            signed_bytes,
            signature,
            signer: *key,
        })
    }
}

/// A message of 1.0 or 0.3 whose signature held.
///
/// `session`, `sequence` and `recipient` are outside the signature: whoever carried the message may have changed them.
#[derive(Clone, Debug)]
pub struct Envelope {
    version: Version,
    kind: MessageKind,
    sender: String,
    recipient: Option<String>,
    session: Option<String>,
    sequence: SequenceField,
    stamp: Stamp,
    nonce: String,
    payload: Value,
    signed_bytes: Vec<u8>,
    signature: Signature,
    signer: PublicKey,
}

impl Envelope {
    /// 1.0 or 0.3.
    pub fn version(&self) -> Version {
        self.version
    }

    /// `msg_type`.
    pub fn kind(&self) -> &MessageKind {
        &self.kind
    }

    /// `sender_id`.
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// `recipient_id`; `None` where absent or null. Not signed.
    pub fn recipient(&self) -> Option<&str> {
        self.recipient.as_deref()
    }

    /// `session_id`; `None` where absent, null, empty or no text. Not signed.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// `sequence_num`. Not signed.
    pub fn sequence(&self) -> SequenceField {
        self.sequence
    }

    /// `timestamp`, as it was written.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// `nonce`: opaque text.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// `payload`; an object in every documented message, but the earlier peer signs anything.
    pub fn payload(&self) -> &Value {
        &self.payload
    }

    /// `payload`, taken out.
    pub fn into_payload(self) -> Value {
        self.payload
    }

    /// The bytes that the signature covers.
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed_bytes
    }

    /// The signature that held.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The key under which it held.
    pub fn signer(&self) -> &PublicKey {
        &self.signer
    }
}

/// What `sequence_num` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SequenceField {
    /// Absent or null.
    Missing,
    /// An integer, or a string of ASCII digits.
    Number(i64),
    /// Anything else, an integer beyond 64 bits included.
    NotANumber,
}

impl SequenceField {
    fn of(value: Option<&Value>) -> Self {
        let number = match value {
            None | Some(Value::Null) => return Self::Missing,
            Some(Value::Number(Number::Integer(integer))) => integer.as_i64(),
            Some(Value::String(text)) => {
                // `parse` alone would take a plus sign too.
                text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
            }
            Some(
                Value::Number(Number::Float(_))
                | Value::Bool(_)
                | Value::Array(_)
                | Value::Object(_),
            ) => None,
        };
        number.map_or(Self::NotANumber, Self::Number)
    }
}

fn text(field: &'static str, value: &Value, max: usize) -> Result<String, VerifyError> {
    let refused = |problem: Problem| VerifyError::Field(problem.of(field));
    let text = value.as_str().ok_or(refused(Problem::WrongType { expected: "a string" }))?;
    if text.len() > max {
        return Err(refused(Problem::TooLong { max }));
    }
    Ok(text.to_owned())
}

fn session_of(object: &Object) -> Result<Option<String>, VerifyError> {
    match object.get("session_id").and_then(Value::as_str) {
        None | Some("") => Ok(None),
        Some(text) if text.len() > LEGACY_ID_LEN_MAX => {
            Err(VerifyError::Field(Problem::TooLong { max: LEGACY_ID_LEN_MAX }.of("session_id")))
        }
        Some(text) => Ok(Some(text.to_owned())),
    }
}
