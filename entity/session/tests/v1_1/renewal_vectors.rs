//! The golden resumption and the golden rekey: fixed seeds, pinned bytes, and every secret recomputed with plain HMAC calls.

use entity_crypto::agreement::{AgreementKey, EphemeralSecret};
use entity_crypto::derivation::{hmac_sha256, sha256};
use entity_crypto::encoding::hex_encode;
use entity_crypto::entropy::Entropy;
use entity_crypto::sealing::SealingKey;
use entity_session::v1_1::author::Outbound;
use entity_session::v1_1::sessions::Received;
use serde_json::{Value, json};

use crate::keys;
use crate::pair::{Pair, answer_of};

const RESUME: &str = include_str!("../../../../docs/protocol/vectors/resume_1_1.json");
const REKEY: &str = include_str!("../../../../docs/protocol/vectors/rekey_1_1.json");

/// What `label` 00 `LP(item)` ... hashes to.
fn labelled(label: &str, items: &[&[u8]]) -> [u8; 32] {
    let mut input = [label.as_bytes(), &[0]].concat();
    for item in items {
        input.extend_from_slice(&u32::try_from(item.len()).unwrap().to_be_bytes());
        input.extend_from_slice(item);
    }
    sha256(&input)
}

/// `C(m)` without `payload.binder`.
fn unbound(body: &[u8]) -> Vec<u8> {
    let mut message: Value = serde_json::from_slice(&keys::signed_bytes(body)).unwrap();
    message["payload"].as_object_mut().unwrap().remove("binder").unwrap();
    serde_json::to_vec(&message).unwrap()
}

fn expand(prk: &[u8; 32], info: &[u8]) -> [u8; 32] {
    hmac_sha256(prk, &[info, &[1]].concat())
}

/// The secrets of generation 1, from the secret of generation 0, an agreement and a transcript.
fn next_keys(base: &[u8; 32], shared: &[u8; 32], transcript: &[u8; 32]) -> [[u8; 32]; 4] {
    let prk = hmac_sha256(base, shared);
    let info = [b"peer-v1.1-session-key".as_slice(), transcript].concat();
    let first = hmac_sha256(&prk, &[info.as_slice(), &[1]].concat());
    let second = hmac_sha256(&prk, &[first.as_slice(), &info, &[2]].concat());
    let secret = expand(&prk, &[b"peer-v1.1-resumption".as_slice(), transcript].concat());
    [prk, first, second, secret]
}

/// `R_0` and the traffic keys of the handshake that `pair` has just run.
fn handshake_keys(steps: &[Outbound; 6]) -> keys::Keys {
    let mut entropy = Entropy::from_seed([101; 32]);
    let _session: [u8; 16] = entropy.bytes();
    let own = EphemeralSecret::from_bytes(entropy.bytes());
    let signed = [&steps[0], &steps[1]].map(|step| keys::signed_bytes(&step.body));
    keys::keys(&own, &keys::ephemeral_of(&steps[1].body), &keys::transcript(&signed))
}

/// The ephemeral secret behind a public half: one of those that a node with this seed draws first.
fn secret_behind(public: &AgreementKey, entropy_seed: u8) -> [u8; 32] {
    // Whatever was drawn before it had a length that is a multiple of 8.
    for skip in (0..1_024).step_by(8) {
        let mut entropy = Entropy::from_seed([entropy_seed; 32]);
        let mut drawn = vec![0; skip];
        entropy.fill(&mut drawn);
        let bytes = entropy.bytes::<32>();
        if EphemeralSecret::from_bytes(bytes).public_key() == *public {
            return bytes;
        }
    }
    panic!("nothing that was drawn fits {public:?}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn nonce(generation: u8, sequence: u8) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[5] = generation;
    nonce[11] = sequence;
    nonce
}

fn open(key: &[u8; 32], place: (u8, u8), body: &[u8]) -> String {
    let message: Value = serde_json::from_slice(body).unwrap();
    let sealed = message["payload"]["sealed"].as_str().unwrap();
    let sealed = entity_crypto::encoding::base64_decode_strict(sealed).unwrap();
    let nonce = nonce(place.0, place.1);
    text(&SealingKey::new(*key).open(&nonce, &keys::associated_data(body), &sealed).unwrap())
}

fn keys_of(shared: &[u8; 32], [prk, first, second, secret]: &[[u8; 32]; 4]) -> Value {
    json!({
        "dh": hex_encode(shared),
        "PRK_1": hex_encode(prk),
        "initiator_to_responder": hex_encode(first),
        "responder_to_initiator": hex_encode(second),
        "R_1": hex_encode(secret),
    })
}

fn resume_document() -> Value {
    let mut pair = Pair::pinned();
    let steps = pair.handshake();
    let base = handshake_keys(&steps).resumption;
    // The responder of the handshake has lost its keys; directions keep to the handshake's roles.
    let (proposer, answerer) = (&mut pair.bob, &mut pair.alice);
    let first = proposer.resume(&answerer.id.clone());
    let second = answer_of(answerer.receive(&first.body).unwrap()).unwrap();
    assert_eq!(proposer.receive(&second.body), Ok(Received::Resumed));
    let said = proposer.attend();
    assert_eq!(answerer.receive(&said[0].outbound.body), Ok(Received::Deliver(Vec::new())));

    let (one, two) = (keys::signed_bytes(&first.body), keys::signed_bytes(&second.body));
    let v1 = labelled("peer-v1.1-resume", &[&unbound(&first.body)]);
    let v2 = labelled("peer-v1.1-resume", &[&one, &unbound(&second.body)]);
    let transcript = labelled("peer-v1.1-resume", &[&one, &two]);
    let binder = |label: &str, digest: &[u8; 32]| {
        let key = expand(&base, label.as_bytes());
        json!({ "key": hex_encode(&key), "binder": hex_encode(&hmac_sha256(&key, digest)) })
    };
    let halves = [&first, &second].map(|message| keys::ephemeral_of(&message.body));
    let secrets = [secret_behind(&halves[0], 102), secret_behind(&halves[1], 101)];
    let shared = EphemeralSecret::from_bytes(secrets[0]).agree(&halves[1]).unwrap();
    let made = next_keys(&base, shared.as_bytes(), &transcript);
    json!({
        "about": "A session of handshake_1_1.json is resumed from generation 0 to 1 by the handshake's responder, which then says `ack` under the new keys. Hex is lower-case; messages are the exact bytes of the request bodies.",
        "R_0": hex_encode(&base),
        "proposer": { "id": "bob", "x25519_secret": hex_encode(&secrets[0]) },
        "answerer": { "id": "alice", "x25519_secret": hex_encode(&secrets[1]) },
        "messages": [text(&first.body), text(&second.body), text(&said[0].outbound.body)],
        "V1": hex_encode(&v1),
        "V2": hex_encode(&v2),
        "T": hex_encode(&transcript),
        "binder_1": binder("peer-v1.1-resume-binder-1", &v1),
        "binder_2": binder("peer-v1.1-resume-binder-2", &v2),
        "keys": keys_of(shared.as_bytes(), &made),
        "message_3": {
            "nonce": hex_encode(&nonce(1, 0)),
            "plaintext": open(&made[2], (1, 0), &said[0].outbound.body),
        },
    })
}

fn rekey_document() -> Value {
    let mut pair = Pair::pinned();
    let steps = pair.handshake();
    let before = handshake_keys(&steps);
    let (session, now) = (steps[0].session, pair.alice.now);
    assert!(pair.alice.with(|sessions, _| sessions.rekey(session, now)));
    let rekey = pair.alice.attend().remove(0).outbound;
    pair.bob.receive(&rekey.body).unwrap();
    let ack = pair.bob.attend().remove(0).outbound;
    pair.alice.receive(&ack.body).unwrap();
    let said = pair.alice.attend().remove(0).outbound;
    pair.bob.receive(&said.body).unwrap();

    let plaintexts = [
        open(&before.initiator_to_responder, (0, 3), &rekey.body),
        open(&before.responder_to_initiator, (0, 3), &ack.body),
    ];
    let bodies = plaintexts.each_ref().map(|plaintext| {
        let plaintext: Value = serde_json::from_str(plaintext).unwrap();
        plaintext["body"].clone()
    });
    let canonical = bodies.each_ref().map(|body| serde_json::to_vec(body).unwrap());
    let transcript = labelled("peer-v1.1-rekey", &[&canonical[0], &canonical[1]]);
    let halves = bodies.each_ref().map(|body| {
        AgreementKey::from_base64(body["ephemeral_public_key"].as_str().unwrap()).unwrap()
    });
    let secrets = [secret_behind(&halves[0], 101), secret_behind(&halves[1], 102)];
    let shared = EphemeralSecret::from_bytes(secrets[0]).agree(&halves[1]).unwrap();
    let made = next_keys(&before.resumption, shared.as_bytes(), &transcript);
    json!({
        "about": "The keys of a session of handshake_1_1.json are renewed from generation 0 to 1; the initiator then says `ack` under the new keys. Hex is lower-case; messages are the exact bytes of the request bodies.",
        "R_0": hex_encode(&before.resumption),
        "initiator": { "id": "alice", "x25519_secret": hex_encode(&secrets[0]) },
        "responder": { "id": "bob", "x25519_secret": hex_encode(&secrets[1]) },
        "messages": [text(&rekey.body), text(&ack.body), text(&said.body)],
        "plaintexts": [plaintexts[0], plaintexts[1], open(&made[1], (1, 0), &said.body)],
        "nonces": [hex_encode(&nonce(0, 3)), hex_encode(&nonce(0, 3)), hex_encode(&nonce(1, 0))],
        "T": hex_encode(&transcript),
        "keys": keys_of(shared.as_bytes(), &made),
    })
}

#[track_caller]
fn check(document: &Value, pinned: &str) {
    let text = format!("{}\n", serde_json::to_string_pretty(document).unwrap());
    assert_eq!(text, pinned, "{text}");
}

#[test]
fn the_same_seeds_make_the_pinned_resumption() {
    check(&resume_document(), RESUME);
}

#[test]
fn the_same_seeds_make_the_pinned_rekey() {
    check(&rekey_document(), REKEY);
}

#[test]
fn the_pinned_binders_are_in_the_pinned_messages() {
    let pinned: Value = serde_json::from_str(RESUME).unwrap();
    for (index, name) in [(0, "binder_1"), (1, "binder_2")] {
        let message: Value =
            serde_json::from_str(pinned["messages"][index].as_str().unwrap()).unwrap();
        let named = message["payload"]["binder"].as_str().unwrap();
        let named = entity_crypto::encoding::base64_decode_strict(named).unwrap();
        assert_eq!(pinned[name]["binder"], hex_encode(&named));
    }
}
