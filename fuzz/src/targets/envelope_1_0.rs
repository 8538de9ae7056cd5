//! A message of 1.0 in the profile `hardened`: `docs/protocol/1.0.md#envelope`.

use entity_crypto::signing::{PublicKey, SigningKey};
use entity_wire::canonical;
use entity_wire::decode::{self, DecodeRules, Decoded, Profile, decode as read};
use entity_wire::json::RULES_1_0_HARDENED;
use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::v1_0::Unverified;

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "envelope_1_0",
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

const RULES: DecodeRules = DecodeRules::V1_0(Profile::Hardened);

fn target(input: &[u8]) -> Outcome {
    let Ok(Decoded::V1_0(message)) = read(&RULES, input) else { return Outcome::Refused };
    let object = decode::read_object(&RULES_1_0_HARDENED, input);
    let Ok(object) = object else { panic!("a message that is no object") };
    let written = canonical::object_to_vec(&object);
    if written.len() <= MESSAGE_LEN_MAX {
        let Ok(Decoded::V1_0(again)) = read(&RULES, &written) else {
            panic!("the canonical form of a message is no message")
        };
        assert_eq!(claims(&message), claims(&again));
    }
    // Whatever it claims, a signature is looked at without harm.
    drop(message.verify(&signer()));
    Outcome::Taken
}

/// Everything that is read before the signature is.
pub(super) fn claims(message: &Unverified) -> impl PartialEq + std::fmt::Debug {
    let payload = message.payload().map(canonical::to_vec);
    let ids = (message.sender().to_owned(), message.recipient().map(str::to_owned));
    (message.version(), message.kind(), ids, payload, message.signature_present())
}

/// The sender of the recorded messages.
pub(super) fn signer() -> PublicKey {
    key().public_key()
}

fn key() -> SigningKey {
    SigningKey::from_seed([0xA1; 32])
}

/// Recorded messages of the earlier peer, in both flavours.
pub(super) fn golden() -> Corpus {
    corpus::meet_often(&key());
    let fields = ["version", "msg_type", "sender_id", "payload", "signature"];
    let recorded = ["signatures.json", "secure_message.json", "token_transfer_signed.json"];
    let handshakes = ["handshake_v10.iso.json", "handshake_v10.dataclass.json"];
    let messages = recorded.into_iter().chain(handshakes).flat_map(|file| {
        corpus::objects_with(&corpus::json(&format!("entity/wire/tests/data/{file}")), &fields)
    });
    Corpus::of(messages)
}
