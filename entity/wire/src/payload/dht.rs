//! The payloads of the distributed hash table, and the records that are signed in them.
//!
//! - [`point`]: [`NodeId`], [`RecordKey`], [`Point`]: where something lies.
//! - [`contact`]: [`Contact`]: where somebody claims a key can be reached.
//! - [`record`]: [`Terms`], [`Record`], [`SignedRecord`]: what is stored. Records are *exact*: an object with a field
//!   that the type does not name is refused.
//! - [`presence`]: [`Presence`]: what the registry writes into a record.
//! - [`message`]: [`DhtMessage`], every message by its type.
//!
//! Source: `docs/protocol/1.1.md#distributed-hash-table`.

pub mod contact;
pub mod message;
pub mod point;
pub mod presence;
pub mod record;

pub use contact::{Address, Contact, InvalidAddress};
pub use message::{DhtMessage, Found, RequestId, StoreOutcome};
pub use point::{NodeId, Point, RecordKey};
pub use presence::Presence;
pub use record::{
    CAPABILITY_LEN_MAX, LIFETIME_MAX, RECORD_DEPTH_MAX, RECORD_LEN_MAX, Record, RecordError,
    RecordKind, RecordName, RecordVersion, SignedRecord, Terms,
};

/// Most contacts in one message.
///
/// Source: `docs/protocol/1.1.md#dht-contact`.
pub const CONTACTS_MAX: usize = 20;

/// Most records in one message.
///
/// Source: `docs/protocol/1.1.md#dht-messages`.
pub const RECORDS_MAX: usize = 64;

/// Most bytes of the canonical forms of the signed records of one message together.
///
/// Source: `docs/protocol/1.1.md#dht-messages`.
pub const RECORDS_LEN_MAX: usize = 64 * 1_024;

#[cfg(test)]
mod tests;
