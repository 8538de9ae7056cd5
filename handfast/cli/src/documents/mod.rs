//! What the documents of this repository say about the program is true.
//!
//! - `commands`: every command line of handfast in a document, and in the program's own help, is one that the program
//!   understands, and what it names is there.
//! - `numbers`: what is counted in a document is so many; the tables of TESTING.md are what the code says.
//! - `examples`: every block of TOML and JSON is read by the reader that it is for.
//!
//! Where a command stands for another project than this one, the names in the TOML blocks of its own document count, too.

mod commands;
mod examples;
mod numbers;

use std::collections::BTreeSet;

use handfast_runner::project::Loaded;
use xtask::documents::Code;
use xtask::files;

/// This repository, and the projects among its examples.
fn projects() -> Vec<Loaded> {
    let folders = [files::root(), files::root().join("examples/echo-peer")];
    folders.iter().map(|folder| Loaded::find(folder).unwrap()).collect()
}

/// This repository.
fn repository() -> Loaded {
    Loaded::find(&files::root()).unwrap()
}

/// All code of all documents.
fn code() -> Vec<Code> {
    let code = xtask::documents::code(&files::root()).unwrap();
    assert!(code.len() > 1_000, "documents were read");
    code
}

/// A document as text.
fn text(file: &str) -> String {
    std::fs::read_to_string(files::root().join(file)).unwrap()
}

#[track_caller]
fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Every key that a table may have by a schema.
fn collect_keys(schema: &serde_json::Value, keys: &mut BTreeSet<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        keys.extend(properties.keys().cloned());
    }
    match schema {
        serde_json::Value::Object(fields) => {
            for field in fields.values() {
                collect_keys(field, keys);
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                collect_keys(item, keys);
            }
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}
