//! The recorded 1.0 handshakes, with a peer of ours in the place of either side.
//!
//! What a peer chooses at random cannot equal the recording; everything else does, and the recorded ephemeral secrets
//! play the other side.

use entity_crypto::agreement::{AgreementKey, EphemeralSecret};
use entity_crypto::encoding::{base64_decode_array, base64_decode_strict, hex_decode_array};
use entity_crypto::signing::SigningKey;
use entity_peer::command::AddPeer;
use entity_peer::config::{Config, Profile, Protocols, SessionSealing};
use entity_peer::output::Request;
use entity_peer::{Command, CommandId, Delivery, Output, Peer, PeerEvent, Transmit};
use entity_session::v1_0::sealing::SealedSession;
use entity_wire::json::{Fields, Object, Value};
use entity_wire::payload::handshake_1_0::{Handshake, HandshakeAck};
use entity_wire::payload::session_sealing_1_0::SessionSealed;
use entity_wire::time::Timestamp;

use crate::stranger::{agree, bytes_of, drain, parse, payload_of};
use crate::world::name;

const ISO: &[u8] = include_bytes!("../data/handshake_v10.iso.json");
const DATACLASS: &[u8] = include_bytes!("../data/handshake_v10.dataclass.json");
const AS_CODED: &[u8] = include_bytes!("../data/handshake_v10.dataclass.as_coded_e2e.json");

struct Recording(Object);

impl Recording {
    fn new(file: &[u8]) -> Self {
        Self(parse(file))
    }

    fn text(&self, field: &'static str) -> &str {
        Fields::new(&self.0).text(field).unwrap()
    }

    /// The request number `index` as it was on the wire.
    fn request(&self, index: usize) -> &[u8] {
        let steps = Fields::new(&self.0).array("steps").unwrap();
        Fields::new(steps[index].as_object().unwrap()).text("request_text").unwrap().as_bytes()
    }

    fn key(&self, field: &'static str) -> SigningKey {
        SigningKey::from_seed_hex(self.text(field)).unwrap()
    }

    fn ephemeral(&self, field: &'static str) -> EphemeralSecret {
        EphemeralSecret::from_bytes(hex_decode_array(self.text(field)).unwrap())
    }

    /// When it was recorded: the time of its first message, which is always a text.
    fn time(&self) -> Timestamp {
        let first = parse(self.request(0));
        Timestamp::from_iso(Fields::new(&first).text("timestamp").unwrap()).unwrap()
    }

    /// A peer of ours with the recorded key of one side, that knows the other.
    fn peer(&self, id: &str, profile: Profile, sealing: SessionSealing) -> Peer {
        let (own, other, other_id) = match id {
            "entity-a" => ("a_seed", "b_seed", "entity-b"),
            _ => ("b_seed", "a_seed", "entity-a"),
        };
        let config = Config {
            protocols: Protocols::OnlyV1_0,
            profile,
            session_sealing: sealing,
            ..Config::new(id.parse().unwrap())
        };
        let mut peer = Peer::new(config, self.key(own), [7; 32], self.time());
        let entry = AddPeer {
            name: name(other_id),
            address: "http://other".to_owned(),
            key: Some(self.key(other).public_key()),
            connect: Some(false),
        };
        peer.handle_command(CommandId(0), Command::AddPeer(entry), self.time());
        drain(&mut peer);
        peer
    }
}

fn next_transmit(peer: &mut Peer) -> (Transmit, Vec<u8>) {
    while let Some(output) = peer.poll_output() {
        if let Output::Transmit(transmit) = output {
            let Request::Message(body) = transmit.request.clone() else { continue };
            return (transmit, body.to_vec());
        }
    }
    panic!("the peer has something to send");
}

fn accepted() -> Delivery {
    Delivery::Answered { status: 200, body: Vec::new().into() }
}

/// Signs a recorded message anew after a change of its fields.
fn resign(message: &Object, key: &SigningKey) -> Vec<u8> {
    let mut signed = Object::new();
    for field in entity_wire::v1_0::SIGNED_FIELDS {
        signed.insert(field, message.get(field).unwrap().clone());
    }
    let signature = key.sign(&entity_wire::canonical::object_to_vec(&signed));
    let mut message = message.clone();
    message.insert("signature", signature.to_base64());
    bytes_of(&message)
}

fn resealed(recorded: &[u8], sealing: (&str, &EphemeralSecret, &AgreementKey)) -> Object {
    let (id, own, other) = sealing;
    let mut message = parse(recorded);
    let mut sealed = SessionSealed::from_object(&payload_of(recorded)).unwrap();
    id.clone_into(&mut sealed.session_id);
    sealed.data = agree(own, other).seal(&sealed.nonce, &[], br#"{"secret": 1}"#);
    message.insert("payload", sealed.to_object());
    message
}

fn secrets(events: &[PeerEvent]) -> Vec<Option<Value>> {
    events
        .iter()
        .filter_map(|event| match event {
            PeerEvent::MessageReceived(received) => Some(received.body.get("secret").cloned()),
            _ => None,
        })
        .collect()
}

/// Plays the recorded `entity-a` against a peer of ours in the place of `entity-b`.
#[track_caller]
fn check_as_responder(file: &[u8], profile: Profile) {
    let recording = Recording::new(file);
    let now = recording.time();
    let mut peer = recording.peer("entity-b", profile, SessionSealing::Offered);
    assert_eq!(peer.handle_message(recording.request(0), now).status, 200);
    let (transmit, ack) = next_transmit(&mut peer);
    peer.handle_delivery(transmit.id, accepted(), now);
    let (ours, theirs) = (payload_of(&ack), payload_of(recording.request(1)));
    for field in ["session_id", "public_key", "challenge_response", "selected_version", "confirm"] {
        assert_eq!(ours.get(field), theirs.get(field), "{field}");
    }
    assert_eq!(ours.get("e2e_accepted"), Some(&Value::from(true)));
    assert_eq!(peer.handle_message(recording.request(2), now).status, 200);
    let [session] = &peer.sessions()[..] else { panic!("one session") };
    assert_eq!((session.state, session.sealed), ("ready", true));
    drain(&mut peer);

    let agreed = HandshakeAck::from_object(&ours).unwrap().sealing.unwrap();
    let own = recording.ephemeral("a_ephemeral_private_hex");
    let sealing = (agreed.session_id.as_str(), &own, &agreed.ephemeral_key);
    let message = resealed(recording.request(3), sealing);
    let reply = peer.handle_message(&resign(&message, &recording.key("a_seed")), now);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(secrets(&drain(&mut peer)), [Some(Value::from(1_u64))]);
}

#[test]
fn a_recorded_initiator_gets_its_session() {
    for profile in [Profile::Hardened, Profile::Compat] {
        check_as_responder(ISO, profile);
        check_as_responder(DATACLASS, profile);
    }
}

/// Plays the recorded `entity-b` against a peer of ours in the place of `entity-a`, nested as it was recorded: the
/// acknowledgement comes before the handshake's own answer.
#[track_caller]
fn check_as_initiator(file: &[u8], profile: Profile) {
    let recording = Recording::new(file);
    let now = recording.time();
    let mut peer = recording.peer("entity-a", profile, SessionSealing::Offered);
    peer.handle_command(CommandId(1), Command::OpenSession { to: name("entity-b") }, now);
    let (opening, handshake) = next_transmit(&mut peer);
    let names = |message: &[u8]| -> Vec<String> {
        parse(message).iter().map(|(field, _)| field.to_owned()).collect()
    };
    assert_eq!(names(&handshake), names(recording.request(0)));
    let ours = Handshake::from_object(&payload_of(&handshake)).unwrap();

    let mut ack = parse(recording.request(1));
    let b = recording.key("b_seed");
    let payload = payload_of(recording.request(1))
        .with("session_id", ours.session_id.as_str())
        .with("challenge_response", ours.challenge.answer(&b).to_base64());
    ack.insert("payload", payload);
    ack.insert("session_id", ours.session_id.as_str());
    assert_eq!(peer.handle_message(&resign(&ack, &b), now).status, 200);
    let (confirming, confirm) = next_transmit(&mut peer);
    let recorded = payload_of(recording.request(2));
    let confirm = payload_of(&confirm);
    assert_eq!(
        confirm.iter().map(|(field, _)| field).collect::<Vec<_>>(),
        recorded.iter().map(|(field, _)| field).collect::<Vec<_>>()
    );
    peer.handle_delivery(confirming.id, accepted(), now);
    peer.handle_delivery(opening.id, accepted(), now);
    let [session] = &peer.sessions()[..] else { panic!("one session") };
    assert_eq!((session.state, session.sealed), ("ready", true));
    drain(&mut peer);

    let agreed = HandshakeAck::from_object(&payload_of(recording.request(1))).unwrap();
    let agreed = agreed.sealing.unwrap();
    let own = recording.ephemeral("b_ephemeral_private_hex");
    let offered = ours.sealing.unwrap();
    let sealing = (agreed.session_id.as_str(), &own, &offered.ephemeral_key);
    let mut message = resealed(recording.request(4), sealing);
    message.insert("session_id", ours.session_id.as_str());
    let reply = peer.handle_message(&resign(&message, &b), now);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(secrets(&drain(&mut peer)), [Some(Value::from(1_u64))]);
}

#[test]
fn a_recorded_responder_gets_its_session() {
    for profile in [Profile::Hardened, Profile::Compat] {
        check_as_initiator(ISO, profile);
        check_as_initiator(DATACLASS, profile);
    }
}

/// Opens the recorded sealed messages under what the recorded secrets agree on.
#[track_caller]
fn check_recorded_sealing(file: &[u8], expected: [bool; 2]) {
    let recording = Recording::new(file);
    let now = recording.time();
    let key_in = |index: usize| {
        let payload = payload_of(recording.request(index));
        let text = Fields::new(&payload).text("e2e_ephemeral_key").unwrap().to_owned();
        AgreementKey::from_base64(&text).unwrap()
    };
    let b = recording.ephemeral("b_ephemeral_private_hex");
    let id = "any".to_owned();
    let session = SealedSession::agree(id, &b, &key_in(0), now).unwrap();
    for (index, expected) in (3..).zip(expected) {
        let payload = payload_of(recording.request(index));
        let fields = Fields::new(&payload);
        let nonce = base64_decode_array(fields.text("nonce").unwrap()).unwrap();
        let data = base64_decode_strict(fields.text("data").unwrap()).unwrap();
        let opened = session.open(2, &nonce, &data, now);
        assert_eq!(opened.is_ok(), expected, "message {index}");
        if let Ok(plaintext) = opened {
            assert!(plaintext.starts_with(br#"{"secret": "#));
        }
    }
}

#[test]
fn the_recorded_sealed_messages_open() {
    check_recorded_sealing(ISO, [true, true]);
    check_recorded_sealing(DATACLASS, [true, true]);
}

#[test]
fn an_initiator_that_was_never_repaired_can_only_be_talked_to_in_the_clear() {
    let recording = Recording::new(AS_CODED);
    let now = recording.time();
    let mut peer = recording.peer("entity-b", Profile::Hardened, SessionSealing::Declined);
    assert_eq!(peer.handle_message(recording.request(0), now).status, 200);
    let (_, ack) = next_transmit(&mut peer);
    let payload = payload_of(&ack);
    assert_eq!(payload.get("e2e_accepted"), Some(&Value::from(false)));
    assert_eq!(payload.get("e2e_session_id"), Some(&Value::Null));
    assert_eq!(payload.get("e2e_ephemeral_key"), Some(&Value::Null));
    assert_eq!(peer.handle_message(recording.request(2), now).status, 200);
    let [session] = &peer.sessions()[..] else { panic!("one session") };
    assert_eq!((session.state, session.sealed), ("ready", false));
}
