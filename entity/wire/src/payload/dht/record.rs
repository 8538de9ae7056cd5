//! What is stored in the table: records that their owner signs.

use std::fmt;
use std::time::Duration;

use entity_crypto::derivation::sha256;
use entity_crypto::identity::PeerId;
use entity_crypto::signing::{PublicKey, Signature, SigningKey, labelled};

use super::RecordKey;
use crate::canonical;
use crate::json::{FieldError, Fields, Number, Object, Problem, Value};
use crate::payload::{exact, key, signature};
use crate::time::Timestamp;

/// Longest canonical record, in bytes.
///
/// Source: `docs/protocol/1.1.md#dht-record`.
pub const RECORD_LEN_MAX: usize = 8 * 1_024;

/// Deepest nesting of a record; the record itself has depth 1.
///
/// Source: `docs/protocol/1.1.md#dht-record`.
pub const RECORD_DEPTH_MAX: usize = 16;

/// Longest name of a capability, in bytes.
///
/// Source: `docs/protocol/1.1.md#dht-record`.
pub const CAPABILITY_LEN_MAX: usize = 128;

/// Longest time from `issued_at` to `expires_at`.
///
/// Source: `docs/protocol/1.1.md#dht-record`.
pub const LIFETIME_MAX: Duration = Duration::from_hours(24);

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// An entity, by its id.
    Entity,
    /// Whoever has a capability.
    Capability,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Entity, Self::Capability];

    /// Its text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Entity => "entity",
            Self::Capability => "capability",
        }
    }

    /// Reads the text; `None` for any other.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The name that a record is found by, of the grammar of its kind.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordName(String);

impl RecordName {
    /// The name of an entity.
    pub fn of_entity(id: &PeerId) -> Self {
        Self(id.as_str().to_owned())
    }

    /// The name of a capability: 1 to [`CAPABILITY_LEN_MAX`] bytes without control characters; else `None`.
    pub fn of_capability(text: &str) -> Option<Self> {
        let is_name = (1..=CAPABILITY_LEN_MAX).contains(&text.len());
        let is_plain = !text.contains(char::is_control);
        (is_name && is_plain).then(|| Self(text.to_owned()))
    }

    /// The name of something of this kind; `None` where the kind has no such names.
    pub fn new(kind: RecordKind, text: &str) -> Option<Self> {
        match kind {
            RecordKind::Entity => text.parse().ok().map(|id| Self::of_entity(&id)),
            RecordKind::Capability => Self::of_capability(text),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RecordName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RecordName({:?})", self.0)
    }
}

/// The version of a record: 1 to 2^53 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordVersion(u64);

impl RecordVersion {
    /// The first one.
    pub const FIRST: Self = Self(1);
    /// The last one, so that every JSON reader keeps it exactly.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The version `value`; `None` for 0 and above [`RecordVersion::MAX`].
    pub fn new(value: u64) -> Option<Self> {
        (1..=Self::MAX.0).contains(&value).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The version after this one; `None` after the last.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// What it is about.
    pub kind: RecordKind,
    /// What it is found by.
    pub name: RecordName,
    /// Whose word it is.
    pub owner: PublicKey,
    /// What its owner writes: no floating-point numbers, at most [`RECORD_DEPTH_MAX`] deep with the record.
    pub value: Object,
    /// Its place among the owner's records of the name.
    pub version: RecordVersion,
    /// From when it holds.
    pub issued_at: Timestamp,
    /// Until when it holds; after `issued_at` by at most [`LIFETIME_MAX`].
    pub expires_at: Timestamp,
}

/// [`Terms`] within their bounds, with key, digest and size.
///
/// Source: `docs/protocol/1.1.md#dht-record`.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    terms: Terms,
    key: RecordKey,
    digest: [u8; 32],
    len: usize,
}

/// Terms that no record can have. It is our caller's fault, or the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The canonical form is longer than [`RECORD_LEN_MAX`].
    #[error("a record of {len} bytes: at most {RECORD_LEN_MAX}")]
    TooLong {
        /// How long it is, in bytes.
        len: usize,
    },
    /// The value nests too deep or has a floating-point number.
    #[error("a value with a floating-point number, or nested deeper than {RECORD_DEPTH_MAX}")]
    Value,
    /// The name is none of the kind.
    #[error("a name that its kind does not have")]
    Name,
    /// It expires before it is issued, at the same time, or too long after.
    #[error("a lifetime that is not between 1 us and 24 h")]
    Lifetime,
}

impl Record {
    /// The record of these terms.
    ///
    /// # Errors
    ///
    /// A bound is broken.
    pub fn new(terms: Terms) -> Result<Self, RecordError> {
        if RecordName::new(terms.kind, terms.name.as_str()).is_none() {
            return Err(RecordError::Name);
        }
        let is_later = terms.expires_at > terms.issued_at;
        if !is_later || terms.expires_at.since(terms.issued_at) > LIFETIME_MAX {
            return Err(RecordError::Lifetime);
        }
        if !is_plain_object(&terms.value, RECORD_DEPTH_MAX - 1) {
            return Err(RecordError::Value);
        }
        let canonical = canonical::object_to_vec(&terms_object(&terms));
        if canonical.len() > RECORD_LEN_MAX {
            return Err(RecordError::TooLong { len: canonical.len() });
        }
        let key = RecordKey::of(terms.kind, &terms.name);
        Ok(Self { terms, key, digest: sha256(&canonical), len: canonical.len() })
    }

    /// The terms.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Where it lies.
    pub fn key(&self) -> RecordKey {
        self.key
    }

    /// SHA-256 of the canonical form, which decides between two of one version.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The bytes of the canonical form.
    pub fn len_bytes(&self) -> usize {
        self.len
    }

    /// Whether it holds at `now`, but for its signature: `issued_at` is at most `ahead` after it and `expires_at` is after it.
    pub fn holds_at(&self, now: Timestamp, ahead: Duration) -> bool {
        self.terms.issued_at <= now.plus(ahead) && self.terms.expires_at > now
    }

    /// What decides between two records of a slot: the greater wins.
    ///
    /// Source: `docs/protocol/1.1.md#dht-slots`.
    pub fn rank(&self) -> (RecordVersion, [u8; 32]) {
        (self.terms.version, self.digest)
    }

    /// The bytes that the owner signs.
    pub fn signed_bytes(&self) -> Vec<u8> {
        labelled("peer-v1.1-dht-record", &canonical::object_to_vec(&self.to_object()))
    }

    /// Signs the record with the key of its owner, which the caller owes.
    #[must_use]
    pub fn sign(self, owner: &SigningKey) -> SignedRecord {
        let signature = owner.sign(&self.signed_bytes());
        SignedRecord { record: self, signature }
    }

    /// Reads a record: exactly its fields.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be, or a bound is broken.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &FIELDS)?;
        let fields = Fields::new(object);
        let kind = fields.read("kind", "entity or capability", RecordKind::from_text)?;
        let expected = "a name of its kind";
        let version = RecordVersion::new(fields.unsigned("version")?);
        let terms = Terms {
            kind,
            name: fields.read("name", expected, |text| RecordName::new(kind, text))?,
            owner: key(fields, "owner")?,
            value: fields.object("value")?.clone(),
            version: version.ok_or(Problem::Invalid { expected: "1 to 2^53 - 1" }.of("version"))?,
            issued_at: time(fields, "issued_at")?,
            expires_at: time(fields, "expires_at")?,
        };
        Self::new(terms).map_err(|error| match error {
            RecordError::TooLong { .. } => Problem::TooLong { max: RECORD_LEN_MAX }.of("record"),
            RecordError::Value => Problem::Invalid { expected: "a plain value" }.of("value"),
            RecordError::Name => Problem::Invalid { expected }.of("name"),
            RecordError::Lifetime => {
                Problem::Invalid { expected: "after issued_at, by at most 24 h" }.of("expires_at")
            }
        })
    }

    /// Writes the record.
    pub fn to_object(&self) -> Object {
        terms_object(&self.terms)
    }
}

/// The fields of a record, sorted.
const FIELDS: [&str; 7] = ["expires_at", "issued_at", "kind", "name", "owner", "value", "version"];

fn terms_object(terms: &Terms) -> Object {
    Object::new()
        .with("expires_at", terms.expires_at.to_string())
        .with("issued_at", terms.issued_at.to_string())
        .with("kind", terms.kind.as_str())
        .with("name", terms.name.as_str())
        .with("owner", terms.owner.to_hex())
        .with("value", terms.value.clone())
        .with("version", terms.version.get())
}

fn time(fields: Fields<'_>, field: &'static str) -> Result<Timestamp, FieldError> {
    let expected = "a time of 32 characters";
    fields.read(field, expected, |text| Timestamp::from_iso_strict(text).ok())
}

fn is_plain_object(object: &Object, depth: usize) -> bool {
    depth > 0 && object.iter().all(|(_, value)| is_plain(value, depth - 1))
}

/// Whether a value has no floats and nests at most `depth` deep. It stops at the first level that is too deep.
fn is_plain(value: &Value, depth: usize) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Number(Number::Integer(_)) => true,
        Value::Number(Number::Float(_)) => false,
        Value::Array(items) => depth > 0 && items.iter().all(|item| is_plain(item, depth - 1)),
        Value::Object(object) => is_plain_object(object, depth),
    }
}

/// A record with a signature, which is not verified here.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedRecord {
    /// The record.
    pub record: Record,
    /// The signature that its owner is said to have made.
    pub signature: Signature,
}

impl SignedRecord {
    /// Whether the owner made the signature.
    pub fn is_genuine(&self) -> bool {
        let owner = &self.record.terms().owner;
        owner.verify(&self.record.signed_bytes(), &self.signature).is_ok()
    }

    /// Reads a signed record: exactly its two fields.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["record", "signature"])?;
        Self::from_fields(Fields::new(object))
    }

    /// Reads the fields `record` and `signature` of an object that may have more.
    ///
    /// # Errors
    ///
    /// A field is absent or not what it should be.
    pub fn from_fields(fields: Fields<'_>) -> Result<Self, FieldError> {
        let record = Record::from_object(fields.object("record")?)?;
        Ok(Self { record, signature: signature(fields)? })
    }

    /// Writes the signed record.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("record", self.record.to_object())
            .with("signature", self.signature.to_base64())
    }

    /// The bytes of its canonical form: those of the record, of the signature's 88 characters and of both names.
    pub fn len_bytes(&self) -> usize {
        const AROUND: usize = r#"{"record":,"signature":""}"#.len();
        AROUND + 88 + self.record.len_bytes()
    }
}
