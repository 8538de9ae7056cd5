use proptest::prelude::*;

use super::*;
use crate::json::{ParseErrorKind, Unit};
use crate::limits::MESSAGE_LEN_MAX;

const HARDENED: DecodeRules = DecodeRules::V1_0(Profile::Hardened);
const BOTH: DecodeRules = DecodeRules::Both(Profile::Hardened);
const BOTH_COMPAT: DecodeRules = DecodeRules::Both(Profile::Compat);

#[track_caller]
fn unsupported(rules: DecodeRules, body: &str, version: &str) {
    match decode(&rules, body.as_bytes()) {
        Ok(Decoded::Unsupported(unsupported)) => assert_eq!(unsupported.version, version),
        other => panic!("{body}: {other:?}"),
    }
}

#[track_caller]
fn refused(rules: DecodeRules, body: &str) -> DecodeError {
    decode(&rules, body.as_bytes()).unwrap_err()
}

#[test]
fn a_body_that_is_no_message_is_told_apart() {
    assert!(matches!(refused(BOTH, "{nope"), DecodeError::Json(_)));
    assert!(matches!(refused(BOTH, ""), DecodeError::Json(_)));
    for body in ["[1,2]", "\"x\"", "1", "null"] {
        assert_eq!(refused(BOTH, body), DecodeError::NotAnObject, "{body}");
    }
    for body in ["{}", "{\"version\":\"1.0\"}", "{\"sender_id\":\"a\"}", "{\"from\":\"a\"}"] {
        assert_eq!(refused(BOTH, body), DecodeError::UnknownForm, "{body}");
    }
    assert_eq!(
        refused(BOTH, "{\"from\":\"a\",\"type\":\"ping\",\"payload\":{}}"),
        DecodeError::LegacyForm
    );
}

#[test]
fn a_version_that_is_not_enabled_is_unsupported_whatever_else_is_wrong() {
    let body = |version: &str| format!("{{\"version\":{version},\"sender_id\":\"a\"}}");
    unsupported(BOTH, &body("\"2.0\""), "2.0");
    unsupported(BOTH, &body("\"0.4.0\""), "0.4.0");
    unsupported(BOTH, &body("null"), "null");
    unsupported(BOTH, &body("1.0"), "1.0");
    unsupported(HARDENED, &body("\"1.1\""), "1.1");
    unsupported(DecodeRules::V1_1, &body("\"1.0\""), "1.0");
    unsupported(DecodeRules::V1_1, &body("\"0.3\""), "0.3");
    unsupported(
        DecodeRules::V1_1,
        "{\"version\":\"1.0\",\"sender_id\":\"a\",\"timestamp\":1.5}",
        "1.0",
    );
}

#[test]
fn what_is_echoed_is_bounded() {
    let body = |version: &str, sender: &str| {
        format!("{{\"version\":\"{version}\",\"sender_id\":\"{sender}\"}}")
    };
    let (max, long) = ("x".repeat(LEGACY_ID_LEN_MAX), "x".repeat(LEGACY_ID_LEN_MAX + 1));
    unsupported(BOTH, &body(&max, &max), &max);
    assert!(matches!(refused(BOTH, &body(&long, "a")), DecodeError::Unreadable(_)));
    assert!(matches!(refused(BOTH, &body("2.0", &long)), DecodeError::Unreadable(_)));
    assert!(matches!(refused(BOTH, &body("1.0", &long)), DecodeError::Unreadable(_)));
}

#[test]
fn a_1_0_message_is_read_by_its_claims_alone() {
    for (text, version) in [("1.0", Version::V1_0), ("0.3", Version::V0_3)] {
        let body = format!(
            "{{\"version\":\"{text}\",\"sender_id\":\"a b\",\"recipient_id\":null,\"msg_type\":\"ping\"}}"
        );
        let Ok(Decoded::V1_0(unverified)) = decode(&HARDENED, body.as_bytes()) else {
            panic!("{body}")
        };
        assert_eq!(unverified.version(), version);
        assert_eq!(unverified.sender(), "a b");
        assert_eq!(unverified.recipient(), None);
        assert!(unverified.signature_present().is_err());
    }
}

#[test]
fn each_version_is_judged_by_its_own_rules_after_one_parse() {
    let old = |payload: &str| {
        format!("{{\"version\":\"1.0\",\"sender_id\":\"a\",\"payload\":{payload}}}")
    };
    let new = |payload: &str| {
        format!("{{\"version\":\"1.1\",\"sender_id\":\"a\",\"payload\":{payload}}}")
    };
    let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
    for payload in ["1.5", "{\"a\":1,\"a\":2}"] {
        assert!(decode(&BOTH, old(payload).as_bytes()).is_ok(), "{payload}");
        let error = refused(BOTH, &new(payload));
        assert!(
            matches!(error, DecodeError::V1_1(v1_1::ShapeError::Json(_))),
            "{payload}: {error:?}"
        );
    }
    for payload in ["NaN", &deep] {
        assert!(decode(&BOTH_COMPAT, old(payload).as_bytes()).is_ok(), "{payload}");
        assert!(matches!(refused(BOTH, &old(payload)), DecodeError::Json(_)), "{payload}");
        let error = refused(BOTH_COMPAT, &new(payload));
        assert!(
            matches!(error, DecodeError::V1_1(v1_1::ShapeError::Json(_))),
            "{payload}: {error:?}"
        );
    }
}

#[test]
fn a_long_message_is_refused_as_long_by_its_version() {
    let long = |version: &str| {
        format!(
            "{{\"version\":\"{version}\",\"sender_id\":\"a\",\"x\":\"{}\"}}",
            "x".repeat(MESSAGE_LEN_MAX)
        )
    };
    assert!(decode(&BOTH_COMPAT, long("1.0").as_bytes()).is_ok());
    let DecodeError::V1_1(error) = refused(BOTH_COMPAT, &long("1.1")) else { panic!("not 1.1") };
    assert_eq!(error.code(), crate::code::ErrorCode::MessageTooLarge);
    let DecodeError::Json(error) = refused(BOTH, &long("1.0")) else { panic!("not too long") };
    assert_eq!(error.kind, ParseErrorKind::TooLong { max: MESSAGE_LEN_MAX, unit: Unit::Bytes });
    assert_eq!(BOTH.len_max(), MESSAGE_LEN_MAX);
}

#[test]
fn fifty_thousand_levels_are_refused_in_every_profile() {
    let body =
        format!("{{\"version\":\"1.0\",\"sender_id\":\"a\",\"payload\":{}", "[".repeat(50_000));
    for rules in [HARDENED, DecodeRules::V1_0(Profile::Compat), BOTH_COMPAT, DecodeRules::V1_1] {
        assert!(matches!(refused(rules, &body), DecodeError::Json(_)));
    }
}

proptest! {
    #[test]
    fn no_body_panics(
        version in "0\\.3|1\\.0|1\\.1|2",
        fields in prop::collection::vec(("[a-z_]{1,9}|msg_type|payload|nonce|signature|sequence_num|session_id", "null|1|-1|1\\.5|\"x\"|\\{\\}|\\[\\]|NaN"), 0..8),
    ) {
        let fields: Vec<String> = fields.iter().map(|(key, value)| format!(",\"{key}\":{value}")).collect();
        let fields = fields.concat();
        let body = format!("{{\"version\":\"{version}\",\"sender_id\":\"a\"{fields}}}");
        for rules in [HARDENED, DecodeRules::V1_1, BOTH, BOTH_COMPAT] {
            drop(decode(&rules, body.as_bytes()));
        }
    }
}
