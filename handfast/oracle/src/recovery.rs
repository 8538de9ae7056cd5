//! `recovery < 30s`: a peer that was started again has, within the time, a session with every peer it had one with.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::History;
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["at_most"])?;
    let at_most = params.duration("at_most")?;
    let at_most_us = u64::try_from(at_most.as_micros()).unwrap_or(u64::MAX);
    let mut words: Vec<(u64, &str, &str)> = Vec::new();
    for name in ["session.ready", "session.resumed"] {
        words.extend(
            history.peer_events(name).map(|(at_us, by, params)| {
                (at_us, by, params["peer"].as_str().unwrap_or_default())
            }),
        );
    }
    let restarts = history.restarts();
    if restarts.is_empty() {
        return Ok(Err("no peer was started again, so there was nothing to recover from".into()));
    }
    let mut recovered = 0_u64;
    for (role, restart_us) in &restarts {
        let between = |peer: &str, &(_, by, with): &(u64, &str, &str)| {
            (by == *role && with == peer) || (by == peer && with == *role)
        };
        let had: BTreeSet<&str> = words
            .iter()
            .filter(|(at_us, by, with)| at_us < restart_us && (by == role || with == role))
            .map(|(_, by, with)| if by == role { *with } else { *by })
            .collect();
        for peer in had {
            let back = words.iter().find(|word| word.0 >= *restart_us && between(peer, word));
            let took_us = back.map(|word| word.0.saturating_sub(*restart_us));
            if took_us.is_none_or(|took_us| took_us > at_most_us) {
                let took = took_us.map_or("it has not come".to_owned(), |us| {
                    format!("it took {} ms", us / 1_000)
                });
                return Ok(Err(format!(
                    "expected a session of {role} with {peer} within {} ms of its start, {took}",
                    at_most.as_millis()
                )));
            }
            recovered += 1;
        }
    }
    Ok(if recovered == 0 {
        Err("no peer that was started again had a session before".to_owned())
    } else {
        Ok(())
    })
}

/// Which roles were started again, and when.
pub(crate) fn restarts<'a>(starts: impl Iterator<Item = (u64, &'a str)>) -> Vec<(&'a str, u64)> {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    starts.filter_map(|(at_us, role)| seen.insert(role, at_us).map(|_| (role, at_us))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::story::Story;

    fn limit() -> Value {
        json!({ "at_most": "30s" })
    }

    fn up() -> Story {
        Story::new().started("a").started("b").ready("a", "b", "s", "initiator")
    }

    fn resumed(story: Story) -> Story {
        story.event("b", "session.resumed", json!({ "id": "s", "peer": "a", "generation": 1 }))
    }

    #[test]
    fn a_session_that_comes_back_in_time_passes() {
        resumed(up().started("b")).passes("recovery", limit());
        up().started("b").ready("a", "b", "t", "responder").passes("recovery", limit());
    }

    #[test]
    fn a_session_that_comes_back_late_or_never_fails() {
        up().started("b").fails("recovery", limit(), "it has not come");
        resumed(up().started("b").wait_ms(31_000)).fails("recovery", limit(), "it took 310");
        let twice = resumed(up().started("b")).started("b");
        twice.fails("recovery", limit(), "it has not come");
    }

    #[test]
    fn without_a_restart_or_a_session_nothing_is_shown() {
        up().fails("recovery", limit(), "no peer was started again");
        let never = Story::new().started("a").started("b").started("b");
        never.fails("recovery", limit(), "had a session before");
    }
}
