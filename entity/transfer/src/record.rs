//! What is kept of transfers, as records of the space `transfer`.
//!
//! | key | value |
//! |---|---|
//! | `open/ID` | an outgoing transfer of a file, or an incoming transfer with the chunks that are durable |
//! | `ended/ID` | how a transfer ended |
//!
//! An outgoing record is written once, an incoming one with each synchronisation: after a crash the receiver claims
//! what was durable then, and what came since is sent again.

use entity_crypto::encoding::{hex_decode_array, hex_encode};
use entity_crypto::identity::PeerId;
use entity_journal::{Record, Space, Write};
use entity_wire::canonical;
use entity_wire::json::{self, FieldError, Fields, Object, Problem, RULES_1_1};
use entity_wire::limits::KIND_LEN_MAX;
use entity_wire::payload::chunk::{
    BreakReason, ChunkInit, Cut, Digest, Ranges, TransferId, TransferName,
};
use entity_wire::time::Timestamp;
use thiserror::Error;

use crate::vocabulary::{Direction, Offer, Source, Standing, View};

/// Where transfers are kept.
pub const SPACE: Space = Space::state("transfer");

/// A record that was not written by this code, or was damaged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key}: {reason}")]
pub struct DamagedRecord {
    /// Its key, printable characters as they are.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kept {
    Outgoing { id: TransferId, offer: Offer, cut: Cut, offered_at: Timestamp },
    Incoming { peer: PeerId, init: ChunkInit, durable: Ranges, heard_at: Timestamp },
    Ended { view: View, at: Timestamp },
}

impl Kept {
    /// Writes the record; `None` for what lives only in memory.
    pub(crate) fn write(&self) -> Option<Write> {
        let (key, object) = match self {
            Self::Outgoing { id, offer, cut, offered_at } => {
                let Source::File { path, modified_us } = &offer.source else { return None };
                let object =
                    common(Direction::Outgoing, &offer.to, &offer.kind, offer.name.as_ref())
                        .with("at_us", offered_at.micros())
                        .with("chunk_size", u64::from(cut.chunk_size()))
                        .with("modified_us", *modified_us)
                        .with("path", path.as_str())
                        .with("sha256", hex_encode(&offer.sha256))
                        .with("total_size", cut.total_size());
                (open_key(*id), object)
            }
            Self::Incoming { peer, init, durable, heard_at } => {
                let object = common(Direction::Incoming, peer, &init.kind, init.name.as_ref())
                    .with("at_us", heard_at.micros())
                    .with("chunk_size", u64::from(init.cut.chunk_size()))
                    .with("received", durable.to_value())
                    .with("sha256", hex_encode(&init.sha256))
                    .with("total_size", init.cut.total_size());
                (open_key(init.transfer), object)
            }
            Self::Ended { view, at } => {
                let mut object = common(view.direction, &view.peer, &view.kind, view.name.as_ref())
                    .with("at_us", at.micros())
                    .with("received", view.received)
                    .with("sha256", hex_encode(&view.sha256))
                    .with("total_size", view.total_size);
                if let Some(path) = &view.path {
                    object.insert("path", path.as_str());
                }
                if let Standing::Failed(reason) = view.standing {
                    object.insert("reason", reason.as_str());
                }
                (ended_key(view.id), object)
            }
        };
        Some(Write::put(SPACE, key, canonical::object_to_vec(&object)))
    }

    /// Reads a record.
    pub(crate) fn read(record: &Record) -> Result<Self, DamagedRecord> {
        let damaged =
            |reason: String| DamagedRecord { key: record.key.escape_ascii().to_string(), reason };
        let (is_open, id) = key_of(&record.key).ok_or_else(|| damaged("no such key".to_owned()))?;
        let value = json::parse(&record.value, &RULES_1_1);
        let value = value.map_err(|error| damaged(error.to_string()))?;
        let object = value.into_object().map_err(|_| damaged("no object".to_owned()))?;
        // One form: what does not come out as it went in was written by somebody else.
        if canonical::object_to_vec(&object) != record.value {
            return Err(damaged("not in canonical form".to_owned()));
        }
        let read = if is_open { open_of(id, &object) } else { ended_of(id, &object) };
        read.map_err(|error| damaged(error.to_string()))
    }
}

/// Takes the record of an open transfer away.
pub(crate) fn delete_open(id: TransferId) -> Write {
    Write::delete(SPACE, open_key(id))
}

/// Takes the record of an ended transfer away.
pub(crate) fn delete_ended(id: TransferId) -> Write {
    Write::delete(SPACE, ended_key(id))
}

fn open_key(id: TransferId) -> Vec<u8> {
    format!("open/{id}").into_bytes()
}

fn ended_key(id: TransferId) -> Vec<u8> {
    format!("ended/{id}").into_bytes()
}

fn key_of(key: &[u8]) -> Option<(bool, TransferId)> {
    let key = std::str::from_utf8(key).ok()?;
    match key.split_once('/')? {
        ("open", id) => Some((true, id.parse().ok()?)),
        ("ended", id) => Some((false, id.parse().ok()?)),
        _ => None,
    }
}

fn common(direction: Direction, peer: &PeerId, kind: &str, name: Option<&TransferName>) -> Object {
    let mut object = Object::new()
        .with("direction", direction.as_str())
        .with("msg_type", kind)
        .with("peer", peer.as_str());
    if let Some(name) = name {
        object.insert("name", name.as_str());
    }
    object
}

fn open_of(id: TransferId, object: &Object) -> Result<Kept, FieldError> {
    let fields = Fields::new(object);
    let cut = cut_of(fields)?;
    let at = time_of(fields)?;
    let (peer, kind, name, sha256) = common_of(fields)?;
    match fields.text("direction")? {
        "outgoing" => {
            let modified_us = integer_of(fields, "modified_us")?;
            let source = Source::File { path: fields.text("path")?.to_owned(), modified_us };
            let total_size = cut.total_size();
            let offer = Offer { to: peer, kind, name, source, total_size, sha256 };
            Ok(Kept::Outgoing { id, offer, cut, offered_at: at })
        }
        "incoming" => {
            let init = ChunkInit { transfer: id, cut, sha256, kind, name };
            let durable = Ranges::from_field(fields, "received")?;
            Ok(Kept::Incoming { peer, init, durable, heard_at: at })
        }
        _ => Err(Problem::Invalid { expected: "a direction" }.of("direction")),
    }
}

fn ended_of(id: TransferId, object: &Object) -> Result<Kept, FieldError> {
    let fields = Fields::new(object);
    let direction = match fields.text("direction")? {
        "outgoing" => Direction::Outgoing,
        "incoming" => Direction::Incoming,
        _ => return Err(Problem::Invalid { expected: "a direction" }.of("direction")),
    };
    let reason = fields.optional_text("reason")?.map(BreakReason::from_text);
    let (peer, kind, name, sha256) = common_of(fields)?;
    let view = View {
        id,
        peer,
        direction,
        kind,
        name,
        total_size: fields.unsigned("total_size")?,
        received: fields.unsigned("received")?,
        sha256,
        path: fields.optional_text("path")?.map(str::to_owned),
        standing: reason.map_or(Standing::Done, Standing::Failed),
    };
    Ok(Kept::Ended { view, at: time_of(fields)? })
}

type Common = (PeerId, String, Option<TransferName>, Digest);

fn common_of(fields: Fields<'_>) -> Result<Common, FieldError> {
    let kind = fields.short_text("msg_type", KIND_LEN_MAX)?.to_owned();
    let sha256 = fields.read("sha256", "64 hex digits", |text| hex_decode_array(text).ok())?;
    let name = fields.read_optional("name", "a name", |text| text.parse().ok())?;
    Ok((fields.parsed("peer", "an id")?, kind, name, sha256))
}

fn cut_of(fields: Fields<'_>) -> Result<Cut, FieldError> {
    let chunk_size = u32::try_from(fields.unsigned("chunk_size")?).ok();
    let total_size = fields.unsigned("total_size")?;
    let cut = chunk_size.and_then(|chunk_size| Cut::new(total_size, chunk_size));
    cut.ok_or(Problem::Invalid { expected: "a size of chunks" }.of("chunk_size"))
}

fn time_of(fields: Fields<'_>) -> Result<Timestamp, FieldError> {
    Ok(Timestamp::from_micros(integer_of(fields, "at_us")?))
}

fn integer_of(fields: Fields<'_>, field: &'static str) -> Result<i64, FieldError> {
    let integer = fields.required(field)?.as_integer();
    let integer = integer.ok_or(Problem::WrongType { expected: "an integer" }.of(field))?;
    integer.as_i64().ok_or(Problem::Invalid { expected: "64 bits" }.of(field))
}

#[cfg(test)]
mod tests;
