//! The `chunk` of 1.0, in its two forms.
//!
//! Source: `docs/protocol/1.0.md#chunks`.

use entity_crypto::encoding::{base64_decode_strict, base64_encode};

use crate::json::{FieldError, Fields, Layout, Object, Problem, Rules, Value, parse, to_vec};
use crate::limits::{
    CHUNKED_1_0_LEN_MAX, CHUNKED_1_0_PIECES_MAX, KIND_LEN_MAX, LEGACY_ID_LEN_MAX, PAYLOAD_1_0_LEN,
};

/// A piece of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which payload: the id of the sender's choice, at most [`LEGACY_ID_LEN_MAX`] bytes.
    pub id: String,
    /// Which piece, from 0 and below `total`.
    pub index: u32,
    /// How many pieces there are: 1 to [`CHUNKED_1_0_PIECES_MAX`].
    pub total: u32,
    /// The piece: base64 of a slice of its own (form A), or a slice of one base64 text (form B).
    pub data: String,
    /// In which form.
    pub form: Form,
}

/// The two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// What the earlier peer sends: the type is inside.
    A,
    /// What the earlier peer accepts: the type is beside the piece.
    B {
        /// The type; at most [`KIND_LEN_MAX`] bytes.
        kind: String,
    },
}

impl Piece {
    /// Reads the payload of a `chunk`: form B where there is a `chunk_id`, else form A.
    ///
    /// # Errors
    ///
    /// A field is absent, of another type or out of its bounds.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let (id, form) = if object.contains_key("chunk_id") {
            let kind = fields.short_text("original_msg_type", KIND_LEN_MAX)?.to_owned();
            ("chunk_id", Form::B { kind })
        } else {
            ("message_id", Form::A)
        };
        let number = |field| {
            let expected = "a number of pieces within the limits";
            let number = u32::try_from(fields.unsigned(field)?).ok();
            let number = number.filter(|number| *number <= CHUNKED_1_0_PIECES_MAX);
            number.ok_or(Problem::Invalid { expected }.of(field))
        };
        let (index, total) = (number("chunk_index")?, number("total_chunks")?);
        if index >= total {
            let expected = "an index below the number of pieces";
            return Err(Problem::Invalid { expected }.of("chunk_index"));
        }
        Ok(Self {
            id: fields.short_text(id, LEGACY_ID_LEN_MAX)?.to_owned(),
            index,
            total,
            data: fields.short_text("data", TEXT_LEN_MAX)?.to_owned(),
            form,
        })
    }
}

/// The longest piece: that of a payload in one.
const TEXT_LEN_MAX: usize = CHUNKED_1_0_LEN_MAX.div_ceil(3) * 4;

/// Cuts a payload into the payloads of `chunk` messages in form B; `None` where it fits one message, and where its JSON
/// is longer than [`CHUNKED_1_0_LEN_MAX`]. `id` makes the id of one that is cut.
pub fn cut(payload: &Object, kind: &str, id: impl FnOnce() -> String) -> Option<Vec<Object>> {
    // The length is that of the earlier peer's own spacing; what travels need not be.
    let text = to_vec(&Value::Object(payload.clone()), Layout::Spaced);
    if text.len() <= PAYLOAD_1_0_LEN || text.len() > CHUNKED_1_0_LEN_MAX {
        return None;
    }
    let (id, text) = (id(), base64_encode(&text));
    let slices: Vec<&str> = text
        .as_bytes()
        .chunks(SLICE_LEN)
        // Base64 is ASCII, so every cut is one between characters.
        .map(|slice| std::str::from_utf8(slice).unwrap_or_default())
        .collect();
    let total = slices.len() as u64;
    let piece = |(index, slice): (u64, &str)| {
        Object::new()
            .with("chunk_id", id.as_str())
            .with("chunk_index", index)
            .with("total_chunks", total)
            .with("data", slice)
            .with("original_msg_type", kind)
    };
    Some((0..).zip(slices).map(piece).collect())
}

/// Characters of base64 in a piece: those of 8,190 bytes.
const SLICE_LEN: usize = 10_920;

/// Puts the pieces of a payload together, in their order: its type and the payload. `None` where they are not of
/// that: base64 is strict, of each piece in form A and of the whole in form B.
pub fn join(form: &Form, pieces: &[&str], rules: &Rules) -> Option<(String, Object)> {
    let text = match form {
        Form::A => {
            let decoded = pieces.iter().map(|piece| base64_decode_strict(piece));
            decoded.collect::<Result<Vec<_>, _>>().ok()?.concat()
        }
        Form::B { .. } => base64_decode_strict(&pieces.concat()).ok()?,
    };
    if text.len() > CHUNKED_1_0_LEN_MAX {
        return None;
    }
    let rules = Rules { len_max: text.len(), ..*rules };
    let mut object = parse(&text, &rules).ok()?.into_object().ok()?;
    match form {
        Form::B { kind } => Some((kind.clone(), object)),
        Form::A => {
            let kind = Fields::new(&object).short_text("original_msg_type", KIND_LEN_MAX);
            let kind = kind.ok()?.to_owned();
            Some((kind, object.remove("data")?.into_object().ok()?))
        }
    }
}

#[cfg(test)]
mod tests;
