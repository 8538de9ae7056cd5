//! Typed reading of the fields of an object, with errors that name the field.

use std::str::FromStr;

use super::{Object, Value};

/// Why a field is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {problem}")]
pub struct FieldError {
    /// The name of the field.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The field is absent.
    #[error("missing")]
    Missing,
    /// The field is null where it must have a value.
    #[error("null")]
    Null,
    /// The field has another JSON type.
    #[error("not {expected}")]
    WrongType {
        /// The type it should have.
        expected: &'static str,
    },
    /// The type is right and the value is not.
    #[error("not {expected}")]
    Invalid {
        /// What the value should be.
        expected: &'static str,
    },
    /// The value is longer than a limit of [`crate::limits`].
    #[error("longer than {max}")]
    TooLong {
        /// The limit, in bytes or entries.
        max: usize,
    },
}

impl Problem {
    /// The error that this is of the field `field`.
    pub fn of(self, field: &'static str) -> FieldError {
        FieldError { field, problem: self }
    }
}

/// Reads the fields of an object as types.
///
/// A method without `optional` in its name wants the field present and not null; one with it takes an absent or
/// null field as `None`.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(&'a Object);

impl<'a> Fields<'a> {
    /// Reads `object`.
    pub fn new(object: &'a Object) -> Self {
        Self(object)
    }

    /// The value of a field that is there and not null.
    ///
    /// # Errors
    ///
    /// [`Problem::Missing`] or [`Problem::Null`].
    pub fn required(&self, field: &'static str) -> Result<&'a Value, FieldError> {
        match self.0.get(field) {
            None => Err(Problem::Missing.of(field)),
            Some(Value::Null) => Err(Problem::Null.of(field)),
            Some(value) => Ok(value),
        }
    }

    /// The value of a field, or `None` where it is absent or null.
    pub fn optional(&self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    /// A string.
    ///
    /// # Errors
    ///
    /// The field is absent, null or of another type.
    pub fn text(&self, field: &'static str) -> Result<&'a str, FieldError> {
        self.required(field)?.as_str().ok_or(Problem::WrongType { expected: "a string" }.of(field))
    }

    /// A string of at most `max` bytes.
    ///
    /// # Errors
    ///
    /// The field is absent, null, of another type or too long.
    pub fn short_text(&self, field: &'static str, max: usize) -> Result<&'a str, FieldError> {
        let text = self.text(field)?;
        if text.len() > max { Err(Problem::TooLong { max }.of(field)) } else { Ok(text) }
    }

    /// A string, if there is one.
    ///
    /// # Errors
    ///
    /// The field is of another type.
    pub fn optional_text(&self, field: &'static str) -> Result<Option<&'a str>, FieldError> {
        self.optional(field).map(|_| self.text(field)).transpose()
    }

    /// A string that `read` makes a value of; `expected` says what it should have been.
    ///
    /// # Errors
    ///
    /// The field is absent, null, of another type, or `read` refuses it.
    pub fn read<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, FieldError> {
        read(self.text(field)?).ok_or(Problem::Invalid { expected }.of(field))
    }

    /// As [`Fields::read`], if there is one.
    ///
    /// # Errors
    ///
    /// The field is of another type, or `read` refuses it.
    pub fn read_optional<T>(
        &self,
        field: &'static str,
        expected: &'static str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        self.optional(field).map(|_| self.read(field, expected, read)).transpose()
    }

    /// A string that is the text of a `T`.
    ///
    /// # Errors
    ///
    /// The field is absent, null, of another type, or no text of a `T`.
    pub fn parsed<T: FromStr>(
        &self,
        field: &'static str,
        expected: &'static str,
    ) -> Result<T, FieldError> {
        self.read(field, expected, |text| text.parse().ok())
    }

    /// A boolean.
    ///
    /// # Errors
    ///
    /// The field is absent, null or of another type.
    pub fn flag(&self, field: &'static str) -> Result<bool, FieldError> {
        self.required(field)?
            .as_bool()
            .ok_or(Problem::WrongType { expected: "true or false" }.of(field))
    }

    /// A non-negative integer below 2^64.
    ///
    /// # Errors
    ///
    /// The field is absent, null, of another type (a float, be it integral), negative or too large.
    pub fn unsigned(&self, field: &'static str) -> Result<u64, FieldError> {
        let integer = self
            .required(field)?
            .as_integer()
            .ok_or(Problem::WrongType { expected: "an integer" }.of(field))?;
        integer
            .as_u64()
            .ok_or(Problem::Invalid { expected: "a non-negative integer below 2^64" }.of(field))
    }

    /// An object.
    ///
    /// # Errors
    ///
    /// The field is absent, null or of another type.
    pub fn object(&self, field: &'static str) -> Result<&'a Object, FieldError> {
        self.required(field)?
            .as_object()
            .ok_or(Problem::WrongType { expected: "an object" }.of(field))
    }

    /// An array.
    ///
    /// # Errors
    ///
    /// The field is absent, null or of another type.
    pub fn array(&self, field: &'static str) -> Result<&'a [Value], FieldError> {
        self.required(field)?
            .as_array()
            .ok_or(Problem::WrongType { expected: "an array" }.of(field))
    }

    /// A list of at most [`crate::limits::LIST_LEN_MAX`] strings of at most
    /// [`crate::limits::LIST_ENTRY_LEN_MAX`] bytes each.
    ///
    /// # Errors
    ///
    /// The field is absent, null, of another type, or beyond a limit.
    pub fn texts(&self, field: &'static str) -> Result<Vec<String>, FieldError> {
        use crate::limits::{LIST_ENTRY_LEN_MAX, LIST_LEN_MAX};
        let items = self.array(field)?;
        if items.len() > LIST_LEN_MAX {
            return Err(Problem::TooLong { max: LIST_LEN_MAX }.of(field));
        }
        let text = |item: &Value| match item.as_str() {
            None => Err(Problem::WrongType { expected: "an array of strings" }.of(field)),
            Some(text) if text.len() > LIST_ENTRY_LEN_MAX => {
                Err(Problem::TooLong { max: LIST_ENTRY_LEN_MAX }.of(field))
            }
            Some(text) => Ok(text.to_owned()),
        };
        items.iter().map(text).collect()
    }

    /// Wants the field to be exactly this text.
    ///
    /// # Errors
    ///
    /// Anything else.
    pub fn exactly(&self, field: &'static str, value: &'static str) -> Result<(), FieldError> {
        if self.text(field)? == value {
            Ok(())
        } else {
            Err(Problem::Invalid { expected: value }.of(field))
        }
    }

    /// Wants the field to be `true`.
    ///
    /// # Errors
    ///
    /// Anything else.
    pub fn exactly_true(&self, field: &'static str) -> Result<(), FieldError> {
        if self.flag(field)? {
            Ok(())
        } else {
            Err(Problem::Invalid { expected: "true" }.of(field))
        }
    }
}
