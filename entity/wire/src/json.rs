//! JSON as the protocol needs it: a tree that keeps what is signed, and a parser for untrusted text.
//!
//! An own parser, because what it must do is not on offer together: integers of any size kept digit by digit,
//! integers and floats told apart, duplicate keys and non-finite numbers judged by rules that are known only after
//! the version was read, lone surrogates refused, nesting and size bounded, positions in errors.
//!
//! - [`Value`], [`Object`], [`Number`], [`Integer`]: the tree.
//! - [`Rules`]: what is refused; [`RULES_1_1`], [`RULES_1_0_HARDENED`], [`RULES_1_0_COMPAT`].
//! - [`parse()`], [`parse_noting`], [`Seen`]: text to tree.
//! - [`to_vec`], [`Layout`]: tree to text, with Python's spelling of floats.
//! - [`Fields`]: typed reading of an object.
//!
//! Source: `docs/protocol/1.0.md#canonical-json`, `docs/protocol/1.1.md#envelope`.

mod error;
mod fields;
mod float;
mod key;
mod number;
mod parse;
mod rules;
mod scan;
mod value;
mod write;

pub use error::{ParseError, ParseErrorKind, Unit};
pub use fields::{FieldError, Fields, Problem};
pub use number::{Integer, Number};
pub use parse::{parse, parse_noting};
pub use rules::{
    DuplicateKeys, Floats, NonFinite, RULES_1_0_COMPAT, RULES_1_0_HARDENED, RULES_1_1, Rules, Seen,
};
pub use value::{Object, Value};
pub use write::{Layout, to_vec};

pub(crate) use write::{ObjectWriter, write_object, write_object_without, write_string};

#[cfg(test)]
mod tests;
