//! A message of 1.1: `docs/protocol/1.1.md#envelope`.

use entity_crypto::signing::SigningKey;
use entity_wire::canonical;
use entity_wire::decode::{DecodeRules, Decoded, Profile, decode};
use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::v1_1::{Draft, Unverified};

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "envelope_1_1",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 512,
        len_max: Some(MESSAGE_LEN_MAX),
    },
};

/// Seed of the key under which what was read is signed again.
const OWN: [u8; 32] = [7; 32];

/// Seed of a key of the vectors, whose messages hold.
const VECTORS: [u8; 32] = [1; 32];

fn target(input: &[u8]) -> Outcome {
    let read = decode(&DecodeRules::V1_1, input);
    let Ok(Decoded::V1_1(message)) = read else { return Outcome::Refused };
    let both = decode(&DecodeRules::Both(Profile::Hardened), input);
    assert!(matches!(both, Ok(Decoded::V1_1(_))), "1.0 beside it changes what is read as 1.1");
    // Signed by whoever may, with what the header and the payload say, it is read as the same, and holds.
    let key = SigningKey::from_seed(OWN);
    let draft = Draft { header: message.header().clone(), payload: message.payload().clone() };
    let signed = draft.sign(&key);
    if signed.body.len() <= MESSAGE_LEN_MAX {
        let Ok(Decoded::V1_1(again)) = decode(&DecodeRules::V1_1, &signed.body) else {
            panic!("a message that was written is no message")
        };
        assert_eq!(again.header(), message.header());
        let written = |message: &Unverified| canonical::object_to_vec(message.payload());
        assert!(written(&again) == written(&message), "a payload that was written is another");
        let Ok(envelope) = again.verify(&key.public_key()) else {
            panic!("a message that was signed does not hold")
        };
        assert!(
            envelope.signed_bytes() == signed.signed_bytes,
            "it signs other bytes than it reads"
        );
    }
    drop(message.verify(&SigningKey::from_seed(VECTORS).public_key()));
    Outcome::Taken
}

fn golden() -> Corpus {
    for seed in [OWN, VECTORS] {
        corpus::meet_often(&SigningKey::from_seed(seed));
    }
    let files = ["handshake_1_1.json", "rekey_1_1.json", "resume_1_1.json"];
    let messages = files.into_iter().flat_map(|file| {
        let vectors = corpus::json(&format!("docs/protocol/vectors/{file}"));
        corpus::objects_with(&vectors, &["msg_type", "nonce", "payload", "signature"])
    });
    Corpus::of(messages)
}
