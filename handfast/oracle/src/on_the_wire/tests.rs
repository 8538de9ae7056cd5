//! Tests of the oracle.

use handfast_scenario::event::WIRE_BYTES_MAX;
use serde_json::{Value, json};

use crate::judge;
use crate::story::Story;

fn story() -> Story {
    let old = json!({ "msg_type": "message", "version": "1.0" });
    let new = json!({ "msg_type": "message", "version": "1.1" });
    Story::new().wire("a", "b", &old, 200).wire("b", "a", &new, 200)
}

#[test]
fn messages_of_the_form_pass() {
    story().passes("on-the-wire", json!({ "from": "a", "has": { "version": "1.0" } }));
    story().passes("on-the-wire", json!({ "to": "a", "has": { "version": "1.1" } }));
    let any = json!({ "type": "message", "has": { "version": { "$glob": "1.*" } } });
    story().passes("on-the-wire", any);
}

#[test]
fn one_message_of_another_form_fails() {
    let params = json!({ "has": { "version": "1.0" } });
    story().fails("on-the-wire", params, "message #1 of b -> a");
}

#[test]
fn a_form_that_no_message_could_have_fails() {
    let params = json!({ "from": "c", "type": "message", "has": { "version": "1.0" } });
    story().fails("on-the-wire", params, "no message from c of type message was captured");
}

#[test]
fn attempts_are_counted_compared_and_timed() {
    let sent = |n: u8| json!({ "msg_type": "message", "n": n });
    let twice =
        || Story::new().wire("a", "b", &sent(1), 500).wait_ms(1_000).wire("a", "b", &sent(1), 200);
    let params = json!({ "times": 2, "alike": true, "apart": ["1s"] });
    twice().passes("on-the-wire", params.clone());
    twice().fails("on-the-wire", json!({ "times": 1 }), "expected 1 messages, 2 were captured");
    twice().fails("on-the-wire", json!({ "times": 3 }), "expected 3 messages, 2 were captured");
    let other = twice().wire("a", "b", &sent(2), 200);
    other.fails("on-the-wire", json!({ "alike": true }), "message #3 of a -> b has others");
    let soon = Story::new().wire("a", "b", &sent(1), 500).wire("a", "b", &sent(1), 200);
    soon.fails("on-the-wire", params, "message #2 of a -> b 1000 ms later, it came after 1 ms");
    Story::new().fails("on-the-wire", json!({ "times": 1 }), "was captured");
    let long = json!({ "text": "x".repeat(WIRE_BYTES_MAX) });
    let long = Story::new().wire("a", "b", &long, 200);
    long.fails("on-the-wire", json!({ "alike": true }), "longer than what is captured");
    // `has` counts beside them.
    let params = json!({ "times": 2, "has": { "n": 2 } });
    twice().fails("on-the-wire", params, "to include");
}

#[test]
fn attempts_to_open_a_connection_are_counted_and_timed() {
    let sent = json!({ "msg_type": "message" });
    let story = || {
        let first = Story::new().wire("a", "b", &sent, 200).dialled("a", "b");
        first.wait_ms(250).dialled("a", "b").dialled("b", "a")
    };
    let params = |most: u64| json!({ "from": "a", "type": "websocket", "at_most": most });
    story().passes("on-the-wire", params(2));
    story().fails("on-the-wire", params(1), "at most 1 messages, 2 were captured");
    story().passes(
        "on-the-wire",
        json!({ "from": "a", "type": "websocket", "times": 2, "apart": ["250ms"] }),
    );
    let none = Story::new().wire("a", "b", &sent, 200);
    none.fails("on-the-wire", params(9), "of type websocket was captured");
    // An attempt is no message.
    story().passes("on-the-wire", json!({ "times": 1 }));
}

#[test]
fn messages_after_a_restart_are_counted_apart() {
    let chunk = json!({ "msg_type": "chunk" });
    let story = || Story::new().started("a").started("b").wire("a", "b", &chunk, 200);
    let params = |at_most: u64| json!({ "from": "a", "after_start_of": "b", "at_most": at_most });
    story().fails("on-the-wire", params(1), "b was not started again");
    story().started("b").fails("on-the-wire", params(1), "no message from a was captured");
    let again = story().started("b").wire("a", "b", &chunk, 200).wire("a", "b", &chunk, 200);
    again.passes("on-the-wire", params(2));
    again.fails("on-the-wire", params(1), "expected at most 1 messages, 2 were captured");
    again.fails("on-the-wire", json!({ "from": "a", "at_most": 2 }), "3 were captured");
}

#[test]
fn pauses_need_their_messages() {
    for params in [
        json!({ "alike": true, "apart": ["1s"] }),
        json!({ "times": 3, "apart": ["1s"] }),
        json!({ "times": 0 }),
        json!({ "times": "3" }),
        json!({ "times": 2, "apart": ["soon"] }),
        json!({ "times": 2, "apart": "1s" }),
    ] {
        assert!(judge("on-the-wire", &params, &[]).is_err(), "{params}");
    }
}

#[test]
fn without_a_form_it_cannot_be_asked() {
    for params in [Value::Null, json!({ "has": {} }), json!({ "has": { "x": 1 }, "from": 1 })] {
        let error = judge("on-the-wire", &params, &[]).unwrap_err();
        assert!(error.to_string().contains("needs"), "{error}");
    }
}

#[test]
fn a_way_that_nothing_took_fails_and_others_are_not_counted() {
    let message = json!({ "msg_type": "message", "n": 1 });
    let posted = || Story::new().wire("a", "b", &message, 200);
    let over = |way: &str| json!({ "from": "a", "type": "message", "over": way, "at_least": 1 });
    posted().fails("on-the-wire", over("websocket"), "no message over websocket from a");
    posted().passes("on-the-wire", over("/message"));
    let both = || posted().socket_text("a", "b", &message);
    both().passes("on-the-wire", over("websocket"));
    let params = json!({ "over": "websocket", "times": 2 });
    both().fails("on-the-wire", params, "expected 2 messages, 1 were captured");
    let params = json!({ "over": "websocket", "at_least": 2 });
    both().fails("on-the-wire", params, "expected at least 2 messages, 1 were captured");
    both().passes("on-the-wire", json!({ "over": "websocket", "has": { "n": 1 } }));
}

#[test]
fn frames_are_counted_each_in_whatever_they_came() {
    let frames = |kind: &str, times: u64| json!({ "frame": kind, "times": times });
    let story = || {
        let story = Story::new().frames("a", "b", &[(0x11, 1), (0x12, 2), (0x11, 3)]);
        story.socket_frame("a", "b", (0x11, 4)).wire("a", "b", &json!({ "x": 1 }), 200)
    };
    story().passes("on-the-wire", frames("message", 3));
    story().passes("on-the-wire", frames("chunk", 1));
    story().fails("on-the-wire", frames("chunk", 3), "expected 3 messages, 1 were captured");
    let over = json!({ "over": "/frame", "frame": "message", "times": 2 });
    story().passes("on-the-wire", over);
    let over = json!({ "over": "websocket", "frame": "chunk", "at_least": 1 });
    story().fails("on-the-wire", over, "no message over websocket in frames of chunk was captured");
    let none = Story::new().wire("a", "b", &json!({ "x": 1 }), 200);
    none.fails("on-the-wire", frames("message", 1), "no message in frames of message");
}

#[test]
fn what_is_longer_than_what_is_captured_is_a_frame_by_its_beginning() {
    let mut long = vec![7; WIRE_BYTES_MAX + 1];
    long[0] = 0x12;
    let story = Story::new().binary("a", "b", &long);
    story.passes("on-the-wire", json!({ "over": "websocket", "frame": "chunk", "times": 1 }));
    let list = [&u32::try_from(long.len()).unwrap().to_be_bytes(), &long[..]].concat();
    let story = Story::new().posted("a", "b", "/frame", &list);
    story.passes("on-the-wire", json!({ "over": "/frame", "frame": "chunk", "times": 1 }));
}

#[test]
fn ways_and_frames_that_cannot_be_are_refused() {
    for params in [
        json!({ "over": "pigeon", "at_least": 1 }),
        json!({ "over": "", "at_least": 1 }),
        json!({ "over": 1, "at_least": 1 }),
        json!({ "over": "websocket", "at_least": 0 }),
        json!({ "frame": "letter", "at_least": 1 }),
        json!({ "frame": "message" }),
        json!({ "frame": "message", "has": { "x": 1 } }),
        json!({ "frame": "message", "type": "message", "at_least": 1 }),
        json!({ "frame": "message", "at_least": 1, "alike": true }),
        json!({ "frame": "message", "times": 2, "apart": ["1s"] }),
    ] {
        assert!(judge("on-the-wire", &params, &[]).is_err(), "{params}");
    }
}
