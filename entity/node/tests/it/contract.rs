//! The peer contract, spoken with real shim processes.

use entity_node::rpc::session::REQUESTS_MAX;
use serde_json::json;

use crate::support::{Shim, introduce};

#[test]
fn a_shim_introduces_itself_and_knows_what_it_does_not_support() {
    let (mut shim, initialized) = Shim::test_peer("a", "both");
    assert_eq!((&initialized["contract"], &initialized["name"]), (&json!("1"), &json!("a")));
    assert_eq!(initialized["protocol_versions"], json!(["1.0", "1.1"]));
    assert!(initialized["addresses"]["http"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert_eq!(initialized["keys"]["ed25519"].as_str().unwrap().len(), 64);
    let methods: Vec<_> = initialized["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert!(methods.contains(&"clock.offset") && methods.contains(&"wire.send_raw"));
    assert_eq!(shim.refused("no.such_method_7c1f", json!({}))["code"], -32601);
    // What is announced is supported: even without parameters it is not an unknown method.
    for method in methods.into_iter().filter(|name| *name != "shutdown") {
        let id = shim.request(method, json!({}));
        assert_ne!(shim.answer(id)["error"]["code"], -32601, "{method}");
    }
    assert_eq!(shim.call("shutdown", json!({})), json!({}));
    assert_eq!(shim.exit_code(), Some(0));
}

#[test]
fn the_methods_of_test_peers_do_not_exist_elsewhere() {
    let mut shim = Shim::spawn(Shim::command("a"));
    let initialized = shim.call("initialize", json!({"contract": "1"}));
    assert!(!initialized["methods"].to_string().contains("clock.offset"));
    assert_eq!(shim.refused("clock.offset", json!({"seconds": 1}))["code"], -32601);
    assert_eq!(shim.refused("wire.send_raw", json!({"body": ""}))["code"], -32601);
    let file = json!({"name": "x", "size": 1, "seed": 1});
    assert_eq!(shim.refused("file.make", file)["code"], -32601);
    assert_eq!(shim.refused("file.digest", json!({"path": "/dev/null"}))["code"], -32601);
    let account = json!({"api": "https://localhost:1/api/v1", "key_file": "/dev/null"});
    assert_eq!(shim.refused("moltbook.open", account)["code"], -32601);
    assert_eq!(shim.refused("moltbook.duty", json!({}))["code"], -32601);
    shim.close_input();
    assert_eq!(shim.exit_code(), Some(0), "the end of standard input is the end");
}

#[test]
fn a_test_peer_makes_files_and_says_what_is_in_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Shim::command("a");
    command.arg("--test-peer").env("HANDFAST_DATA_DIR", folder.path());
    let mut shim = Shim::spawn(command);
    let make = |shim: &mut Shim, name: &str, size: u64, seed: u64| {
        let made = shim.call("file.make", json!({"name": name, "size": size, "seed": seed}));
        let found = shim.call("file.digest", json!({"path": made["path"]}));
        assert_eq!((&found["size"], &found["sha256"]), (&json!(size), &made["sha256"]));
        made
    };
    let first = make(&mut shim, "data.bin", 3_000_000, 7);
    assert_eq!(first, make(&mut shim, "data.bin", 3_000_000, 7));
    assert_ne!(first["sha256"], make(&mut shim, "data.bin", 3_000_000, 8)["sha256"]);
    // The earlier one gave way, to the last byte.
    make(&mut shim, "data.bin", 0, 7);
    for (name, size) in [("..", 1), ("a/b", 1), ("", 1), (".x", 1), ("x", (4_u64 << 30) + 1)] {
        let params = json!({"name": name, "size": size, "seed": 1});
        assert_eq!(shim.refused("file.make", params)["code"], -32602, "{name}");
    }
    for path in ["/no/such/file", "/"] {
        assert_eq!(shim.refused("file.digest", json!({"path": path}))["code"], -32602, "{path}");
    }
}

#[test]
fn bad_lines_and_bad_parameters_have_their_codes_and_do_no_harm() {
    let (mut shim, _) = Shim::test_peer("a", "1.0");
    for (line, code) in [("{", -32700), ("[1]", -32600), (r#"{"jsonrpc":"2.0","id":1}"#, -32600)] {
        shim.write(line);
        let answer = shim.read();
        assert_eq!(
            (&answer["error"]["code"], &answer["id"]),
            (&json!(code), &json!(null)),
            "{line}"
        );
    }
    shim.write(&"x".repeat(4 * 1024 * 1024 + 1));
    assert_eq!(shim.read()["error"]["code"], -32600);
    let wrong = [
        ("initialize", json!({"contract": "2"})),
        ("peer.add", json!({"name": "b"})),
        ("peer.add", json!({"name": "b", "address": "b:1"})),
        ("peer.add", json!({"name": "b", "address": "http://b:1", "key": "00"})),
        ("peer.list", json!({"surplus": 1})),
        ("message.send", json!({"to": "b", "body": []})),
        ("message.send", json!({"to": "b", "body": {}, "seal": "maybe"})),
        ("clock.offset", json!({"seconds": 1e300})),
        ("wire.send_raw", json!({"body": ""})),
        ("wire.send_raw", json!({"address": "http://b:1", "body": "*"})),
    ];
    for (method, params) in wrong {
        let error = shim.refused(method, params.clone());
        assert_eq!(error["code"], -32602, "{method} {params}: {error}");
    }
    let unknown = shim.refused("message.send", json!({"to": "b", "body": {}}));
    assert_eq!(
        (&unknown["code"], &unknown["data"]["code"]),
        (&json!(-32000), &json!("UNKNOWN_RECIPIENT"))
    );
    assert_eq!(shim.call("peer.list", json!({})), json!({"peers": []}));
}

#[test]
fn two_processes_shake_hands_and_exchange_a_signed_message_in_1_0() {
    let ((mut a, of_a), (mut b, of_b)) = (Shim::test_peer("a", "1.0"), Shim::test_peer("b", "1.0"));
    introduce((&mut a, &of_a), (&mut b, &of_b));
    let session = a.call("session.open", json!({"to": "b"}));
    let told: Vec<_> = a.events.iter().map(|event| event["method"].as_str().unwrap()).collect();
    assert_eq!(
        told,
        ["peer.added", "session.ready"],
        "what happened before an answer is told before it"
    );
    let counted: Vec<_> =
        a.events.iter().map(|event| event["params"]["n"].as_u64().unwrap()).collect();
    assert_eq!(counted, [1, 2], "events are counted without a gap");
    assert_eq!(
        (&session["version"], &session["state"], &session["role"]),
        (&json!("1.0"), &json!("ready"), &json!("initiator"))
    );
    let ready = b.event("session.ready");
    assert_eq!(
        (&ready["id"], &ready["peer"], &ready["role"]),
        (&session["id"], &json!("a"), &json!("responder"))
    );
    // Integers beyond 64 bits arrive digit by digit.
    let id = a.request("message.send", json!({}));
    assert_eq!(a.answer(id)["error"]["code"], -32602);
    let big = r#"{"jsonrpc":"2.0","id":"big","method":"message.send","params":{"to":"b","body":{"n":123456789012345678901234567890}}}"#;
    a.write(big);
    let sent = loop {
        let message = a.read();
        if message["id"] == "big" {
            break message["result"].clone();
        }
    };
    assert_eq!(
        (&sent["status"], &sent["version"], &sent["sequence"]),
        (&json!(200), &json!("1.0"), &json!(2))
    );
    let received = b.event("message.received");
    assert_eq!(
        (&received["from"], &received["type"], &received["session"]),
        (&json!("a"), &json!("message"), &session["id"])
    );
    let inbox = b.call("message.inbox", json!({"from": "a"}));
    assert_eq!(inbox["messages"].as_array().unwrap().len(), 1);
    assert!(
        inbox["messages"][0]["body"].to_string().contains("123456789012345678901234567890")
            || inbox["messages"][0]["body"]["n"].is_f64()
    );
    assert!(b.call("peer.ping", json!({"to": "a"}))["round_trip_us"].as_u64().unwrap() > 0);
    let capabilities = a.call("capability.query", json!({"to": "b"}));
    assert!(capabilities["capabilities"].is_object(), "{capabilities}");
    assert_eq!(a.call("peer.list", json!({}))["peers"][0]["proved"], json!("1.0"));
    assert_eq!(a.call("stats", json!({}))["stats"]["b"]["failed_deliveries"], json!(0));
}

#[test]
fn two_processes_exchange_a_sealed_message_in_1_1() {
    let ((mut a, of_a), (mut b, of_b)) =
        (Shim::test_peer("a", "both"), Shim::test_peer("b", "1.1"));
    introduce((&mut a, &of_a), (&mut b, &of_b));
    let session = a.call("session.open", json!({"to": "b"}));
    assert_eq!((&session["version"], &session["sealed"]), (&json!("1.1"), &json!(true)));
    let sent =
        a.call("message.send", json!({"to": "b", "body": {"text": "hello"}, "seal": "require"}));
    assert_eq!((&sent["sealed"], &sent["number"]), (&json!(true), &json!(1)));
    let received = b.event("message.received");
    assert_eq!((&received["body"]["text"], &received["sealed"]), (&json!("hello"), &json!(true)));
    let open = a.refused("message.send", json!({"to": "b", "body": {}, "seal": "never"}));
    assert_eq!(open["data"]["code"], "ENCRYPTION_REQUIRED");
    a.call("session.close", json!({"id": session["id"]}));
    assert_eq!(b.event("session.closed")["id"], session["id"]);
}

#[test]
fn a_test_peer_sends_raw_bytes_and_shifts_its_clock() {
    let ((mut a, of_a), (mut b, of_b)) = (Shim::test_peer("a", "1.0"), Shim::test_peer("b", "1.0"));
    introduce((&mut a, &of_a), (&mut b, &of_b));
    let answer = a.call("wire.send_raw", json!({"to": "b", "body": "e30="}));
    assert_eq!(answer["status"], 400);
    assert_eq!(
        a.call("wire.send_raw", json!({"to": "b", "method": "PUT", "path": "/x", "body": ""}))["status"],
        404
    );
    assert!(a.call("session.open", json!({"to": "b"})).is_object());
    a.call("clock.offset", json!({"seconds": -90}));
    let stale = a.refused("message.send", json!({"to": "b", "body": {}}));
    assert_eq!(
        stale["data"]["status"], 400,
        "hardened 1.0 refuses a clock that is 90 s behind: {stale}"
    );
    assert!(b.event("message.refused")["detail"].is_string());
    a.call("clock.offset", json!({"seconds": 0}));
    assert_eq!(a.call("message.send", json!({"to": "b", "body": {}}))["status"], 200);
}

#[test]
fn a_withdrawn_request_ends_at_once() {
    let (mut a, _) = Shim::test_peer("a", "1.0");
    // A listener that never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    a.call("peer.add", json!({"name": "b", "address": address, "key": key}));
    let id = a.request("session.open", json!({"to": "b"}));
    a.write(&json!({"jsonrpc": "2.0", "method": "$/cancel", "params": {"id": id}}).to_string());
    assert_eq!(a.answer(id)["error"]["code"], -32800);
    assert_eq!(a.call("shutdown", json!({})), json!({}));
}

#[test]
fn the_seed_of_a_test_peer_decides_its_key() {
    let key = |seed: &str| {
        let mut command = Shim::command("a");
        command.arg("--test-peer").env("HANDFAST_SEED", seed);
        Shim::spawn(command).call("initialize", json!({"contract": "1"}))["keys"]["ed25519"].clone()
    };
    assert_eq!(key("7"), key("7"));
    assert_ne!(key("7"), key("8"));
}

#[test]
fn requests_under_way_are_bounded() {
    let (mut a, _) = Shim::test_peer("a", "1.0");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    for _ in 0..REQUESTS_MAX {
        a.request("wire.send_raw", json!({"address": address, "body": ""}));
    }
    let refused = a.refused("peer.list", json!({}));
    assert_eq!(
        (&refused["code"], &refused["data"]["code"]),
        (&json!(-32000), &json!("SERVICE_UNAVAILABLE"))
    );
    assert_eq!(a.call("shutdown", json!({})), json!({}), "the end is not refused");
}

#[test]
fn the_inbox_is_read_in_parts() {
    let ((mut a, of_a), (mut b, of_b)) = (Shim::test_peer("a", "1.0"), Shim::test_peer("b", "1.0"));
    introduce((&mut a, &of_a), (&mut b, &of_b));
    a.call("session.open", json!({"to": "b"}));
    // Three of these bodies do not fit an answer.
    let text = "x".repeat(200 * 1024);
    for number in 0..3 {
        a.call("message.send", json!({"to": "b", "body": {"number": number, "text": text}}));
    }
    let first = b.call("message.inbox", json!({"limit": 1}));
    assert_eq!((first["messages"].as_array().unwrap().len(), &first["next"]), (1, &json!(1)));
    let second = b.call("message.inbox", json!({"after": 0}));
    assert_eq!((second["messages"].as_array().unwrap().len(), &second["next"]), (2, &json!(2)));
    let third = b.call("message.inbox", json!({"after": 2, "from": "a"}));
    assert_eq!(third["messages"][0]["body"]["number"], json!(2));
    assert_eq!(b.call("message.inbox", json!({"after": 3})), json!({"messages": [], "next": 3}));
    assert_eq!(b.call("message.inbox", json!({"from": "c"}))["messages"], json!([]));
}
