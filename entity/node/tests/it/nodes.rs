//! Two nodes in one process over real loopback connections.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use entity_peer::CommandId;
use entity_peer::command::{AddPeer, Command, CommandError, CommandResult};
use entity_peer::config::Protocols;
use entity_wire::version::Version;

use crate::support::{PATIENCE, TestNode, acquainted, http};

async fn check_conversation(protocols: Protocols, version: Version) {
    let (a, b) = acquainted(|config| config.protocols = protocols).await;
    let opened = a.open(&b).await;
    let Ok(CommandResult::Session(session)) = opened else { panic!("{opened:?}") };
    assert_eq!((session.version, session.state), (version, "ready"));
    let sent = a.send(&b, "there").await;
    let Ok(CommandResult::Sent(receipt)) = sent else { panic!("{sent:?}") };
    assert_eq!((receipt.status, receipt.session), (200, session.id));
    assert!(b.send(&a, "back").await.is_ok());
    assert_eq!((a.inbox(), b.inbox()), (vec!["back".to_owned()], vec!["there".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_shake_hands_and_talk_both_ways_in_1_0() {
    check_conversation(Protocols::OnlyV1_0, Version::V1_0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_shake_hands_and_talk_both_ways_in_1_1() {
    check_conversation(Protocols::OnlyV1_1, Version::V1_1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_that_speak_both_choose_1_1() {
    check_conversation(Protocols::Both, Version::V1_1).await;
}

/// The other side answers a handshake only after it has asked us something itself, as the earlier peer does
/// (`docs/protocol/1.0.md#handshake-behaviour`).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_serves_requests_while_its_own_is_open() {
    let a = TestNode::start("a", |config| config.protocols = Protocols::OnlyV1_0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = AddPeer {
        name: "b".parse().unwrap(),
        address: format!("http://{}", listener.local_addr().unwrap()),
        key: Some(a.key()),
        connect: None,
    };
    assert_eq!(a.command(Command::AddPeer(other)).await, Ok(CommandResult::Done));
    let address = a.serving.address();
    let nested = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 16 * 1024];
        let length = stream.read(&mut request).unwrap();
        assert!(request[..length].starts_with(b"POST /message HTTP/1.1\r\n"));
        let nested = http(address, "GET", "/health", b"").0;
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        nested
    });
    let refused = a.command(Command::OpenSession { to: "b".parse().unwrap() }).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(nested.join().unwrap(), 200);
}

async fn check_crossing(protocols: Protocols) {
    let (a, b) = acquainted(|config| config.protocols = protocols).await;
    assert!(a.open(&b).await.is_ok());
    let query = |from: &TestNode, to: &TestNode| {
        let (node, to) = (from.node().clone(), to.name.parse().unwrap());
        tokio::spawn(async move { node.command(Command::QueryCapabilities { to }).await })
    };
    let queries: Vec<_> = (0..20).flat_map(|_| [query(&a, &b), query(&b, &a)]).collect();
    for query in queries {
        let outcome = tokio::time::timeout(PATIENCE, query).await.unwrap().unwrap();
        assert!(matches!(outcome, Ok(CommandResult::Capabilities(_))), "{outcome:?}");
    }
}

/// Each query is answered by a message of its own, so answers and queries cross on many connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_and_answers_cross_in_1_0_without_overtaking_each_other() {
    check_crossing(Protocols::OnlyV1_0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn questions_and_answers_cross_in_1_1() {
    check_crossing(Protocols::OnlyV1_1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_not_there_is_unreachable_after_its_retries_end_or_withdrawn_before() {
    let (a, b) = acquainted(|config| config.protocols = Protocols::OnlyV1_0).await;
    b.serving.stop().await.unwrap();
    let command = Command::Ping { to: "b".parse().unwrap() };
    let withdrawn =
        tokio::time::timeout(std::time::Duration::from_millis(50), a.node().command(command)).await;
    assert!(withdrawn.is_err(), "three attempts take three seconds");
    let unknown = a.command(Command::Ping { to: "c".parse().unwrap() }).await;
    assert!(matches!(unknown, Err(CommandError::UnknownPeer { .. })), "{unknown:?}");
    let nothing = a.command(Command::Cancel { command: CommandId(1_000_000) }).await;
    assert!(nothing.is_ok(), "withdrawing what is not there is harmless: {nothing:?}");
}
