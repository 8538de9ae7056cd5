//! Inputs that are payloads of messages: `{"body": {…}, "msg_type": "…"}`, so that a change can make another message of one.

use entity_wire::decode;
use entity_wire::json::{FieldError, Object, Rules};
use serde_json::{Value, json};

use crate::corpus;
use crate::law;
use crate::target::Outcome;

/// Reads the payload of a kind, and gives it as it would be written; `None` where it is no payload of this target.
pub(super) type Read = fn(&str, &Object) -> Option<Result<Object, FieldError>>;

/// Takes an input apart, reads its payload, and holds it to its law.
pub(super) fn target(input: &[u8], rules: &Rules, read: Read) -> Outcome {
    let Ok(object) = decode::read_object(rules, input) else { return Outcome::Refused };
    let kind = object.get("msg_type").and_then(entity_wire::json::Value::as_str);
    let body = object.get("body").and_then(entity_wire::json::Value::as_object);
    let (Some(kind), Some(body)) = (kind, body) else { return Outcome::Refused };
    let Some(Ok(written)) = read(kind, body) else { return Outcome::Refused };
    law::object_settles(&written, rules, |object| match read(kind, object) {
        Some(read) => read,
        None => panic!("the kind {kind:?} is known only once"),
    });
    Outcome::Taken
}

/// The lines of a corpus file whose kind is one of these.
pub(super) fn lines(relative: &str, kinds: &[&str]) -> Vec<Vec<u8>> {
    corpus::lines(relative).into_iter().filter(|line| is_of(line, kinds)).collect()
}

/// The payloads of these kinds in the vectors of a file: those of envelopes, and of sealed plaintexts as `kind` says.
pub(super) fn of_vectors(relative: &str, field: &str, kinds: &[&str]) -> Vec<Vec<u8>> {
    let found = corpus::objects_with(&corpus::json(relative), &["msg_type", field]);
    let inputs = found.iter().filter_map(|text| serde_json::from_slice::<Value>(text).ok());
    let inputs = inputs.map(|message| {
        json!({ "msg_type": message["msg_type"], "body": message[field] }).to_string().into_bytes()
    });
    inputs.filter(|input| is_of(input, kinds)).collect()
}

fn is_of(input: &[u8], kinds: &[&str]) -> bool {
    let input: Value = serde_json::from_slice(input).unwrap_or_default();
    input["msg_type"].as_str().is_some_and(|kind| kinds.contains(&kind))
}
