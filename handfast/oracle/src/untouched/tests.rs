use handfast_scenario::event::{WireBytes, WireTaken};
use serde_json::{Value, json};

use super::*;
use crate::judge;
use crate::story::Story;

fn hex_key() -> String {
    "c5".repeat(32)
}

fn between() -> Value {
    json!({ "from": "a", "via": "r", "to": "c" })
}

fn with(fields: Value) -> Value {
    let mut params = between();
    for (name, value) in fields.as_object().unwrap() {
        params[name] = value.clone();
    }
    params
}

fn forwarded(hops: u8, id: u8, inner: &[u8]) -> Vec<u8> {
    [&[FORWARD, hops], &[id; 16][..], &[0xc5; 32], &[0], inner].concat()
}

fn posted(story: Story, path: &str, body: &[u8], answer: (u16, &[u8])) -> Story {
    story.wire_bytes("a", "r", body, answer.0, WireTaken::Passed).last_wire(|event| {
        if let RunEvent::WireMessage { target, response, .. } = event {
            *target = format!("POST /relay/{}{path}", hex_key());
            response.as_mut().unwrap().body = WireBytes::of(answer.1);
        }
    })
}

fn told() -> Story {
    Story::new().started_with_key("c", &hex_key())
}

const STORED: (u16, &[u8]) = (200, br#"{"status":"stored"}"#);

#[test]
fn what_comes_out_as_it_went_in_passes_as_an_envelope_and_as_frames() {
    let envelope = br#"{"version":"1.0","x":1}"#;
    let story = posted(told(), "/message", envelope, STORED);
    let story = story.binary("r", "c", &forwarded(1, 7, envelope));
    story.passes("untouched", with(json!({ "form": "envelope", "version": "1.0" })));
    let frames = [0, 0, 0, 2, 0x11, 1, 0, 0, 0, 2, 0x11, 2];
    let story = posted(told(), "/frame", &frames, (200, br#"{"results":["ok","ok"]}"#));
    let story = story.binary("r", "c", &forwarded(1, 1, &[0x11, 2]));
    let story = story.binary("r", "c", &forwarded(1, 2, &[0x11, 1]));
    story.passes("untouched", with(json!({ "form": "frame", "times": 2 })));
    story.fails("untouched", with(json!({ "times": 3 })), "expected 3 messages to cross, 2");
    story.fails(
        "untouched",
        with(json!({ "form": "envelope" })),
        "expected 1 envelopes to cross, 0",
    );
}

#[test]
fn the_other_way_a_forward_becomes_a_request() {
    let envelope = br#"{"version":"1.1"}"#;
    let story = told().binary("a", "r", &forwarded(0, 1, envelope));
    let story = story.wire("r", "c", &json!({ "version": "1.1" }), 200);
    story.passes("untouched", with(json!({ "version": "1.1" })));
    story.fails(
        "untouched",
        with(json!({ "version": "1.0" })),
        "expected 1 messages of 1.0 to cross, 0",
    );
}

/// Asserts that it fails with this reason once everything on its way has had its time, and not before.
#[track_caller]
fn fails_later(story: Story, params: Value, part: &str) {
    story.fails("untouched", params.clone(), "to cross, 0 were captured");
    story.wait_ms(7_000).log("r", "later").fails("untouched", params, part);
}

#[test]
fn what_is_posted_may_show_as_late_as_a_relay_may_answer_and_what_is_forwarded_not() {
    let out = |story: Story| story.binary("r", "c", &forwarded(1, 7, b"{\"x\":2}"));
    let missing = "to cross, 0 were captured";
    let posted = out(posted(told(), "/message", b"{\"x\":1}", (503, b"{}")));
    posted.wait_ms(5_500).log("r", "later").fails("untouched", between(), missing);
    let sent = || out(told().binary("a", "r", &forwarded(0, 7, b"{\"x\":1}")));
    sent().fails("untouched", between(), missing);
    let later = sent().wait_ms(2_000).log("r", "later");
    later.fails("untouched", between(), "has bytes that nobody gave to the relay");
}

#[test]
fn handshakes_do_not_count_where_a_type_is_asked_for() {
    let story =
        ["session_init", "message", "message"].iter().zip(1..).fold(told(), |story, (kind, id)| {
            let envelope = json!({ "msg_type": kind, "version": "1.1", "nonce": id }).to_string();
            let story = posted(story, "/message", envelope.as_bytes(), STORED);
            story.binary("r", "c", &forwarded(1, id, envelope.as_bytes()))
        });
    story.passes("untouched", with(json!({ "times": 3 })));
    let asked = |times: u64| with(json!({ "times": times, "type": "message", "version": "1.1" }));
    story.passes("untouched", asked(2));
    story.fails("untouched", asked(3), "expected 3 messages of 1.1 of type message to cross, 2");
}

#[test]
fn a_byte_that_the_relay_changes_is_seen() {
    let story = posted(told(), "/message", b"{\"x\":1}", STORED);
    let story = story.binary("r", "c", &forwarded(1, 7, b"{\"x\":2}"));
    fails_later(story, between(), "has bytes that nobody gave to the relay");
}

#[test]
fn what_the_relay_answered_and_never_handed_on_is_lost() {
    let story = posted(told(), "/message", b"{\"x\":1}", STORED);
    let story = posted(story, "/message", b"{\"x\":2}", STORED);
    let story = story.binary("r", "c", &forwarded(1, 7, b"{\"x\":2}"));
    let story = story.wait_ms(2_000).log("r", "later");
    story.fails("untouched", between(), "was answered 200, and never came out");
    let frames = [0, 0, 0, 2, 0x11, 1, 0, 0, 0, 2, 0x11, 2];
    let answer = |body| posted(told(), "/frame", &frames, (200, body));
    let half = |story: Story| story.binary("r", "c", &forwarded(1, 1, &[0x11, 1]));
    let both = half(answer(br#"{"results":["ok","ok"]}"#));
    both.passes("untouched", between());
    both.wait_ms(2_000).log("r", "later").fails("untouched", between(), "frame 2 of");
    let one = half(answer(br#"{"results":["ok","MESSAGE_TOO_LARGE"]}"#));
    one.wait_ms(2_000).log("r", "later").passes("untouched", between());
}

#[test]
fn what_the_relay_refused_need_not_come_out() {
    let story = posted(told(), "/message", b"{\"x\":1}", (503, b"{}"));
    story.fails("untouched", between(), "expected 1 messages to cross, 0");
}

#[test]
fn a_forward_keeps_its_id_and_has_one_hop_more() {
    let story = || told().binary("a", "r", &forwarded(0, 1, b"{}"));
    story().binary("r", "c", &forwarded(1, 1, b"{}")).passes("untouched", between());
    for (hops, id) in [(0, 1), (2, 1), (1, 2)] {
        let story = story().binary("r", "c", &forwarded(hops, id, b"{}"));
        story.fails("untouched", between(), "has another id, or not one hop more");
    }
    // To a further relay, whoever it is for.
    let story = Story::new().binary("a", "r", &forwarded(0, 1, b"{}"));
    let story = story.binary("r", "c", &forwarded(1, 1, b"{}"));
    story.passes("untouched", with(json!({ "onward": true })));
    story.fails("untouched", between(), "has not said which key it has");
}

#[test]
fn what_is_posted_to_a_mailbox_and_goes_on_to_a_further_relay_is_compared() {
    let onward = || with(json!({ "onward": true }));
    let given = || posted(Story::new(), "/message", b"{\"x\":1}", STORED);
    given().binary("r", "c", &forwarded(1, 7, b"{\"x\":1}")).passes("untouched", onward());
    let changed = given().binary("r", "c", &forwarded(1, 7, b"{\"x\":2}"));
    fails_later(changed, onward(), "has bytes that nobody gave to the relay");
    let lost = posted(given(), "/message", b"{\"x\":2}", STORED);
    let lost =
        lost.binary("r", "c", &forwarded(1, 7, b"{\"x\":1}")).wait_ms(2_000).log("r", "later");
    lost.fails("untouched", onward(), "was answered 200, and never came out");
    // To the relay itself.
    let own = Story::new().wire("a", "r", &json!({ "x": 1 }), 200);
    own.fails("untouched", onward(), "expected 1 messages to cross, 0");
}

#[test]
fn what_is_for_others_and_what_a_connection_says_of_itself_does_not_count() {
    let story = told().binary("a", "r", &forwarded(0, 1, b"{}"));
    let story = story.binary("r", "c", b"\x10{}").binary("r", "c", &[1; 9]);
    let other = [&[FORWARD, 1], &[9; 16][..], &[0xaa; 32], &[0], b"{\"y\":1}"].concat();
    let story = story.binary("r", "c", &other);
    story.fails("untouched", between(), "expected 1 messages to cross, 0");
}

#[test]
fn roles_and_a_known_form_are_needed() {
    for params in [json!({}), json!({ "from": "a", "via": "r" }), with(json!({ "form": "letter" }))]
    {
        let error = judge("untouched", &params, &[]).unwrap_err();
        assert!(error.to_string().contains("needs"), "{error}");
    }
}
