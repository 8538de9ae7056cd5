//! A session as it is kept: space `session`, one record a session, under its id (`docs/protocol/1.1.md#kept-numbers`).
//!
//! ```text
//! {"acked", "capabilities", "confirmed": SECRET, "handled", "heard_at", "highest_generation", "key", "peer", "pending"?: SECRET,
//!  "proposed"?: SECRET, "ready_at", "reserved", "role": "initiator" | "responder"}, SECRET = {"generation", "secret"}
//! ```
//!
//! Counts are numbers, times microseconds since 1970, keys and secrets hex. Traffic keys are never kept.

use std::collections::{BTreeMap, BTreeSet};

use entity_crypto::encoding::{hex_decode_array, hex_encode};
use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_journal::{Record, Space, Write};
use entity_wire::canonical;
use entity_wire::id::{Generation, MessageNumber, SessionId};
use entity_wire::json::{self, FieldError, Fields, Object, Problem, RULES_1_1, Value};
use entity_wire::payload::handshake_1_1::Capabilities;
use entity_wire::time::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

use super::numbers::AHEAD_MAX;
use super::secrets::{Secret, Secrets};
use super::state::Role;

/// Where sessions are kept.
pub const SPACE: Space = Space::state("session");

/// The numbers of durable messages that their sender still keeps, by session.
pub type Kept = BTreeMap<SessionId, BTreeSet<MessageNumber>>;

/// A record that was not written by this code, or is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the record of session {key} is damaged: {reason}")]
pub struct Damaged {
    /// Its key, printable characters as they are.
    pub key: String,
    /// What is wrong.
    pub reason: String,
}

/// What is kept of a session.
#[derive(Debug, Clone)]
pub(super) struct Essence {
    pub(super) id: SessionId,
    pub(super) role: Role,
    pub(super) peer: PeerId,
    pub(super) peer_key: PublicKey,
    pub(super) capabilities: Capabilities,
    pub(super) ready_at: Timestamp,
    pub(super) heard_at: Timestamp,
    pub(super) secrets: Secrets,
    pub(super) reserved: u64,
    pub(super) acked: u64,
    pub(super) handled: u64,
}

impl Essence {
    /// Keeps the session as it is now.
    pub(super) fn put(&self) -> Write {
        let capabilities =
            self.capabilities.as_slice().iter().map(|name| Value::from(name.as_str()));
        let mut object = Object::new()
            .with("acked", self.acked)
            .with("capabilities", Value::Array(capabilities.collect()))
            .with("confirmed", write_secret(self.secrets.confirmed()))
            .with("handled", self.handled)
            .with("heard_at", micros(self.heard_at))
            .with("highest_generation", u64::from(self.secrets.highest().get()))
            .with("key", self.peer_key.to_hex())
            .with("peer", self.peer.as_str())
            .with("ready_at", micros(self.ready_at))
            .with("reserved", self.reserved)
            .with("role", self.role.as_str());
        if let Some(secret) = self.secrets.proposed() {
            object.insert("proposed", write_secret(secret));
        }
        if let Some(secret) = self.secrets.pending() {
            object.insert("pending", write_secret(secret));
        }
        Write::put(SPACE, self.id.to_string(), canonical::object_to_vec(&object))
    }

    /// Forgets a session.
    pub(super) fn delete(session: SessionId) -> Write {
        Write::delete(SPACE, session.to_string())
    }

    /// Reads a record, strictly: what was not written by [`Self::put`] is refused.
    pub(super) fn read(record: &Record) -> Result<Self, Damaged> {
        let key = String::from_utf8_lossy(&record.key).escape_default().to_string();
        let damaged = |reason: String| Damaged { key: key.clone(), reason };
        let id: Option<SessionId> =
            std::str::from_utf8(&record.key).ok().and_then(|key| key.parse().ok());
        let id = id.ok_or_else(|| damaged("its key is no session id".to_owned()))?;
        let value = json::parse(&record.value, &RULES_1_1);
        let value = value.map_err(|error| damaged(error.to_string()))?;
        let object = value.into_object().map_err(|_| damaged("it is no object".to_owned()))?;
        if let Some((name, _)) = object.iter().find(|(name, _)| !FIELDS.contains(name)) {
            return Err(damaged(format!("it has a field {name}")));
        }
        read(id, &object).map_err(|error| damaged(error.to_string()))
    }
}

const FIELDS: [&str; 13] = [
    "acked",
    "capabilities",
    "confirmed",
    "handled",
    "heard_at",
    "highest_generation",
    "key",
    "peer",
    "pending",
    "proposed",
    "ready_at",
    "reserved",
    "role",
];

fn read(id: SessionId, object: &Object) -> Result<Essence, FieldError> {
    let fields = Fields::new(object);
    let (acked, reserved) = (number(fields, "acked")?, number(fields, "reserved")?);
    // A record is written before anything leaves that it has no room for, so numbers never lie further apart.
    if reserved < acked || reserved - acked > 2 * AHEAD_MAX {
        return Err(Problem::Invalid { expected: "0 to 2,048 above acked" }.of("reserved"));
    }
    let optional = |name: &'static str| {
        if object.contains_key(name) { read_secret(fields, name).map(Some) } else { Ok(None) }
    };
    let highest = generation(fields, "highest_generation")?;
    let (proposed, pending) = (optional("proposed")?, optional("pending")?);
    let secrets = Secrets::restore(read_secret(fields, "confirmed")?, proposed, pending, highest);
    let role =
        |text: &str| [Role::Initiator, Role::Responder].into_iter().find(|r| r.as_str() == text);
    Ok(Essence {
        id,
        role: fields.read("role", "`initiator` or `responder`", role)?,
        peer: fields.parsed("peer", "an id of a peer")?,
        peer_key: fields.read("key", "a public key", |text| PublicKey::from_hex(text).ok())?,
        capabilities: Capabilities::new(fields.texts("capabilities")?),
        ready_at: time(fields, "ready_at")?,
        heard_at: time(fields, "heard_at")?,
        secrets: secrets.ok_or(
            Problem::Invalid { expected: "at least that of every secret" }.of("highest_generation"),
        )?,
        reserved,
        acked,
        handled: number(fields, "handled")?,
    })
}

fn write_secret(secret: &Secret) -> Object {
    Object::new()
        .with("generation", u64::from(secret.generation().get()))
        .with("secret", hex_encode(secret.as_bytes()))
}

fn read_secret(fields: Fields<'_>, name: &'static str) -> Result<Secret, FieldError> {
    let object = fields.object(name)?;
    let fields = Fields::new(object);
    let secret =
        fields.read("secret", "64 hex digits", |text| hex_decode_array::<32>(text).ok())?;
    if object.len() != 2 {
        return Err(Problem::Invalid { expected: "generation and secret" }.of(name));
    }
    Ok(Secret::new(generation(fields, "generation")?, Zeroizing::new(secret)))
}

fn generation(fields: Fields<'_>, name: &'static str) -> Result<Generation, FieldError> {
    let value = u16::try_from(fields.unsigned(name)?).ok();
    let refused = Problem::Invalid { expected: "an integer of 16 bits" }.of(name);
    value.map(Generation::new).ok_or(refused)
}

fn number(fields: Fields<'_>, name: &'static str) -> Result<u64, FieldError> {
    let value = fields.unsigned(name)?;
    let refused = Problem::Invalid { expected: "0 or a message number" }.of(name);
    if value > MessageNumber::MAX.get() { Err(refused) } else { Ok(value) }
}

fn time(fields: Fields<'_>, name: &'static str) -> Result<Timestamp, FieldError> {
    let micros = i64::try_from(fields.unsigned(name)?).ok();
    let refused = Problem::Invalid { expected: "microseconds since 1970" }.of(name);
    micros.map(Timestamp::from_micros).ok_or(refused)
}

/// Sessions are not older than the clock's epoch; a time before it counts as the epoch.
fn micros(time: Timestamp) -> u64 {
    u64::try_from(time.micros()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
