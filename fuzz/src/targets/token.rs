//! The messages of tokens, and the genesis of a ledger: `docs/protocol/1.1.md#token-messages`.

use entity_wire::json::{FieldError, Object, RULES_1_1};
use entity_wire::kind::MessageKind;
use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::payload::token::{Certificate, Genesis, TokenMessage};
use serde_json::json;

use super::bodies;
use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "token",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 1_024,
        len_max: Some(MESSAGE_LEN_MAX),
    },
};

const VECTORS: &str = "docs/protocol/vectors/token_1_1.json";

fn target(input: &[u8]) -> Outcome {
    bodies::target(input, &RULES_1_1, read)
}

fn read(kind: &str, body: &Object) -> Option<Result<Object, FieldError>> {
    match kind {
        "genesis" => Some(Genesis::from_object(body).map(|read| read.to_object())),
        "certificate" => Some(Certificate::from_object(body).map(|read| read.to_object())),
        kind => {
            let read = TokenMessage::from_object(&MessageKind::from_text(kind), body)?;
            Some(read.map(|read| read.to_object()).map_err(|unreadable| unreadable.error))
        }
    }
}

fn golden() -> Corpus {
    let vectors = corpus::json(VECTORS);
    let of_kind = |kind: &str, fields: &[&str]| {
        let found = corpus::objects_with(&vectors, fields);
        let bodies = found.iter().filter_map(|text| serde_json::from_slice(text).ok());
        let input = |body: serde_json::Value| json!({ "msg_type": kind, "body": body }).to_string();
        bodies.map(input).map(String::into_bytes).collect::<Vec<_>>()
    };
    let texts = |fields: &[&str]| -> Vec<Vec<u8>> {
        let found = corpus::objects_with(&vectors, fields);
        found.into_iter().filter(|input| target(input) == Outcome::Taken).collect()
    };
    Corpus::of(texts(&["msg_type", "body"]))
        .and(of_kind("genesis", &["committee", "tokens"]))
        .and(
            of_kind("certificate", &["order", "signature", "votes"])
                .into_iter()
                .filter(|input| target(input) == Outcome::Taken),
        )
        .and(corpus::lines("fuzz/corpus/token.jsonl"))
}
