//! Where a field of a JSON body begins and ends.
//!
//! The body is never rebuilt: `serde_json`'s raw values are slices of it, so their place in the
//! body is the span of the field, and every byte outside the span stays what it was.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

/// The way from the top of a JSON body to one field.
///
/// Shape: keys and array positions, outermost first, at most [`FieldPath::SEGMENTS_MAX`]. As text
/// `payload.sealed`, `payload.items[2].name` or `payload.items.2.name`: a whole number names a
/// position where the container is an array and a key where it is an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldPath(Vec<String>);

impl FieldPath {
    /// Deepest path that can be written: the nesting `serde_json` itself allows.
    pub const SEGMENTS_MAX: usize = 128;

    /// Names a field of the body's top level by its key as it is.
    pub fn key(key: impl Into<String>) -> Self {
        Self(vec![key.into()])
    }

    /// Joins segments as they are; the way to name a key that contains a dot or a bracket.
    ///
    /// # Errors
    ///
    /// [`InvalidPath`] if there is none, or more than [`FieldPath::SEGMENTS_MAX`].
    pub fn from_segments(segments: Vec<String>) -> Result<Self, InvalidPath> {
        match segments.len() {
            0 => Err(InvalidPath::Empty),
            1..=Self::SEGMENTS_MAX => Ok(Self(segments)),
            _ => Err(InvalidPath::TooDeep),
        }
    }

    /// The segments, outermost first; never empty.
    pub fn segments(&self) -> &[String] {
        &self.0
    }
}

impl FromStr for FieldPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        if text.is_empty() {
            return Err(InvalidPath::Empty);
        }
        let mut segments = Vec::new();
        for part in text.split('.') {
            let (key, mut rest) = part.split_at(part.find('[').unwrap_or(part.len()));
            if key.is_empty() {
                return Err(InvalidPath::EmptySegment { path: text.to_owned() });
            }
            segments.push(key.to_owned());
            while !rest.is_empty() {
                let bad = || InvalidPath::Bracket { path: text.to_owned() };
                let (inside, after) =
                    rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).ok_or_else(bad)?;
                inside.parse::<usize>().map_err(|_| bad())?;
                segments.push(inside.to_owned());
                rest = after;
            }
        }
        Self::from_segments(segments)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Why a text is not a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidPath {
    /// Nothing is named.
    #[error("the path is empty")]
    Empty,
    /// A dot stands at the end, at the beginning or beside another.
    #[error("a segment of {path:?} is empty")]
    EmptySegment {
        /// The path as written.
        path: String,
    },
    /// A bracket does not hold a whole number or is not closed.
    #[error("a bracket of {path:?} does not hold an array position")]
    Bracket {
        /// The path as written.
        path: String,
    },
    /// More than [`FieldPath::SEGMENTS_MAX`] segments.
    #[error("the path has more than {} segments", FieldPath::SEGMENTS_MAX)]
    TooDeep,
}

/// The span of the value at `path`, in bytes from the start of `body`.
///
/// A key that stands twice names its last value, as most readers take it.
///
/// # Errors
///
/// [`Missing`] says how far the path could be followed.
pub fn locate(body: &[u8], path: &FieldPath) -> Result<Range<usize>, Missing> {
    let place = find(body, path)?;
    place.value.ok_or(Missing::Field { path: path.to_string() })
}

/// The text of the string at `path`, unescaped; `None` if the body is no JSON, has no such field or
/// has something else there.
pub fn text_of(body: &[u8], path: &FieldPath) -> Option<String> {
    let span = locate(body, path).ok()?;
    serde_json::from_slice(body.get(span)?).ok()
}

/// Why a path leads nowhere in a body.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Missing {
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson,
    /// A container on the way, or the field itself, is not there.
    #[error("there is no field {path:?}")]
    Field {
        /// The path.
        path: String,
    },
}

/// A field and its neighbours, all as spans of the whole body.
#[derive(Debug)]
pub(crate) struct Place {
    /// The object or array the field is in.
    pub(crate) container: Range<usize>,
    /// Whether that is an object.
    pub(crate) in_object: bool,
    /// The values of the container, in order.
    pub(crate) siblings: Vec<Range<usize>>,
    /// The field's position among them, if it exists.
    pub(crate) position: Option<usize>,
    /// The field's own span, if it exists.
    pub(crate) value: Option<Range<usize>>,
    /// The last segment of the path.
    pub(crate) key: String,
}

/// Follows `path` to its last container; the field itself may be absent.
pub(crate) fn find(body: &[u8], path: &FieldPath) -> Result<Place, Missing> {
    let text = std::str::from_utf8(body).map_err(|_| Missing::NotJson)?;
    let top: &RawValue = serde_json::from_str(text).map_err(|_| Missing::NotJson)?;
    let nowhere = || Missing::Field { path: path.to_string() };
    let (last, way) = path.segments().split_last().ok_or_else(nowhere)?;
    let mut container = span_in(text, top.get());
    for segment in way {
        let inside = children(text, container).ok_or_else(nowhere)?;
        let position = inside.position(segment).ok_or_else(nowhere)?;
        container = inside.values.get(position).cloned().ok_or_else(nowhere)?;
    }
    let inside = children(text, container.clone()).ok_or_else(nowhere)?;
    let position = inside.position(last);
    let value = position.and_then(|position| inside.values.get(position).cloned());
    Ok(Place {
        container,
        in_object: inside.keys.is_some(),
        siblings: inside.values,
        position,
        value,
        key: last.clone(),
    })
}

/// The values directly inside an object or array, with their keys if it is an object.
pub(crate) struct Children {
    keys: Option<Vec<String>>,
    /// Spans in the whole body, in order.
    pub(crate) values: Vec<Range<usize>>,
}

impl Children {
    fn position(&self, segment: &str) -> Option<usize> {
        match &self.keys {
            Some(keys) => keys.iter().rposition(|key| key == segment),
            None => segment.parse().ok().filter(|&position| position < self.values.len()),
        }
    }
}

/// The children of the object or array that `span` of `text` holds; `None` for any other value.
pub(crate) fn children(text: &str, span: Range<usize>) -> Option<Children> {
    let value = text.get(span)?;
    if value.starts_with('{') {
        let Members(members) = serde_json::from_str(value).ok()?;
        let values = members.iter().map(|(_, value)| span_in(text, value.get())).collect();
        let keys = members.into_iter().map(|(key, _)| key).collect();
        return Some(Children { keys: Some(keys), values });
    }
    if value.starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(value).ok()?;
        let values = elements.iter().map(|value| span_in(text, value.get())).collect();
        return Some(Children { keys: None, values });
    }
    None
}

/// The span of `part`, which must be a slice of `whole`.
fn span_in(whole: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - whole.as_ptr().addr();
    start..start + part.len()
}

/// The members of an object in the order they stand, doubles included.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
#[path = "field_tests.rs"]
mod tests;
