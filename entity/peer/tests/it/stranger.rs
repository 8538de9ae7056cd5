//! A peer of 1.0 played by hand: it signs whatever a test wants it to say.

use entity_crypto::agreement::{AgreementKey, EphemeralSecret};
use entity_crypto::legacy;
use entity_crypto::sealing::SealingKey;
use entity_crypto::signing::SigningKey;
use entity_peer::output::Request;
use entity_peer::{Command, CommandId, Delivery, Output, Peer, PeerEvent};
use entity_wire::json::{self, Layout, Object, Value};
use entity_wire::kind::MessageKind;
use entity_wire::payload::handshake_1_0::{
    Challenge, Handshake, HandshakeAck, HandshakeConfirm, Sealing,
};
use entity_wire::payload::session_sealing_1_0::SessionSealed;
use entity_wire::reply::Reply;
use entity_wire::time::Timestamp;
use entity_wire::v1_0::{Draft, Flavour};
use entity_wire::version::Version;

use crate::world::name;

/// One 1.0 peer without any rules.
pub(crate) struct Stranger {
    pub(crate) id: String,
    pub(crate) key: SigningKey,
    pub(crate) session: String,
    pub(crate) flavour: Flavour,
    next_nonce: u128,
}

/// What a session with a stranger agreed on.
pub(crate) struct Agreed {
    pub(crate) sealed_id: String,
    pub(crate) sealing_key: SealingKey,
}

impl Stranger {
    pub(crate) fn new(id: &str, key: SigningKey) -> Self {
        let session = "21e44618-86db-46e1-93b2-b1bb5adc77f1".to_owned();
        Self { id: id.to_owned(), key, session, flavour: Flavour::Iso, next_nonce: 1 }
    }

    /// A message that is right in every respect.
    pub(crate) fn draft(
        &mut self,
        kind: MessageKind,
        payload: Object,
        sequence: u64,
        time: Timestamp,
    ) -> Draft {
        self.next_nonce += 1;
        Draft {
            flavour: self.flavour,
            version: Version::V1_0,
            kind,
            sender: self.id.clone(),
            recipient: None,
            session: Some(self.session.clone()),
            sequence: Some(sequence),
            stamp: self.flavour.stamp(time),
            nonce: self.flavour.nonce(&self.next_nonce.to_be_bytes()),
            payload,
        }
    }

    pub(crate) fn sign(&self, draft: &Draft) -> Vec<u8> {
        draft.sign(&self.key)
    }

    /// The bytes of a message that is right in every respect.
    pub(crate) fn status(&mut self, sequence: u64, time: Timestamp) -> Vec<u8> {
        let payload = Object::new().with("a", 1_u64);
        let draft = self.draft(MessageKind::Status, payload, sequence, time);
        self.sign(&draft)
    }

    /// The bytes of a sealed message.
    pub(crate) fn sealed(&mut self, agreed: &Agreed, sequence: u64, time: Timestamp) -> Vec<u8> {
        let nonce = [u8::try_from(sequence % 251).unwrap(); 12];
        let data = agreed.sealing_key.seal(&nonce, &[], br#"{"secret": 1}"#);
        let payload = SessionSealed { session_id: agreed.sealed_id.clone(), data, nonce };
        let draft = self.draft(MessageKind::Status, payload.to_object(), sequence, time);
        self.sign(&draft)
    }

    /// Opens a session with `peer`, which has this stranger in its roster.
    pub(crate) fn shake_hands(&mut self, peer: &mut Peer, now: Timestamp) -> Agreed {
        let own = EphemeralSecret::from_bytes([3; 32]);
        let sealed_id = "0d1cd5c6-0c43-4c0e-8f5c-7ab21d4a6f00".to_owned();
        let offer = Handshake {
            session_id: self.session.clone(),
            challenge: Challenge::from_bytes(&[5; 32]),
            public_key: self.key.public_key(),
            supported_versions: vec!["1.0".to_owned(), "0.3".to_owned()],
            capabilities: Vec::new(),
            sealing: Some(Sealing { session_id: sealed_id, ephemeral_key: own.public_key() }),
        };
        let draft = self.draft(MessageKind::Handshake, offer.to_object(), 1, now);
        let reply = peer.handle_message(&self.sign(&draft), now);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        let ack = accept_all(peer, now).pop().expect("a handshake is acknowledged");
        let ack = HandshakeAck::from_object(&payload_of(&ack)).unwrap();
        assert!(
            offer.challenge.is_answered_by(&ack.challenge_response.unwrap(), &peer.public_key())
        );
        let agreed = ack.sealing.expect("sealing was offered");
        let confirm =
            HandshakeConfirm { session_id: Some(self.session.clone()), timestamp: Some(now) };
        let draft = self.draft(MessageKind::HandshakeConfirm, confirm.to_object(), 2, now);
        let reply = peer.handle_message(&self.sign(&draft), now);
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        drain(peer);
        Agreed { sealed_id: agreed.session_id, sealing_key: agree(&own, &agreed.ephemeral_key) }
    }
}

/// Puts a stranger into the roster of a peer.
pub(crate) fn introduce(peer: &mut Peer, stranger: &Stranger, now: Timestamp) {
    let entry = entity_peer::command::AddPeer {
        name: name(&stranger.id),
        address: "http://stranger".to_owned(),
        key: Some(stranger.key.public_key()),
        connect: Some(false),
    };
    peer.handle_command(CommandId(0), Command::AddPeer(entry), now);
    drain(peer);
}

/// Answers every message that the peer sends with 200, and returns them.
pub(crate) fn accept_all(peer: &mut Peer, now: Timestamp) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while let Some(output) = peer.poll_output() {
        if let Output::Transmit(transmit) = output {
            if let Request::Message(body) = &transmit.request {
                bodies.push(body.to_vec());
            }
            let body = Reply::received("stranger", entity_wire::reply::Verification::Passed).body;
            let answered = Delivery::Answered { status: 200, body: body.into() };
            peer.handle_delivery(transmit.id, answered, now);
        }
    }
    bodies
}

/// Takes all outputs and returns the events.
pub(crate) fn drain(peer: &mut Peer) -> Vec<PeerEvent> {
    let mut events = Vec::new();
    while let Some(output) = peer.poll_output() {
        if let Output::Event(event) = output {
            events.push(event);
        }
    }
    events
}

/// Returns how many messages reached a handler.
pub(crate) fn handled(events: &[PeerEvent]) -> usize {
    events.iter().filter(|event| matches!(event, PeerEvent::MessageReceived(_))).count()
}

pub(crate) fn parse(text: &[u8]) -> Object {
    match json::parse(text, &json::RULES_1_0_COMPAT) {
        Ok(Value::Object(object)) => object,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn bytes_of(object: &Object) -> Vec<u8> {
    json::to_vec(&Value::Object(object.clone()), Layout::Compact)
}

pub(crate) fn payload_of(message: &[u8]) -> Object {
    parse(message).get("payload").and_then(Value::as_object).expect("a payload").clone()
}

pub(crate) fn agree(own: &EphemeralSecret, other: &AgreementKey) -> SealingKey {
    legacy::session_key(&own.agree(other).unwrap())
}
