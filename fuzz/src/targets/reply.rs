//! The answer to a message: `docs/protocol/1.1.md#status-is-a-hint`.

use entity_wire::code::ErrorCode;
use entity_wire::limits::TEXT_LEN_MAX;
use entity_wire::reply::{Answer, Reply};

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "reply",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 512,
        len_max: Some(entity_wire::limits::REPLY_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let answer = Answer::read(403, input);
    assert!(answer.detail.as_ref().is_none_or(|detail| detail.len() <= TEXT_LEN_MAX));
    let Some(code) = answer.code else {
        let is_understood = answer.detail.is_some() || answer.retry_after_ms.is_some();
        return if is_understood { Outcome::Taken } else { Outcome::Refused };
    };
    let again = Answer::read(code.status(), &Reply::error(code).body);
    assert_eq!(again.code, Some(code), "a code that is written is read as another");
    Outcome::Taken
}

fn golden() -> Corpus {
    let recorded = corpus::json("entity/peer/tests/data/error_profiles.json");
    let answers = corpus::objects_with(&recorded, &["detail"]);
    let texts = answers.iter().filter(|answer| target(answer) == Outcome::Taken).take(6).cloned();
    let written = [
        Reply::detail(401, "Invalid signature"),
        Reply::error(ErrorCode::InvalidSignature),
        Reply::error_with_detail(ErrorCode::InvalidMessage, 400, "Invalid message"),
        Reply::retry_later(ErrorCode::RateLimited, 1_500),
    ];
    Corpus::of(written.map(|reply| reply.body)).and(texts)
}
