//! `ready < 500ms`: every role has a session with every other within the time, counted from the moment the last peer
//! was up.

use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["at_most"])?;
    let at_most = params.duration("at_most")?;
    let Some(from_us) = history.all_started_us() else {
        return Ok(Err("no peer was started".to_owned()));
    };
    let at_most_us = u64::try_from(at_most.as_micros()).unwrap_or(u64::MAX);
    let ready = history.ready();
    let roles = history.roles();
    if roles.len() < 2 {
        return Ok(Err("a session needs two peers, one was started".to_owned()));
    }
    for role in &roles {
        for peer in roles.iter().filter(|peer| *peer != role) {
            let Some(first) = ready.iter().find(|ready| ready.by == *role && ready.peer == *peer)
            else {
                return Ok(Err(format!("{role} never said that its session with {peer} is ready")));
            };
            let took_us = first.at_us.saturating_sub(from_us);
            if took_us > at_most_us {
                let took_ms = took_us / 1_000;
                return Ok(Err(format!(
                    "expected {role} ready with {peer} within {} ms of both peers being up, it took {took_ms} ms",
                    at_most.as_millis()
                )));
            }
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::story::Story;

    fn meeting(wait_ms: u64) -> Story {
        let story = Story::new().started("a").started("b").wait_ms(wait_ms);
        story.ready("a", "b", "s", "initiator").ready("b", "a", "s", "responder")
    }

    #[test]
    fn a_quick_meeting_passes() {
        meeting(100).passes("ready", json!({ "at_most": "500ms" }));
    }

    #[test]
    fn a_slow_meeting_fails() {
        meeting(500).fails("ready", json!({ "at_most": "500ms" }), "it took 501 ms");
    }

    #[test]
    fn one_silent_side_fails() {
        let story = Story::new().started("a").started("b").ready("a", "b", "s", "initiator");
        story.fails("ready", json!({ "at_most": "1s" }), "b never said");
    }
}
