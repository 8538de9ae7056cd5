//! `refused-never-delivered`: what a peer refused, on the wire or to its own scenario, never reaches a handler.

use std::collections::BTreeMap;

use handfast_scenario::event::CallOutcome;
use serde_json::Value;

use crate::history::{History, Place, Received, Send, Wire};
use crate::params::Params;
use crate::{Finding, OracleError};

/// The least status that is a refusal.
const REFUSAL_MIN: u16 = 400;

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    let (sends, received) = (history.sends(), history.received());
    let mut places = Places::default();
    for message in history.wire() {
        places.count_wire(&message);
    }
    for (body, status) in history.raw_sends() {
        places.count_raw(&body, status);
    }
    let refused_calls =
        sends.iter().any(|send| matches!(send.outcome, Some(CallOutcome::Refused { .. })));
    if places.refusals == 0 && !refused_calls {
        return Ok(Err(
            "nothing was refused, so that nothing refused was delivered shows nothing".to_owned()
        ));
    }
    Ok(places.judge(&received).and_then(|()| judge_calls(&sends, &received)))
}

/// How often each place was accepted and refused on the wire.
#[derive(Default)]
struct Places {
    counts: BTreeMap<Place, (u64, u64)>,
    refusals: u64,
}

impl Places {
    fn count_wire(&mut self, message: &Wire<'_>) {
        // What was sent and what was delivered can name different places: both were refused, or accepted.
        let Some((status, _)) = message.response else { return };
        let Some(envelope) = message.delivered_json() else {
            self.refusals += u64::from(status >= REFUSAL_MIN);
            return;
        };
        self.count(&envelope, status);
    }

    fn count_raw(&mut self, body: &[u8], status: u16) {
        match serde_json::from_slice::<Value>(body) {
            Ok(envelope) => self.count(&envelope, status),
            Err(_) => self.refusals += u64::from(status >= REFUSAL_MIN),
        }
    }

    fn count(&mut self, envelope: &Value, status: u16) {
        let refused = status >= REFUSAL_MIN;
        self.refusals += u64::from(refused);
        let from = envelope["sender_id"].as_str().unwrap_or_default();
        if let Some(place) = Place::of_envelope(from, envelope) {
            let (accepted, refusals) = self.counts.entry(place).or_default();
            *(if refused { refusals } else { accepted }) += 1;
        }
    }

    fn judge(&self, received: &[Received<'_>]) -> Finding {
        let mut got: BTreeMap<Place, (u64, &str)> = BTreeMap::new();
        for message in received {
            if let Some(place) = Place::of_received(message) {
                got.entry(place).or_insert((0, message.by)).0 += 1;
            }
        }
        for (place, (times, by)) in got {
            let (accepted, refused) = self.counts.get(&place).copied().unwrap_or_default();
            if refused > 0 && times > accepted {
                return Err(format!(
                    "{by} refused number {} of {} in session {} {refused} times and accepted it {accepted} times, but received it {times} times",
                    place.sequence, place.from, place.session
                ));
            }
        }
        Ok(())
    }
}

/// The same for calls: a body that was only ever refused must not arrive.
fn judge_calls(sends: &[Send<'_>], received: &[Received<'_>]) -> Finding {
    let mut open: BTreeMap<(&str, &str, String), (u64, u64)> = BTreeMap::new();
    for send in sends {
        let (refused, other) = open.entry((send.from, send.to, send.body.to_string())).or_default();
        *(if matches!(send.outcome, Some(CallOutcome::Refused { .. })) {
            refused
        } else {
            other
        }) += 1;
    }
    for ((from, to, body), (refused, other)) in open {
        let got = received.iter().filter(|message| message.by == to && message.from == from);
        let times = got.map(|message| message.body.to_string()).filter(|got| *got == body).count();
        if refused > 0 && u64::try_from(times).unwrap_or(u64::MAX) > other {
            return Err(format!("{from} was refused {body} to {to}, but {to} received it"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::story::Story;

    const NONE: Value = Value::Null;

    fn envelope(text: &str) -> Value {
        json!({ "sender_id": "a", "session_id": "s", "sequence_num": 3, "payload": text })
    }

    #[test]
    fn a_refused_message_that_stays_away_passes() {
        Story::new().wire("a", "b", &envelope("x"), 401).passes("refused-never-delivered", NONE);
        Story::new().refused("a", "b", json!("x")).passes("refused-never-delivered", NONE);
    }

    #[test]
    fn a_refused_message_that_arrives_fails() {
        let story = Story::new().tampered("a", "b", &envelope("x"), &envelope("y"), 401);
        let story = story.received("b", "a", "s", 3, json!("y"));
        story.fails("refused-never-delivered", NONE, "b refused number 3 of a");
    }

    #[test]
    fn a_replay_refused_after_the_original_was_accepted_passes() {
        let story =
            Story::new().wire("a", "b", &envelope("x"), 200).received("b", "a", "s", 3, json!("x"));
        story.wire("a", "b", &envelope("x"), 409).passes("refused-never-delivered", NONE);
    }

    #[test]
    fn a_refused_call_whose_body_arrives_fails() {
        let story =
            Story::new().refused("a", "b", json!("x")).received("b", "a", "s", 9, json!("x"));
        story.fails("refused-never-delivered", NONE, "was refused \"x\" to b");
    }

    #[test]
    fn a_history_without_refusals_proves_nothing() {
        let story = Story::new().wire("a", "b", &envelope("x"), 200);
        story.fails("refused-never-delivered", NONE, "nothing was refused");
    }
}
