//! What goes in and out of this room.

use std::sync::Arc;
use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_dht::discovery::{Source, Wanted};
use entity_dht::{Announcer, BeginError, CheckedRecord, Config as TableConfig, Effort};
use entity_wire::code::ErrorCode;
use entity_wire::json::Object;
use entity_wire::payload::dht::{
    Contact, NodeId, RecordError, RecordKey, RecordKind, RecordName, RecordVersion,
};
use entity_wire::time::Timestamp;
use thiserror::Error;

use crate::name::PeerName;

/// How a peer takes part in the table.
#[derive(Debug, Clone)]
pub struct DhtConfig {
    /// The bounds of the table.
    pub table: TableConfig,
    /// Whom to ask first; named by the operator, so their keys are pinned.
    pub bootstrap: Vec<Contact>,
    /// How long a record about this entity lives, 1 s to 24 h; it is renewed when half of that is over.
    pub lifetime: Duration,
}

impl Default for DhtConfig {
    /// The bounds of the protocol, contacts kept 10 s after a change, records of 2 h.
    fn default() -> Self {
        let table = TableConfig { save_after: Duration::from_secs(10), ..TableConfig::default() };
        Self { table, bootstrap: Vec::new(), lifetime: Announcer::LIFETIME }
    }
}

/// Something to do with the table.
#[derive(Debug, Clone)]
pub enum DhtCommand {
    /// Signs a record and stores it at the nodes nearest to its key.
    Put(Box<Put>),
    /// Looks for the records of a name.
    Get {
        /// Where they lie.
        key: RecordKey,
        /// Only that of this owner.
        owner: Option<PublicKey>,
    },
    /// Looks for a peer, whichever way it is known.
    Find(Wanted),
    /// Hands everything over and leaves the table, until the next start.
    Leave,
}

/// A record to be signed and stored.
#[derive(Debug, Clone)]
pub struct Put {
    /// What it is about.
    pub kind: RecordKind,
    /// What it is found by.
    pub name: RecordName,
    /// What it says.
    pub value: Object,
    /// How long it lives.
    pub lifetime: Duration,
    /// Its place among our records of the name; `None` is the time in microseconds, which is above all earlier ones.
    pub version: Option<RecordVersion>,
}

/// How a command ended well.
#[derive(Debug, Clone, PartialEq)]
pub enum DhtResult {
    /// The record is published.
    Stored(Stored),
    /// The lookup for records is over.
    Got(Got),
    /// The search for peers is over.
    Ways(Vec<FoundWay>),
    /// It has left: what it stored is handed to the nodes nearest to it, as far as they took it within 30 s.
    Left,
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where it lies.
    pub key: RecordKey,
    /// Its version.
    pub version: RecordVersion,
    /// Until when it holds.
    pub expires_at: Timestamp,
    /// How many nodes have it now.
    pub stored: usize,
    /// How many have not taken it, or have not answered.
    pub refused: usize,
}

/// What a lookup has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    /// Where it looked.
    pub key: RecordKey,
    /// Of each owner the record that won, ascending by owner.
    pub records: Vec<Arc<CheckedRecord>>,
    /// What it took.
    pub effort: Effort,
}

/// A way to a peer.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundWay {
    /// Who and where. The key is to be proved by a session.
    pub contact: Contact,
    /// Who says so.
    pub source: Source,
    /// What it says it is able to do; `None` where its record does not say.
    pub capabilities: Option<Vec<String>>,
    /// Until when its record holds.
    pub expires_at: Option<Timestamp>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DhtEvent {
    /// The node has joined.
    Joined {
        /// How many contacts it has.
        contacts: usize,
    },
    /// Nobody that the node knows has answered; it tries again by itself.
    Alone,
    /// A node has shown a record that is not its owner's.
    Misbehaved {
        /// Where it lies.
        node: NodeId,
        /// What it is called here.
        peer: PeerName,
    },
    /// It has left: what it stored is handed to the nodes nearest to it, as far as they took it within 30 s.
    Left,
}

/// How a command failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DhtError {
    /// Caller: this peer takes no part in the table.
    #[error("use the table: this node takes no part in it")]
    Disabled,
    /// Caller: it has left, or is leaving.
    #[error("use the table: this node has left it")]
    Left,
    /// Caller: there can be no such record.
    #[error("sign the record: {0}")]
    Record(RecordError),
    /// Caller: it does not hold now.
    #[error("publish a record that does not hold now")]
    Expired,
    /// Ours: a bound is reached.
    #[error("look it up: all {max} lookups are under way")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
}

impl DhtError {
    /// The protocol's code for this failure.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Disabled | Self::Left => ErrorCode::InvalidState,
            Self::Record(_) | Self::Expired => ErrorCode::InvalidMessage,
            Self::TooMany { .. } => ErrorCode::ServiceUnavailable,
        }
    }
}

impl From<BeginError> for DhtError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::TooMany { max } => Self::TooMany { max },
            BeginError::Left => Self::Left,
            BeginError::Expired => Self::Expired,
        }
    }
}

/// How far the life of a node in the table has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhtState {
    /// It takes part.
    Here,
    /// It hands its records over.
    Leaving,
    /// It has left.
    Left,
}

impl DhtState {
    /// The word used in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Leaving => "leaving",
            Self::Left => "left",
        }
    }
}

/// What can be seen of the part in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct DhtView {
    /// Where this node lies.
    pub node: NodeId,
    /// Whether it takes part.
    pub state: DhtState,
    /// Its contacts, bucket by bucket.
    pub contacts: Vec<ContactView>,
    /// Of each bucket how many contacts it has and how many wait; the one around the own id is the last.
    pub buckets: Vec<(usize, usize)>,
    /// Slots in use.
    pub slots: usize,
    /// Bytes of the records in them.
    pub bytes: usize,
}

/// A contact in the table.
#[derive(Debug, Clone, PartialEq)]
pub struct ContactView {
    /// Who and where.
    pub contact: Contact,
    /// When it was heard last, on our shifted wall clock.
    pub heard_at: Timestamp,
    /// Whether it has answered whatever it was asked last.
    pub is_good: bool,
}
