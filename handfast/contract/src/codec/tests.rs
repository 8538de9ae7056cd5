use proptest::prelude::*;
use serde_json::json;

use super::*;

#[track_caller]
fn check_round_trip(message: Message, line: &str) {
    assert_eq!(encode(&message).unwrap(), format!("{line}\n").into_bytes());
    assert_eq!(decode(line.as_bytes()).unwrap(), message);
}

#[test]
fn a_request_is_one_line() {
    check_round_trip(
        Message::Request {
            id: RequestId::Number(7),
            method: "session.open".to_owned(),
            params: json!({"to": "b"}),
        },
        r#"{"id":7,"jsonrpc":"2.0","method":"session.open","params":{"to":"b"}}"#,
    );
}

#[test]
fn a_result_and_an_error_are_one_line() {
    let id = Some(RequestId::Number(7));
    check_round_trip(
        Message::Response { id: id.clone(), outcome: Ok(json!({})) },
        r#"{"id":7,"jsonrpc":"2.0","result":{}}"#,
    );
    let error = RpcError {
        code: -32000,
        message: "refused".to_owned(),
        data: Some(json!({"code": "SEQUENCE_ERROR"})),
    };
    check_round_trip(
        Message::Response { id, outcome: Err(error) },
        r#"{"error":{"code":-32000,"data":{"code":"SEQUENCE_ERROR"},"message":"refused"},"id":7,"jsonrpc":"2.0"}"#,
    );
}

#[test]
fn a_notification_has_no_id() {
    check_round_trip(
        Message::Notification { method: "peer.added".to_owned(), params: json!({"n": 1}) },
        r#"{"jsonrpc":"2.0","method":"peer.added","params":{"n":1}}"#,
    );
}

#[test]
fn parameters_may_be_left_out() {
    let expected = Message::Request {
        id: RequestId::Text("x".to_owned()),
        method: "stats".to_owned(),
        params: json!({}),
    };
    assert_eq!(decode(br#"{"jsonrpc":"2.0","id":"x","method":"stats"}"#).unwrap(), expected);
}

#[test]
fn line_feeds_at_the_end_do_not_matter() {
    let line = r#"{"jsonrpc":"2.0","method":"x"}"#;
    let plain = decode(line.as_bytes()).unwrap();
    assert_eq!(decode(format!("{line}\n").as_bytes()).unwrap(), plain);
    assert_eq!(decode(format!("{line}\r\n").as_bytes()).unwrap(), plain);
}

#[track_caller]
fn check_refused(line: &str, expected: &str) {
    assert_eq!(decode(line.as_bytes()).unwrap_err().to_string(), expected);
}

#[test]
fn a_stray_print_is_named_as_such() {
    check_refused(
        "ready on port 1",
        concat!(
            "this line is not JSON (expected value at line 1 column 1): ready on port 1; ",
            "what is no message belongs on stderr"
        ),
    );
}

#[test]
fn every_broken_rule_of_a_message_is_named() {
    for (line, reason) in [
        ("[]", "it is not an object"),
        (r#"{"method":"x"}"#, "`jsonrpc` has to be \"2.0\""),
        (r#"{"jsonrpc":"2.0","method":1}"#, "`method` has to be a text"),
        (r#"{"jsonrpc":"2.0","method":"x","params":[]}"#, "`params` has to be an object"),
        (r#"{"jsonrpc":"2.0","method":"x","id":1.5}"#, "`id` has to be a whole number or a text"),
        (r#"{"jsonrpc":"2.0"}"#, "it has neither `method` nor `id`"),
        (r#"{"jsonrpc":"2.0","id":1}"#, "it has neither `result` nor `error`"),
        (r#"{"jsonrpc":"2.0","id":1,"result":1,"error":{}}"#, "it has both `result` and `error`"),
        (r#"{"jsonrpc":"2.0","id":1,"error":1}"#, "`error` has to be an object"),
        (
            r#"{"jsonrpc":"2.0","id":1,"error":{"message":"x"}}"#,
            "`error.code` has to be a whole number",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":1}}"#, "`error.message` has to be a text"),
    ] {
        check_refused(line, &format!("this line is no JSON-RPC 2.0 message, {reason}: {line}"));
    }
}

#[test]
fn a_long_bad_line_is_quoted_in_part() {
    let text = decode("x".repeat(1_000).as_bytes()).unwrap_err().to_string();
    assert!(text.len() < 300, "{text}");
}

#[test]
fn a_line_has_a_limit_in_both_directions() {
    let message = |len: usize| Message::Notification {
        method: "x".to_owned(),
        params: json!({ "pad": "y".repeat(len) }),
    };
    let overhead = encode(&message(0)).unwrap().len() - 1;
    let longest = encode(&message(LINE_LEN_MAX - overhead)).unwrap();
    assert_eq!(longest.len(), LINE_LEN_MAX + 1);
    assert!(decode(&longest).is_ok());
    let expected = CodecError::TooLong { len: LINE_LEN_MAX + 1 };
    assert_eq!(encode(&message(LINE_LEN_MAX - overhead + 1)), Err(expected.clone()));
    assert_eq!(decode(&vec![b' '; LINE_LEN_MAX + 1]), Err(expected));
}

proptest! {
    #[test]
    fn no_line_makes_the_reader_panic(line in prop::collection::vec(any::<u8>(), 0..200)) {
        decode(&line).ok();
    }

    #[test]
    fn what_is_written_reads_back(id in any::<u64>(), text in ".*") {
        let params = json!({ "text": text });
        let message =
            Message::Request { id: RequestId::Number(id), method: "m".to_owned(), params };
        let line = encode(&message).unwrap();
        prop_assert!(!line[..line.len() - 1].contains(&b'\n'));
        prop_assert_eq!(decode(&line), Ok(message));
    }
}
