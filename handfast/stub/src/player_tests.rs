use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::{Value as Json, json};

use super::{Known, MAX_THREADS, Player};
use crate::canonical::canonical;
use crate::conversation::Conversation;
use crate::expression::Fresh;

const RECORDED_1_1: &str = include_str!("../../../docs/protocol/vectors/handshake_1_1.json");
const RECORDED_1_0: &str = include_str!("../tests/data/handshake_1_0.json");

fn read(file: &str) -> Conversation {
    let path = format!("{}/../../stubs/{file}", env!("CARGO_MANIFEST_DIR"));
    Conversation::read(file, &std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(recording: &Json, path: &str) -> Vec<u8> {
    hex::decode(recording.pointer(path).unwrap().as_str().unwrap()).unwrap()
}

/// The recorded conversation of 1.1: messages 1 to 6, the player, and who talks to it.
fn recorded_1_1() -> (Vec<Json>, Player, Known) {
    let recording: Json = serde_json::from_str(RECORDED_1_1).unwrap();
    let texts = recording["messages"].as_array().unwrap();
    let messages: Vec<Json> =
        texts.iter().map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap()).collect();
    let nonce = |index: usize| hex::decode(messages[index]["nonce"].as_str().unwrap()).unwrap();
    let challenge = messages[1]["payload"]["challenge"].as_str().unwrap();
    let challenge = base64::engine::general_purpose::STANDARD.decode(challenge).unwrap();
    let fresh = Fresh::recorded(BTreeMap::from([
        ("ephemeral".to_owned(), bytes(&recording, "/responder/x25519_secret")),
        ("challenge".to_owned(), challenge),
        ("nonce-2".to_owned(), nonce(1)),
        ("nonce-4".to_owned(), nonce(3)),
        ("nonce-6".to_owned(), nonce(5)),
    ]));
    let key = recording["initiator"]["ed25519_public"].as_str().unwrap().to_owned();
    let alice = Known { name: "alice".to_owned(), key: Some(key) };
    (messages, Player::new("bob", vec![read("entity-1.1.toml")], fresh), alice)
}

fn now(message: &Json) -> &str {
    message["timestamp"].as_str().unwrap()
}

#[test]
fn with_the_recorded_randomness_every_byte_is_the_recorded_one() {
    let (messages, mut player, alice) = recorded_1_1();
    for step in [0, 2, 4] {
        let reply = player.handle_message(&messages[step], Some(&alice), now(&messages[step + 1]));
        assert_eq!(reply.status, 200, "{reply:?}");
        let sent: Vec<_> = reply.sends.iter().map(|sent| canonical(sent).unwrap()).collect();
        assert_eq!(sent, vec![canonical(&messages[step + 1]).unwrap()], "step {step}");
        let ready = (step == 4)
            .then(|| (messages[0]["session_id"].as_str().unwrap().to_owned(), "1.1".to_owned()));
        assert_eq!(reply.ready, ready);
    }
}

#[test]
fn the_recorded_conversation_of_1_0_is_played_as_it_was() {
    let recording: Json = serde_json::from_str(RECORDED_1_0).unwrap();
    let messages = recording["messages"].as_array().unwrap();
    let ack = &messages[1];
    let session = ack["payload"]["e2e_session_id"].as_str().unwrap().replace('-', "");
    let fresh = Fresh::recorded(BTreeMap::from([
        ("ephemeral".to_owned(), bytes(&recording, "/responder_ephemeral")),
        ("nonce-2".to_owned(), hex::decode(ack["nonce"].as_str().unwrap()).unwrap()),
        ("e2e-session".to_owned(), hex::decode(session).unwrap()),
    ]));
    let mut conversation = read("entity-1.0.toml");
    conversation.seed = recording["responder_seed"].as_str().unwrap().to_owned();
    let mut player = Player::new("entity-b", vec![conversation], fresh);
    let key = recording["initiator_key"].as_str().unwrap().to_owned();
    let known = Known { name: "entity-a".to_owned(), key: Some(key) };
    let reply = player.handle_message(&messages[0], Some(&known), now(ack));
    let mut sent = reply.sends[0].clone();
    // The earlier peer did not name the recipient, which the hardened profile wants; it is not signed.
    assert_eq!(sent.as_object_mut().unwrap().remove("recipient_id"), Some(json!("entity-a")));
    assert_eq!(&sent, ack);
    let reply = player.handle_message(&messages[2], Some(&known), now(&messages[2]));
    let session = messages[0]["session_id"].as_str().unwrap().to_owned();
    assert_eq!(reply.ready, Some((session, "1.0".to_owned())));
}

#[test]
fn a_message_that_was_changed_is_refused_and_leaves_the_conversation_where_it_was() {
    let (messages, mut player, alice) = recorded_1_1();
    let mut changed = messages[0].clone();
    changed["payload"]["challenge"] = json!("AAAA");
    let reply = player.handle_message(&changed, Some(&alice), now(&changed));
    assert_eq!((reply.status, reply.sends.len()), (401, 0));
    assert_eq!(player.handle_message(&messages[0], Some(&alice), now(&messages[1])).status, 200);
    let mut changed = messages[2].clone();
    changed["timestamp"] = json!("2027-01-15T08:00:01.000000+00:00");
    assert_eq!(player.handle_message(&changed, Some(&alice), now(&changed)).status, 401);
    let reply = player.handle_message(&messages[2], Some(&alice), now(&messages[3]));
    assert_eq!(canonical(&reply.sends[0]), canonical(&messages[3]));
}

#[test]
fn a_repeat_gets_the_same_answer_and_what_is_not_recorded_none() {
    let (messages, mut player, alice) = recorded_1_1();
    let first = player.handle_message(&messages[0], Some(&alice), now(&messages[1]));
    let again =
        player.handle_message(&messages[0], Some(&alice), "2030-01-01T00:00:00.000000+00:00");
    assert_eq!(first, again);
    assert_eq!(player.handle_message(&messages[4], Some(&alice), now(&messages[4])).status, 503);
    assert_eq!(player.handle_message(&json!({}), Some(&alice), now(&messages[4])).status, 503);
    assert_eq!(player.handle_message(&messages[2], None, now(&messages[2])).status, 401);
}

#[test]
fn of_many_conversations_under_way_the_one_that_was_silent_longest_gives_way() {
    let text = "name = \"x\"\nversion = \"1\"\nrecorded = \"nothing\"\nseed = \"".to_owned()
        + &"00".repeat(32)
        + "\"\n[[exchange]]\nwhen = {}\nkeep = \"m\"\n[[exchange]]\nwhen = { second = true }\nkeep = \"n\"\n";
    let conversation = Conversation::read("x", &text).unwrap();
    let mut player = Player::new("b", vec![conversation], Fresh::seeded([0; 32]));
    let known = Known { name: "a".to_owned(), key: None };
    for number in 0..=MAX_THREADS {
        let message = json!({ "session_id": number.to_string() });
        assert_eq!(player.handle_message(&message, Some(&known), "").status, 200);
    }
    assert_eq!(player.threads.len(), MAX_THREADS);
    let second = |number: usize| json!({ "session_id": number.to_string(), "second": true });
    assert_eq!(player.handle_message(&second(1), Some(&known), "").status, 200);
    // The first one is forgotten, so that this is the beginning of another.
    player.handle_message(&second(0), Some(&known), "");
    assert_eq!(player.threads["0"].next, 1);
}

#[test]
fn a_file_that_is_no_conversation_is_told_with_its_place() {
    let error = Conversation::read("x.toml", "name = 1").unwrap_err().to_string();
    assert!(error.starts_with("x.toml: ") && error.contains("line 1"), "{error}");
    let head = "name = \"x\"\nversion = \"1\"\nrecorded = \"\"\nseed = \"00\"\nexchange = []\n";
    assert!(Conversation::read("x.toml", head).unwrap_err().to_string().contains("64 lower-case"));
    let head = head.replace("\"00\"", &format!("\"{}\"", "00".repeat(32)));
    assert!(
        Conversation::read("x.toml", &head).unwrap_err().to_string().contains("nothing to play")
    );
}
