use std::collections::BTreeMap;

use handfast_contract::message::{INVALID_PARAMS, METHOD_NOT_FOUND};
use serde_json::json;

use super::{Desk, MAX_PEERS, MAX_SESSIONS};
use crate::conversation::Conversation;
use crate::expression::Fresh;
use crate::player::Player;

/// A desk whose only conversation is one message long: whatever comes makes a session ready.
fn desk() -> Desk {
    let text = format!(
        "name = \"x\"\nversion = \"1.1\"\nrecorded = \"nothing\"\nseed = \"{}\"\n[[exchange]]\nwhen = {{}}\nkeep = \"m\"\n\
         then = [{{ send = {{ to = \"$peer.name\" }} }}, {{ ready = \"$m.session_id\" }}]\n",
        "02".repeat(32)
    );
    let conversation = Conversation::read("x", &text).unwrap();
    let player = Player::new("b", vec![conversation], Fresh::recorded(BTreeMap::new()));
    Desk::new("b", "python", "http://127.0.0.1:1", player)
}

#[test]
fn it_says_that_it_is_a_stub_and_of_whom() {
    let result = desk().handle_request("initialize", json!({ "contract": "1" })).unwrap();
    assert_eq!(result["version"], "stub of python");
    assert_eq!(result["protocol_versions"], json!(["1.1"]));
}

#[test]
fn what_it_cannot_play_it_does_not_offer() {
    let mut desk = desk();
    for method in ["session.open", "message.send", "x"] {
        let error = desk.handle_request(method, json!({ "to": "a" })).unwrap_err();
        assert_eq!(error.code, METHOD_NOT_FOUND);
    }
    for (method, params) in [
        ("message.inbox", json!({ "limit": "many" })),
        ("peer.list", json!({ "x": 1 })),
        ("peer.add", json!({ "name": "a" })),
    ] {
        assert_eq!(desk.handle_request(method, params).unwrap_err().code, INVALID_PARAMS);
    }
}

#[test]
fn a_session_is_told_once_and_the_answer_goes_to_the_address_of_its_sender() {
    let mut desk = desk();
    let add = json!({ "name": "a", "address": "http://127.0.0.1:7", "key": "00", "connect": true });
    desk.handle_request("peer.add", add).unwrap();
    let body = br#"{"sender_id": "a", "session_id": "s"}"#;
    let posted = desk.handle_post(body, "now");
    assert_eq!((posted.status, posted.notices.len()), (200, 1));
    assert_eq!(posted.sends, vec![("http://127.0.0.1:7".to_owned(), json!({ "to": "a" }))]);
    assert_eq!(desk.handle_post(body, "now").notices.len(), 0);
    let sessions = desk.handle_request("session.list", json!({})).unwrap();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(sessions["sessions"][0]["peer_key"], "00");
}

#[test]
fn strangers_and_what_is_no_json_are_refused() {
    let mut desk = desk();
    assert_eq!(desk.handle_post(b"{", "now").status, 400);
    assert_eq!(desk.handle_post(br#"{"sender_id": "z"}"#, "now").status, 401);
}

#[test]
fn peers_and_sessions_have_their_limit() {
    let mut desk = desk();
    for number in 0..MAX_PEERS {
        let add = json!({ "name": format!("p{number}"), "address": "http://127.0.0.1:7" });
        desk.handle_request("peer.add", add).unwrap();
    }
    let more = json!({ "name": "more", "address": "http://127.0.0.1:7" });
    assert_eq!(desk.handle_request("peer.add", more).unwrap_err().code, INVALID_PARAMS);
    for number in 0..=MAX_SESSIONS {
        let body = json!({ "sender_id": "p0", "session_id": number.to_string() }).to_string();
        assert_eq!(desk.handle_post(body.as_bytes(), "now").status, 200);
    }
    assert_eq!(desk.sessions.len(), MAX_SESSIONS);
}
