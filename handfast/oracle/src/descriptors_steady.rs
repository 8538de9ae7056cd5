//! `descriptors-steady`: between its first measurement and its last no peer has come to hold more descriptors than connections
//! explain, whatever it has done meanwhile.

use crate::history::History;
use crate::params::Params;
use crate::usage::{Growth, growths};
use crate::{Finding, OracleError};

/// How many more descriptors a peer may hold: connections that are kept open come and go.
const MORE_MAX: usize = 32;

/// Messages that have to lie between two measurements, so that one descriptor for each of ten would show.
const MESSAGES_MIN: u64 = 1_000;

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["more"])?;
    let more_max = u64::try_from(params.count("more")?.unwrap_or(MORE_MAX)).unwrap_or(u64::MAX);
    let growths = match growths(history, MESSAGES_MIN) {
        Ok(growths) => growths,
        Err(reason) => return Ok(Err(reason)),
    };
    for Growth { role, messages, before, after } in growths {
        let more = after.descriptors.saturating_sub(before.descriptors);
        if more > more_max {
            return Ok(Err(format!(
                "{role} held {} descriptors before {messages} messages and {} after them, {more} more; at most {more_max} are expected",
                before.descriptors, after.descriptors
            )));
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::story::Story;

    fn story(messages: u64, descriptors: [u64; 2]) -> Story {
        let mut story = Story::new().measured("b", descriptors[0], 0);
        for n in 0..messages {
            story = story.wire("a", "b", &json!({ "n": n }), 200);
        }
        story.measured("b", descriptors[1], 0)
    }

    #[test]
    fn a_few_connections_more_pass_and_more_than_that_fail() {
        story(1_000, [12, 44]).passes("descriptors-steady", Value::Null);
        let reason = "b held 12 descriptors before 1000 messages and 45 after them, 33 more";
        story(1_000, [12, 45]).fails("descriptors-steady", Value::Null, reason);
        story(1_000, [12, 14]).fails("descriptors-steady", json!({ "more": 1 }), "2 more");
    }

    #[test]
    fn too_few_messages_show_nothing() {
        story(999, [12, 12]).fails("descriptors-steady", Value::Null, "999 messages");
    }

    #[test]
    fn a_peer_that_was_started_again_has_a_history_of_its_own() {
        let story = story(1_000, [40, 400]).started("b").measured("b", 10, 0);
        story.fails("descriptors-steady", Value::Null, "no peer was measured twice");
    }
}
