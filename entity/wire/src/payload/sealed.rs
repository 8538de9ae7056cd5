//! The sealed payload of 1.1, and what is inside it.
//!
//! Source: `docs/protocol/1.1.md#sealing`, `docs/protocol/1.1.md#numbers`.

use entity_crypto::encoding::{base64_decode_strict, base64_encode};

use crate::id::{Generation, MessageId, MessageNumber};
use crate::json::{self, FieldError, Fields, Object, ParseError, Problem, RULES_1_1};

/// `{"generation", "sealed"}`: what is outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The generation of the keys.
    pub generation: Generation,
    /// Ciphertext followed by the tag of 16 bytes.
    pub sealed: Vec<u8>,
}

impl Sealed {
    /// Whether a payload says that it is sealed; plain payloads have no field of this name.
    pub fn is_form_of(payload: &Object) -> bool {
        payload.contains_key("sealed")
    }

    /// Reads a payload of this form.
    ///
    /// # Errors
    ///
    /// A field is absent or of another type, a third field is there, the generation exceeds 16 bits, or base64 is not
    /// strict.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let generation = u16::try_from(fields.unsigned("generation")?).ok();
        let expected = "an integer of 16 bits";
        let generation = generation.ok_or(Problem::Invalid { expected }.of("generation"))?;
        let sealed = fields.read("sealed", "base64", |text| base64_decode_strict(text).ok())?;
        // The associated data replaces the payload: whatever else stood here would be signed but not sealed.
        if object.len() != 2 {
            return Err(
                Problem::Invalid { expected: "the only field beside generation" }.of("sealed")
            );
        }
        Ok(Self { generation: Generation::new(generation), sealed })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("generation", u64::from(self.generation.get()))
            .with("sealed", base64_encode(&self.sealed))
    }
}

/// `{"number"?, "ack", "body", "durable"?}`: what is inside.
#[derive(Clone, Debug, PartialEq)]
pub struct Plaintext {
    /// The number of the message; `None` in control messages.
    pub number: Option<MessageNumber>,
    /// The highest number up to which the sender has handled everything; 0 before the first.
    pub ack: u64,
    /// The id of a durable message; `None` in volatile and in control messages.
    ///
    /// Source: `docs/protocol/1.1.md#durable-messages`.
    pub durable: Option<MessageId>,
    /// The payload proper.
    pub body: Object,
}

/// Why the plaintext of a sealed message is refused: [`crate::code::ErrorCode::InvalidMessage`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaintextError {
    /// Not JSON as 1.1 wants it.
    #[error("plaintext is not JSON as 1.1 wants it")]
    Json(#[source] ParseError),
    /// JSON, but not an object.
    #[error("plaintext is not an object")]
    NotAnObject,
    /// A field is absent or wrong.
    #[error("plaintext field not acceptable")]
    Field(#[source] FieldError),
}

impl Plaintext {
    /// Reads an opened plaintext, under the same rules of JSON as an envelope.
    ///
    /// # Errors
    ///
    /// See [`PlaintextError`].
    pub fn from_slice(plaintext: &[u8]) -> Result<Self, PlaintextError> {
        let value = json::parse(plaintext, &RULES_1_1).map_err(PlaintextError::Json)?;
        Self::from_object(value.into_object().map_err(|_| PlaintextError::NotAnObject)?)
    }

    /// Reads what of an object is a plaintext.
    ///
    /// # Errors
    ///
    /// [`PlaintextError::Field`].
    pub(crate) fn from_object(mut object: Object) -> Result<Self, PlaintextError> {
        let body = object
            .remove("body")
            .ok_or(Problem::Missing.of("body"))
            .map_err(PlaintextError::Field)?;
        let body =
            body.into_object().map_err(|_| Problem::WrongType { expected: "an object" }.of("body"));
        let body = body.map_err(PlaintextError::Field)?;
        Self::with_body(&object, body).map_err(PlaintextError::Field)
    }

    fn with_body(object: &Object, body: Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let expected = "a message number, 1 to 2^53 - 1";
        let number = if object.contains_key("number") {
            let number = MessageNumber::new(fields.unsigned("number")?);
            Some(number.ok_or(Problem::Invalid { expected }.of("number"))?)
        } else {
            None
        };
        let ack = fields.unsigned("ack")?;
        if ack > MessageNumber::MAX.get() {
            return Err(Problem::Invalid { expected: "0 or a message number" }.of("ack"));
        }
        let durable = if object.contains_key("durable") {
            Some(fields.parsed("durable", "a lower-case UUID of version 4")?)
        } else {
            None
        };
        // What has no number cannot be sent again under it.
        if durable.is_some() && number.is_none() {
            return Err(Problem::Invalid { expected: "absent without a number" }.of("durable"));
        }
        Ok(Self { number, ack, durable, body })
    }

    /// Writes the plaintext to be sealed, in canonical form.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut writer = json::ObjectWriter::new(&mut out, json::Layout::Canonical);
        writer.integer("ack", self.ack);
        writer.object("body", &self.body);
        if let Some(durable) = self.durable {
            writer.text("durable", &durable.to_string());
        }
        if let Some(number) = self.number {
            writer.integer("number", number.get());
        }
        writer.end();
        out
    }
}
