use std::time::Duration;

use handfast_faults::{Action, Lifetime, Rule, Selector};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::{accept_async, client_async};

use super::*;
use crate::clock::Clock;
use crate::evidence::{Evidence, Fact};
use crate::tap::{Loopback, Tap, TapConfig};

const LONG: Duration = Duration::from_secs(20);

/// A tap between `a`, which a test plays, and `b`, which sends everything back.
struct Line {
    tap: Tap,
    evidence: Evidence,
    _b: JoinHandle<()>,
}

impl Line {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let behind = listener.local_addr().unwrap();
        let b = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let Ok(mut socket) = accept_async(stream).await else { return };
                    while let Some(Ok(message)) = socket.next().await {
                        if message.is_close() || socket.send(message).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        let evidence = Evidence::new(Clock::start());
        let roles = ["a", "b"].map(str::to_owned);
        let ground = Arc::new(Loopback);
        let tap = Tap::open(&roles, TapConfig::default(), evidence.clone(), ground).await.unwrap();
        tap.set_upstream("b", behind).unwrap();
        Self { tap, evidence, _b: b }
    }

    fn link() -> Link {
        Link::new("a", "b")
    }

    async fn dial(&self) -> Result<WebSocketStream<TcpStream>, Error> {
        let address = self.tap.address(&Self::link()).unwrap();
        let address = address.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let request = format!("ws://{address}/ws").into_client_request().unwrap();
        let dialling = client_async(request, stream);
        tokio::time::timeout(LONG, dialling).await.unwrap().map(|(socket, _)| socket)
    }

    fn lay(&self, lifetime: Lifetime, kind: &str, action: Action) {
        let selector = Selector::on(&Self::link()).kind(kind);
        self.tap.lay(Rule::new(selector, lifetime, action).unwrap()).unwrap();
    }

    /// What was recorded: link, number, type, body, fate.
    async fn record(self) -> Vec<Exchange> {
        let mut reader = self.evidence.reader();
        self.tap.close().await;
        self.evidence.close();
        let mut all = Vec::new();
        while let Some(observation) = reader.next().await {
            if let Fact::Exchange(exchange) = &observation.fact {
                all.push(exchange.as_ref().clone());
            }
        }
        all
    }
}

fn text(kind: &str) -> Message {
    Message::Text(format!(r#"{{"msg_type":"{kind}"}}"#).into())
}

type Socket = WebSocketStream<TcpStream>;

async fn back(socket: &mut Socket) -> Option<Message> {
    match tokio::time::timeout(LONG, socket.next()).await.unwrap() {
        Some(Ok(Message::Close(_)) | Err(_)) | None => None,
        Some(Ok(message)) => Some(message),
    }
}

#[tokio::test]
async fn both_directions_are_recorded_message_by_message() {
    let line = Line::open().await;
    let mut socket = line.dial().await.unwrap();
    let binary = Message::Binary(vec![0x11, 0xff, 0].into());
    for message in [text("hello"), binary] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(back(&mut socket).await, Some(message));
    }
    let seen = line.record().await;
    let shown: Vec<_> = seen
        .iter()
        .map(|exchange| (exchange.link.to_string(), exchange.index, exchange.kind.as_deref()))
        .collect();
    let (there, again) = (Line::link().to_string(), Link::new("b", "a").to_string());
    let expected = [
        (there.clone(), Some(1), Some(UPGRADE)),
        (there.clone(), Some(2), Some("hello")),
        (again.clone(), Some(1), Some("hello")),
        (there, None, None),
        (again, None, None),
    ];
    assert_eq!(shown, expected);
    assert!(seen.iter().all(|exchange| exchange.fate == Fate::Passed));
    assert_eq!(seen[3].request.kept().as_ref(), [0x11, 0xff, 0]);
    assert_eq!(seen[0].returned.as_ref().map(|answer| answer.status), Some(101));
    assert!(seen[1].is_of_socket() && !seen[0].is_of_socket());
}

#[tokio::test]
async fn a_rule_for_connections_breaks_those_that_are_open_and_lets_none_be_made_until_it_is_lifted()
 {
    let line = Line::open().await;
    let mut socket = line.dial().await.unwrap();
    socket.send(text("hello")).await.unwrap();
    assert!(back(&mut socket).await.is_some());
    line.lay(Lifetime::Standing, UPGRADE, Action::Cut);
    assert_eq!(back(&mut socket).await, None);
    assert!(line.dial().await.is_err());
    line.tap.lift_all();
    let mut socket = line.dial().await.unwrap();
    socket.send(text("again")).await.unwrap();
    assert_eq!(back(&mut socket).await, Some(text("again")));
    assert!(line.tap.reports()[0].effects_total >= 2);
    let seen = line.record().await;
    let cut = seen.iter().filter(|exchange| exchange.fate == Fate::Cut(Direction::Request));
    assert_eq!(cut.count(), 1, "the attempt while the rule was there");
}

#[tokio::test]
async fn a_message_that_is_dropped_ends_its_connection() {
    for (action, fate) in [
        (Action::Drop, Fate::Dropped(Direction::Request)),
        (Action::Cut, Fate::Cut(Direction::Request)),
    ] {
        let line = Line::open().await;
        line.lay(Lifetime::Once, "lost", action);
        let mut socket = line.dial().await.unwrap();
        socket.send(text("kept")).await.unwrap();
        assert_eq!(back(&mut socket).await, Some(text("kept")));
        socket.send(text("lost")).await.unwrap();
        assert_eq!(back(&mut socket).await, None);
        let seen = line.record().await;
        assert_eq!(seen.last().map(|exchange| exchange.fate.clone()), Some(fate));
        assert_eq!(seen.last().and_then(|exchange| exchange.delivered.clone()), None);
    }
}

#[tokio::test]
async fn a_message_that_is_held_arrives_when_it_is_released() {
    let line = Line::open().await;
    line.lay(Lifetime::Once, "held", Action::Hold);
    let mut socket = line.dial().await.unwrap();
    socket.send(text("held")).await.unwrap();
    while line.tap.release_all() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(back(&mut socket).await, Some(text("held")));
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_recorded_as_that() {
    let line = Line::open().await;
    let nowhere = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    line.tap.set_upstream("b", nowhere).unwrap();
    assert!(line.dial().await.is_err());
    let seen = line.record().await;
    assert!(matches!(seen[0].fate, Fate::Unreachable { .. }), "{:?}", seen[0].fate);
}
