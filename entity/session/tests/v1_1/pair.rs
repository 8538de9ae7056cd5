//! Two nodes that exchange bodies in memory. Time stands still unless a test moves it.

use std::collections::BTreeMap;
use std::time::Duration;

use entity_crypto::entropy::Entropy;
use entity_crypto::identity::PeerId;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_journal::{Journal as _, MemoryJournal};
use entity_session::v1_1::author::{Author, Outbound};
use entity_session::v1_1::numbers::Class;
use entity_session::v1_1::record::Kept;
use entity_session::v1_1::refusal::Refusal;
use entity_session::v1_1::session::{Content, Delivery, Sent};
use entity_session::v1_1::sessions::{Config, Received, Sessions, Standing};
use entity_wire::code::ErrorCode;
use entity_wire::decode::{DecodeRules, Decoded, decode};
use entity_wire::id::{MessageId, Nonce, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::time::Timestamp;
use entity_wire::v1_1::{Draft, Envelope, Unverified};

/// Why a body was not accepted.
#[derive(Debug, PartialEq)]
pub(crate) enum NotAccepted {
    /// It is no message of 1.1, or no signature holds.
    Unverified,
    /// It was verified and refused.
    Refused(Refusal),
}

impl NotAccepted {
    /// The code the sender is told; `None` where it did not get as far as a session.
    pub(crate) fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Unverified => None,
            Self::Refused(refusal) => Some(refusal.code()),
        }
    }
}

pub(crate) struct Node {
    pub(crate) id: PeerId,
    pub(crate) key: SigningKey,
    pub(crate) entropy: Entropy,
    pub(crate) sessions: Sessions,
    pub(crate) pinned: BTreeMap<PeerId, PublicKey>,
    pub(crate) now: Timestamp,
    /// How far this node's clock is ahead, in microseconds.
    pub(crate) clock_offset: i64,
    pub(crate) config: Config,
    /// What this node has kept.
    pub(crate) journal: MemoryJournal,
    /// The numbers of durable messages that it will send again.
    pub(crate) kept: Kept,
    runs: u8,
}

impl Node {
    pub(crate) fn new(name: &str, seed: u8, config: Config) -> Self {
        Self {
            id: name.parse().unwrap(),
            key: SigningKey::from_seed([seed; 32]),
            entropy: Entropy::from_seed([seed.wrapping_add(100); 32]),
            sessions: Sessions::new(config.clone()),
            pinned: BTreeMap::new(),
            now: start(),
            clock_offset: 0,
            config,
            journal: MemoryJournal::default(),
            kept: Kept::new(),
            runs: 0,
        }
    }

    /// Loses everything that is not kept, and starts again.
    pub(crate) fn restart(&mut self) {
        self.runs += 1;
        self.entropy = Entropy::from_seed([self.entropy.bytes::<1>()[0] ^ self.runs; 32]);
        let mut stored = self.journal.load().unwrap();
        let restored =
            Sessions::restore(self.config.clone(), &mut stored, &self.kept, self.now).unwrap();
        assert_eq!(stored.left().count(), 0);
        self.sessions = restored;
        self.keep();
    }

    /// Keeps what the sessions want kept.
    fn keep(&mut self) {
        let writes = self.sessions.take_writes();
        if !writes.is_empty() {
            self.journal.commit(&[writes.into()]).unwrap();
        }
    }

    /// Proposes to resume the session with `peer`.
    pub(crate) fn resume(&mut self, peer: &PeerId) -> Outbound {
        let session = self.sessions.current(peer).unwrap();
        self.with(|sessions, author| sessions.resume(session, author)).unwrap()
    }

    /// Sends a durable message.
    pub(crate) fn send_durable(&mut self, peer: &PeerId, id: MessageId, text: &str) -> Sent {
        let body = Object::new().with("text", text);
        let class = Class::Durable(id);
        self.with(|sessions, author| sessions.send(peer, MessageKind::Message, body, class, author))
            .unwrap()
    }

    /// Runs `act` with this node's sessions and itself as the author.
    pub(crate) fn with<T>(&mut self, act: impl FnOnce(&mut Sessions, &mut Author<'_>) -> T) -> T {
        let mut author = Author {
            id: &self.id,
            key: &self.key,
            entropy: &mut self.entropy,
            now: self.now,
            wall: self.now.offset(self.clock_offset),
        };
        let result = act(&mut self.sessions, &mut author);
        self.keep();
        result
    }

    pub(crate) fn open(&mut self, peer: &PeerId) -> Outbound {
        let pinned = self.pinned.get(peer).copied();
        self.with(|sessions, author| sessions.open(peer, pinned, author)).unwrap().1
    }

    pub(crate) fn send(&mut self, peer: &PeerId, text: &str) -> Sent {
        let body = Object::new().with("text", text);
        self.with(|sessions, author| {
            sessions.send(peer, MessageKind::Message, body, Class::Volatile, author)
        })
        .unwrap()
    }

    pub(crate) fn attend(&mut self) -> Vec<Sent> {
        self.with(Sessions::attend)
    }

    /// Takes a body as it comes from the network: steps 1 to 7 here, the rest in the sessions.
    pub(crate) fn receive(&mut self, body: &[u8]) -> Result<Received, NotAccepted> {
        let unverified = parse(body).ok_or(NotAccepted::Unverified)?;
        if unverified.header().recipient != self.id {
            return Err(NotAccepted::Unverified);
        }
        let (key, standing) = self.key_for(&unverified).ok_or(NotAccepted::Unverified)?;
        let message = unverified.verify(&key).map_err(|_| NotAccepted::Unverified)?;
        self.with(|sessions, author| sessions.receive(&message, standing, author))
            .map_err(NotAccepted::Refused)
    }

    fn key_for(&self, message: &Unverified) -> Option<(PublicKey, Standing)> {
        let header = message.header();
        if let Some(&key) = self.pinned.get(&header.sender) {
            return Some((key, Standing::Pinned));
        }
        let own = || PublicKey::from_hex(message.payload().get("identity_key")?.as_str()?).ok();
        let brings_key = header.kind == MessageKind::HandshakeInit
            || self.sessions.awaits_init_ack(header.session, &header.sender);
        let key = if brings_key {
            own()
        } else {
            self.sessions.handshake_key(header.session, &header.sender)
        };
        Some((key?, Standing::FirstUse))
    }
}

/// The time of day that is stamped on the golden handshake: 2027-01-15T08:00:00Z.
pub(crate) fn start() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

pub(crate) struct Pair {
    pub(crate) alice: Node,
    pub(crate) bob: Node,
}

impl Pair {
    /// Two nodes that have pinned each other's keys.
    pub(crate) fn pinned() -> Self {
        Self::with_config(Config::default())
    }

    pub(crate) fn with_config(config: Config) -> Self {
        let mut pair = Self::strangers(config);
        pair.alice.pinned.insert(pair.bob.id.clone(), pair.bob.key.public_key());
        pair.bob.pinned.insert(pair.alice.id.clone(), pair.alice.key.public_key());
        pair
    }

    /// Two nodes that know nothing of each other.
    pub(crate) fn strangers(config: Config) -> Self {
        Self { alice: Node::new("alice", 1, config.clone()), bob: Node::new("bob", 2, config) }
    }

    pub(crate) fn advance(&mut self, span: Duration) {
        self.alice.now = self.alice.now.plus(span);
        self.bob.now = self.bob.now.plus(span);
    }

    /// The key that signs a step, counted from 1, and the node that receives it.
    pub(crate) fn sides(&mut self, step: usize) -> (&SigningKey, &mut Node) {
        if step.is_multiple_of(2) {
            (&self.bob.key, &mut self.alice)
        } else {
            (&self.alice.key, &mut self.bob)
        }
    }

    /// Runs a whole handshake from alice to bob; returns all six steps.
    pub(crate) fn handshake(&mut self) -> [Outbound; 6] {
        let mut steps = vec![self.alice.open(&self.bob.id.clone())];
        for step in 1..6_usize {
            let receiver = self.sides(step).1;
            let received = receiver.receive(&steps[step - 1].body).unwrap();
            steps.push(answer_of(received).expect("every step but the last is answered"));
        }
        let last = self.alice.receive(&steps[5].body).unwrap();
        assert!(matches!(last, Received::Ready(_)), "{last:?}");
        steps.try_into().unwrap()
    }

    /// Runs a handshake and returns the id of the session.
    pub(crate) fn connect(&mut self) -> SessionId {
        self.handshake()[0].session
    }

    /// Runs a handshake up to the point where `steps` messages have been delivered; returns the next one.
    pub(crate) fn half_open(&mut self, steps: usize) -> Outbound {
        let mut next = self.alice.open(&self.bob.id.clone());
        for step in 0..steps {
            let receiver = self.sides(step + 1).1;
            next = answer_of(receiver.receive(&next.body).unwrap()).unwrap();
        }
        next
    }
}

/// What has to be delivered after a message was received.
pub(crate) fn answer_of(received: Received) -> Option<Outbound> {
    match received {
        Received::Repeat(answer) => answer,
        Received::Advanced(answer) | Received::Resuming(answer) => Some(answer),
        Received::Ready(readied) => readied.answer,
        Received::Deliver(_) | Received::Closed | Received::Resumed => None,
    }
}

/// The texts of the messages that were delivered.
pub(crate) fn texts_of(received: Received) -> Vec<String> {
    let Received::Deliver(deliveries) = received else { panic!("{received:?}") };
    let text = |body: &Object| body.get("text").and_then(|text| text.as_str()).unwrap().to_owned();
    deliveries.iter().map(|delivery| text(body_of(delivery))).collect()
}

pub(crate) fn body_of(delivery: &Delivery) -> &Object {
    match &delivery.content {
        Content::Body(body) => body,
        Content::Chunk(_) => panic!("{delivery:?}"),
    }
}

pub(crate) fn parse(body: &[u8]) -> Option<Unverified> {
    match decode(&DecodeRules::V1_1, body) {
        Ok(Decoded::V1_1(unverified)) => Some(unverified),
        Ok(Decoded::V1_0(_) | Decoded::Unsupported(_)) | Err(_) => None,
    }
}

pub(crate) fn verified(body: &[u8], key: &PublicKey) -> Envelope {
    parse(body).unwrap().verify(key).unwrap()
}

/// Changes a message the way its own sender could: changes it, takes a fresh nonce, and signs anew.
pub(crate) fn resigned(
    body: &[u8],
    signer: &SigningKey,
    change: impl FnOnce(&mut Draft),
) -> Vec<u8> {
    let unverified = parse(body).unwrap();
    let mut draft =
        Draft { header: unverified.header().clone(), payload: unverified.payload().clone() };
    draft.header.nonce = Nonce::from_bytes([0xee; 16]);
    change(&mut draft);
    draft.sign(signer).body
}
