//! What is inside `payload`: one file for each family.
//!
//! Every type has `from_object`, which makes a value that cannot be wrong or names the field that is, and `to_object`,
//! which keeps the order in which the earlier peer writes. Fields that a type does not name are ignored.
//!
//! - [`handshake_1_0`]: the three messages of the 1.0 handshake.
//! - [`session_sealing_1_0`], [`static_sealing_1_0`]: the two sealed forms of 1.0.
//! - [`handshake_1_1`]: the six messages of the 1.1 handshake.
//! - [`sealed`]: the sealed form of 1.1 and what is inside it.
//! - [`control`]: the control messages of 1.1.
//! - [`resume`], [`rekey`]: what gives a session of 1.1 new keys.
//! - [`chunk_1_0`]: the pieces of a large payload of 1.0.
//! - [`chunk`]: the messages of a chunked transfer of 1.1.
//! - [`token`]: certified token transfers of 1.1.
//! - [`dht`]: contacts, signed records and the messages of the distributed hash table of 1.1.
//! - [`task`]: what one peer asks of another, and what became of it, in 1.1.
//! - [`capability`], [`error`], [`signal`]: messages of both versions.

pub mod capability;
pub mod chunk;
pub mod chunk_1_0;
pub mod control;
pub mod dht;
pub mod error;
pub mod handshake_1_0;
pub mod handshake_1_1;
pub mod rekey;
pub mod resume;
pub mod sealed;
pub mod session_sealing_1_0;
pub mod signal;
pub mod static_sealing_1_0;
pub mod task;
pub mod token;

use entity_crypto::signing::{PublicKey, Signature};

use crate::json::{FieldError, Fields, Object, Problem, Value};

/// A list of texts as a JSON array.
fn texts(list: &[String]) -> Value {
    Value::Array(list.iter().map(|text| Value::from(text.as_str())).collect())
}

/// Wants a text of at most `max` bytes.
fn bounded(field: &'static str, text: &str, max: usize) -> Result<String, FieldError> {
    if text.len() > max { Err(Problem::TooLong { max }.of(field)) } else { Ok(text.to_owned()) }
}

/// Refuses fields that a type does not name.
fn exact(object: &Object, named: &[&str]) -> Result<(), FieldError> {
    if object.iter().all(|(key, _)| named.contains(&key)) {
        Ok(())
    } else {
        Err(Problem::Invalid { expected: "an object with exactly the fields of its type" }.of("*"))
    }
}

pub(crate) fn key(fields: Fields<'_>, field: &'static str) -> Result<PublicKey, FieldError> {
    fields.read(field, "64 lower-case hex digits of an Ed25519 public key", |text| {
        PublicKey::from_hex(text).ok()
    })
}

pub(crate) fn signature(fields: Fields<'_>) -> Result<Signature, FieldError> {
    fields.read("signature", "base64 of 64 bytes", |text| Signature::from_base64(text).ok())
}

/// Reads a list of objects of at most `max` entries.
fn list<T>(
    fields: Fields<'_>,
    field: &'static str,
    max: usize,
    read: impl Fn(&Object) -> Result<T, FieldError>,
) -> Result<Vec<T>, FieldError> {
    let items = fields.array(field)?;
    if items.len() > max {
        return Err(Problem::TooLong { max }.of(field));
    }
    let one = |item: &Value| {
        let object = item.as_object();
        read(object.ok_or(Problem::WrongType { expected: "an array of objects" }.of(field))?)
    };
    items.iter().map(one).collect()
}

#[cfg(test)]
mod tests;
