//! Two nodes in one process over real loopback connections.

use entity_peer::CommandId;
use entity_peer::command::{Command, CommandError, CommandResult};
use entity_peer::config::Protocols;
use entity_wire::version::Version;

use crate::support::{TestNode, acquainted};

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

/// Every request of one node waits for a request of the other, so both must serve while their own is open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_cross_in_both_directions() {
    let (a, b) = acquainted(|config| config.protocols = Protocols::OnlyV1_0).await;
    assert!(a.open(&b).await.is_ok());
    let query = |from: &TestNode, to: &TestNode| {
        let (node, to) = (from.node().clone(), to.name.parse().unwrap());
        tokio::spawn(async move { node.command(Command::QueryCapabilities { to }).await })
    };
    let queries: Vec<_> = (0..20).flat_map(|_| [query(&a, &b), query(&b, &a)]).collect();
    for query in queries {
        let outcome = tokio::time::timeout(crate::support::PATIENCE, query).await.unwrap().unwrap();
        assert!(matches!(outcome, Ok(CommandResult::Capabilities(_))), "{outcome:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_not_there_is_unreachable_after_its_retries_end_or_withdrawn_before() {
    let (a, b) = acquainted(|config| config.protocols = Protocols::OnlyV1_0).await;
    b.serving.stop().await;
    let command = Command::Ping { to: "b".parse().unwrap() };
    let withdrawn =
        tokio::time::timeout(std::time::Duration::from_millis(50), a.node().command(command)).await;
    assert!(withdrawn.is_err(), "three attempts take three seconds");
    let unknown = a.command(Command::Ping { to: "c".parse().unwrap() }).await;
    assert!(matches!(unknown, Err(CommandError::UnknownPeer { .. })), "{unknown:?}");
    let nothing = a.command(Command::Cancel { command: CommandId(1_000_000) }).await;
    assert!(nothing.is_ok(), "withdrawing what is not there is harmless: {nothing:?}");
}
