//! While the WebSocket to a peer is cut off, no new session is begun over HTTP, unless the operator wants that.

use std::sync::atomic::Ordering::SeqCst;

use entity_node::relay::BridgeConfig;
use entity_peer::command::Command;
use tokio::sync::watch;

use crate::sockets::{Place, add_at, until, with_sockets};
use crate::support::TestNode;

/// A and B with both layers and a session, where the WebSocket between them works, and is cut by `true`.
async fn world(partition_waits: bool) -> (TestNode, TestNode, [Place; 2], watch::Sender<bool>) {
    let bridge = BridgeConfig { partition_waits, ..BridgeConfig::default() };
    let listen = Some("127.0.0.1:0".parse().unwrap());
    let a = TestNode::start_with("a", listen, (bridge, with_sockets));
    let b = TestNode::start("b", with_sockets);
    let (cut, is_cut) = watch::channel(false);
    let places = [Place::before(&b, is_cut.clone()).await, Place::before(&a, is_cut).await];
    add_at(&a, &b, places[0].address.clone()).await;
    add_at(&b, &a, places[1].address.clone()).await;
    a.open(&b).await.unwrap();
    a.send(&b, "wants a connection").await.unwrap();
    until("a connection", || a.node().sockets().1 > 0).await;
    (a, b, places, cut)
}

/// Cuts the WebSocket, until A has tried in vain so many times to have it back.
async fn cut_off(a: &TestNode, place: &Place, cut: &watch::Sender<bool>, attempts: usize) {
    cut.send(true).unwrap();
    until("no connection", || a.node().sockets().0 == 0).await;
    let before = place.refused.load(SeqCst);
    until("attempts in vain", || place.refused.load(SeqCst) >= before + attempts).await;
}

async fn close_session(a: &TestNode, b: &TestNode) {
    let session = a.node().look(|peer, _| peer.sessions()[0].id.clone());
    a.command(Command::CloseSession { session }).await.unwrap();
    until("b has no session", || b.node().look(|peer, _| peer.sessions().is_empty())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_a_session_goes_on_by_http_and_a_new_one_waits_for_the_websocket() {
    let (a, b, [place, _other], cut) = world(true).await;
    cut_off(&a, &place, &cut, 2).await;
    a.send(&b, "of the old session").await.unwrap();
    assert!(b.inbox().contains(&"of the old session".to_owned()));
    close_session(&a, &b).await;
    let opening = a.open(&b);
    tokio::pin!(opening);
    let tried = place.refused.load(SeqCst) + 2;
    tokio::select! {
        opened = &mut opening => panic!("over HTTP: {opened:?}"),
        () = until("attempts in vain", || place.refused.load(SeqCst) >= tried) => {}
    }
    assert!(b.node().look(|peer, _| peer.sessions().is_empty()));
    cut.send(false).unwrap();
    opening.await.unwrap();
    assert!(a.node().sockets().1 > 0, "over the WebSocket");
    a.send(&b, "of the new session").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_may_have_new_sessions_begin_over_http_meanwhile() {
    let (a, b, [place, _other], cut) = world(false).await;
    cut_off(&a, &place, &cut, 2).await;
    close_session(&a, &b).await;
    a.open(&b).await.unwrap();
    a.send(&b, "of the new session").await.unwrap();
    assert_eq!(a.node().sockets(), (0, 0));
}
