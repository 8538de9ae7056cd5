//! Why a text is refused.

use std::fmt;

use crate::limits;

/// Why a text is refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {position}")]
pub struct ParseError {
    /// What is wrong.
    pub kind: ParseErrorKind,
    /// Where, in bytes from the start of the text.
    pub position: usize,
}

impl ParseError {
    /// Whether the text is too long, which has an answer of its own.
    pub fn is_too_long(&self) -> bool {
        matches!(self.kind, ParseErrorKind::TooLong { .. })
    }
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseErrorKind {
    /// The text is longer than the rules allow, or holds more than [`limits::VALUES_MAX`] values.
    #[error("text longer than {max} {unit}")]
    TooLong {
        /// The limit.
        max: usize,
        /// What the limit counts.
        unit: Unit,
    },
    /// Arrays and objects are nested deeper than the rules allow.
    #[error("nesting deeper than {max}")]
    TooDeep {
        /// The limit.
        max: usize,
    },
    /// The text is not UTF-8.
    #[error("invalid UTF-8")]
    NotUtf8,
    /// The text ends within a value.
    #[error("unexpected end")]
    UnexpectedEnd,
    /// A character that cannot come here.
    #[error("unexpected character")]
    UnexpectedCharacter,
    /// Something comes after the value.
    #[error("more after the value")]
    TrailingCharacters,
    /// A number that JSON does not have, such as `01` or `1.`.
    #[error("malformed number")]
    MalformedNumber,
    /// An integer of more than [`limits::INTEGER_DIGITS_MAX`] digits.
    #[error("integer of more than {} digits", limits::INTEGER_DIGITS_MAX)]
    IntegerTooLong,
    /// A backslash that begins no escape of JSON.
    #[error("malformed escape")]
    MalformedEscape,
    /// Half of a surrogate pair, which has no UTF-8 form.
    #[error("lone surrogate")]
    LoneSurrogate,
    /// A character below U+0020 in a string.
    #[error("control character in a string")]
    ControlCharacter,
    /// A key that comes twice in one object, where the rules refuse it.
    #[error("duplicate key")]
    DuplicateKey,
    /// A float, where the rules refuse it.
    #[error("floating-point number")]
    Float,
    /// A number that is not finite, where the rules refuse it.
    #[error("number that is not finite")]
    NonFinite,
}

impl ParseErrorKind {
    pub(super) fn too_many_bytes(max: usize) -> ParseError {
        Self::TooLong { max, unit: Unit::Bytes }.at(max)
    }

    pub(super) fn at(self, position: usize) -> ParseError {
        ParseError { kind: self, position }
    }
}

/// What the limit on the size of a text counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of the text.
    Bytes,
    /// Values in it, each item of an array and each value of an object among them.
    Values,
}

impl fmt::Display for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Bytes => "bytes",
            Self::Values => "values",
        })
    }
}
