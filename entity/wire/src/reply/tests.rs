use proptest::prelude::*;

use super::*;
use crate::version::Version;

#[track_caller]
fn check(reply: &Reply, status: u16, body: &str) {
    assert_eq!((reply.status, String::from_utf8_lossy(&reply.body).as_ref()), (status, body));
}

#[test]
fn replies_have_exactly_these_bytes() {
    check(
        &Reply::received("entity-b", Verification::Passed),
        200,
        r#"{"status":"received","entity_id":"entity-b","verification":"passed"}"#,
    );
    check(
        &Reply::detail(400, "Unknown sender: \u{e9}"),
        400,
        r#"{"detail":"Unknown sender: \u00e9"}"#,
    );
    check(
        &Reply::error(ErrorCode::SequenceError),
        409,
        r#"{"detail":"sequence number not acceptable","error":{"code":"SEQUENCE_ERROR","message":"sequence number not acceptable"}}"#,
    );
    check(
        &Reply::error_with_detail(ErrorCode::InvalidVersion, 400, "Unsupported version: 1.0"),
        400,
        r#"{"detail":"Unsupported version: 1.0","error":{"code":"INVALID_VERSION","message":"protocol version not supported"}}"#,
    );
    let limited = Reply::retry_later(ErrorCode::RateLimited, 1_001);
    check(
        &limited,
        429,
        r#"{"detail":"too many messages","error":{"code":"RATE_LIMITED","message":"too many messages","retry_after_ms":1001}}"#,
    );
    assert_eq!(limited.retry_after_seconds, Some(2));
}

#[test]
fn every_code_reads_back_from_its_reply() {
    for code in ErrorCode::ALL {
        let reply = Reply::error(*code);
        let answer = Answer::read(reply.status, &reply.body);
        assert_eq!(answer.code, Some(*code));
        assert_eq!(answer.detail.as_deref(), Some(code.message()));
        assert_eq!(ErrorCode::from_text(code.as_str()), Some(*code));
        assert!(!answer.is_success());
    }
    let reply = Reply::retry_later(ErrorCode::ServiceUnavailable, 5);
    assert_eq!(Answer::read(503, &reply.body).retry_after_ms, Some(5));
}

#[test]
fn a_body_that_is_not_understood_has_no_text() {
    let nothing = Answer { status: 502, detail: None, code: None, retry_after_ms: None };
    let long = format!("{{\"detail\":\"{}\"}}", "x".repeat(REPLY_LEN_MAX));
    for body in ["", "<html>", "[]", "{\"detail\":5}", "{\"error\":{\"code\":\"WHAT\"}}", &long] {
        assert_eq!(Answer::read(502, body.as_bytes()), nothing, "{body}");
    }
}

#[test]
fn a_text_is_kept_up_to_exactly_its_limit() {
    let read = |len: usize| {
        Answer::read(400, format!("{{\"detail\":\"{}\"}}", "x".repeat(len)).as_bytes()).detail
    };
    assert_eq!(read(TEXT_LEN_MAX).map(|text| text.len()), Some(TEXT_LEN_MAX));
    assert_eq!(read(TEXT_LEN_MAX + 1), None);
}

#[test]
fn only_some_statuses_are_final() {
    // docs/protocol/1.0.md#client-rules
    let read = |status| Answer::read(status, b"{}");
    assert!(read(200).is_success());
    assert!(![201, 202, 204, 400, 500].into_iter().any(|status| read(status).is_success()));
    assert!([400, 401, 403, 404].into_iter().all(|status| read(status).is_final()));
    assert!(![200, 201, 409, 413, 429, 500, 503].into_iter().any(|status| read(status).is_final()));
}

#[test]
fn a_refused_version_is_recognised_by_its_words() {
    let refuses = |status, detail: &str| {
        Answer::read(status, &Reply::detail(status, detail).body).refuses_version(Version::V1_1)
    };
    assert!(refuses(400, "Unsupported version: 1.1"));
    assert!(!refuses(400, "Unsupported version: 1.0"));
    assert!(!refuses(500, "Unsupported version: 1.1"));
}

proptest! {
    #[test]
    fn no_answer_panics(status: u16, body: Vec<u8>) {
        drop(Answer::read(status, &body));
    }
}
