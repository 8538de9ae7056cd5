use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Everything that follows, written out.
fn drain(client: &mut Client) -> Vec<String> {
    std::iter::from_fn(|| client.poll_output())
        .map(|output| match output {
            Output::Write(line) => {
                let message = codec::decode(&line).unwrap().to_json();
                format!("write {} {}", message["method"].as_str().unwrap(), message["params"])
            }
            Output::Answered { id, method, outcome } => match outcome {
                Ok(result) => format!("{method} {id} answered {result}"),
                Err(error) => format!("{method} {id} refused {error}"),
            },
            Output::TimedOut { id, method } => format!("{method} {id} timed out"),
            Output::Event { n, event, params } => format!("event {n} {event} {params}"),
            Output::Violation(violation) => format!("violation: {violation}"),
        })
        .collect()
}

fn asked(count: u64) -> Client {
    let mut client = Client::new();
    for _ in 0..count {
        client.request("stats", json!({}), SECOND, Duration::ZERO).unwrap();
    }
    drain(&mut client);
    client
}

#[track_caller]
fn check_lines(client: &mut Client, lines: &[&str], expected: &[&str]) {
    for line in lines {
        client.handle_line(line.as_bytes());
    }
    assert_eq!(drain(client), expected);
}

#[test]
fn ids_count_from_one_and_answers_may_come_in_any_order() {
    let mut client = Client::new();
    assert_eq!(client.request("stats", json!({}), SECOND, Duration::ZERO), Ok(1));
    assert_eq!(client.request("peer.list", json!({}), SECOND, Duration::ZERO), Ok(2));
    check_lines(
        &mut client,
        &[
            r#"{"jsonrpc":"2.0","id":2,"result":{"peers":[]}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"unknown"}}"#,
        ],
        &[
            "write stats {}",
            "write peer.list {}",
            r#"peer.list 2 answered {"peers":[]}"#,
            "stats 1 refused unknown (-32601)",
        ],
    );
    assert_eq!(client.pending().count(), 0);
    assert_eq!(client.next_deadline(), None);
}

#[test]
fn a_request_that_is_not_answered_in_time_is_withdrawn() {
    let mut client = asked(1);
    assert_eq!(client.next_deadline(), Some(SECOND));
    client.handle_deadline(Duration::from_micros(999_999));
    assert_eq!(drain(&mut client), Vec::<String>::new());
    client.handle_deadline(SECOND);
    assert_eq!(drain(&mut client), ["write $/cancel {\"id\":1}", "stats 1 timed out"]);
    assert_eq!(client.next_deadline(), None);
}

#[test]
fn the_late_answer_to_a_withdrawn_request_is_ignored_once() {
    let mut client = asked(1);
    client.cancel(1);
    client.cancel(1);
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
    check_lines(
        &mut client,
        &[answer, answer],
        &["write $/cancel {\"id\":1}", "violation: the peer answered request 1, which is not open"],
    );
}

#[test]
fn an_answer_that_nobody_asked_for_is_a_violation() {
    check_lines(
        &mut asked(1),
        &[
            r#"{"jsonrpc":"2.0","id":9,"result":{}}"#,
            r#"{"jsonrpc":"2.0","id":"x","result":{}}"#,
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no JSON"}}"#,
        ],
        &[
            "violation: the peer answered request 9, which is not open",
            "violation: the peer answered request x, which is not open",
            "violation: the peer answered request null, which is not open",
        ],
    );
}

fn event(n: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"peer.added","params":{{{n}"name":"b"}}}}"#)
}

#[test]
fn events_are_counted_without_a_gap() {
    check_lines(
        &mut Client::new(),
        &[&event("\"n\":1,"), &event("\"n\":2,")],
        &["event 1 peer.added {\"name\":\"b\"}", "event 2 peer.added {\"name\":\"b\"}"],
    );
}

#[test]
fn a_gap_a_repeat_and_a_missing_counter_are_violations() {
    let rule = "events are counted from 1 without a gap";
    check_lines(
        &mut Client::new(),
        &[&event("\"n\":2,"), &event("\"n\":3,"), &event("\"n\":3,"), &event("")],
        &[
            &format!("violation: event peer.added has n = 2, expected 1: {rule}"),
            "event 2 peer.added {\"name\":\"b\"}",
            "event 3 peer.added {\"name\":\"b\"}",
            &format!("violation: event peer.added has n = 3, expected 4: {rule}"),
            "event 3 peer.added {\"name\":\"b\"}",
            &format!("violation: event peer.added has n = null, expected 4: {rule}"),
        ],
    );
}

#[test]
fn a_peer_does_not_ask() {
    check_lines(
        &mut Client::new(),
        &[r#"{"jsonrpc":"2.0","id":1,"method":"help"}"#],
        &["violation: the peer sent a request (help); only notifications may come from a peer"],
    );
}

#[test]
fn a_line_that_is_no_message_does_not_stop_the_next() {
    let mut client = asked(1);
    client.handle_line(b"Listening on port 1");
    client.handle_line(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
    let outputs = drain(&mut client);
    assert!(outputs[0].starts_with("violation: this line is not JSON"), "{outputs:?}");
    assert_eq!(outputs[1], "stats 1 answered {}");
}

#[test]
fn open_requests_have_a_limit() {
    let mut client = asked(PENDING_MAX as u64);
    let more = client.request("stats", json!({}), SECOND, Duration::ZERO);
    assert_eq!(more, Err(RequestError::TooMany));
    client.cancel(1);
    assert!(client.request("stats", json!({}), SECOND, Duration::ZERO).is_ok());
}

#[test]
fn the_memory_of_withdrawn_requests_has_a_limit() {
    let mut client = Client::new();
    for _ in 0..=WITHDRAWN_MAX {
        let id = client.request("stats", json!({}), SECOND, Duration::ZERO).unwrap();
        client.cancel(id);
    }
    drain(&mut client);
    check_lines(
        &mut client,
        &[r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, r#"{"jsonrpc":"2.0","id":2,"result":{}}"#],
        &["violation: the peer answered request 1, which is not open"],
    );
}

#[test]
fn a_request_that_does_not_fit_in_a_line_is_not_sent() {
    let mut client = Client::new();
    let params = json!({ "body": "x".repeat(codec::LINE_LEN_MAX) });
    assert!(matches!(
        client.request("m", params, SECOND, Duration::ZERO),
        Err(RequestError::Line(CodecError::TooLong { .. }))
    ));
    assert_eq!(drain(&mut client), Vec::<String>::new());
    assert_eq!(client.next_deadline(), None);
}
