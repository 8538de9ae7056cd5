//! Numbers: integers of any size apart from 64-bit floats, because their canonical spelling differs.

use std::fmt;

/// A number as it was written: with a point or an exponent it is a float, else an integer.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// An integer of any size.
    Integer(Integer),
    /// A 64-bit float; non-finite only where [`crate::json::NonFinite::Accept`] allowed it.
    Float(f64),
}

impl Number {
    /// The nearest 64-bit float, infinite for an integer beyond its range.
    pub fn as_f64(&self) -> f64 {
        match self {
            // The digits of an integer are always a valid float.
            Self::Integer(integer) => integer.to_string().parse().unwrap_or(f64::NAN),
            Self::Float(float) => *float,
        }
    }
}

/// An integer of any size, kept exactly.
///
/// Equality is that of the numbers: there is one representation for each.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Integer(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    /// Sign and digits without leading zeros, of a number outside `i64`.
    Big(Box<str>),
}

impl Integer {
    /// Takes the text of a JSON integer: `-?(0|[1-9][0-9]*)`, which the caller has checked.
    pub(super) fn from_checked_text(text: &str) -> Self {
        match text.parse::<i64>() {
            Ok(small) => Self(Repr::Small(small)),
            Err(_) => Self(Repr::Big(text.into())),
        }
    }

    /// The value, where it fits.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(value) => Some(*value),
            Repr::Big(_) => None,
        }
    }

    /// The value, where it fits.
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Small(value) => u64::try_from(*value).ok(),
            Repr::Big(text) => text.parse().ok(),
        }
    }
}

impl From<i64> for Integer {
    fn from(value: i64) -> Self {
        Self(Repr::Small(value))
    }
}

impl From<u64> for Integer {
    fn from(value: u64) -> Self {
        match i64::try_from(value) {
            Ok(small) => Self(Repr::Small(small)),
            Err(_) => Self(Repr::Big(value.to_string().into())),
        }
    }
}

impl fmt::Display for Integer {
    /// Writes the decimal digits, with `-` before a negative number.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(value) => write!(formatter, "{value}"),
            Repr::Big(text) => formatter.write_str(text),
        }
    }
}

impl fmt::Debug for Integer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
