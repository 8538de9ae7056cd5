use super::*;

fn valid_draft() -> Value {
    serde_json::from_str(ENTITY_SCHEMA).unwrap()
}

#[test]
fn the_document_is_a_json_schema() {
    assert!(jsonschema::meta::is_valid(&valid_draft()));
    Schema::entity();
}

/// The names in the first column of a table of the contract's page.
fn names_under(title: &str) -> Vec<String> {
    let page = include_str!("../../../../docs/contract/README.md");
    let rows = page.lines().skip_while(|line| !line.starts_with(title)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    let mut names: Vec<String> = first_cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    names.sort();
    names
}

#[test]
fn every_method_and_event_of_the_page_has_a_shape_and_every_shape_is_on_the_page() {
    let schema = Schema::entity();
    assert_eq!(schema.methods().collect::<Vec<_>>(), names_under("| method |"));
    assert_eq!(schema.events().collect::<Vec<_>>(), names_under("| event |"));
    assert!(names_under("| method |").contains(&"initialize".to_owned()));
}

/// One example of every shape, and a change that breaks it.
fn message() -> Value {
    json!({
        "from": "a", "type": "message", "body": {"text": "hello"}, "session": "s",
        "sequence": 3, "number": 1, "version": "1.1", "sealed": true
    })
}

#[track_caller]
fn check_params(method: &str, good: Value, bad: Value) {
    let schema = Schema::entity();
    assert_eq!(schema.check_params(method, &good), Ok(()));
    assert!(schema.check_params(method, &bad).is_err(), "{bad} is no {method}");
}

#[track_caller]
fn check_result(method: &str, good: Value, bad: Value) {
    let schema = Schema::entity();
    assert_eq!(schema.check_result(method, &good), Ok(()));
    assert!(schema.check_result(method, &bad).is_err(), "{bad} is no {method}");
}

#[track_caller]
fn check_event(event: &str, good: Value, bad: Value) {
    let schema = Schema::entity();
    assert_eq!(schema.check_event(event, &good), Ok(()));
    assert!(schema.check_event(event, &bad).is_err(), "{bad} is no {event}");
}

#[test]
fn parameters_are_closed() {
    check_params("initialize", json!({"contract": "1"}), json!({"contract": "2"}));
    check_params("shutdown", json!({}), json!({"now": true}));
    check_params(
        "peer.add",
        json!({"name": "b", "address": "http://127.0.0.1:1", "key": "0".repeat(64), "connect": true}),
        json!({"name": "b", "address": "http://127.0.0.1:1", "key": "0"}),
    );
    check_params("session.open", json!({"to": "b"}), json!({"peer": "b"}));
    check_params("session.close", json!({"id": "s"}), json!({}));
    check_params("session.rekey", json!({"id": "s"}), json!({"id": "s", "now": true}));
    check_params(
        "message.send",
        json!({"to": "b", "type": "ping", "body": {}, "seal": "require", "flavour": "iso"}),
        json!({"to": "b", "body": "text"}),
    );
    check_params(
        "message.inbox",
        json!({"from": "b", "after": 3, "limit": 1}),
        json!({"limit": 0}),
    );
    check_params("clock.offset", json!({"seconds": -61}), json!({"seconds": "-61"}));
    check_params(
        "wire.send_raw",
        json!({"to": "b", "method": "POST", "path": "/message", "body": "e30="}),
        json!({"body": "e30="}),
    );
}

#[test]
fn results_have_their_fields() {
    check_result("peer.list", json!({"peers": []}), json!([]));
    check_result(
        "session.open",
        json!({"id": "s", "peer": "b", "version": "1.1", "role": "initiator", "state": "ready"}),
        json!({"id": "s", "peer": "b", "version": "1.1", "role": "initiator", "state": "initial"}),
    );
    let session = json!({
        "id": "s", "peer": "b", "peer_key": "0".repeat(64), "version": "1.1", "role": "responder",
        "state": "ready", "generation": 0, "sealed": true
    });
    let mut broken = session.clone();
    broken["role"] = json!("third");
    check_result("session.list", json!({"sessions": [session]}), json!({"sessions": [broken]}));
    check_result(
        "message.send",
        json!({"session": "s", "sequence": 3, "number": null, "version": "1.0", "sealed": false, "status": 200}),
        json!({"session": "s", "sequence": 3, "version": "1.0", "sealed": false, "status": 200}),
    );
    let mut received = message();
    received["index"] = json!(0);
    received["received_at"] = json!("2026-01-01T00:00:00Z");
    check_result(
        "message.inbox",
        json!({"messages": [received], "next": 1}),
        json!({"messages": [message()], "next": 1}),
    );
    check_result("peer.ping", json!({"round_trip_us": 1}), json!({"round_trip_us": -1}));
    check_result("capability.query", json!({"capabilities": {}}), json!({"capabilities": []}));
    check_result("stats", json!({"stats": {}}), json!({"stats": {"b": {}}}));
    check_result(
        "wire.send_raw",
        json!({"status": 400, "body": "e30="}),
        json!({"status": 400, "body": "{}"}),
    );
}

#[test]
fn events_have_their_fields() {
    check_event("peer.added", json!({"name": "b"}), json!({}));
    check_event("message.received", message(), json!({"from": "a"}));
    check_event(
        "session.ready",
        json!({"id": "s", "peer": "b", "version": "1.0", "role": "initiator"}),
        json!({"id": "s", "peer": "b", "version": "1.0", "role": "both"}),
    );
    check_event(
        "session.resumed",
        json!({"id": "s", "peer": "b", "generation": 1}),
        json!({"id": "s", "peer": "b", "generation": 65_536}),
    );
    check_event("session.rekeyed", json!({"id": "s", "generation": 1}), json!({"id": "s"}));
    check_event(
        "session.closed",
        json!({"id": "s", "peer": "b", "reason": "closed by peer"}),
        json!({"id": "s"}),
    );
    check_event(
        "message.refused",
        json!({"from": "b", "code": "REPLAY_DETECTED", "detail": "Replay detected", "status": 409}),
        json!({"from": "b", "code": "REPLAY_DETECTED", "detail": "x", "status": 9}),
    );
    check_event(
        "handshake.failed",
        json!({"peer": "b", "code": "INVALID_VERSION", "reason": "no common version"}),
        json!({"peer": "b"}),
    );
}

#[test]
fn ways_and_queues_have_their_shapes() {
    let routes = |layer: &str| {
        json!({"peers": [{"name": "b", "address": "ws://b:1", "layer": layer, "relay": null,
            "socket": "open", "dialled_by": "self"}], "relays": []})
    };
    check_result("route.list", routes("websocket"), routes("pigeon"));
    check_params("route.list", json!({"peer": "b"}), json!({"to": "b"}));
    let queues = |messages: i64| {
        json!({"relay": true, "mailboxes": [{"recipient": "0".repeat(64), "id": null,
            "connected": false, "messages": messages, "bytes": 300, "oldest_at": null,
            "expires_at": null}], "size": 1, "messages": 1, "bytes": 300, "outbox": [],
            "outbox_messages": 0})
    };
    check_result("queue.list", queues(1), queues(-1));
}

#[test]
fn what_the_contract_does_not_have_is_named() {
    let error = Schema::entity().check_result("dht.burn", &json!({})).unwrap_err();
    assert_eq!(error.to_string(), "the contract has no dht.burn");
}
