//! The messages of the distributed hash table.

use entity_crypto::signing::PublicKey;

use super::{CONTACTS_MAX, Contact, Point, RECORDS_LEN_MAX, RECORDS_MAX, RecordKey, SignedRecord};
use crate::json::{FieldError, Fields, Object, Problem, Value};
use crate::payload::{key, list};

/// Ties an answer to its question: 1 to 2^53 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// The last one.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// The id `value`; `None` for 0 and above [`RequestId::MAX`].
    pub fn new(value: u64) -> Option<Self> {
        (1..=Self::MAX.0).contains(&value).then_some(Self(value))
    }

    /// The number.
    pub fn get(self) -> u64 {
        self.0
    }
}

/// What became of a record that was to be stored.
///
/// Source: `docs/protocol/1.1.md#dht-messages`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreOutcome {
    /// Kept, or there already.
    Stored,
    /// Another record of the slot won.
    Older,
    /// It does not hold now.
    Expired,
    /// A bound is reached, or the draw was lost.
    Full,
    /// Anything else.
    Refused,
}

impl StoreOutcome {
    /// Every outcome.
    pub const ALL: [Self; 5] =
        [Self::Stored, Self::Older, Self::Expired, Self::Full, Self::Refused];

    /// Its text on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Older => "older",
            Self::Expired => "expired",
            Self::Full => "full",
            Self::Refused => "refused",
        }
    }

    /// Reads the text; any other is [`StoreOutcome::Refused`].
    pub fn from_text(text: &str) -> Self {
        Self::ALL.into_iter().find(|one| one.as_str() == text).unwrap_or(Self::Refused)
    }
}

/// What a `dht_found` says.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Found {
    /// The nearest contacts, at most [`CONTACTS_MAX`].
    pub contacts: Vec<Contact>,
    /// Records, ascending by owner, one an owner, at most [`RECORDS_MAX`] and [`RECORDS_LEN_MAX`]; not verified here.
    pub records: Vec<SignedRecord>,
    /// Whether there are further records.
    pub more: bool,
}

/// A message of the distributed hash table.
///
/// Source: `docs/protocol/1.1.md#dht-messages`.
#[derive(Clone, Debug, PartialEq)]
pub enum DhtMessage {
    /// `dht_ping`: asks for a sign of life.
    Ping {
        /// Ties the answer to it.
        request: RequestId,
    },
    /// `dht_pong`: is one.
    Pong {
        /// What it answers.
        request: RequestId,
    },
    /// `dht_find`: asks for the contacts nearest to a point.
    Find {
        /// Ties the answer to it.
        request: RequestId,
        /// The point.
        target: Point,
    },
    /// `dht_get`: asks for records.
    Get {
        /// Ties the answer to it.
        request: RequestId,
        /// Where they lie.
        key: RecordKey,
        /// Only of owners above this one.
        after: Option<PublicKey>,
    },
    /// `dht_found`: answers both.
    Found {
        /// What it answers.
        request: RequestId,
        /// What was found.
        found: Found,
    },
    /// `dht_store`: asks for a record to be stored.
    Store {
        /// Ties the answer to it.
        request: RequestId,
        /// The record; not verified here.
        record: Box<SignedRecord>,
    },
    /// `dht_stored`: says what became of it.
    Stored {
        /// What it answers.
        request: RequestId,
        /// What became of it.
        outcome: StoreOutcome,
    },
    /// `dht_leave`: the sender goes.
    Leave,
}

impl DhtMessage {
    /// The types of these messages.
    pub const KINDS: [&'static str; 8] = [
        "dht_ping",
        "dht_pong",
        "dht_find",
        "dht_get",
        "dht_found",
        "dht_store",
        "dht_stored",
        "dht_leave",
    ];

    /// The type of this message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ping { .. } => "dht_ping",
            Self::Pong { .. } => "dht_pong",
            Self::Find { .. } => "dht_find",
            Self::Get { .. } => "dht_get",
            Self::Found { .. } => "dht_found",
            Self::Store { .. } => "dht_store",
            Self::Stored { .. } => "dht_stored",
            Self::Leave => "dht_leave",
        }
    }

    /// Reads a message of the type `kind`; `None` where that is no type of these messages.
    ///
    /// # Errors
    ///
    /// A field is absent or not what it should be: `DHT_ERROR`.
    pub fn from_object(kind: &str, object: &Object) -> Option<Result<Self, FieldError>> {
        let fields = Fields::new(object);
        let request = || request(fields);
        Some(match kind {
            "dht_ping" => request().map(|request| Self::Ping { request }),
            "dht_pong" => request().map(|request| Self::Pong { request }),
            "dht_find" => find(fields),
            "dht_get" => get(fields),
            "dht_found" => found(fields),
            "dht_store" => store(fields),
            "dht_stored" => stored(fields),
            "dht_leave" => Ok(Self::Leave),
            _ => return None,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let with = |request: &RequestId| Object::new().with("request", request.get());
        match self {
            Self::Ping { request } | Self::Pong { request } => with(request),
            Self::Find { request, target } => with(request).with("target", target.to_string()),
            Self::Get { request, key, after } => {
                let object = with(request).with("key", key.to_string());
                match after {
                    Some(owner) => object.with("after", owner.to_hex()),
                    None => object,
                }
            }
            Self::Found { request, found } => found_object(with(request), found),
            Self::Store { request, record } => with(request)
                .with("record", record.record.to_object())
                .with("signature", record.signature.to_base64()),
            Self::Stored { request, outcome } => with(request).with("outcome", outcome.as_str()),
            Self::Leave => Object::new(),
        }
    }
}

fn found_object(mut object: Object, found: &Found) -> Object {
    let contacts = found.contacts.iter().map(|contact| Value::from(contact.to_object()));
    object.insert("contacts", Value::Array(contacts.collect()));
    if !found.records.is_empty() {
        let records = found.records.iter().map(|record| Value::from(record.to_object()));
        object.insert("records", Value::Array(records.collect()));
    }
    if found.more {
        object.insert("more", true);
    }
    object
}

fn request(fields: Fields<'_>) -> Result<RequestId, FieldError> {
    let request = RequestId::new(fields.unsigned("request")?);
    request.ok_or(Problem::Invalid { expected: "1 to 2^53 - 1" }.of("request"))
}

fn find(fields: Fields<'_>) -> Result<DhtMessage, FieldError> {
    let target = fields.parsed("target", "64 lower-case hex digits")?;
    Ok(DhtMessage::Find { request: request(fields)?, target })
}

fn get(fields: Fields<'_>) -> Result<DhtMessage, FieldError> {
    let after = fields.optional("after").map(|_| key(fields, "after")).transpose()?;
    let key = fields.parsed("key", "64 lower-case hex digits")?;
    Ok(DhtMessage::Get { request: request(fields)?, key, after })
}

fn found(fields: Fields<'_>) -> Result<DhtMessage, FieldError> {
    let contacts = list(fields, "contacts", CONTACTS_MAX, Contact::from_object)?;
    let records = match fields.optional("records") {
        Some(_) => list(fields, "records", RECORDS_MAX, SignedRecord::from_object)?,
        None => Vec::new(),
    };
    let owner = |record: &SignedRecord| record.record.terms().owner;
    if !records.windows(2).all(|pair| owner(&pair[0]) < owner(&pair[1])) {
        return Err(Problem::Invalid { expected: "distinct owners, ascending" }.of("records"));
    }
    if records.iter().map(SignedRecord::len_bytes).sum::<usize>() > RECORDS_LEN_MAX {
        return Err(Problem::TooLong { max: RECORDS_LEN_MAX }.of("records"));
    }
    let more = fields.optional("more").is_some() && fields.flag("more")?;
    let found = Found { contacts, records, more };
    Ok(DhtMessage::Found { request: request(fields)?, found })
}

fn store(fields: Fields<'_>) -> Result<DhtMessage, FieldError> {
    let record = Box::new(SignedRecord::from_fields(fields)?);
    Ok(DhtMessage::Store { request: request(fields)?, record })
}

fn stored(fields: Fields<'_>) -> Result<DhtMessage, FieldError> {
    let outcome = StoreOutcome::from_text(fields.short_text("outcome", 64)?);
    Ok(DhtMessage::Stored { request: request(fields)?, outcome })
}
