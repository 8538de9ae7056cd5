//! Nodes over WebSockets: preferred where both have them, left where they break, taken again when they are back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use entity_node::serve::Serving;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command, CommandResult, Send};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::{PATIENCE, TestNode, acquainted, http};

pub(crate) fn with_sockets(config: &mut Config) {
    config.websocket = true;
}

/// No message of theirs goes by HTTP.
fn sockets_alone(config: &mut Config) {
    config.websocket = true;
    config.http = false;
}

/// Waits for something that comes by itself.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Makes `node` know `other` at this address.
pub(crate) async fn add_at(node: &TestNode, other: &TestNode, address: String) {
    let name = other.name.parse().unwrap();
    let peer = AddPeer { name, address, key: Some(other.key()), connect: None };
    assert_eq!(node.command(Command::AddPeer(peer)).await, Ok(CommandResult::Done));
}

fn ws(serving: &Serving) -> String {
    serving.http_address().replacen("http://", "ws://", 1)
}

async fn send_durable(node: &TestNode, other: &TestNode, text: &str) {
    let body = Object::new().with("text", text);
    let to = other.name.parse().unwrap();
    let message = Send::new(to, MessageKind::Message, body);
    let sent = node.command(Command::SendDurable(message)).await;
    assert!(matches!(sent, Ok(CommandResult::Kept(_))), "{sent:?}");
}

/// A place between two peers that can be cut for WebSockets alone, and restored.
pub(crate) struct Place {
    pub(crate) address: String,
    /// How many WebSockets were asked for while they were cut.
    pub(crate) refused: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Place {
    pub(crate) async fn before(
        node: &TestNode,
        is_cut: tokio::sync::watch::Receiver<bool>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let behind = node.serving.address();
        let mut serving = JoinSet::new();
        let refused = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&refused);
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (is_cut, refused) = (is_cut.clone(), Arc::clone(&counted));
                connections.spawn(async move {
                    let mut head = [0; 8];
                    // The head of a request is longer.
                    loop {
                        match stream.peek(&mut head).await {
                            Ok(len) if len == head.len() => break,
                            Ok(0) | Err(_) => return,
                            Ok(_) => tokio::task::yield_now().await,
                        }
                    }
                    let is_socket = head.starts_with(b"GET /ws ");
                    // Not one byte of it passes: an upgrade that succeeds is no refusal.
                    if is_socket && *is_cut.borrow() {
                        refused.fetch_add(1, SeqCst);
                        return;
                    }
                    pass(stream, behind, is_cut, is_socket).await;
                });
            }
        });
        Self { address, refused, _serving: serving }
    }
}

async fn pass(
    mut stream: TcpStream,
    behind: std::net::SocketAddr,
    mut is_cut: tokio::sync::watch::Receiver<bool>,
    is_socket: bool,
) {
    let Ok(mut other) = TcpStream::connect(behind).await else { return };
    let passing = copy_bidirectional(&mut stream, &mut other);
    tokio::select! {
        _ = passing => {}
        _ = is_cut.wait_for(|cut| *cut && is_socket) => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_peers_that_have_them_change_to_websockets_by_themselves() {
    let (a, b) = acquainted(with_sockets).await;
    a.open(&b).await.unwrap();
    a.send(&b, "by http, and the first to want a connection").await.unwrap();
    until("a connection", || a.node().sockets() == (1, 1)).await;
    a.send(&b, "by this b knows whose it is").await.unwrap();
    assert_eq!(b.node().sockets(), (1, 1));
    for number in 0..100 {
        a.send(&b, &number.to_string()).await.unwrap();
        b.send(&a, &number.to_string()).await.unwrap();
    }
    assert_eq!(a.inbox().len(), 100);
    assert_eq!(b.inbox().len(), 102);
    // Not one more: both use the one there is.
    assert_eq!((a.node().sockets(), b.node().sockets()), ((1, 1), (1, 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_have_no_websockets_are_not_asked_for_them() {
    let (a, b) = (TestNode::start("a", with_sockets), TestNode::start("b", |_| ()));
    a.add(&b).await;
    b.add(&a).await;
    a.open(&b).await.unwrap();
    a.send(&b, "one").await.unwrap();
    b.send(&a, "two").await.unwrap();
    assert_eq!((a.node().sockets(), b.node().sockets()), ((0, 0), (0, 0)));
    let request = "/ws";
    assert_eq!(http(b.serving.address(), "GET", request, b"").0, 404);
    assert_eq!(http(a.serving.address(), "GET", request, b"").0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_with_websockets_alone_meet_in_1_0_and_1_1() {
    use entity_peer::config::Protocols;
    for protocols in [Protocols::OnlyV1_0, Protocols::OnlyV1_1] {
        let change = |config: &mut Config| {
            sockets_alone(config);
            config.protocols = protocols;
        };
        let (a, b) = (TestNode::start("a", change), TestNode::start("b", change));
        add_at(&a, &b, ws(&b.serving)).await;
        add_at(&b, &a, ws(&a.serving)).await;
        a.open(&b).await.unwrap();
        a.send(&b, "there").await.unwrap();
        b.send(&a, "and back").await.unwrap();
        assert_eq!((a.inbox(), b.inbox()), (vec!["and back".into()], vec!["there".into()]));
        assert_eq!(http(b.serving.address(), "POST", "/message", b"{}").0, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_a_port_is_reached_over_what_it_dialled() {
    let b = TestNode::start("b", with_sockets);
    let a = TestNode::start_without_port("a", with_sockets);
    add_at(&a, &b, ws(&b.serving)).await;
    add_at(&b, &a, String::new()).await;
    a.open(&b).await.unwrap();
    a.send(&b, "there").await.unwrap();
    b.send(&a, "and back").await.unwrap();
    assert_eq!((a.inbox(), b.inbox()), (vec!["and back".into()], vec!["there".into()]));
    assert_eq!(b.node().sockets(), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_reordered_while_the_connection_is_cut_twenty_times() {
    let (a, b) = (TestNode::start("a", with_sockets), TestNode::start("b", with_sockets));
    let (cut, is_cut) = tokio::sync::watch::channel(false);
    let places = (Place::before(&b, is_cut.clone()).await, Place::before(&a, is_cut).await);
    add_at(&a, &b, places.0.address.clone()).await;
    add_at(&b, &a, places.1.address.clone()).await;
    a.open(&b).await.unwrap();
    let mut number = 0;
    for _ in 0..20 {
        a.send(&b, "wants a connection").await.unwrap();
        until("a connection", || a.node().sockets().1 > 0).await;
        // A connection that is cut before it has carried anything is dialled again ever later.
        a.send(&b, "carried").await.unwrap();
        for _ in 0..20 {
            number += 1;
            send_durable(&a, &b, &number.to_string()).await;
        }
        cut.send(true).unwrap();
        until("no connection", || a.node().sockets().0 == 0).await;
        for _ in 0..20 {
            number += 1;
            send_durable(&a, &b, &number.to_string()).await;
        }
        cut.send(false).unwrap();
    }
    let numbers = || {
        let texts = b.inbox().into_iter();
        texts.filter_map(|text| text.parse::<u32>().ok()).collect::<Vec<_>>()
    };
    until("everything", || numbers().len() >= 800).await;
    assert_eq!(numbers(), (1..=800).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_upgrades_and_closes_at_once_is_dialled_ever_more_seldom() {
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("ws://{}", listener.local_addr().unwrap());
    let (a, b) = (TestNode::start("a", sockets_alone), TestNode::start("b", sockets_alone));
    add_at(&a, &b, at).await;
    let upgrading = async {
        let mut dialled = Vec::new();
        while dialled.len() < 4 {
            let stream = listener.accept().await.unwrap().0;
            dialled.push(tokio::time::Instant::now());
            #[allow(clippy::result_large_err, reason = "the shape that the library wants")]
            let agree = |request: &Request, mut response: Response| {
                let name = "sec-websocket-protocol";
                response.headers_mut().insert(name, request.headers()[name].clone());
                Ok(response)
            };
            drop(tokio_tungstenite::accept_hdr_async(stream, agree).await.unwrap());
        }
        dialled
    };
    let opening = async {
        drop(a.open(&b).await);
        std::future::pending::<()>().await;
    };
    let dialled = tokio::select! {
        dialled = tokio::time::timeout(PATIENCE, upgrading) => dialled.unwrap(),
        () = opening => unreachable!(),
    };
    // The third pause is of 1 s, at least half of it fixed; the first one is of 250 ms.
    assert!(dialled[3] - dialled[2] >= Duration::from_millis(500), "{dialled:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_otherwise_ends_its_connections() {
    let (a, b) = acquainted(with_sockets).await;
    a.open(&b).await.unwrap();
    a.send(&b, "one").await.unwrap();
    until("a connection", || a.node().sockets() == (1, 1)).await;
    let ended = tokio::time::timeout(PATIENCE, a.serving.stop()).await;
    assert!(ended.unwrap().is_ok());
    until("no connection", || b.node().sockets() == (0, 0)).await;
}
