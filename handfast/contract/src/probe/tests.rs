use super::*;

/// A peer that answers as it should, but for what the test changes.
struct Peer {
    initialized: Result<Value, RpcError>,
    unknown: Result<Value, RpcError>,
    bad_params: Result<Value, RpcError>,
    inbox: Outcome,
    end: Outcome,
}

fn rpc_error(code: i64) -> RpcError {
    RpcError { code, message: "no".to_owned(), data: None }
}

fn good() -> Peer {
    Peer {
        initialized: Ok(json!({
            "contract": "1", "name": "a", "version": "0.1.0", "protocol_versions": ["1.1"],
            "methods": ["peer.list", "session.list", "message.inbox"], "events": [],
            "addresses": {"http": "http://127.0.0.1:9"}, "keys": {}
        })),
        unknown: Err(rpc_error(METHOD_NOT_FOUND)),
        bad_params: Err(rpc_error(crate::message::INVALID_PARAMS)),
        inbox: Outcome::Answered(Ok(json!({"messages": [], "next": 0}))),
        end: Outcome::Exited(Some(0)),
    }
}

fn run(peer: &Peer) -> Report {
    let mut probe = Probe::new(7);
    for _ in 0..100 {
        let outcome = match probe.next_action() {
            Action::Done => return probe.report().clone(),
            Action::Shutdown { .. } => peer.end.clone(),
            Action::Call { method, params, .. } => match method.as_str() {
                "initialize" => Outcome::Answered(peer.initialized.clone()),
                "peer.list" => Outcome::Answered(Ok(json!({"peers": []}))),
                "session.list" => Outcome::Answered(Ok(json!({"sessions": []}))),
                "message.inbox" if params == json!({}) => peer.inbox.clone(),
                "message.inbox" => Outcome::Answered(peer.bad_params.clone()),
                _ => Outcome::Answered(peer.unknown.clone()),
            },
        };
        probe.on_outcome(outcome);
    }
    panic!("the probe does not come to an end");
}

/// The broken rules, `rule: reason` each.
#[track_caller]
fn check(peer: Peer, expected: &[&str]) {
    let report = run(&peer);
    let broken: Vec<_> = report
        .checks
        .iter()
        .filter_map(|check| Some(format!("{}: {}", check.rule, check.broken.as_ref()?)))
        .collect();
    assert_eq!(broken, expected);
    assert_eq!(report.conforms(), expected.is_empty());
}

#[test]
fn a_peer_that_keeps_the_contract_conforms() {
    check(good(), &[]);
    assert_eq!(run(&good()).initialized.unwrap().name, "a");
}

#[test]
fn a_peer_that_knows_every_method_does_not_conform() {
    check(
        Peer { unknown: Ok(json!({})), ..good() },
        &["an unknown method is answered -32601: it answered {}"],
    );
    check(
        Peer { unknown: Err(rpc_error(-32603)), ..good() },
        &["an unknown method is answered -32601: it answered no (-32603)"],
    );
}

#[test]
fn a_peer_that_takes_any_parameter_does_not_conform() {
    check(
        Peer { bad_params: Ok(json!({"messages": [], "next": 0})), ..good() },
        &[concat!(
            "parameters of a wrong shape are answered -32602: ",
            r#"it answered {"messages":[],"next":0}"#
        )],
    );
}

#[test]
fn a_missing_getter_is_named_although_it_answers() {
    let mut peer = good();
    peer.initialized.as_mut().unwrap()["methods"] = json!(["peer.list", "session.list"]);
    check(peer, &["the peer offers message.inbox: initialize does not name it among its methods"]);
}

#[test]
fn a_getter_of_another_shape_is_named() {
    check(
        Peer { inbox: Outcome::Answered(Ok(json!({"messages": []}))), ..good() },
        &[concat!(
            "message.inbox answers in its shape: ",
            "message.inbox at /: \"next\" is a required property"
        )],
    );
    check(
        Peer { inbox: Outcome::TimedOut, ..good() },
        &["message.inbox answers in its shape: it did not answer"],
    );
}

#[test]
fn a_peer_that_is_not_ready_is_only_told_to_go() {
    check(
        Peer { initialized: Ok(json!({"contract": "1"})), ..good() },
        &[concat!(
            "initialize answers in its shape: ",
            "initialize at /: \"name\" is a required property"
        )],
    );
}

#[test]
fn the_end_has_to_be_clean() {
    let rule = "after shutdown the process ends with code 0";
    check(
        Peer { end: Outcome::Exited(Some(3)), ..good() },
        &[&format!("{rule}: it ended with code 3")],
    );
    check(Peer { end: Outcome::Exited(None), ..good() }, &[&format!("{rule}: a signal ended it")]);
    check(Peer { end: Outcome::TimedOut, ..good() }, &[&format!("{rule}: it did not end")]);
}

#[test]
fn a_peer_that_dies_in_the_middle_does_not_conform() {
    check(
        Peer { inbox: Outcome::Exited(Some(1)), ..good() },
        &[concat!(
            "the peer lives until shutdown (message.inbox answers in its shape): ",
            "it ended with code 1"
        )],
    );
}

#[test]
fn what_a_peer_does_unasked_counts() {
    let mut probe = Probe::new(7);
    probe.on_event("peer.added", &json!({"name": "b"}));
    assert!(probe.report().conforms());
    probe.on_event("peer.added", &json!({}));
    probe.on_violation(&Violation::Request { method: "x".to_owned() });
    let broken = probe.report().checks.iter().filter(|check| check.broken.is_some()).count();
    assert_eq!(broken, 2);
}

#[test]
fn a_report_of_nothing_is_no_conformance() {
    assert!(!Report::default().conforms());
}
