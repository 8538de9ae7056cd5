//! `no-server-error`: whatever a peer was sent, it decided about it: no answer of its own says that it broke.
//!
//! Statuses of 500 and above mean that, but for 503, by which a bound refuses (`docs/protocol/1.1.md#error-codes`). What the tap
//! answered in a peer's place is no answer of the peer.

use handfast_scenario::event::WireTaken;

use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

/// The one status from 500 on that is a decision.
const SERVICE_UNAVAILABLE: u16 = 503;

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    let mut answers: Vec<(String, u16)> = Vec::new();
    for message in history.wire() {
        let by_the_tap = matches!(message.action, WireTaken::Responded { .. });
        if let Some((status, _)) = message.response.filter(|_| !by_the_tap) {
            answers.push((message.title(), status));
        }
    }
    let raw = history.raw_sends();
    answers.extend(raw.iter().map(|(_, status)| ("a body of wire.send_raw".to_owned(), *status)));
    if answers.is_empty() {
        return Ok(Err("no peer answered anything, so that none broke shows nothing".to_owned()));
    }
    let broken =
        answers.iter().find(|(_, status)| *status >= 500 && *status != SERVICE_UNAVAILABLE);
    Ok(match broken {
        Some((what, status)) => Err(format!("{what} was answered {status}")),
        None => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use handfast_scenario::event::{Half, WireTaken};
    use serde_json::{Value, json};

    use crate::story::Story;

    const NONE: Value = Value::Null;

    #[test]
    fn refusals_by_decision_pass() {
        let story = Story::new().wire("a", "b", &json!({}), 200).wire("a", "b", &json!({}), 400);
        story.wire("a", "b", &json!({}), 503).passes("no-server-error", NONE);
    }

    #[test]
    fn an_answer_of_500_fails() {
        let story = Story::new().wire("a", "b", &json!({}), 200).wire("a", "b", &json!({}), 500);
        story.fails("no-server-error", NONE, "message #2 of a -> b was answered 500");
    }

    #[test]
    fn what_the_tap_answers_is_no_answer_of_a_peer() {
        let by_the_tap = WireTaken::Responded { half: Half::Request };
        let story = Story::new().wire_bytes("a", "b", b"{}", 500, by_the_tap);
        story.fails("no-server-error", NONE, "no peer answered anything");
    }
}
