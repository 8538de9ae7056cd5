//! `wire-signed`: every message on the wire carries a signature that is not empty; a compact frame, whose tag stands for one,
//! belongs to a session that a signed message has named.
//!
//! Whether signature and tag are right only the peers can say; that one of them sends without is seen here.

use std::collections::BTreeSet;

use crate::frames::{self, Frame};
use crate::history::{History, Wire};
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    Ok(judge(&history.wire()))
}

fn judge(wire: &[Wire<'_>]) -> Finding {
    let (mut sessions, mut is_any_signed) = (BTreeSet::new(), false);
    let mut sealed: Vec<(String, Frame)> = Vec::new();
    for message in wire {
        let title = message.title();
        if message.went_over(FRAMES) || message.is_binary_of_socket() {
            let found = frames::of(message);
            // What a connection says of itself has nothing to sign.
            if !found.is_whole && !message.is_binary_of_socket() {
                return Err(format!("{title} is no list of frames"));
            }
            sealed.extend(found.frames.into_iter().map(|frame| (title.clone(), frame)));
            continue;
        }
        let Some(envelope) = message.sent_json() else {
            return Err(format!("{title} is not JSON, or longer than what is captured"));
        };
        if envelope["signature"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{title} has no signature"));
        }
        is_any_signed = true;
        sessions.extend(envelope["session_id"].as_str().map(str::to_owned));
    }
    if !is_any_signed {
        return Err("no message was captured, so that all were signed shows nothing".to_owned());
    }
    match sealed.iter().find(|(_, frame)| !sessions.contains(&frame.session)) {
        Some((title, Frame { session, .. })) => {
            Err(format!("{title} is of session {session}, which nothing signed has named"))
        }
        None => Ok(()),
    }
}

/// Where lists of frames are posted.
const FRAMES: &str = "/frame";

#[cfg(test)]
mod tests {
    use handfast_scenario::event::WireTaken;
    use serde_json::{Value, json};

    use crate::story::Story;

    const NONE: Value = Value::Null;

    #[test]
    fn signed_messages_pass() {
        Story::new().wire("a", "b", &json!({ "signature": "x" }), 200).passes("wire-signed", NONE);
    }

    #[test]
    fn one_message_without_signature_fails() {
        let story = Story::new().wire("a", "b", &json!({ "signature": "x" }), 200);
        let story = story.wire("a", "b", &json!({ "signature": null }), 200);
        story.fails("wire-signed", NONE, "message #2 of a -> b has no signature");
    }

    #[test]
    fn what_a_connection_says_beside_envelopes_is_not_looked_at_and_shows_nothing() {
        let story = Story::new().binary("a", "b", &[1, 0, 0, 0, 0, 0, 0, 0, 1]);
        story.fails("wire-signed", NONE, "no message was captured");
        let story = story.wire("a", "b", &json!({ "signature": "x" }), 200);
        story.passes("wire-signed", NONE);
    }

    const SESSION: &str = "07070707-0707-0707-0707-070707070707";

    #[test]
    fn frames_of_a_session_that_was_signed_pass_alone_and_in_a_list() {
        let signed = json!({ "signature": "x", "session_id": SESSION });
        let story = Story::new().wire("a", "b", &signed, 200).frames("a", "b", &[(0x11, 1)]);
        story.socket_frame("b", "a", (0x12, 2)).passes("wire-signed", NONE);
    }

    #[test]
    fn frames_of_a_session_that_nothing_signed_has_named_fail() {
        let story = || Story::new().wire("a", "b", &json!({ "signature": "x" }), 200);
        let posted = story().frames("a", "b", &[(0x11, 1), (0x11, 2)]);
        posted.fails("wire-signed", NONE, "which nothing signed has named");
        let socket = story().socket_frame("a", "b", (0x12, 1));
        socket.fails("wire-signed", NONE, "which nothing signed has named");
        let none = Story::new().frames("a", "b", &[(0x11, 1)]);
        none.fails("wire-signed", NONE, "no message was captured");
    }

    #[test]
    fn what_is_posted_among_frames_and_is_none_fails() {
        let story = Story::new().wire("a", "b", &json!({ "signature": "x" }), 200);
        let clear = story.posted("a", "b", "/frame", b"{\"msg_type\":\"message\"}");
        clear.fails("wire-signed", NONE, "is no list of frames");
    }

    #[test]
    fn what_is_not_json_fails() {
        let story = Story::new().wire_bytes("a", "b", b"hello", 200, WireTaken::Passed);
        story.fails("wire-signed", NONE, "is not JSON");
    }
}
