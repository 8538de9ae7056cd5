//! Canonical JSON: the one form of a value that is signed, hashed and compared.
//!
//! It is that of Python's `json.dumps(x, sort_keys=True, separators=(",", ":"))`: no white space, keys sorted by
//! code point, ASCII only, integers of any size verbatim, floats with the fewest digits that read back.
//!
//! Source: `docs/protocol/1.0.md#canonical-json`.

use crate::json::{
    Layout, Object, Value, to_vec as write, write_object, write_object_without, write_string,
};

/// The canonical bytes of a value.
pub fn to_vec(value: &Value) -> Vec<u8> {
    write(value, Layout::Canonical)
}

/// The canonical bytes of an object.
pub fn object_to_vec(object: &Object) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    write_object(&mut out, object, Layout::Canonical);
    out
}

/// The canonical bytes of a text: the text between double quotes, with escapes.
///
/// Source: `docs/protocol/1.0.md#odd-signed-objects`.
pub fn text_to_vec(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    write_string(&mut out, text);
    out
}

/// The canonical bytes of an object without the field `omitted`.
pub fn object_without(object: &Object, omitted: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    write_object_without(&mut out, object, omitted, Layout::Canonical);
    out
}
