//! Many requests over 16 kept connections to a server in a process of its own.

use std::net::SocketAddr;

use entity_crypto::signing::SigningKey;
use entity_node::serve::Serving;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command, CommandResult};
use entity_peer::config::{AutoConnect, Protocols};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::v1_0::{Draft, Flavour};
use entity_wire::version::Version;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::Instant;

use crate::processes::{Known, Process, Run};
use crate::trivial::{self, REQUEST_LEN};

const CONNECTIONS: usize = 16;

/// Makes the requests of one connection, one after the other.
type Requests = Box<dyn FnMut() -> Vec<u8> + Send>;

/// Two servers under load: one with a handler that does nothing, and a hardened 1.0 peer with 16 senders, each with a session
/// and a connection of its own.
pub(crate) struct Loads {
    runtime: Runtime,
    trivial: (Process, SocketAddr),
    server: Run,
    senders: Vec<Sender>,
    exchanges: usize,
}

impl Loads {
    /// Starts both servers and warms them up; a round has `exchanges` exchanges.
    pub(crate) fn start(exchanges: usize) -> Self {
        let runtime = Runtime::new().unwrap();
        let (server, senders) = runtime.block_on(async { senders().await });
        let mut loads = Self { runtime, trivial: trivial::start(), server, senders, exchanges };
        loads.http_only();
        loads.signed_before();
        loads
    }

    /// Processor microseconds that both servers have spent so far: the trivial one, the peer.
    pub(crate) fn processor_us(&self) -> (f64, f64) {
        (self.trivial.0.processor_us(), self.server.process.processor_us())
    }

    /// Exchanges a second with a handler that does nothing.
    pub(crate) fn http_only(&self) -> f64 {
        let request = request(&[b'x'; REQUEST_LEN]);
        let connection = |_| -> Requests {
            let request = request.clone();
            Box::new(move || request.clone())
        };
        self.round(self.trivial.1, (0..CONNECTIONS).map(connection).collect())
    }

    /// Messages a second that were signed before the clock ran.
    pub(crate) fn signed_before(&mut self) -> f64 {
        let each = self.exchanges / CONNECTIONS;
        let requests = self.senders.iter_mut().map(|sender| sender.signed_before(each)).collect();
        self.round(self.server.address, requests)
    }

    /// Messages a second that the load generator signed on the same cores as it went.
    pub(crate) fn signed_as_sent(&mut self) -> f64 {
        let each = self.exchanges / CONNECTIONS;
        let requests = self.senders.iter_mut().map(|sender| sender.signed_as_sent(each)).collect();
        self.round(self.server.address, requests)
    }

    /// Exchanges of a round.
    pub(crate) fn exchanges(&self) -> usize {
        self.exchanges / CONNECTIONS * CONNECTIONS
    }

    /// Resident memory of the peer in MiB.
    pub(crate) fn memory_mib(&self) -> f64 {
        self.server.process.resident_mib()
    }

    fn round(&self, address: SocketAddr, connections: Vec<Requests>) -> f64 {
        self.runtime.block_on(round(address, connections, self.exchanges))
    }
}

/// One round: `exchanges` exchanges, evenly over the connections; returns exchanges a second.
async fn round(address: SocketAddr, connections: Vec<Requests>, exchanges: usize) -> f64 {
    let each = exchanges / connections.len();
    let mut streams = Vec::new();
    for requests in connections {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push((stream, requests));
    }
    let start = Instant::now();
    let total = each * streams.len();
    let running: Vec<_> = streams
        .into_iter()
        .map(|(stream, requests)| tokio::spawn(exchange(stream, requests, each)))
        .collect();
    for connection in running {
        connection.await.unwrap();
    }
    total as f64 / start.elapsed().as_secs_f64()
}

async fn exchange(mut stream: TcpStream, mut requests: Requests, count: usize) {
    let mut received = vec![0; 4096];
    for _ in 0..count {
        stream.write_all(&requests()).await.unwrap();
        let mut length = 0;
        loop {
            let read = stream.read(&mut received[length..]).await.unwrap();
            length += read;
            if is_whole(&received[..length]) {
                break;
            }
            assert!(read > 0, "the server closed the connection");
        }
        let answer = &received[..length];
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(answer));
    }
}

/// Whether an answer with a content length is complete.
fn is_whole(answer: &[u8]) -> bool {
    const LENGTH: &[u8] = b"content-length: ";
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return false };
    let head = &answer[..end];
    let at = head.windows(LENGTH.len()).position(|bytes| bytes == LENGTH).unwrap() + LENGTH.len();
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
    answer.len() >= end + 4 + length
}

fn request(body: &[u8]) -> Vec<u8> {
    let mut request =
        format!("POST /message HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len())
            .into_bytes();
    request.extend_from_slice(body);
    request
}

/// One that sends to the server under a session of its own.
struct Sender {
    name: String,
    key: SigningKey,
    seed: [u8; 32],
    session: String,
    sequence: u64,
    serving: Serving,
}

impl Sender {
    fn next(&mut self) -> Vec<u8> {
        let now = self.serving.node().look(|_, now| now);
        next_message(&self.name, &self.key, &self.session, &mut self.sequence, now)
    }

    fn signed_before(&mut self, count: usize) -> Requests {
        let mut requests: Vec<_> = (0..count).map(|_| self.next()).collect();
        requests.reverse();
        Box::new(move || requests.pop().unwrap())
    }

    fn signed_as_sent(&mut self, count: usize) -> Requests {
        let (name, key, session) =
            (self.name.clone(), SigningKey::from_seed(self.seed), self.session.clone());
        let mut sequence = self.sequence;
        self.sequence += count as u64;
        let node = self.serving.node().clone();
        Box::new(move || {
            next_message(&name, &key, &session, &mut sequence, node.look(|_, now| now))
        })
    }
}

/// The next message of a sender, signed and put into HTTP. Nonces need only differ, so they count.
fn next_message(
    name: &str,
    key: &SigningKey,
    session: &str,
    sequence: &mut u64,
    now: entity_wire::time::Timestamp,
) -> Vec<u8> {
    let flavour = Flavour::Iso;
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&sequence.to_be_bytes());
    let draft = Draft {
        flavour,
        version: Version::V1_0,
        kind: MessageKind::Message,
        sender: name.to_owned(),
        recipient: Some("server".to_owned()),
        session: Some(session.to_owned()),
        sequence: Some(*sequence),
        stamp: flavour.stamp(now),
        nonce: flavour.nonce(&nonce),
        payload: Object::new().with("text", "x".repeat(256)),
    };
    *sequence += 1;
    request(&draft.sign(key))
}

/// A server that knows 16 senders, and these senders with an open session each.
async fn senders() -> (Run, Vec<Sender>) {
    let mut starting = Vec::new();
    for number in 0..u8::try_from(CONNECTIONS).unwrap() {
        let name = format!("sender-{number}");
        let mut config = Config::new(name.parse().unwrap());
        config.protocols = Protocols::OnlyV1_0;
        config.auto_connect = AutoConnect::OnCommand;
        let seed = [number + 1; 32];
        let (key, randomness) = (SigningKey::from_seed(seed), [number + 101; 32]);
        let serving =
            Serving::start(config, key, randomness, "127.0.0.1:0".parse().unwrap()).unwrap();
        starting.push((name, seed, serving));
    }
    let known = |(name, seed, serving): &(String, [u8; 32], Serving)| Known {
        name: name.clone(),
        address: serving.http_address().to_owned(),
        key: SigningKey::from_seed(*seed).public_key(),
    };
    let server = Run::start("server", &starting.iter().map(known).collect::<Vec<_>>());
    let mut senders = Vec::new();
    for (name, seed, serving) in starting {
        let address = format!("http://{}", server.address);
        let add = AddPeer {
            name: "server".parse().unwrap(),
            address,
            key: Some(server.key),
            connect: None,
        };
        serving.node().command(Command::AddPeer(add)).await.unwrap();
        let opened =
            serving.node().command(Command::OpenSession { to: "server".parse().unwrap() }).await;
        let Ok(CommandResult::Session(session)) = opened else { panic!("{opened:?}") };
        let key = SigningKey::from_seed(seed);
        // The first number after a handshake is 2 (docs/protocol/1.0.md#handshake-behaviour).
        senders.push(Sender {
            name,
            key,
            seed,
            session: session.id.to_string(),
            sequence: 2,
            serving,
        });
    }
    (server, senders)
}
