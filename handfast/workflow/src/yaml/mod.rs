//! YAML that looks the same every time: an ordered tree with comments, and its one form as text.
//!
//! Reading is [`read`], by another library; so the writer is held against a reader that knows nothing of it.

mod write;

use serde_json::Value;

pub use write::write_fields;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Yaml {
    /// Nothing: the key alone.
    Nothing,
    /// `true`, `false`.
    Boolean(bool),
    /// A whole number.
    Number(u64),
    /// A text, in quotes where it would be read as something else; in lines where it has several.
    Text(String),
    /// A list, an entry a line.
    List(Vec<Item>),
    /// A table, in this order.
    Table(Vec<Field>),
}

/// A key of a table, its value, and what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Yaml,
    /// A comment behind the value, if that is in one line; none if empty.
    pub note: String,
    /// Comments above, a line each.
    pub above: Vec<String>,
}

/// An entry of a list, and a comment behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The entry.
    pub value: Yaml,
    /// A comment behind it, if it is in one line; none if empty.
    pub note: String,
}

/// Longest file that is read, in bytes.
pub const FILE_LEN_MAX: usize = 1 << 20;

/// Reads a text into JSON, as the services do: anchors resolved, the keys of a table once each.
///
/// # Errors
///
/// What is wrong, with its line, in words for people.
pub fn read(text: &str) -> Result<Value, String> {
    if text.len() > FILE_LEN_MAX {
        return Err(format!(
            "a file has at most {FILE_LEN_MAX} bytes, this one has {}",
            text.len()
        ));
    }
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

impl Field {
    /// A key and its value.
    pub fn new(key: &str, value: impl Into<Yaml>) -> Self {
        let value = value.into();
        Self { key: key.to_owned(), value, note: String::new(), above: Vec::new() }
    }

    /// The same with a comment behind it.
    #[must_use]
    pub fn note(self, note: &str) -> Self {
        Self { note: note.to_owned(), ..self }
    }

    /// The same with a line of comment above it.
    #[must_use]
    pub fn above(mut self, line: &str) -> Self {
        self.above.push(line.to_owned());
        self
    }
}

impl Yaml {
    /// A text of several lines, such as a script.
    pub fn lines<T: AsRef<str>>(lines: &[T]) -> Self {
        Self::Text(lines.iter().flat_map(|line| [line.as_ref(), "\n"]).collect())
    }

    /// A list of texts.
    pub fn texts<T: AsRef<str>>(texts: &[T]) -> Self {
        let item = |text: &T| Item::from(Self::Text(text.as_ref().to_owned()));
        Self::List(texts.iter().map(item).collect())
    }

    /// A list of tables.
    pub fn tables(tables: Vec<Vec<Field>>) -> Self {
        Self::List(tables.into_iter().map(|table| Item::from(Self::Table(table))).collect())
    }
}

impl From<Yaml> for Item {
    fn from(value: Yaml) -> Self {
        Self { value, note: String::new() }
    }
}

impl From<&str> for Yaml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Yaml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Yaml {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

impl From<u64> for Yaml {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<Vec<Field>> for Yaml {
    fn from(fields: Vec<Field>) -> Self {
        Self::Table(fields)
    }
}

#[cfg(test)]
mod tests;
