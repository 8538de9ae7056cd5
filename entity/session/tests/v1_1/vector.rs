//! The golden handshake of `docs/protocol/vectors/handshake_1_1.json`: fixed seeds, pinned bytes.

use entity_crypto::agreement::EphemeralSecret;
use entity_crypto::encoding::{base64_decode_strict, hex_encode};
use entity_crypto::entropy::Entropy;
use entity_crypto::signing::{PublicKey, Signature};
use serde_json::{Value, json};

use crate::keys;
use crate::pair::Pair;

const PINNED: &str = include_str!("../../../../docs/protocol/vectors/handshake_1_1.json");

/// The ephemeral secret that a node with this entropy seed draws, after the session id if it opens.
fn ephemeral(entropy_seed: u8, draws_session: bool) -> [u8; 32] {
    let mut entropy = Entropy::from_seed([entropy_seed; 32]);
    if draws_session {
        let _session: [u8; 16] = entropy.bytes();
    }
    entropy.bytes()
}

/// Runs the handshake and writes down everything about it.
fn document() -> Value {
    let mut pair = Pair::pinned();
    let steps = pair.handshake();
    let bodies: Vec<&[u8]> = steps.iter().map(|step| step.body.as_ref()).collect();
    let signed: Vec<Vec<u8>> = bodies.iter().map(|body| keys::signed_bytes(body)).collect();
    let transcript = |count: usize| hex_encode(&keys::transcript(&signed[..count]));
    let unchallenged = |index: usize| {
        let mut messages = signed[..index].to_vec();
        messages.push(keys::signed_bytes_unchallenged(bodies[index]));
        hex_encode(&keys::transcript(&messages))
    };
    let (initiator, responder) = (ephemeral(101, true), ephemeral(102, false));
    let own = EphemeralSecret::from_bytes(initiator);
    let keys = keys::keys(&own, &keys::ephemeral_of(bodies[1]), &keys::transcript(&signed[..2]));
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let sealed = |key: &[u8; 32], index: usize| {
        json!({
            "associated_data": text(&keys::associated_data(bodies[index])),
            "nonce": hex_encode(&keys::nonce(2)),
            "plaintext": text(&keys::open(key, 2, bodies[index])),
        })
    };
    json!({
        "about": "One complete handshake of protocol 1.1 with pinned keys. Hex is lower-case; messages are the exact bytes of the request bodies.",
        "initiator": {
            "id": "alice",
            "ed25519_seed": hex_encode(&[1; 32]),
            "ed25519_public": pair.alice.key.public_key().to_hex(),
            "x25519_secret": hex_encode(&initiator),
        },
        "responder": {
            "id": "bob",
            "ed25519_seed": hex_encode(&[2; 32]),
            "ed25519_public": pair.bob.key.public_key().to_hex(),
            "x25519_secret": hex_encode(&responder),
        },
        "messages": bodies.iter().map(|body| text(body)).collect::<Vec<_>>(),
        "transcripts": {
            "T_1": transcript(1), "T_2": transcript(2), "T_3": transcript(3),
            "T_4": transcript(4), "T_5": transcript(5), "T_6": transcript(6),
            "T'_2": unchallenged(1), "T'_3": unchallenged(2),
        },
        "keys": {
            "dh": hex_encode(&keys.shared),
            "PRK_0": hex_encode(&keys.prk),
            "initiator_to_responder": hex_encode(&keys.initiator_to_responder),
            "responder_to_initiator": hex_encode(&keys.responder_to_initiator),
            "R_0": hex_encode(&keys.resumption),
        },
        "step_5": sealed(&keys.initiator_to_responder, 4),
        "step_6": sealed(&keys.responder_to_initiator, 5),
    })
}

fn pinned() -> Value {
    serde_json::from_str(PINNED).unwrap()
}

#[test]
fn the_same_seeds_make_the_pinned_handshake() {
    let document = document();
    let text = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
    assert_eq!(document, pinned(), "{text}");
}

#[test]
fn both_sides_of_the_agreement_come_to_the_pinned_secret() {
    let pinned = pinned();
    let message = |index: usize| pinned["messages"][index].as_str().unwrap().as_bytes();
    let second =
        keys::transcript(&[keys::signed_bytes(message(0)), keys::signed_bytes(message(1))]);
    for (side, peer_step) in [("initiator", 1), ("responder", 0)] {
        let secret = pinned[side]["x25519_secret"].as_str().unwrap();
        let secret = entity_crypto::encoding::hex_decode_array(secret).unwrap();
        let own = EphemeralSecret::from_bytes(secret);
        assert_eq!(own.public_key(), keys::ephemeral_of(message(1 - peer_step)), "{side}");
        let keys = keys::keys(&own, &keys::ephemeral_of(message(peer_step)), &second);
        assert_eq!(pinned["keys"]["dh"], hex_encode(&keys.shared));
    }
}

#[test]
fn every_pinned_signature_holds_over_the_recomputed_bytes() {
    let pinned = pinned();
    for (index, message) in pinned["messages"].as_array().unwrap().iter().enumerate() {
        let body = message.as_str().unwrap().as_bytes();
        let side = if index % 2 == 0 { "initiator" } else { "responder" };
        let key = PublicKey::from_hex(pinned[side]["ed25519_public"].as_str().unwrap()).unwrap();
        let parsed: Value = serde_json::from_slice(body).unwrap();
        let signature = Signature::from_base64(parsed["signature"].as_str().unwrap()).unwrap();
        assert_eq!(key.verify(&keys::signed_bytes(body), &signature), Ok(()), "step {}", index + 1);
    }
}

#[test]
fn every_pinned_challenge_signature_holds_over_its_label_and_transcript() {
    let pinned = pinned();
    for (index, side) in [(1, "responder"), (2, "initiator")] {
        let parsed: Value =
            serde_json::from_str(pinned["messages"][index].as_str().unwrap()).unwrap();
        let key = PublicKey::from_hex(pinned[side]["ed25519_public"].as_str().unwrap()).unwrap();
        let transcript = pinned["transcripts"][format!("T'_{}", index + 1)].as_str().unwrap();
        let mut signed = format!("peer-v1.1-challenge-{side}\0").into_bytes();
        signed.extend(entity_crypto::encoding::hex_decode_lower(transcript).unwrap());
        let signature =
            Signature::from_base64(parsed["payload"]["challenge_signature"].as_str().unwrap())
                .unwrap();
        assert_eq!(key.verify(&signed, &signature), Ok(()), "{side}");
    }
}

#[test]
fn the_sealed_steps_name_the_transcript_before_them() {
    let pinned = pinned();
    for (step, transcript) in [("step_5", "T_4"), ("step_6", "T_5")] {
        let plaintext: Value =
            serde_json::from_str(pinned[step]["plaintext"].as_str().unwrap()).unwrap();
        assert_eq!(plaintext["body"]["transcript"], pinned["transcripts"][transcript]);
        assert_eq!(plaintext["ack"], 0);
        assert_eq!(plaintext.get("number"), None);
    }
    let challenge: Value = serde_json::from_str(pinned["messages"][0].as_str().unwrap()).unwrap();
    let challenge = challenge["payload"]["challenge"].as_str().unwrap();
    assert_eq!(base64_decode_strict(challenge).unwrap().len(), 32);
}
