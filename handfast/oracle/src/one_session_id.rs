//! `one-session-id`: both sides of every pair name the same session, one as initiator and one as responder, and
//! speak the same version in it. A resumed session is the one that was ready before. With `ever = true` there never was
//! another one, whoever was started again, and somebody resumed it.

use std::collections::BTreeMap;

use crate::history::{History, Ready};
use crate::params::Params;
use crate::{Finding, OracleError};

pub(crate) fn check(history: &History<'_>, params: &Params<'_>) -> Result<Finding, OracleError> {
    params.only(&["ever"])?;
    let ever = params.flag("ever")?;
    let ready = history.ready();
    // A session may be replaced (both open at once, or again after a loss): the last word counts.
    let mut last: BTreeMap<(&str, &str), &Ready<'_>> =
        ready.iter().map(|ready| ((ready.by, ready.peer), ready)).collect();
    let unsaid = unsaid(history);
    for ready in &unsaid {
        last.entry((ready.by, ready.peer)).or_insert(ready);
    }
    if last.is_empty() {
        return Ok(Err("no role ever said that a session is ready".to_owned()));
    }
    let pairs = last.iter().map(|((by, peer), own)| (*by, *peer, *own));
    for (by, peer, own) in pairs {
        let Some(other) = last.get(&(peer, by)) else {
            return Ok(Err(format!(
                "{by} says its session {} with {peer} is ready, {peer} never did",
                own.id
            )));
        };
        if let Some(reason) = disagreement(by, peer, own, other) {
            return Ok(Err(reason));
        }
    }
    let finding = getters_agree(history, &last).and_then(|()| resumptions_fit(history, &last));
    Ok(finding.and_then(|()| if ever { never_another(history, &ready) } else { Ok(()) }))
}

/// The sessions that a role has resumed after it was started again. A peer that is killed the moment its session is ready
/// had no time to say so, and its resuming it says that it was.
fn unsaid<'a>(history: &History<'a>) -> Vec<Ready<'a>> {
    let restarts = history.restarts();
    let resumed = history.peer_events("session.resumed").filter_map(|(at_us, by, params)| {
        let was_killed = restarts.iter().any(|(role, started)| *role == by && *started < at_us);
        let (id, peer) = (params["id"].as_str()?, params["peer"].as_str()?);
        was_killed.then_some(Ready { at_us, by, id, peer, version: None, role: None })
    });
    resumed.collect()
}

/// A session that is resumed last is the one that was ready last.
fn resumptions_fit(history: &History<'_>, last: &BTreeMap<(&str, &str), &Ready<'_>>) -> Finding {
    for (at_us, by, params) in history.peer_events("session.resumed") {
        let peer = params["peer"].as_str().unwrap_or_default();
        let ready = last.get(&(by, peer)).filter(|ready| ready.at_us < at_us);
        if let Some(ready) = ready
            && params["id"].as_str() != Some(ready.id)
        {
            return Err(format!(
                "{by} resumed {} with {peer}, {} was ready last",
                params["id"], ready.id
            ));
        }
    }
    Ok(())
}

/// Every pair has had one session only, and some session was resumed.
fn never_another(history: &History<'_>, ready: &[Ready<'_>]) -> Finding {
    if history.peer_events("session.resumed").next().is_none() {
        return Err("no session was resumed, so that none was replaced shows nothing".to_owned());
    }
    let mut first: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for Ready { by, peer, id, .. } in ready {
        let pair = if by < peer { (*by, *peer) } else { (*peer, *by) };
        let known = *first.entry(pair).or_insert(id);
        if known != *id {
            return Err(format!("{by} and {peer} had session {known} and then {id}"));
        }
    }
    Ok(())
}

fn disagreement(by: &str, peer: &str, own: &Ready<'_>, other: &Ready<'_>) -> Option<String> {
    if own.id != other.id {
        return Some(format!(
            "expected one session id, {by} has {} and {peer} has {}",
            own.id, other.id
        ));
    }
    // Who has only resumed it has not said which version it is.
    let both_say = own.version.is_some() && other.version.is_some();
    if both_say && own.version != other.version {
        return Some(format!(
            "expected one version in session {}, {by} has {:?} and {peer} has {:?}",
            own.id, own.version, other.version
        ));
    }
    if own.role.is_some() && own.role == other.role {
        return Some(format!(
            "{by} and {peer} are both {} of session {}",
            own.role.unwrap_or_default(),
            own.id
        ));
    }
    None
}

/// Where the scenario looked at `session.list` of both, the getters must tell the same as the events.
fn getters_agree(history: &History<'_>, last: &BTreeMap<(&str, &str), &Ready<'_>>) -> Finding {
    for (by, answer) in history.last_answers("session.list") {
        let sessions = answer["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
        for session in sessions.iter().filter(|session| session["state"] == "ready") {
            let (Some(id), Some(peer)) = (session["id"].as_str(), session["peer"].as_str()) else {
                return Err(format!("session.list of {by} has a session without id or peer"));
            };
            let told = last.get(&(by, peer)).map(|ready| ready.id);
            if told != Some(id) {
                return Err(format!(
                    "session.list of {by} has {id} with {peer}, its last session.ready said {}",
                    told.unwrap_or("nothing")
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use handfast_scenario::event::CallOutcome;
    use serde_json::{Value, json};

    use crate::story::Story;

    const NONE: Value = Value::Null;

    #[test]
    fn one_id_on_both_sides_passes() {
        let story =
            Story::new().ready("a", "b", "s", "initiator").ready("b", "a", "s", "responder");
        story.passes("one-session-id", NONE);
    }

    #[test]
    fn the_last_of_two_sessions_counts() {
        let story =
            Story::new().ready("a", "b", "old", "initiator").ready("a", "b", "s", "responder");
        story.ready("b", "a", "s", "initiator").passes("one-session-id", NONE);
    }

    #[test]
    fn two_ids_fail() {
        let story =
            Story::new().ready("a", "b", "s1", "initiator").ready("b", "a", "s2", "responder");
        story.fails("one-session-id", NONE, "a has s1 and b has s2");
    }

    #[test]
    fn one_silent_side_fails() {
        Story::new().ready("a", "b", "s", "initiator").fails("one-session-id", NONE, "b never did");
    }

    #[test]
    fn a_side_that_was_killed_before_it_could_say_so_shows_it_by_resuming_the_session() {
        let silent = || Story::new().started("b").ready("a", "b", "s", "initiator");
        let killed = || silent().wait_ms(10).started("b").wait_ms(10);
        resumed(killed(), "s").passes("one-session-id", NONE);
        resumed(killed(), "s").passes("one-session-id", json!({ "ever": true }));
        resumed(killed(), "t").fails("one-session-id", NONE, "a has s and b has t");
        killed().fails("one-session-id", NONE, "b never did");
        resumed(silent(), "s").fails("one-session-id", NONE, "b never did");
    }

    #[test]
    fn two_initiators_fail() {
        let story =
            Story::new().ready("a", "b", "s", "initiator").ready("b", "a", "s", "initiator");
        story.fails("one-session-id", NONE, "both initiator");
    }

    fn up() -> Story {
        Story::new().ready("a", "b", "s", "initiator").ready("b", "a", "s", "responder")
    }

    fn resumed(story: Story, id: &str) -> Story {
        story.event("b", "session.resumed", json!({ "id": id, "peer": "a", "generation": 1 }))
    }

    #[test]
    fn a_resumed_session_is_the_one_that_was_ready() {
        resumed(up(), "s").passes("one-session-id", NONE);
        resumed(up(), "t").fails("one-session-id", NONE, "s was ready last");
    }

    #[test]
    fn where_there_must_never_be_another_session_a_second_one_fails() {
        let ever = || json!({ "ever": true });
        resumed(up(), "s").passes("one-session-id", ever());
        up().fails("one-session-id", ever(), "no session was resumed");
        let again = resumed(up(), "s").ready("a", "b", "t", "initiator");
        let again = again.ready("b", "a", "t", "responder");
        again.fails("one-session-id", ever(), "had session s and then t");
    }

    #[test]
    fn a_getter_that_tells_another_id_fails() {
        let list = json!({ "sessions": [{ "id": "t", "peer": "b", "state": "ready" }] });
        let story =
            Story::new().ready("a", "b", "s", "initiator").ready("b", "a", "s", "responder");
        let story = story.call("a", "session.list", json!({}), CallOutcome::Ok { result: list });
        story.fails("one-session-id", NONE, "session.list of a has t with b");
    }
}
