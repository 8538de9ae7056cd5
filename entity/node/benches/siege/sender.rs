//! An identity that the server knows and has a session with, and the requests it makes.

use entity_crypto::signing::SigningKey;
use entity_node::serve::Serving;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command, CommandResult};
use entity_peer::config::{AutoConnect, Protocols};
use entity_peer::view::SessionView;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::v1_0::{Draft, Flavour};
use entity_wire::version::Version;

use crate::processes::{Known, Run, on_core};

/// One that sends to the server under a session of its own.
pub(crate) struct Sender {
    name: &'static str,
    key: SigningKey,
    session: String,
    sequence: u64,
    serving: Serving,
}

impl Sender {
    /// Its next message as a request of HTTP, signed.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        post(&self.envelope())
    }

    /// Its next message, signed. Nonces need only differ, so they count.
    pub(crate) fn envelope(&mut self) -> Vec<u8> {
        let now = self.serving.node().look(|_, now| now);
        let mut draft = draft(self.name, self.sequence, now);
        draft.session = Some(self.session.clone());
        draft.payload = Object::new().with("text", "x".repeat(256));
        self.sequence += 1;
        draft.sign(&self.key)
    }

    /// The first messages of so many handshakes of [`SHAKER`], as requests of HTTP, signed.
    pub(crate) fn handshakes(&self, count: u32) -> Vec<Vec<u8>> {
        let key = key_of(SHAKER);
        let now = self.serving.node().look(|_, now| now);
        let handshake = |number: u32| {
            let session = format!("00000000-0000-4000-8000-0000{number:08x}");
            let mut draft = draft(SHAKER, 1, now);
            draft.nonce = Flavour::Iso
                .nonce(&[&number.to_be_bytes()[..], &[7; 12]].concat().try_into().unwrap());
            draft.kind = MessageKind::Handshake;
            draft.payload = Object::new()
                .with("version", "1.0")
                .with("session_id", session.clone())
                .with("challenge", format!("{number:064x}"))
                .with("public_key", key.public_key().to_string())
                .with("e2e_enabled", false);
            draft.session = Some(session);
            post(&draft.sign(&key))
        };
        (0..count).map(handshake).collect()
    }
}

/// One that the server knows, and that opens sessions and never goes on with them.
pub(crate) const SHAKER: &str = "shaker";

fn draft(name: &str, sequence: u64, now: Timestamp) -> Draft {
    let flavour = Flavour::Iso;
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&sequence.to_be_bytes());
    Draft {
        flavour,
        version: Version::V1_0,
        kind: MessageKind::Message,
        sender: name.to_owned(),
        recipient: Some("server".to_owned()),
        session: None,
        sequence: Some(sequence),
        stamp: flavour.stamp(now),
        nonce: flavour.nonce(&nonce),
        payload: Object::new(),
    }
}

/// A request to take a message.
pub(crate) fn post(body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST /message HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// A text message over a WebSocket, masked with zeros.
pub(crate) fn text(body: &[u8]) -> Vec<u8> {
    let mut message = vec![0x81, 0xfe];
    message.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(body);
    message
}

fn key_of(name: &str) -> SigningKey {
    SigningKey::from_seed([name.as_bytes()[0]; 32])
}

const SETTINGS: &str = "protocol = '1.0'\nwebsocket = true\n";

/// What one identity may send in a second does not decide here: the limit is far above what it can.
const RATES: &str = "[rate_limits.other]\nburst = 100000000\nper_second = 100000000\n[rate_limits.message]\nburst = 100000000\nper_second = 100000000\n";

/// The server and two that have a session with it.
pub(crate) async fn start(names: [&'static str; 2]) -> (Run, [Sender; 2]) {
    let starting = names.map(|name| {
        let mut config = Config::new(name.parse().unwrap());
        config.protocols = Protocols::OnlyV1_0;
        config.auto_connect = AutoConnect::OnCommand;
        config.websocket = false;
        let seed = [name.as_bytes()[0]; 32];
        let listen = "127.0.0.1:0".parse().unwrap();
        let serving =
            Serving::start(config, SigningKey::from_seed(seed), [seed[0] + 1; 32], listen).unwrap();
        (name, seed, serving)
    });
    let known = starting.iter().map(|(name, seed, serving)| Known {
        name: (*name).to_owned(),
        address: serving.http_address().to_owned(),
        key: SigningKey::from_seed(*seed).public_key(),
    });
    // Nobody listens there.
    let address = "http://127.0.0.1:9".to_owned();
    let shaker = Known { name: SHAKER.to_owned(), address, key: key_of(SHAKER).public_key() };
    let known: Vec<_> = known.chain([shaker]).collect();
    let run = on_core(0, || Run::start_with("server", &known, SETTINGS, RATES));
    let mut senders = Vec::new();
    for (name, seed, serving) in starting {
        let add = AddPeer {
            name: "server".parse().unwrap(),
            address: format!("http://{}", run.address),
            key: Some(run.key),
            connect: None,
        };
        serving.node().command(Command::AddPeer(add)).await.unwrap();
        let session = opened(&serving).await;
        let key = SigningKey::from_seed(seed);
        // The first number after a handshake is 2 (docs/protocol/1.0.md#handshake-behaviour).
        senders.push(Sender { name, key, session: session.id.to_string(), sequence: 2, serving });
    }
    (run, senders.try_into().ok().unwrap())
}

/// The session of a peer with the server, which may listen a moment before it knows whom it is configured to know.
async fn opened(serving: &Serving) -> SessionView {
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        let open = Command::OpenSession { to: "server".parse().unwrap() };
        if let Ok(CommandResult::Session(session)) = serving.node().command(open).await {
            return session;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the server opens no session")
}
