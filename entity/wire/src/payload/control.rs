//! The bodies of the control messages of 1.1: `ack`, `skip`, `session_close`.

use crate::id::MessageNumber;
use crate::json::{FieldError, Fields, Object, Problem, Value};
use crate::limits::{SKIP_NUMBERS_MAX, TEXT_LEN_MAX};

/// `ack`: `{}`. The acknowledgement itself is the field `ack` that every plaintext has.
///
/// Source: `docs/protocol/1.1.md#acknowledgement`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ack;

impl Ack {
    /// Writes the body.
    pub fn to_object(self) -> Object {
        Object::new()
    }
}

/// `skip`: numbers that will not come.
///
/// Shape: at least one range; first <= last in each; ascending and disjoint; at most
/// [`SKIP_NUMBERS_MAX`] numbers in all.
///
/// Source: `docs/protocol/1.1.md#skip`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip(Vec<(MessageNumber, MessageNumber)>);

impl Skip {
    /// Declares these ranges, both ends inclusive; `None` where they are not of the shape.
    pub fn new(ranges: Vec<(MessageNumber, MessageNumber)>) -> Option<Self> {
        let ascending = ranges.iter().all(|(first, last)| first <= last)
            && ranges.windows(2).all(|pair| pair[0].1 < pair[1].0);
        // Saturating, because hostile ranges may overlap and so add up beyond any number.
        let total = ranges.iter().fold(0, |total: u64, (first, last)| {
            total.saturating_add(last.get().saturating_sub(first.get()) + 1)
        });
        (ascending && (1..=SKIP_NUMBERS_MAX).contains(&total)).then_some(Self(ranges))
    }

    /// Declares single numbers, in any order; `None` for none and for more than [`SKIP_NUMBERS_MAX`].
    pub fn of_numbers(numbers: impl IntoIterator<Item = MessageNumber>) -> Option<Self> {
        let numbers: std::collections::BTreeSet<MessageNumber> = numbers.into_iter().collect();
        let mut ranges: Vec<(MessageNumber, MessageNumber)> = Vec::new();
        for number in numbers {
            match ranges.last_mut() {
                Some((_, last)) if last.next() == Some(number) => *last = number,
                _ => ranges.push((number, number)),
            }
        }
        Self::new(ranges)
    }

    /// The ranges, both ends inclusive, ascending.
    pub fn ranges(&self) -> &[(MessageNumber, MessageNumber)] {
        &self.0
    }

    /// Every number that is skipped, ascending.
    pub fn numbers(&self) -> impl Iterator<Item = MessageNumber> {
        self.0
            .iter()
            .flat_map(|(first, last)| (first.get()..=last.get()).filter_map(MessageNumber::new))
    }

    /// Reads the body.
    ///
    /// # Errors
    ///
    /// `ranges` is absent, or not of the shape.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let refused =
            Problem::Invalid { expected: "ascending ranges [first, last] of message numbers" }
                .of("ranges");
        let items = Fields::new(object).array("ranges")?;
        let ranges: Option<Vec<_>> = items.iter().map(range_of).collect();
        ranges.and_then(Self::new).ok_or(refused)
    }

    /// Writes the body.
    pub fn to_object(&self) -> Object {
        let range = |(first, last): &(MessageNumber, MessageNumber)| {
            Value::Array(vec![Value::from(first.get()), Value::from(last.get())])
        };
        Object::new().with("ranges", Value::Array(self.0.iter().map(range).collect()))
    }
}

fn range_of(item: &Value) -> Option<(MessageNumber, MessageNumber)> {
    let [first, last] = item.as_array()? else { return None };
    let number = |value: &Value| value.as_integer()?.as_u64().and_then(MessageNumber::new);
    Some((number(first)?, number(last)?))
}

/// `session_close`: ends the session on both sides.
///
/// Source: `docs/protocol/1.1.md#session-close`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClose {
    /// Why, for the log of the other side; at most [`TEXT_LEN_MAX`] bytes.
    pub reason: String,
}

impl SessionClose {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// `reason` is absent, no text, or too long.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let reason = Fields::new(object).short_text("reason", TEXT_LEN_MAX)?.to_owned();
        Ok(Self { reason })
    }

    /// Writes the body.
    pub fn to_object(&self) -> Object {
        Object::new().with("reason", self.reason.as_str())
    }
}
