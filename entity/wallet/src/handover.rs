//! How an old key names its successor.
//!
//! The old key signs the new one, so that nobody else can name a successor; the new one signs the old, so that nobody can be
//! named who does not hold the key. Both sign the same statement.
//!
//! *Source*: `docs/protocol/1.1.md#key-hand-over`.

use entity_crypto::signing::{PublicKey, Signature, SigningKey, labelled};
use entity_wire::canonical;
use entity_wire::json::{Fields, Object, RULES_1_1, Value, parse};
use entity_wire::time::Timestamp;
use thiserror::Error;

use crate::name::KeyName;

/// A hand-over that verifies: a value of this type was signed by both keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    id: KeyName,
    old_key: PublicKey,
    new_key: PublicKey,
    created_at: Timestamp,
    old_signature: Signature,
    new_signature: Signature,
}

impl Handover {
    /// Hands the name `id` over from one key to another.
    ///
    /// # Errors
    ///
    /// [`InvalidHandover::SameKey`].
    pub fn sign(
        id: KeyName,
        old: &SigningKey,
        new: &SigningKey,
        now: Timestamp,
    ) -> Result<Self, InvalidHandover> {
        let (old_key, new_key) = (old.public_key(), new.public_key());
        if old_key == new_key {
            return Err(InvalidHandover::SameKey);
        }
        let signed = signed_bytes(&statement(&id, old_key, new_key, now));
        Ok(Self {
            id,
            old_key,
            new_key,
            created_at: now,
            old_signature: old.sign(&signed),
            new_signature: new.sign(&signed),
        })
    }

    /// Reads and verifies a hand-over.
    ///
    /// *Shape*: one JSON object of exactly the fields `id`, `old_key`, `new_key`, `created_at`, `old_signature`,
    /// `new_signature`, all texts. White space and order do not matter here, since signatures cover the values.
    ///
    /// # Errors
    ///
    /// [`InvalidHandover`].
    pub fn parse(bytes: &[u8]) -> Result<Self, InvalidHandover> {
        if bytes.len() > HANDOVER_LEN_MAX {
            return Err(InvalidHandover::Malformed("it is too long"));
        }
        let Ok(Value::Object(object)) = parse(bytes, &RULES_1_1) else {
            return Err(InvalidHandover::Malformed("it is no JSON object"));
        };
        if object.len() != FIELDS {
            return Err(InvalidHandover::Malformed("it has other fields than a hand-over"));
        }
        let handover = Self::read(&object)?;
        handover.verified()
    }

    fn read(object: &Object) -> Result<Self, InvalidHandover> {
        let fields = Fields::new(object);
        let text = |name| fields.text(name).map_err(|_| InvalidHandover::Malformed(name));
        let key =
            |name| PublicKey::from_hex(text(name)?).map_err(|_| InvalidHandover::Malformed(name));
        let signature = |name| {
            Signature::from_base64(text(name)?).map_err(|_| InvalidHandover::Malformed(name))
        };
        Ok(Self {
            id: text("id")?.parse().map_err(|_| InvalidHandover::Malformed("id"))?,
            old_key: key("old_key")?,
            new_key: key("new_key")?,
            created_at: Timestamp::from_iso_strict(text("created_at")?)
                .map_err(|_| InvalidHandover::Malformed("created_at"))?,
            old_signature: signature("old_signature")?,
            new_signature: signature("new_signature")?,
        })
    }

    fn verified(self) -> Result<Self, InvalidHandover> {
        if self.old_key == self.new_key {
            return Err(InvalidHandover::SameKey);
        }
        let statement = statement(&self.id, self.old_key, self.new_key, self.created_at);
        let signed = signed_bytes(&statement);
        let verify = |key: PublicKey, signature| {
            key.verify(&signed, signature).map_err(|_| InvalidHandover::Signature)
        };
        verify(self.old_key, &self.old_signature)?;
        verify(self.new_key, &self.new_signature)?;
        Ok(self)
    }

    /// The hand-over as canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let object = statement(&self.id, self.old_key, self.new_key, self.created_at)
            .with("old_signature", self.old_signature.to_base64())
            .with("new_signature", self.new_signature.to_base64());
        canonical::object_to_vec(&object)
    }

    /// Whose key changes.
    pub fn id(&self) -> &KeyName {
        &self.id
    }

    /// The key that gives way.
    pub fn old_key(&self) -> PublicKey {
        self.old_key
    }

    /// The key that takes its place.
    pub fn new_key(&self) -> PublicKey {
        self.new_key
    }

    /// When it was signed, as the signer's clock had it.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }
}

fn statement(id: &KeyName, old_key: PublicKey, new_key: PublicKey, at: Timestamp) -> Object {
    Object::new()
        .with("id", id.as_str())
        .with("old_key", old_key.to_hex())
        .with("new_key", new_key.to_hex())
        .with("created_at", at.to_string())
}

fn signed_bytes(statement: &Object) -> Vec<u8> {
    labelled(LABEL, &canonical::object_to_vec(statement))
}

/// Why a text is no hand-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InvalidHandover {
    /// It is not the JSON it should be; names the field.
    #[error("read a hand-over: {0}")]
    Malformed(&'static str),
    /// A key cannot follow itself.
    #[error("hand a key over to itself")]
    SameKey,
    /// One of the two signatures does not hold.
    #[error("verify a hand-over: a signature does not hold")]
    Signature,
}

/// What both keys sign under; `docs/protocol/1.1.md#key-hand-over`.
const LABEL: &str = "peer-v1.1-key-handover";

/// The four fields of the statement, and two signatures.
const FIELDS: usize = 6;

/// Bytes of the longest hand-over: a name of escapes, two keys, two signatures, with room.
pub const HANDOVER_LEN_MAX: usize = 4096;

#[cfg(test)]
mod tests;
