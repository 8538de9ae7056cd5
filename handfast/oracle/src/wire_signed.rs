//! `wire-signed`: every message on the wire carries a signature that is not empty.
//!
//! Whether the signature is right only the peers can say; that one of them sends without is seen here.

use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    let mut wire = history.wire();
    // What goes over a WebSocket beside envelopes has no signature to show.
    wire.retain(|message| !message.is_binary_of_socket());
    if wire.is_empty() {
        return Ok(
            Err("no message was captured, so that all were signed shows nothing".to_owned()),
        );
    }
    for message in wire {
        let Some(envelope) = message.sent_json() else {
            return Ok(Err(format!(
                "{} is not JSON, or longer than what is captured",
                message.title()
            )));
        };
        let signed = envelope["signature"].as_str().is_some_and(|signature| !signature.is_empty());
        if !signed {
            return Ok(Err(format!("{} has no signature", message.title())));
        }
    }
    Ok(Ok(()))
}

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

    #[test]
    fn what_is_not_json_fails() {
        let story = Story::new().wire_bytes("a", "b", b"hello", 200, WireTaken::Passed);
        story.fails("wire-signed", NONE, "is not JSON");
    }
}
