//! Golden bytes: what the protocol's vectors, the tests' recordings and the project's own files say.

use std::path::{Path, PathBuf};

use entity_crypto::signing::SigningKey;
use serde_json::Value;

/// Inputs that their target takes, each of them.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    entries: Vec<Vec<u8>>,
}

impl Corpus {
    /// Of these entries.
    pub fn of(entries: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        Self { entries: entries.into_iter().map(Into::into).collect() }
    }

    /// With these, too.
    #[must_use]
    pub fn and(mut self, entries: impl IntoIterator<Item = impl Into<Vec<u8>>>) -> Self {
        self.entries.extend(entries.into_iter().map(Into::into));
        self
    }

    /// The entries, in a fixed order.
    pub fn entries(&self) -> &[Vec<u8>] {
        &self.entries
    }
}

/// Lets the process meet a key so often that it keeps what it prepares of such keys: of a bounded number of them, so that it is no cost of
/// the one input that happens to be the next.
///
/// # Panics
///
/// When a signature does not hold under the key that made it.
pub fn meet_often(key: &SigningKey) {
    let (message, public) = (b"hello", key.public_key());
    let signature = key.sign(message);
    for _ in 0..100 {
        assert!(public.verify_often(message, &signature).is_ok(), "a signature does not hold");
    }
}

/// A path of the repository.
pub fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(relative)
}

/// A text of the repository.
///
/// # Panics
///
/// Where it cannot be read: without its corpus a target shows nothing.
pub fn text(relative: &str) -> String {
    let path = path(relative);
    match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => panic!("read {}: {error}", path.display()),
    }
}

/// A JSON text of the repository.
///
/// # Panics
///
/// Where it is none.
pub fn json(relative: &str) -> Value {
    match serde_json::from_str(&text(relative)) {
        Ok(value) => value,
        Err(error) => panic!("read {relative}: {error}"),
    }
}

/// The lines of a file of the repository that are not empty.
pub fn lines(relative: &str) -> Vec<Vec<u8>> {
    let text = text(relative);
    text.lines().filter(|line| !line.is_empty()).map(|line| line.as_bytes().to_vec()).collect()
}

/// The texts of all files below a folder that end so, sorted by path.
///
/// # Panics
///
/// Where the folder cannot be read.
pub fn files(folder: &str, ending: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut folders = vec![path(folder)];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => panic!("read {}: {error}", folder.display()),
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found.iter().filter_map(|path| std::fs::read(path).ok()).collect()
}

/// Every object within a value, and within the JSON texts in it, that has all these fields, as text.
pub fn objects_with(value: &Value, fields: &[&str]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    collect(value, fields, &mut found);
    found
}

fn collect(value: &Value, fields: &[&str], found: &mut Vec<Vec<u8>>) {
    match value {
        Value::Object(object) => {
            if fields.iter().all(|field| object.contains_key(*field)) {
                found.push(value.to_string().into_bytes());
            }
            object.values().for_each(|value| collect(value, fields, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, fields, found)),
        Value::String(text) if text.starts_with('{') => {
            if let Ok(value) = serde_json::from_str(text) {
                collect(&value, fields, found);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
