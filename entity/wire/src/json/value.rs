//! The tree of a JSON text.

use super::key::{Key, key as key_of};
use super::{Integer, Number};

/// A JSON value.
///
/// A parsed value is never nested deeper than the rules it was parsed under, so that recursive walks over it,
/// dropping included, are bounded. A value built in code is as deep as its builder made it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string without lone surrogates.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object.
    Object(Object),
}

impl Value {
    /// A float, written with a point or an exponent even where it is integral.
    pub fn float(value: f64) -> Self {
        Self::Number(Number::Float(value))
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The number, if this is one.
    pub fn as_number(&self) -> Option<&Number> {
        if let Self::Number(number) = self { Some(number) } else { None }
    }

    /// The integer, if this is one; never a float with an integral value.
    pub fn as_integer(&self) -> Option<&Integer> {
        if let Self::Number(Number::Integer(integer)) = self { Some(integer) } else { None }
    }

    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The items, if this is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        if let Self::Array(items) = self { Some(items) } else { None }
    }

    /// The object, if this is one.
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self { Some(object) } else { None }
    }

    /// The object, if this is one; else the value back.
    ///
    /// # Errors
    ///
    /// The value itself, where it is no object.
    pub fn into_object(self) -> Result<Object, Self> {
        if let Self::Object(object) = self { Ok(object) } else { Err(self) }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(Number::Integer(value.into()))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Number(Number::Integer(value.into()))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::Array(items)
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

/// A JSON object: distinct keys with their values, in the order in which the keys first came.
///
/// The order is kept because messages of 1.0 are written in a documented order; comparison regards it too.
/// Look-up is linear: the objects of the protocol are small, and envelopes are read in one pass.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    entries: Vec<(Key, Value)>,
}

impl Object {
    /// An object without keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes entries whose keys are distinct, which the caller has checked.
    pub(super) fn from_distinct(entries: Vec<(Key, Value)>) -> Self {
        Self { entries }
    }

    /// The same object with `key` set to `value`, for building one in an expression.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.insert(key, value);
        self
    }

    /// Sets `key` to `value` and returns the value it had; a new key comes last, a known one keeps its place.
    pub fn insert(&mut self, key: &str, value: impl Into<Value>) -> Option<Value> {
        let value = value.into();
        if let Some(slot) = self.get_mut(key) {
            Some(std::mem::replace(slot, value))
        } else {
            self.entries.push((key_of(key), value));
            None
        }
    }

    /// Takes `key` out and returns its value; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let position = self.entries.iter().position(|(name, _)| name == key)?;
        Some(self.entries.remove(position).1)
    }

    /// The value of `key`, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.entries.iter_mut().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Whether `key` is present, be it null.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keeps the entries whose key `keep` says to keep.
    #[must_use]
    pub fn retained(mut self, keep: impl Fn(&str) -> bool) -> Self {
        self.entries.retain(|(key, _)| keep(key));
        self
    }

    pub(super) fn entries(&self) -> &[(Key, Value)] {
        &self.entries
    }
}
