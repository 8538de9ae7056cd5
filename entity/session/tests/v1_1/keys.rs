//! The keys of a handshake, recomputed from the protocol's text with plain HMAC calls.
//!
//! Nothing here goes through the crate's transcript or key schedule, so that both are checked against it.

use entity_crypto::agreement::{AgreementKey, EphemeralSecret};
use entity_crypto::derivation::{hmac_sha256, sha256};
use entity_crypto::sealing::SealingKey;
use serde_json::Value;

/// Concatenates label, zero byte and length-prefixed items, and hashes them.
pub(crate) fn transcript(signed_bytes: &[Vec<u8>]) -> [u8; 32] {
    let mut input = b"peer-v1.1-transcript\0".to_vec();
    for item in signed_bytes {
        input.extend_from_slice(&u32::try_from(item.len()).unwrap().to_be_bytes());
        input.extend_from_slice(item);
    }
    sha256(&input)
}

/// `C(m)` of a body, by another JSON library: its objects are sorted, and handshake messages are ASCII without
/// floats, where canonical JSON is what every compact writer prints.
pub(crate) fn signed_bytes(body: &[u8]) -> Vec<u8> {
    let mut message: Value = serde_json::from_slice(body).unwrap();
    message.as_object_mut().unwrap().remove("signature").unwrap();
    serde_json::to_vec(&message).unwrap()
}

/// [`signed_bytes`] without `payload.challenge_signature`.
pub(crate) fn signed_bytes_unchallenged(body: &[u8]) -> Vec<u8> {
    let mut message: Value = serde_json::from_slice(&signed_bytes(body)).unwrap();
    message["payload"].as_object_mut().unwrap().remove("challenge_signature").unwrap();
    serde_json::to_vec(&message).unwrap()
}

/// The associated data of a sealed body.
pub(crate) fn associated_data(body: &[u8]) -> Vec<u8> {
    let mut message: Value = serde_json::from_slice(&signed_bytes(body)).unwrap();
    message["payload"].as_object_mut().unwrap().remove("sealed").unwrap();
    serde_json::to_vec(&message).unwrap()
}

/// RFC 5869 section 2.3.
fn expand(prk: &[u8; 32], info: &[u8], blocks: u8) -> Vec<u8> {
    let mut output = Vec::new();
    let mut block = Vec::new();
    for counter in 1..=blocks {
        block.extend_from_slice(info);
        block.push(counter);
        block = hmac_sha256(prk, &block).to_vec();
        output.extend_from_slice(&block);
    }
    output
}

pub(crate) struct Keys {
    pub(crate) shared: [u8; 32],
    pub(crate) prk: [u8; 32],
    pub(crate) initiator_to_responder: [u8; 32],
    pub(crate) responder_to_initiator: [u8; 32],
    pub(crate) resumption: [u8; 32],
}

/// `PRK_0`, `Keys_0` and `R_0`, from one ephemeral secret and the bodies of steps 1 and 2.
pub(crate) fn keys(
    own: &EphemeralSecret,
    peer: &AgreementKey,
    second_transcript: &[u8; 32],
) -> Keys {
    let shared = *own.agree(peer).unwrap().as_bytes();
    let prk = hmac_sha256(second_transcript, &shared);
    let traffic = expand(&prk, b"peer-v1.1-session-key", 2);
    let resumption = expand(&prk, b"peer-v1.1-resumption", 1);
    Keys {
        shared,
        prk,
        initiator_to_responder: traffic[..32].try_into().unwrap(),
        responder_to_initiator: traffic[32..].try_into().unwrap(),
        resumption: resumption.try_into().unwrap(),
    }
}

/// The ephemeral key in a body of step 1 or 2.
pub(crate) fn ephemeral_of(body: &[u8]) -> AgreementKey {
    let message: Value = serde_json::from_slice(body).unwrap();
    AgreementKey::from_base64(message["payload"]["ephemeral_public_key"].as_str().unwrap()).unwrap()
}

/// Generation 0 and a sequence number below 256 as a nonce.
pub(crate) fn nonce(sequence: u8) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[11] = sequence;
    nonce
}

pub(crate) fn open(key: &[u8; 32], sequence: u8, body: &[u8]) -> Vec<u8> {
    let message: Value = serde_json::from_slice(body).unwrap();
    let sealed = message["payload"]["sealed"].as_str().unwrap();
    let sealed = entity_crypto::encoding::base64_decode_strict(sealed).unwrap();
    let opened = SealingKey::new(*key).open(&nonce(sequence), &associated_data(body), &sealed);
    opened.unwrap().to_vec()
}
