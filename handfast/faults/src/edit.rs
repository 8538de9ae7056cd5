//! Changes to a body that leave every other byte as it was.

use std::fmt;
use std::ops::Range;

use serde_json::value::RawValue;
use thiserror::Error;

use crate::field::{self, FieldPath, Missing, Place};
use crate::flip;

/// A change to the body of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Changes one field of a JSON body; the body stays JSON.
    Field {
        /// The field.
        path: FieldPath,
        /// What happens to it.
        change: FieldChange,
    },
    /// Changes one byte.
    Byte {
        /// Which byte.
        offset: ByteOffset,
        /// What happens to it.
        change: ByteChange,
    },
    /// Keeps only the beginning of the body.
    Truncate {
        /// Bytes that remain.
        keep: usize,
    },
}

/// What happens to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldChange {
    /// It gets this value; an absent key of an object is added at its end.
    Set(JsonText),
    /// The smallest change of its value that keeps it of the same form: one bit of decoded base64
    /// or hexadecimal, one letter or digit of another text, the last digit of a number, the other
    /// truth value; in a container the last such value inside. `null` becomes `false`.
    FlipOneBit,
    /// It is taken out, with its key and one comma.
    Delete,
    /// The member of an object stands there a second time, right behind itself. JSON leaves open which of the two counts.
    Twice,
}

/// What happens to a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteChange {
    /// One bit is inverted, 0 being the lowest; only the lowest three bits of the number count.
    FlipBit(u8),
    /// It gets this value.
    Set(u8),
}

/// The place of a byte in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOffset {
    /// Counted from the first byte, which is 0.
    FromStart(usize),
    /// Counted from the last byte, which is 0.
    FromEnd(usize),
}

/// The text of one JSON value, as it will stand in the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(String);

impl JsonText {
    /// Takes a text that is already JSON, so that its number forms and spaces are kept.
    ///
    /// # Errors
    ///
    /// [`NotJson`] if it is not exactly one JSON value.
    pub fn parse(text: &str) -> Result<Self, NotJson> {
        let value: &RawValue = serde_json::from_str(text).map_err(|_| NotJson)?;
        Ok(Self(value.get().to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&serde_json::Value> for JsonText {
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string())
    }
}

/// A text is not exactly one JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the text is not one JSON value")]
pub struct NotJson;

/// Why a change does not fit a body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EditError {
    /// The field is not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The field holds nothing a bit of which could be flipped: an empty text or container.
    #[error("the field {path:?} has nothing to flip")]
    NothingToFlip {
        /// The path of the field.
        path: String,
    },
    /// The body is too short for the byte or the cut.
    #[error("the body has only {len_bytes} bytes")]
    TooShort {
        /// Length of the body.
        len_bytes: usize,
    },
    /// The body would be the same afterwards, so the message would not be changed at all.
    #[error("the change leaves the body as it is")]
    Unchanged,
}

impl Edit {
    /// The changed body; it always differs from `body`.
    ///
    /// # Errors
    ///
    /// [`EditError`] where the body has no such field or byte, or would not change.
    pub fn apply(&self, body: &[u8]) -> Result<Vec<u8>, EditError> {
        let (span, replacement) = self.splice(body)?;
        let before = body.get(..span.start).unwrap_or_default();
        let after = body.get(span.end..).unwrap_or_default();
        if body.get(span) == Some(replacement.as_slice()) {
            return Err(EditError::Unchanged);
        }
        Ok([before, &replacement, after].concat())
    }

    /// The span of `body` that is replaced, and by what; all other bytes are kept.
    ///
    /// # Errors
    ///
    /// As [`Edit::apply`], but a replacement that equals the span is not noticed.
    pub fn splice(&self, body: &[u8]) -> Result<(Range<usize>, Vec<u8>), EditError> {
        match self {
            Self::Field { path, change } => field_splice(body, path, change),
            Self::Byte { offset, change } => byte_splice(body, *offset, *change),
            Self::Truncate { keep } if *keep > body.len() => {
                Err(EditError::TooShort { len_bytes: body.len() })
            }
            Self::Truncate { keep } => Ok((*keep..body.len(), Vec::new())),
        }
    }
}

/// Names what is changed: a path, `byte 7`, `last byte`, `byte 3 from the end`, `all after 9 bytes`.
impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { path, .. } => path.fmt(f),
            Self::Byte { offset: ByteOffset::FromStart(at), .. } => write!(f, "byte {at}"),
            Self::Byte { offset: ByteOffset::FromEnd(0), .. } => f.write_str("last byte"),
            Self::Byte { offset: ByteOffset::FromEnd(back), .. } => {
                write!(f, "byte {back} from the end")
            }
            Self::Truncate { keep } => write!(f, "all after {keep} bytes"),
        }
    }
}

fn byte_splice(
    body: &[u8],
    offset: ByteOffset,
    change: ByteChange,
) -> Result<(Range<usize>, Vec<u8>), EditError> {
    let too_short = || EditError::TooShort { len_bytes: body.len() };
    let at = match offset {
        ByteOffset::FromStart(at) => at,
        ByteOffset::FromEnd(back) => body
            .len()
            .checked_sub(1)
            .and_then(|last| last.checked_sub(back))
            .ok_or_else(too_short)?,
    };
    let old = *body.get(at).ok_or_else(too_short)?;
    let new = match change {
        ByteChange::FlipBit(bit) => old ^ (1 << (bit & 7)),
        ByteChange::Set(new) => new,
    };
    Ok((at..at + 1, vec![new]))
}

fn field_splice(
    body: &[u8],
    path: &FieldPath,
    change: &FieldChange,
) -> Result<(Range<usize>, Vec<u8>), EditError> {
    let place = field::find(body, path)?;
    let missing = || Missing::Field { path: path.to_string() };
    match change {
        FieldChange::Set(value) => set(&place, value).ok_or_else(|| missing().into()),
        FieldChange::Delete => Ok((delete(body, &place).ok_or_else(missing)?, Vec::new())),
        FieldChange::Twice => twice(body, &place).ok_or_else(|| missing().into()),
        FieldChange::FlipOneBit => {
            let span = place.value.ok_or_else(missing)?;
            let text = std::str::from_utf8(body).map_err(|_| Missing::NotJson)?;
            let (span, flipped) = flip::in_value(text, span)
                .ok_or_else(|| EditError::NothingToFlip { path: path.to_string() })?;
            Ok((span, flipped.into_bytes()))
        }
    }
}

/// Replaces the value, or adds the member to its object.
fn set(place: &Place, value: &JsonText) -> Option<(Range<usize>, Vec<u8>)> {
    if let Some(span) = &place.value {
        return Some((span.clone(), value.0.clone().into_bytes()));
    }
    if !place.in_object {
        return None;
    }
    let key = serde_json::Value::from(place.key.as_str());
    let (at, comma) = match place.siblings.last() {
        Some(last) => (last.end, ","),
        None => (place.container.start + 1, ""),
    };
    Some((at..at, format!("{comma}{key}:{}", value.0).into_bytes()))
}

/// The same member once more, behind itself; only an object has members.
fn twice(body: &[u8], place: &Place) -> Option<(Range<usize>, Vec<u8>)> {
    let span = place.value.clone().filter(|_| place.in_object)?;
    let key = serde_json::Value::from(place.key.as_str()).to_string();
    let again = [b",", key.as_bytes(), b":", body.get(span.clone())?].concat();
    Some((span.end..span.end, again))
}

/// The span of the member with its key and one comma.
fn delete(body: &[u8], place: &Place) -> Option<Range<usize>> {
    let position = place.position?;
    let value = place.value.clone()?;
    if let Some(previous) = position.checked_sub(1) {
        return Some(place.siblings.get(previous)?.end..value.end);
    }
    let start = skip_blanks(body, place.container.start + 1);
    if place.siblings.len() == 1 {
        return Some(start..value.end);
    }
    let comma = skip_blanks(body, value.end);
    Some(start..skip_blanks(body, comma + 1))
}

fn skip_blanks(body: &[u8], from: usize) -> usize {
    let rest = body.get(from..).unwrap_or_default();
    let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
    from + blanks.count()
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
