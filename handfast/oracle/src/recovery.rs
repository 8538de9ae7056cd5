//! `recovery < 30s`: after whatever disturbed it, the network works again within the time.
//!
//! *A start*: a peer that was started again has, within the time, a session with every peer it had one with. *A disturbance*: from the moment on at which it
//! was undone (a kill without an end of its own: at which its peer was started again), everybody whom it concerned gets, within the time, one
//! message through with success to somebody else of those, or hears one: an answer of 2xx on the wire, or a message over a WebSocket that was handed on. What the way between two peers was is
//! concerned in each of its directions. Where nobody tried anything afterwards nothing is shown, and that is no pass.

use std::collections::{BTreeMap, BTreeSet};

use handfast_scenario::RunEvent;
use handfast_scenario::event::{DisturbanceState, WireTaken};

use crate::history::{History, WEBSOCKET, Wire};
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["at_most"])?;
    let at_most = params.duration("at_most")?;
    let at_most_us = u64::try_from(at_most.as_micros()).unwrap_or(u64::MAX);
    let undone = undone(history);
    if history.restarts().is_empty() && undone.is_empty() {
        return Ok(Err(
            "no peer was started again and nothing was disturbed, so there was nothing to recover from"
                .into(),
        ));
    }
    let sessions = sessions_are_back(history, at_most_us);
    Ok(sessions.and_then(|recovered| {
        for (name, at_us, roles) in &undone {
            successes(history, name, *at_us, roles, at_most_us)?;
        }
        if recovered == 0 && undone.is_empty() {
            return Err("no peer that was started again had a session before".to_owned());
        }
        Ok(())
    }))
}

/// Says how many sessions are back.
fn sessions_are_back(history: &History<'_>, at_most_us: u64) -> Result<u64, String> {
    let mut words: Vec<(u64, &str, &str)> = Vec::new();
    for name in ["session.ready", "session.resumed"] {
        words.extend(
            history.peer_events(name).map(|(at_us, by, params)| {
                (at_us, by, params["peer"].as_str().unwrap_or_default())
            }),
        );
    }
    let mut recovered = 0_u64;
    for (role, restart_us) in &history.restarts() {
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
                return Err(format!(
                    "expected a session of {role} with {peer} within {} ms of its start, {took}",
                    at_most_us / 1_000
                ));
            }
            recovered += 1;
        }
    }
    Ok(recovered)
}

/// The disturbances that were in force and are over: name, since when, and whom they concerned. Of one that came and went several
/// times each time counts.
fn undone<'a>(history: &History<'a>) -> Vec<(&'a str, u64, BTreeSet<&'a str>)> {
    let roles: BTreeSet<&str> = history.roles().into_iter().collect();
    let mut over = Vec::new();
    for (at_us, event) in history.timed() {
        if let RunEvent::Disturbance { name, text, state: DisturbanceState::Undone, .. } = event {
            over.push((name.as_str(), at_us, concerned(text, &roles)));
        }
    }
    over
}

/// The roles that the text of a disturbance names.
fn concerned<'a>(text: &str, roles: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
    let words: BTreeSet<&str> =
        text.split(|letter: char| !(letter.is_alphanumeric() || "_-".contains(letter))).collect();
    roles.iter().filter(|role| words.contains(**role)).copied().collect()
}

/// Everybody concerned exchanges something with success in time.
fn successes(
    history: &History<'_>,
    name: &str,
    at_us: u64,
    roles: &BTreeSet<&str>,
    at_most_us: u64,
) -> Finding {
    for role in roles {
        let wire = history.wire();
        let theirs = wire.iter().filter(|message| {
            // Of a link both ends are concerned; of one peer, whoever it talks with.
            let other = if message.from == *role { message.to } else { message.from };
            let is_its = message.from == *role || message.to == *role;
            is_its && message.at_us >= at_us && (roles.len() < 2 || roles.contains(other))
        });
        let (mut tried, mut first_us) = (0_u64, None);
        for message in theirs {
            tried += 1;
            if is_success(message) {
                first_us = Some(message.at_us - at_us);
                break;
            }
        }
        match first_us {
            Some(took_us) if took_us <= at_most_us => {}
            Some(took_us) => {
                return Err(format!(
                    "expected {role} to exchange something within {} ms after {name} was undone, it took {} ms",
                    at_most_us / 1_000,
                    took_us / 1_000
                ));
            }
            None if tried == 0 => {
                return Err(format!(
                    "after {name} was undone nobody tried to exchange anything with {role}, so that nothing is known of its recovery"
                ));
            }
            None => {
                return Err(format!(
                    "expected {role} to exchange something after {name} was undone, {tried} messages were all in vain"
                ));
            }
        }
    }
    Ok(())
}

/// Whether a message got through: answered with 2xx, or, on a connection where nothing is answered, handed on.
fn is_success(message: &Wire<'_>) -> bool {
    match message.response {
        Some((status, _)) => (200..300).contains(&status),
        None => message.went_over(WEBSOCKET) && *message.action == WireTaken::Passed,
    }
}

/// Which roles were started again, and when.
pub(crate) fn restarts<'a>(starts: impl Iterator<Item = (u64, &'a str)>) -> Vec<(&'a str, u64)> {
    let mut seen: BTreeMap<&str, u64> = BTreeMap::new();
    starts.filter_map(|(at_us, role)| seen.insert(role, at_us).map(|_| (role, at_us))).collect()
}

#[cfg(test)]
mod tests {
    use handfast_scenario::event::DisturbanceState;
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
        up().fails("recovery", limit(), "nothing was disturbed");
        let never = Story::new().started("a").started("b").started("b");
        never.fails("recovery", limit(), "had a session before");
    }

    fn cut(story: Story) -> Story {
        story.disturbance("away", "cut a <-> b, silent", DisturbanceState::Applied).wait_ms(500)
    }

    fn whole(story: Story) -> Story {
        story.disturbance("away", "cut a <-> b, silent", DisturbanceState::Undone)
    }

    fn talk(story: Story, status: u16) -> Story {
        story.wire("a", "b", &json!({ "x": 1 }), status)
    }

    #[test]
    fn a_message_that_gets_through_after_a_disturbance_passes() {
        talk(whole(talk(cut(up()), 503)), 200).passes("recovery", limit());
        let twice = talk(whole(cut(talk(whole(cut(up())), 200))), 200);
        twice.passes("recovery", limit());
    }

    #[test]
    fn a_network_that_works_late_or_never_after_a_disturbance_fails() {
        let late = talk(whole(cut(up())).wait_ms(31_000), 200);
        late.fails("recovery", limit(), "to exchange something within 30000 ms after away");
        talk(whole(cut(up())), 503).fails("recovery", limit(), "1 messages were all in vain");
        whole(talk(cut(up()), 200)).fails("recovery", limit(), "nobody tried to exchange anything");
    }

    #[test]
    fn messages_of_others_show_nothing_of_a_link() {
        let story = whole(cut(up().started("c"))).wire("a", "c", &json!({ "x": 1 }), 200);
        story.fails("recovery", limit(), "nobody tried to exchange anything with a");
        let pause = |state| up().started("c").disturbance("still", "pause a", state);
        let story = pause(DisturbanceState::Undone).wire("a", "c", &json!({ "x": 1 }), 200);
        story.passes("recovery", limit());
    }

    #[test]
    fn over_a_websocket_nothing_is_answered() {
        let story = whole(cut(up())).socket_text("a", "b", &json!({ "x": 1 }));
        story.passes("recovery", limit());
    }

    #[test]
    fn a_disturbance_that_is_not_over_shows_nothing() {
        cut(up()).fails("recovery", limit(), "nothing to recover from");
    }
}
