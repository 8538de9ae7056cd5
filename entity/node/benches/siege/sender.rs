//! An identity that the server knows and has a session with, and the requests it makes.

use entity_crypto::signing::SigningKey;
use entity_node::serve::Serving;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command, CommandResult};
use entity_peer::config::{AutoConnect, Protocols};
use entity_peer::view::SessionView;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::v1_0::{Draft, Flavour};
use entity_wire::version::Version;

use crate::processes::{Known, Run};

/// One that sends to the server under a session of its own.
pub(crate) struct Sender {
    name: &'static str,
    key: SigningKey,
    session: String,
    sequence: u64,
    serving: Serving,
}

impl Sender {
    /// Its next message as a request of HTTP, signed. Nonces need only differ, so they count.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let flavour = Flavour::Iso;
        let now = self.serving.node().look(|_, now| now);
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.sequence.to_be_bytes());
        let draft = Draft {
            flavour,
            version: Version::V1_0,
            kind: MessageKind::Message,
            sender: self.name.to_owned(),
            recipient: Some("server".to_owned()),
            session: Some(self.session.clone()),
            sequence: Some(self.sequence),
            stamp: flavour.stamp(now),
            nonce: flavour.nonce(&nonce),
            payload: Object::new().with("text", "x".repeat(256)),
        };
        self.sequence += 1;
        let body = draft.sign(&self.key);
        let mut request = format!(
            "POST /message HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        request
    }
}

/// The server and two that have a session with it.
pub(crate) async fn start(names: [&'static str; 2]) -> (Run, [Sender; 2]) {
    let starting = names.map(|name| {
        let mut config = Config::new(name.parse().unwrap());
        config.protocols = Protocols::OnlyV1_0;
        config.auto_connect = AutoConnect::OnCommand;
        let seed = [name.as_bytes()[0]; 32];
        let listen = "127.0.0.1:0".parse().unwrap();
        let serving =
            Serving::start(config, SigningKey::from_seed(seed), [seed[0] + 1; 32], listen).unwrap();
        (name, seed, serving)
    });
    let known = starting.each_ref().map(|(name, seed, serving)| Known {
        name: (*name).to_owned(),
        address: serving.http_address().to_owned(),
        key: SigningKey::from_seed(*seed).public_key(),
    });
    let run = Run::start("server", &known);
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
