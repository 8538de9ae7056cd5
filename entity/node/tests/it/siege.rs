//! An honest peer beside those who are slow, silent, or in a hurry. What share of its throughput it keeps is measured elsewhere
//! (`cargo bench -p entity-node --bench siege`); here it is counted how many answers others get while it gets its own, within
//! one run, so that it does not matter how fast the machine is.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use entity_crypto::signing::SigningKey;
use entity_peer::command::CommandResult;
use entity_peer::config::Protocols;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::v1_0::{Draft, Flavour};
use entity_wire::version::Version;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;

use crate::support::{PATIENCE, TestNode};

/// A quarter says nothing, and a quarter each half a head, half a body, and half an upgrade to a WebSocket. As many as leave this process
/// its other descriptors where a process has 1,024.
const HELD: usize = 360;

/// Connections of a flood.
const FLOODS: usize = 16;

/// Answers that the honest peer waits for, one after the other.
const ANSWERS: usize = 60;
/// Of them judged together.
const STRETCH: usize = 6;

/// A connection from another address of this machine: 127.0.0.`last`.
async fn connect(to: SocketAddr, last: u8) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

async fn hold(to: SocketAddr) -> Vec<tokio::net::TcpStream> {
    const SAID: [&[u8]; 4] = [
        b"",
        b"POST /message HTTP/1.1\r\nhost",
        b"POST /message HTTP/1.1\r\nhost: x\r\ncontent-length: 60000\r\n\r\n{\"half\": ",
        b"GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nsec-websocket-",
    ];
    let mut held = Vec::new();
    for index in 0..HELD {
        let mut stream = connect(to, 2).await;
        stream.write_all(SAID[index % SAID.len()]).await.unwrap();
        held.push(stream);
    }
    held
}

/// Sends `request` over and over on several connections of one host, without waiting for answers, and counts those. Runs in a
/// thread of its own until it is dropped.
struct Flood {
    answers: Arc<AtomicUsize>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Flood {
    /// Returns once it has had some answers on each connection.
    fn start(to: SocketAddr, host: u8, requests: Vec<Vec<u8>>) -> Self {
        let answers = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let counted = Arc::clone(&answers);
        std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connections = JoinSet::new();
                for part in requests.chunks(requests.len().div_ceil(FLOODS)) {
                    let (part, counted) = (part.concat(), Arc::clone(&counted));
                    connections.spawn(async move {
                        flood(connect(to, host).await, &part, &counted).await;
                    });
                }
                drop(stopped.await);
            });
        });
        while answers.load(Ordering::Relaxed) < FLOODS {
            std::thread::yield_now();
        }
        Self { answers, _stop: stop }
    }

    fn answers(&self) -> usize {
        self.answers.load(Ordering::Relaxed)
    }
}

async fn flood(stream: tokio::net::TcpStream, part: &[u8], answers: &AtomicUsize) {
    let (mut reader, mut writer) = stream.into_split();
    let reading = async {
        let mut received = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = reader.read(&mut received).await {
            // An answer cut in two between reads is not counted.
            let heads = received[..read].windows(9).filter(|bytes| bytes == b"HTTP/1.1 ");
            answers.fetch_add(heads.count(), Ordering::Relaxed);
        }
    };
    let writing = async { while writer.write_all(part).await.is_ok() {} };
    tokio::select! {
        () = reading => {}
        () = writing => {}
    }
}

/// Sends each request after the answer to the one before, and expects 200.
fn honest(to: SocketAddr, requests: &[Vec<u8>]) {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for request in requests {
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        while !is_whole(&answer) {
            let mut piece = [0; 4_096];
            let read = stream.read(&mut piece).unwrap();
            assert!(read > 0, "an honest peer was sent away");
            answer.extend_from_slice(&piece[..read]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    body.len() >= length.parse().unwrap()
}

fn question() -> Vec<u8> {
    b"GET /stats HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()
}

/// Messages of 1.0 in the session that a node has with `b`, from number `first`, each a request.
fn messages(from: &TestNode, session: &str, first: u64, count: usize) -> Vec<Vec<u8>> {
    let key = SigningKey::from_seed([from.name.as_bytes()[0]; 32]);
    let flavour = Flavour::Iso;
    let now = from.node().look(|_, now| now);
    let message = |sequence: u64| {
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&sequence.to_be_bytes());
        let draft = Draft {
            flavour,
            version: Version::V1_0,
            kind: MessageKind::Message,
            sender: from.name.to_owned(),
            recipient: Some("b".to_owned()),
            session: Some(session.to_owned()),
            sequence: Some(sequence),
            stamp: flavour.stamp(now),
            nonce: flavour.nonce(&nonce),
            payload: Object::new().with("text", "x".repeat(256)),
        };
        let body = draft.sign(&key);
        let head =
            format!("POST /message HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        [head.as_bytes(), &body].concat()
    };
    (first..).take(count).map(message).collect()
}

async fn session(from: &TestNode, to: &TestNode) -> String {
    match from.open(to).await {
        Ok(CommandResult::Session(session)) => session.id.to_string(),
        other => unreachable!("{other:?}"),
    }
}

/// How many answers the flood gets for each of the honest peer's where nothing else is in its way: the lower quartile over stretches of
/// [`STRETCH`] answers, because what the flood gets while the honest peer is not given a processor is no fault of the node's. Equal parts are one, as far as
/// the pieces of work are alike, and what is under way when the honest peer asks; first come, first served is [`FLOODS`] at least, and
/// with what each connection has sent ahead many times that.
fn beside(flood: &Flood, to: SocketAddr, requests: &[Vec<u8>]) -> usize {
    let mut ratios: Vec<usize> = requests
        .chunks(STRETCH)
        .map(|requests| {
            let before = flood.answers();
            honest(to, requests);
            (flood.answers() - before) / requests.len()
        })
        .collect();
    ratios.sort_unstable();
    ratios[ratios.len() / 4]
}

/// Above what equal parts and a machine with other work make of it, and below first come, first served.
const AT_MOST: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_questions_of_one_host_does_not_starve_another() {
    let b = TestNode::start("b", |_| {});
    let to = b.serving.address();
    let ratio = tokio::task::spawn_blocking(move || {
        let flood = Flood::start(to, 2, vec![question(); FLOODS * 64]);
        beside(&flood, to, &vec![question(); ANSWERS])
    });
    let ratio = ratio.await.unwrap();
    assert!(ratio <= AT_MOST, "{ratio} answers of the flood for one of the honest peer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_one_identity_does_not_starve_another_on_the_same_host() {
    let [a, b, flooder] = ["a", "b", "flooder"]
        .map(|name| TestNode::start(name, |config| config.protocols = Protocols::OnlyV1_0));
    for other in [&a, &flooder] {
        b.add(other).await;
        other.add(&b).await;
    }
    let (of_a, of_flooder) = (session(&a, &b).await, session(&flooder, &b).await);
    let to = b.serving.address();
    // The first numbers of a session after its handshake (docs/protocol/1.0.md#handshake-behaviour).
    let requests = messages(&a, &of_a, 2, ANSWERS + 1);
    let flooding = messages(&flooder, &of_flooder, 2, FLOODS * 20);
    let ratio = tokio::task::spawn_blocking(move || {
        let flood = Flood::start(to, 1, flooding);
        beside(&flood, to, &requests)
    });
    let ratio = ratio.await.unwrap();
    assert!(ratio <= AT_MOST, "{ratio} answers of the flood for one of the honest peer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_peer_loses_nothing_beside_the_slow_and_a_flood() {
    let [a, b, flooder] = ["a", "b", "flooder"].map(|name| TestNode::start(name, |_| {}));
    for other in [&a, &flooder] {
        b.add(other).await;
        other.add(&b).await;
        other.open(&b).await.unwrap();
    }
    let mut held = hold(b.serving.address()).await;
    let (flooder, b) = (Arc::new(flooder), Arc::new(b));
    let mut floods = JoinSet::new();
    for _ in 0..FLOODS {
        let (flooder, b) = (Arc::clone(&flooder), Arc::clone(&b));
        floods.spawn(async move {
            loop {
                drop(flooder.send(&b, "flood").await);
            }
        });
    }
    for number in 0..ANSWERS {
        let sent = a.send(&b, &number.to_string()).await;
        assert!(matches!(sent, Ok(CommandResult::Sent(_))), "{number}: {sent:?}");
    }
    floods.shutdown().await;
    // They are held, each of them: nothing has come back, neither an answer nor an end.
    for stream in &mut held {
        let error = stream.try_read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    }
}
