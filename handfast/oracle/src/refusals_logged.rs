//! `refusals-logged`: for every message that a peer says it refused there is a line in its log that names the code.

use std::collections::BTreeMap;

use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&[])?;
    let mut refused: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (_, by, params) in history.peer_events("message.refused") {
        *refused.entry((by, params["code"].as_str().unwrap_or_default())).or_default() += 1;
    }
    if refused.is_empty() {
        return Ok(Err("nothing was refused, so that all of it was logged shows nothing".into()));
    }
    for ((by, code), times) in refused {
        let lines = history.logs().filter(|(role, line, _)| {
            *role == by && line.contains("message refused") && line.contains(code)
        });
        let lines = lines.count() as u64;
        if lines < times {
            return Ok(Err(format!(
                "{by} refused {times} messages with {code}, its log has {lines}"
            )));
        }
    }
    Ok(Ok(()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::story::Story;

    fn refused(story: Story) -> Story {
        story.event("b", "message.refused", json!({ "from": "a", "code": "REPLAY_DETECTED" }))
    }

    #[test]
    fn every_refusal_needs_its_line() {
        let line = "INFO message refused from=a code=REPLAY_DETECTED";
        let once = || refused(Story::new()).log("b", line);
        once().passes("refusals-logged", Value::Null);
        refused(once()).fails("refusals-logged", Value::Null, "2 messages");
        refused(once()).log("b", line).passes("refusals-logged", Value::Null);
        let elsewhere = refused(Story::new()).log("a", line);
        elsewhere.fails("refusals-logged", Value::Null, "its log has 0");
        let other = refused(Story::new()).log("b", "message refused code=RATE_LIMITED");
        other.fails("refusals-logged", Value::Null, "its log has 0");
        Story::new().log("b", line).fails("refusals-logged", Value::Null, "nothing was refused");
    }
}
