//! The payloads of 1.1 that no other target has: handshake, resumption, rekey, control, tasks, signs of life.

use entity_wire::json::{FieldError, Object, RULES_1_1};
use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::payload::capability::CapabilityReport;
use entity_wire::payload::control::{SessionClose, Skip};
use entity_wire::payload::error::ErrorReport;
use entity_wire::payload::handshake_1_1::{
    ChallengeResponse, HandshakeInit, HandshakeInitAck, Ready, SessionConfirm, SessionEstablished,
};
use entity_wire::payload::rekey::Rekey;
use entity_wire::payload::resume::Resume;
use entity_wire::payload::sealed::Sealed;
use entity_wire::payload::signal::{Heartbeat, WakeUp};
use entity_wire::payload::task::{TaskAccept, TaskDelegate, TaskRefuse, TaskResult};

use super::bodies;
use crate::corpus::Corpus;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "payload_1_1",
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

const KINDS: [&str; 20] = [
    "handshake_init",
    "handshake_init_ack",
    "challenge_response",
    "session_established",
    "session_confirm",
    "ready",
    "session_resume",
    "session_resume_ack",
    "rekey",
    "sealed",
    "skip",
    "session_close",
    "capability_response",
    "error",
    "heartbeat",
    "wake_up",
    "task_delegate",
    "task_accept",
    "task_refuse",
    "task_result",
];

fn target(input: &[u8]) -> Outcome {
    bodies::target(input, &RULES_1_1, read)
}

fn read(kind: &str, body: &Object) -> Option<Result<Object, FieldError>> {
    Some(match kind {
        "handshake_init" => HandshakeInit::from_object(body).map(|read| read.to_object()),
        "handshake_init_ack" => HandshakeInitAck::from_object(body).map(|read| read.to_object()),
        "challenge_response" => ChallengeResponse::from_object(body).map(|read| read.to_object()),
        "session_established" => {
            SessionEstablished::from_object(body).map(SessionEstablished::to_object)
        }
        "session_confirm" => SessionConfirm::from_object(body).map(SessionConfirm::to_object),
        "ready" => Ready::from_object(body).map(Ready::to_object),
        "session_resume" | "session_resume_ack" => {
            Resume::from_object(body).map(|read| read.to_object())
        }
        "rekey" => Rekey::from_object(body).map(|read| read.to_object()),
        "sealed" => Sealed::from_object(body).map(|read| read.to_object()),
        "skip" => Skip::from_object(body).map(|read| read.to_object()),
        "session_close" => SessionClose::from_object(body).map(|read| read.to_object()),
        "capability_response" => CapabilityReport::from_object(body).map(|read| read.to_object()),
        "error" => ErrorReport::from_object(body).map(|read| read.to_object()),
        "heartbeat" => Heartbeat::from_object(body).map(Heartbeat::to_object),
        "wake_up" => WakeUp::from_object(body).map(|read| read.to_object()),
        "task_delegate" => TaskDelegate::from_object(body).map(|read| read.to_object()),
        "task_accept" => TaskAccept::from_object(body).map(TaskAccept::to_object),
        "task_refuse" => TaskRefuse::from_object(body).map(|read| read.to_object()),
        "task_result" => TaskResult::from_object(body).map(|read| read.to_object()),
        _ => return None,
    })
}

fn golden() -> Corpus {
    let mut found = bodies::lines("fuzz/corpus/payload_1_1.jsonl", &KINDS);
    for file in ["handshake_1_1.json", "resume_1_1.json"] {
        let vectors = format!("docs/protocol/vectors/{file}");
        // Steps 5 and 6 and what follows them are sealed: their payloads are those of `sealed`, whatever their type.
        let of_steps = bodies::of_vectors(&vectors, "payload", &KINDS);
        found.extend(of_steps.into_iter().filter(|input| target(input) == Outcome::Taken));
    }
    Corpus::of(found)
}
