//! The payloads of 1.0: `docs/protocol/1.0.md#handshake`, `docs/protocol/1.0.md#session-sealing`, `docs/protocol/1.0.md#static-key-sealing`.

use entity_wire::json::{FieldError, Object, RULES_1_0_HARDENED};
use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::payload::handshake_1_0::{Handshake, HandshakeAck, HandshakeConfirm};
use entity_wire::payload::session_sealing_1_0::SessionSealed;
use entity_wire::payload::static_sealing_1_0::StaticSealed;

use super::bodies;
use crate::corpus::Corpus;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "payload_1_0",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 512,
        len_max: Some(MESSAGE_LEN_MAX),
    },
};

const HANDSHAKE: [&str; 3] = ["handshake", "handshake_ack", "handshake_confirm"];

fn target(input: &[u8]) -> Outcome {
    bodies::target(input, &RULES_1_0_HARDENED, read)
}

fn read(kind: &str, body: &Object) -> Option<Result<Object, FieldError>> {
    Some(match kind {
        "handshake" => Handshake::from_object(body).map(|read| read.to_object()),
        "handshake_ack" => HandshakeAck::from_object(body).map(|read| read.to_object()),
        "handshake_confirm" => HandshakeConfirm::from_object(body).map(|read| read.to_object()),
        "session_sealed" => SessionSealed::from_object(body).map(|read| read.to_object()),
        "static_sealed" => StaticSealed::from_object(body).map(|read| read.to_object()),
        _ => return None,
    })
}

fn golden() -> Corpus {
    let recorded = ["handshake_v10.iso.json", "handshake_v10.dataclass.json"];
    let found = recorded.into_iter().flat_map(|file| {
        bodies::of_vectors(&format!("entity/wire/tests/data/{file}"), "payload", &HANDSHAKE)
    });
    let sealed = ["session_sealed", "static_sealed"];
    Corpus::of(found).and(bodies::lines("fuzz/corpus/payload_1_0.jsonl", &sealed))
}
