//! What a peer that has gone bad seals into a ready session, with keys that are its own: each is refused with its code,
//! uses up nothing, and leaves the session as it was.

use entity_crypto::agreement::EphemeralSecret;
use entity_crypto::entropy::Entropy;
use entity_crypto::sealing::SealingKey;
use entity_session::v1_1::numbers::{AHEAD_MAX, HOLD_BACK_LEN_MAX};
use entity_wire::code::ErrorCode;
use entity_wire::id::{Generation, Nonce, Sequence};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::sealed::Sealed;
use entity_wire::v1_1::{Draft, Header};

use crate::keys;
use crate::pair::{NotAccepted, Pair, parse, texts_of};

/// A pair whose alice seals what she likes.
struct Bad {
    pair: Pair,
    key: [u8; 32],
    /// The header of a message of hers, to be changed.
    header: Header,
    sequence: u64,
}

impl Bad {
    fn new() -> Self {
        let mut pair = Pair::pinned();
        let steps = pair.handshake();
        let mut entropy = Entropy::from_seed([101; 32]);
        let _session: [u8; 16] = entropy.bytes();
        let own = EphemeralSecret::from_bytes(entropy.bytes());
        let transcript = keys::transcript(&[
            keys::signed_bytes(&steps[0].body),
            keys::signed_bytes(&steps[1].body),
        ]);
        let peer = keys::ephemeral_of(&steps[1].body);
        let key = keys::keys(&own, &peer, &transcript).initiator_to_responder;
        let header = parse(&steps[4].body).unwrap().header().clone();
        Self { pair, key, header, sequence: 2 }
    }

    /// Seals a plaintext under the next sequence number.
    fn seal(&mut self, kind: MessageKind, plaintext: &str) -> Vec<u8> {
        self.sequence += 1;
        let mut draft = Draft { header: self.header.clone(), payload: Object::new() };
        draft.header.kind = kind;
        draft.header.sequence = Sequence::new(self.sequence).unwrap();
        draft.header.nonce = Nonce::from_bytes(u128::from(self.sequence).to_be_bytes());
        let nonce = keys::nonce(u8::try_from(self.sequence).unwrap());
        let associated = draft.associated_data(Generation::ZERO);
        let sealed = SealingKey::new(self.key).seal(&nonce, &associated, plaintext.as_bytes());
        draft.payload = Sealed { generation: Generation::ZERO, sealed }.to_object();
        draft.sign(&self.pair.alice.key).body
    }

    fn receive(
        &mut self,
        kind: MessageKind,
        plaintext: &str,
    ) -> Result<Vec<String>, Option<ErrorCode>> {
        let body = self.seal(kind, plaintext);
        self.pair.bob.receive(&body).map(texts_of).map_err(|refused| NotAccepted::code(&refused))
    }
}

fn numbered(number: u64, text: &str) -> String {
    format!(r#"{{"ack":0,"body":{{"text":"{text}"}},"number":{number}}}"#)
}

fn control(body: &str) -> String {
    format!(r#"{{"ack":0,"body":{body}}}"#)
}

#[track_caller]
fn check(kind: MessageKind, plaintext: &str, code: ErrorCode) {
    let mut bad = Bad::new();
    assert_eq!(bad.receive(kind, plaintext), Err(Some(code)), "{plaintext}");
    // The refused sequence number is as good as new, and so is number 1.
    bad.sequence -= 1;
    let honest = bad.receive(MessageKind::Message, &numbered(1, "first"));
    assert_eq!(honest, Ok(vec!["first".to_owned()]), "{plaintext}");
}

#[test]
fn a_number_is_between_1_and_1_024_above_what_was_handled() {
    let check = |number: u64, code| check(MessageKind::Message, &numbered(number, ""), code);
    check(AHEAD_MAX + 1, ErrorCode::SequenceError);
    check((1 << 53) - 1, ErrorCode::SequenceError);
    check(1 << 53, ErrorCode::InvalidMessage);
    check(u64::MAX, ErrorCode::InvalidMessage);
    check(0, ErrorCode::InvalidMessage);
    let mut bad = Bad::new();
    let waiting = bad.receive(MessageKind::Message, &numbered(AHEAD_MAX, ""));
    assert_eq!(waiting, Ok(Vec::new()));
}

#[test]
fn messages_have_a_number_and_control_messages_have_none() {
    check(MessageKind::Message, &control("{}"), ErrorCode::InvalidMessage);
    let numbered_control = |body: &str| format!(r#"{{"ack":0,"body":{body},"number":1}}"#);
    check(MessageKind::Ack, &numbered_control("{}"), ErrorCode::InvalidMessage);
    let close = numbered_control(r#"{"reason":"x"}"#);
    check(MessageKind::SessionClose, &close, ErrorCode::InvalidMessage);
    let skip = numbered_control(r#"{"ranges":[[1,1]]}"#);
    check(MessageKind::Skip, &skip, ErrorCode::InvalidMessage);
}

#[test]
fn a_skip_reaches_as_far_as_a_number_may() {
    let skip = |ranges: &str| control(&format!(r#"{{"ranges":{ranges}}}"#));
    let check = |ranges: &str, code| check(MessageKind::Skip, &skip(ranges), code);
    check("[[2,1025]]", ErrorCode::SequenceError);
    check("[[1,1],[9007199254740991,9007199254740991]]", ErrorCode::SequenceError);
    check("[[1,9007199254740991]]", ErrorCode::InvalidMessage);
    check("[[2,1]]", ErrorCode::InvalidMessage);
    let mut bad = Bad::new();
    assert_eq!(bad.receive(MessageKind::Skip, &skip("[[1,1024]]")), Ok(Vec::new()));
    let after = bad.receive(MessageKind::Message, &numbered(AHEAD_MAX + 1, "after"));
    assert_eq!(after, Ok(vec!["after".to_owned()]));
}

#[test]
fn what_was_never_sent_cannot_be_acknowledged() {
    let ack = |ack: u64| format!(r#"{{"ack":{ack},"body":{{}}}}"#);
    for never in [1, (1 << 53) - 1, u64::MAX] {
        check(MessageKind::Ack, &ack(never), ErrorCode::InvalidMessage);
    }
}

#[test]
fn each_side_has_its_own_part_in_a_rekey() {
    // Alice opened the handshake: she sends `rekey`, and nothing else of a rekey.
    for kind in [MessageKind::RekeyRequest, MessageKind::RekeyAck] {
        check(kind, &control("{}"), ErrorCode::InvalidState);
    }
    let rekey = |generation: &str, key: &str| {
        control(&format!(r#"{{"ephemeral_public_key":"{key}","generation":{generation}}}"#))
    };
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let nine = "CQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    check(MessageKind::Rekey, &control("{}"), ErrorCode::InvalidMessage);
    check(MessageKind::Rekey, &rekey("65536", nine), ErrorCode::InvalidMessage);
    check(MessageKind::Rekey, &rekey("1", "CQ=="), ErrorCode::InvalidMessage);
    check(MessageKind::Rekey, &rekey("1", zero), ErrorCode::InvalidMessage);
    check(MessageKind::Rekey, &rekey("0", nine), ErrorCode::SequenceError);
}

#[test]
fn what_is_held_back_is_bounded_in_bytes() {
    let mut bad = Bad::new();
    let text = "x".repeat(700_000);
    let (mut number, mut held) = (2, 0);
    let refused = loop {
        match bad.receive(MessageKind::Message, &numbered(number, &text)) {
            Ok(delivered) => assert_eq!(delivered, Vec::<String>::new(), "number 1 is missing"),
            Err(refused) => break refused,
        }
        number += 1;
        held += text.len();
        assert!(held <= HOLD_BACK_LEN_MAX);
    };
    assert_eq!(refused, Some(ErrorCode::ServiceUnavailable));
    assert!(held + 2 * text.len() > HOLD_BACK_LEN_MAX, "{held} bytes were held back");
    let released = bad.receive(MessageKind::Message, &numbered(1, "first")).unwrap();
    assert_eq!(released.len(), usize::try_from(number - 1).unwrap());
}
