//! What a parser refuses, and what it saw.

use super::{ParseError, ParseErrorKind};
use crate::limits;

/// What to refuse in a JSON text. Lone surrogates, invalid UTF-8, control characters, integers of more than
/// [`limits::INTEGER_DIGITS_MAX`] digits and more than [`limits::VALUES_MAX`] values are refused always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Longest text, in bytes.
    pub len_max: usize,
    /// Deepest nesting; the outermost array or object has depth 1. At most [`limits::COMPAT_DEPTH_MAX`] is honoured.
    pub depth_max: usize,
    /// What a key that comes twice in one object means.
    pub duplicate_keys: DuplicateKeys,
    /// Whether floats may occur.
    pub floats: Floats,
    /// Whether `NaN`, `Infinity`, `-Infinity` and floats beyond the 64-bit range may occur.
    pub non_finite: NonFinite,
}

/// What a key that comes twice in one object means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DuplicateKeys {
    /// The text is refused.
    Refuse,
    /// The last value counts.
    LastCounts,
}

/// Whether floats may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Floats {
    /// A number with a point or an exponent is refused.
    Refuse,
    /// Floats are read as 64-bit floats.
    Accept,
}

/// Whether numbers that are not finite may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NonFinite {
    /// `NaN` and the infinities are no JSON, and a number beyond the 64-bit range is refused.
    Refuse,
    /// As the earlier peer: the three words are numbers, and what is beyond the range is infinite.
    Accept,
}

/// The rules of protocol 1.1, sealed plaintext included.
///
/// Source: `docs/protocol/1.1.md#envelope`, `docs/protocol/1.1.md#order-of-checks`.
pub const RULES_1_1: Rules = Rules {
    len_max: limits::MESSAGE_LEN_MAX,
    depth_max: limits::DEPTH_MAX,
    duplicate_keys: DuplicateKeys::Refuse,
    floats: Floats::Refuse,
    non_finite: NonFinite::Refuse,
};

/// The rules of protocol 1.0 in the profile `hardened`.
///
/// Source: `docs/protocol/1.0.md#profile-hardened`.
pub const RULES_1_0_HARDENED: Rules = Rules {
    len_max: limits::MESSAGE_LEN_MAX,
    depth_max: limits::DEPTH_MAX,
    duplicate_keys: DuplicateKeys::LastCounts,
    floats: Floats::Accept,
    non_finite: NonFinite::Refuse,
};

/// The rules of protocol 1.0 in the profile `compat`.
///
/// Source: `docs/protocol/1.0.md#profile-compat`.
pub const RULES_1_0_COMPAT: Rules = Rules {
    len_max: limits::COMPAT_MESSAGE_LEN_MAX,
    depth_max: limits::COMPAT_DEPTH_MAX,
    duplicate_keys: DuplicateKeys::LastCounts,
    floats: Floats::Accept,
    non_finite: NonFinite::Accept,
};

impl Rules {
    /// Rules that refuse only what both `self` and `other` refuse.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            len_max: self.len_max.max(other.len_max),
            depth_max: self.depth_max.max(other.depth_max),
            duplicate_keys: self.duplicate_keys.max(other.duplicate_keys),
            floats: self.floats.max(other.floats),
            non_finite: self.non_finite.max(other.non_finite),
        }
    }
}

/// What a parser saw in a text it accepted: enough to judge the text by stricter rules without parsing it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Length of the text, in bytes.
    pub len: usize,
    /// Deepest nesting.
    pub depth: usize,
    /// Where the deepest nesting was first reached, in bytes from the start.
    pub depth_at: usize,
    /// Where an object with a duplicate key begins, for the first such object that ended.
    pub duplicate_key_at: Option<usize>,
    /// Where the first float is.
    pub float_at: Option<usize>,
    /// Where the first number is that is not finite.
    pub non_finite_at: Option<usize>,
}

impl Seen {
    /// Judges the text by other rules than it was parsed under.
    ///
    /// The outcome is the same as if it had been parsed under `rules`, except that of several faults another one
    /// may be named.
    ///
    /// # Errors
    ///
    /// The first fault in the order length, depth, non-finite number, float, duplicate key.
    pub fn satisfies(&self, rules: &Rules) -> Result<(), ParseError> {
        if self.len > rules.len_max {
            return Err(ParseErrorKind::too_many_bytes(rules.len_max));
        }
        if self.depth > rules.depth_max {
            return Err(ParseErrorKind::TooDeep { max: rules.depth_max }.at(self.depth_at));
        }
        if let (NonFinite::Refuse, Some(position)) = (rules.non_finite, self.non_finite_at) {
            return Err(ParseErrorKind::NonFinite.at(position));
        }
        if let (Floats::Refuse, Some(position)) = (rules.floats, self.float_at) {
            return Err(ParseErrorKind::Float.at(position));
        }
        if let (DuplicateKeys::Refuse, Some(position)) =
            (rules.duplicate_keys, self.duplicate_key_at)
        {
            return Err(ParseErrorKind::DuplicateKey.at(position));
        }
        Ok(())
    }
}
