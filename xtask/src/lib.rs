//! The rules of the house that a machine can check, each as a function over the repository's files.
//!
//! - [`arrows`]: which crate may depend on which (`ARCHITECTURE.md`, "Arrows").
//! - [`citations`]: every `docs/protocol/...md#heading` in code and tests names a heading that exists.
//! - [`links`]: every relative link in a Markdown file leads to a file, and to a heading of it; every path there is one.
//! - [`rooms`]: every crate is a room of `ARCHITECTURE.md`, every word stands in the glossary once.
//! - [`documents`]: the code in Markdown files, for those who check it; [`commands`]: the commands of cargo in it.
//!
//! They run as tests of this crate, so `cargo handfast run --all` includes them.

pub mod arrows;
pub mod citations;
pub mod commands;
pub mod documents;
pub mod files;
pub mod links;
pub mod rooms;
