//! The endpoints of a node (`docs/protocol/1.0.md#endpoints`).

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use entity_peer::config::{Profile, Protocols};
use serde_json::Value;

use crate::support::{TestNode, acquainted, http};

fn keys_of(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Every endpoint with exactly the fields of protocol 1.0.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_get_shows_has_the_fields_of_1_0() {
    let (a, b) = acquainted(|config| config.protocols = Protocols::OnlyV1_0).await;
    assert!(a.open(&b).await.is_ok());
    let get = |path: &str| {
        let (status, body) = http(a.serving.address(), "GET", path, b"");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<Value>(&body).unwrap()
    };
    let abilities = ["crypto_available", "signing_enabled", "verification_enabled"];
    let root = get("/");
    let mut fields = vec!["entity_id", "peers_count", "service", "version"];
    fields.extend(abilities);
    fields.sort_unstable();
    assert_eq!(keys_of(&root), fields);
    assert_eq!((&root["entity_id"], &root["peers_count"]), (&"a".into(), &1.into()));
    let health = get("/health");
    let mut fields = vec![
        "entity_id",
        "port",
        "peers",
        "healthy_peers",
        "total_stats_entries",
        "public_key",
        "status",
        "timestamp",
        "queue",
        "heartbeat",
    ];
    fields.extend(abilities);
    fields.sort_unstable();
    assert_eq!(keys_of(&health), fields);
    assert_eq!(keys_of(&health["queue"]), ["kept", "size", "stats"]);
    assert_eq!(keys_of(&health["queue"]["stats"]), ["discarded", "failed", "queued", "sent"]);
    assert_eq!(keys_of(&health["heartbeat"]), ["circuits_open", "healthy_count", "peer_status"]);
    assert_eq!(
        (&health["status"], &health["port"]),
        (&"healthy".into(), &a.serving.address().port().into())
    );
    let peers = get("/peers");
    assert_eq!(keys_of(&peers), ["count", "entity_id", "peers"]);
    assert_eq!(keys_of(&peers["peers"][0]), ["address", "entity_id", "has_public_key"]);
    let stats = get("/stats");
    let fields = [
        "address",
        "entity_id",
        "failed_deliveries",
        "is_healthy",
        "last_error",
        "last_seen",
        "successful_deliveries",
        "total_messages_received",
        "total_messages_sent",
    ];
    assert_eq!(keys_of(&stats["stats"]["b"]), fields);
    assert_eq!(get("/public-key")["public_key"], a.key().to_hex());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_paths_methods_and_bodies_are_refused_in_the_words_of_1_0() {
    for profile in [Profile::Hardened, Profile::Compat] {
        let a = TestNode::start("a", |config| {
            config.protocols = Protocols::OnlyV1_0;
            config.profile = profile;
        });
        let check = |method: &str, path: &str, body: &[u8], expected: (u16, &str)| {
            let (status, answer) = http(a.serving.address(), method, path, body);
            let detail = serde_json::from_str::<Value>(&answer).unwrap()["detail"]
                .as_str()
                .unwrap()
                .to_owned();
            assert_eq!((status, detail.as_str()), expected, "{method} {path}");
        };
        check("GET", "/handshake/challenge", b"", (404, "Not Found"));
        check("GET", "/message", b"", (405, "Method Not Allowed"));
        check("POST", "/health", b"{}", (405, "Method Not Allowed"));
        check("POST", "/message", b"not json", (400, "Invalid JSON"));
        check("POST", "/message", b"", (400, "Invalid JSON"));
        check("POST", "/message", br#"{"some":"thing"}"#, (400, "Unknown message format"));
    }
}

/// 1.0 itself has no limit; `compat` takes what the earlier peer was seen to take, `hardened` stops at 1 MiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_20_mib_is_read_in_compat_and_413_in_hardened() {
    let mut body = br#"{"some":""#.to_vec();
    body.resize(20 * 1024 * 1024, b'x');
    body.extend_from_slice(br#""}"#);
    for (profile, expected) in [(Profile::Compat, 400), (Profile::Hardened, 413)] {
        let a = TestNode::start("a", |config| config.profile = profile);
        assert_eq!(http(a.serving.address(), "POST", "/message", &body).0, expected, "{profile:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_a_node_ends_its_connections_and_frees_its_port() {
    let a = TestNode::start("a", |_| {});
    let address = a.serving.address();
    let mut open = TcpStream::connect(address).unwrap();
    open.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut first = [0; 15];
    open.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
    a.serving.stop().await.unwrap();
    let mut rest = Vec::new();
    open.read_to_end(&mut rest).unwrap();
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}
