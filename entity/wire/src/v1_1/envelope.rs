//! A message of 1.1 as it came, and as a proof that its signature held.

use entity_crypto::signing::{Claim, InvalidSignature, PublicKey, Signature};

use super::Header;
use super::header::{Payload, write};
use crate::code::ErrorCode;
use crate::id::{Generation, Sequence};
use crate::json::{FieldError, Fields, Object, ParseError, Problem, RULES_1_1, Seen};
use crate::kind::MessageKind;
use crate::limits::KIND_LEN_MAX;
use crate::time::Timestamp;
use entity_flaw::{Flaw, planted};

/// Why an object is no envelope of 1.1: [`ErrorCode::InvalidMessage`], or [`ErrorCode::MessageTooLarge`] for a text
/// that is too long.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The text breaks the rules of JSON of 1.1: length, nesting, a duplicate key, a float.
    #[error("not JSON as 1.1 wants it")]
    Json(#[source] ParseError),
    /// A required field is absent or not what it should be.
    #[error("envelope field not acceptable")]
    Field(#[source] FieldError),
    /// A field that the protocol does not name is null.
    #[error("a field at the top level is null")]
    NullField,
}

/// A message of 1.1 of the right shape whose signature nobody has looked at: everything in it is a claim.
#[derive(Clone, Debug)]
pub struct Unverified {
    header: Header,
    payload: Object,
    /// Fields that the protocol does not name: signed, and ignored.
    extra: Object,
    signature: Signature,
}

impl ShapeError {
    /// The code that the sender is told.
    ///
    /// Source: `docs/protocol/1.1.md#error-codes`.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Json(error) if error.is_too_long() => ErrorCode::MessageTooLarge,
            Self::Json(_) | Self::Field(_) | Self::NullField => ErrorCode::InvalidMessage,
        }
    }
}

impl Unverified {
    /// Reads a parsed object whose `version` is `"1.1"`.
    pub(crate) fn read(mut object: Object, seen: &Seen) -> Result<Self, ShapeError> {
        seen.satisfies(&RULES_1_1).map_err(ShapeError::Json)?;
        let (header, signature) = read_header(&object).map_err(ShapeError::Field)?;
        let payload = object.remove("payload").and_then(|payload| payload.into_object().ok());
        let payload = payload
            .ok_or(ShapeError::Field(Problem::WrongType { expected: "an object" }.of("payload")))?;
        let extra = object.retained(|key| !NAMED_FIELDS.contains(&key));
        if extra.iter().any(|(_, value)| value.is_null()) {
            return Err(ShapeError::NullField);
        }
        Ok(Self { header, payload, extra, signature })
    }

    /// What it claims in its fields.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// What it claims in its payload; read before verification only for the identity key of a handshake step.
    pub fn payload(&self) -> &Object {
        &self.payload
    }

    /// Looks at the signature under one key.
    ///
    /// # Errors
    ///
    /// The signature does not hold.
    ///
    /// Source: `docs/protocol/1.1.md#signature`.
    pub fn verify(self, key: &PublicKey) -> Result<Envelope, InvalidSignature> {
        self.verify_any(std::slice::from_ref(key))
    }

    /// Looks at the signature under several keys, of which one has to hold.
    ///
    /// # Errors
    ///
    /// The signature holds under none, or there is no key.
    pub fn verify_any(self, keys: &[PublicKey]) -> Result<Envelope, InvalidSignature> {
        let signed_bytes = self.signed_bytes();
        let mut outcome = Err(InvalidSignature);
        for key in keys {
            outcome = key.verify_often(&signed_bytes, &self.signature).map(|()| *key);
            if planted(Flaw::VerifiesNothing) {
                outcome = Ok(*key);
            }
            if outcome.is_ok() {
                break;
            }
        }
        outcome.map(|signer| self.verified(signed_bytes, signer))
    }

    /// Looks at the signatures of several, each under one key, sooner than one by one. The outcomes are in their order.
    pub fn verify_all(messages: Vec<(Self, PublicKey)>) -> Vec<Result<Envelope, InvalidSignature>> {
        let signed: Vec<_> = messages.iter().map(|(message, _)| message.signed_bytes()).collect();
        let claims: Vec<_> = messages
            .iter()
            .zip(&signed)
            .map(|((unverified, key), message)| Claim {
                key,
                message,
                signature: &unverified.signature,
            })
            .collect();
        let verdicts = Claim::verify_all(&claims);
        let judged = messages.into_iter().zip(signed).zip(verdicts);
        let outcomes = judged.map(|(((message, key), signed_bytes), verdict)| match verdict {
            Err(_) if planted(Flaw::VerifiesNothing) => Ok(message.verified(signed_bytes, key)),
            verdict => verdict.map(|()| message.verified(signed_bytes, key)),
        });
        outcomes.collect()
    }

    /// `C(m)`, as the signature has to cover it.
    fn signed_bytes(&self) -> Vec<u8> {
        let nothing = Object::new();
        let extra = if planted(Flaw::SkipsAddedFields) { &nothing } else { &self.extra };
        write(&self.header, Payload::Whole(&self.payload), extra, None)
    }

    /// The proof, for who has looked at the signature.
    fn verified(self, signed_bytes: Vec<u8>, signer: PublicKey) -> Envelope {
        Envelope {
            header: self.header,
            payload: self.payload,
            extra: self.extra,
            signature: self.signature,
            signed_bytes,
            signer,
        }
    }
}

/// A message of 1.1 whose signature held.
#[derive(Clone, Debug)]
pub struct Envelope {
    header: Header,
    payload: Object,
    extra: Object,
    signature: Signature,
    signed_bytes: Vec<u8>,
    signer: PublicKey,
}

impl Envelope {
    /// Every field but payload and signature.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// `payload`.
    pub fn payload(&self) -> &Object {
        &self.payload
    }

    /// `payload`, taken out.
    pub fn into_payload(self) -> Object {
        self.payload
    }

    /// `C(m)`: what the signature covers, and what a transcript takes. Two messages are byte-identical in every
    /// respect that the protocol knows when these and their signatures are equal.
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed_bytes
    }

    /// `C(m)` as if the payload lacked `field`: what a challenge signature or a binder covers.
    ///
    /// Source: `docs/protocol/1.1.md#transcript`.
    pub fn signed_bytes_without(&self, field: &str) -> Vec<u8> {
        write(&self.header, Payload::Without(&self.payload, field), &self.extra, None)
    }

    /// The associated data under which the payload was sealed in `generation`.
    ///
    /// Source: `docs/protocol/1.1.md#associated-data`.
    pub fn associated_data(&self, generation: Generation) -> Vec<u8> {
        write(&self.header, Payload::Generation(generation), &self.extra, None)
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

fn read_header(object: &Object) -> Result<(Header, Signature), FieldError> {
    const TIME: &str = "YYYY-MM-DDTHH:MM:SS.ffffff+00:00";
    let fields = Fields::new(object);
    let strict_time = |text: &str| Timestamp::from_iso_strict(text).ok();
    fields.exactly("version", "1.1")?;
    let kind = fields.short_text("msg_type", KIND_LEN_MAX)?;
    if kind.is_empty() {
        return Err(Problem::Invalid { expected: "a kind of message" }.of("msg_type"));
    }
    let sequence = Sequence::new(fields.unsigned("sequence_num")?);
    let expires_at = match object.get("expires_at") {
        None => None,
        Some(_) => Some(fields.read("expires_at", TIME, strict_time)?),
    };
    let header = Header {
        kind: MessageKind::from_text(kind),
        sender: fields.parsed("sender_id", "an id of a peer")?,
        recipient: fields.parsed("recipient_id", "an id of a peer")?,
        session: fields.parsed("session_id", "a lower-case UUID of version 4")?,
        sequence: sequence
            .ok_or(Problem::Invalid { expected: "an integer of 48 bits" }.of("sequence_num"))?,
        timestamp: fields.read("timestamp", TIME, strict_time)?,
        nonce: fields.parsed("nonce", "32 lower-case hex digits")?,
        expires_at,
    };
    let signature =
        fields.read("signature", "base64 of 64 bytes", |text| Signature::from_base64(text).ok())?;
    fields.object("payload")?;
    Ok((header, signature))
}

const NAMED_FIELDS: [&str; 11] = [
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
    "expires_at",
];
