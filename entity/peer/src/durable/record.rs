//! Durable messages as they are kept. Both spaces are keyed by the position, 16 hex digits.
//!
//! | space | value |
//! |---|---|
//! | `outbox` | `{"body", "flavour"?: "iso" or "dataclass", "id", "seal": "auto", "never" or "require", "to", "type"}` |
//! | `outbox.place` | `{"number", "session"}`: where it was numbered |

use std::collections::BTreeMap;

use entity_journal::{Record, Space, Stored, Write};
use entity_wire::canonical;
use entity_wire::id::MessageNumber;
use entity_wire::json::{FieldError, Fields, Object, Problem};
use entity_wire::kind::MessageKind;
use entity_wire::v1_0::Flavour;

use super::queue::{Kept, Place};
use crate::command::{Class, Seal, Send};
use crate::name::PeerName;
use crate::record::{self, damaged, key_of_number, number_of_key};
use crate::restore::RestoreError;

const MESSAGES: Space = Space::state("outbox");
pub(crate) const PLACES: Space = Space::state("outbox.place");

pub(super) fn put_message(to: &PeerName, kept: &Kept) -> Write {
    let mut object = Object::new()
        .with("body", Object::clone(&kept.body))
        .with("id", kept.id.to_string())
        .with("seal", seal_text(kept.seal))
        .with("to", to.as_str())
        .with("type", kept.kind.as_str());
    if let Some(flavour) = kept.flavour {
        object.insert("flavour", flavour_text(flavour));
    }
    record::put(MESSAGES, key_of_number(kept.position), &object)
}

pub(super) fn put_place(position: u64, place: Place) -> Write {
    let object =
        Object::new().with("number", place.number.get()).with("session", place.session.to_string());
    record::put(PLACES, key_of_number(position), &object)
}

pub(super) fn delete_place(position: u64) -> Write {
    Write::delete(PLACES, key_of_number(position))
}

/// Takes a message away, and where it was numbered.
pub(super) fn delete(position: u64, is_numbered: bool) -> impl Iterator<Item = Write> {
    let message = Write::delete(MESSAGES, key_of_number(position));
    std::iter::once(message).chain(is_numbered.then(|| delete_place(position)))
}

/// Reads all messages, in the order of their positions.
pub(super) fn read_all(stored: &mut Stored) -> Result<Vec<(PeerName, Kept)>, RestoreError> {
    let mut places: BTreeMap<u64, (Record, Place)> = BTreeMap::new();
    for record in stored.take(PLACES) {
        let place = record::read(PLACES, &record, &["number", "session"], read_place)?;
        places.insert(number_of_key(PLACES, &record)?, (record, place));
    }
    let mut all: Vec<(PeerName, Kept)> = Vec::new();
    let mut waits_for: BTreeMap<PeerName, u64> = BTreeMap::new();
    for record in stored.take(MESSAGES) {
        let position = number_of_key(MESSAGES, &record)?;
        let read = |fields: Fields<'_>| read_message(fields, position);
        let (to, mut kept) = record::read(MESSAGES, &record, &FIELDS, read)?;
        match places.remove(&position) {
            Some((place_record, _)) if waits_for.contains_key(&to) => {
                let reason = "a message before it has no number";
                return Err(damaged(PLACES, &place_record, reason));
            }
            Some((_, place)) => kept.place = Some(place),
            None => drop(waits_for.insert(to.clone(), position)),
        }
        all.push((to, kept));
    }
    match places.into_values().next() {
        None => Ok(all),
        Some((record, _)) => Err(damaged(PLACES, &record, "there is no such message")),
    }
}

const FIELDS: [&str; 6] = ["body", "flavour", "id", "seal", "to", "type"];

fn read_message(fields: Fields<'_>, position: u64) -> Result<(PeerName, Kept), FieldError> {
    let id = fields.parsed("id", "a lower-case UUID of version 4")?;
    let to: PeerName = fields.parsed("to", "the name of a peer")?;
    let message = Send {
        to: to.clone(),
        kind: MessageKind::from_text(fields.text("type")?),
        body: fields.object("body")?.clone(),
        chunk: None,
        seal: fields.read("seal", "`auto`, `never` or `require`", |text| {
            SEALS.into_iter().find(|seal| seal_text(*seal) == text)
        })?,
        flavour: fields.read_optional("flavour", "`iso` or `dataclass`", |text| {
            FLAVOURS.into_iter().find(|flavour| flavour_text(*flavour) == text)
        })?,
        class: Class::Durable(id),
    };
    let len_bytes = canonical::object_to_vec(&message.body).len();
    Ok((to, Kept::new(position, id, message, len_bytes)))
}

fn read_place(fields: Fields<'_>) -> Result<Place, FieldError> {
    let number = MessageNumber::new(fields.unsigned("number")?);
    Ok(Place {
        session: fields.parsed("session", "a lower-case UUID of version 4")?,
        number: number.ok_or(Problem::Invalid { expected: "a message number" }.of("number"))?,
    })
}

const SEALS: [Seal; 3] = [Seal::Auto, Seal::Never, Seal::Require];
const FLAVOURS: [Flavour; 2] = [Flavour::Iso, Flavour::Dataclass];

fn seal_text(seal: Seal) -> &'static str {
    match seal {
        Seal::Auto => "auto",
        Seal::Never => "never",
        Seal::Require => "require",
    }
}

fn flavour_text(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Iso => "iso",
        Flavour::Dataclass => "dataclass",
    }
}
