//! From the events of a try to what the search learns.

use std::time::Duration;

use handfast_chaos::novelty::{SIGNS_MAX, Seen, Sign};
use handfast_scenario::event::{DisturbanceState, Outcome};
use handfast_scenario::step::CALM_WITHIN;
use handfast_scenario::verdict::Verdict;
use handfast_scenario::{Recorded, RunEvent};

/// Why a unit of which every expectation held has not passed: a disturbance never came to pass, or was not as it was asked for.
const PASSED_ALL_THE_SAME: [&str; 2] = ["never-exercised: ", "account: "];

/// What a verdict says of the system. A try that passed although a disturbance never came to pass has passed: the search is
/// told what happened, and that schedule is as good as one without that disturbance.
pub(super) fn outcome(verdict: &Verdict) -> handfast_chaos::Outcome {
    use handfast_chaos::Outcome;
    match verdict {
        Verdict::Passed => Outcome::Passed,
        Verdict::Failed { .. } | Verdict::TimedOut { .. } => {
            Outcome::Failed { reason: verdict.reason() }
        }
        Verdict::Infra { reason }
            if PASSED_ALL_THE_SAME.iter().any(|why| reason.starts_with(why)) =>
        {
            Outcome::Passed
        }
        Verdict::Infra { .. }
        | Verdict::Unsupported { .. }
        | Verdict::Absent { .. }
        | Verdict::DidNotFit { .. } => Outcome::Unclear { reason: verdict.reason() },
    }
}

/// What was seen from the first step on, in its order, until calm is there: nothing is disturbed after that, and what waited for a moment
/// that comes later would not come to pass.
pub(super) fn signs(events: &[Recorded]) -> Vec<Sign> {
    let mut signs = Vec::new();
    let Some(began_us) = began_us(events) else { return signs };
    for Recorded { at_us, event } in until_calm(events) {
        let Some(since_us) = at_us.checked_sub(began_us) else { continue };
        if let Some(what) = seen(event).filter(|_| signs.len() < SIGNS_MAX) {
            signs.push(Sign { at: Duration::from_micros(since_us), what });
        }
    }
    signs
}

/// The names of the disturbances that took effect before the try had failed.
pub(super) fn occurred(events: &[Recorded]) -> Vec<String> {
    let until_failure = events.iter().take_while(|recorded| !is_failure(&recorded.event));
    let applied = |recorded: &Recorded| {
        let RunEvent::Disturbance { name, state: DisturbanceState::Applied, .. } = &recorded.event
        else {
            return None;
        };
        Some(name.clone())
    };
    until_failure.filter_map(applied).collect()
}

/// Whether from here on everything is known that leads to the verdict: what failed a step, a check, or a peer that went away.
fn is_failure(event: &RunEvent) -> bool {
    matches!(
        event,
        RunEvent::StepEnded { outcome: Outcome::Failed { .. }, .. }
            | RunEvent::CheckEnded { outcome: Outcome::Failed { .. }, .. }
            | RunEvent::PeerExited { expected: false, .. }
    )
}

fn seen(event: &RunEvent) -> Option<Seen> {
    if let RunEvent::PeerEvent { role, event, .. } = event {
        return Some(Seen::Event { role: role.to_string(), event: event.to_string() });
    }
    if let RunEvent::WireMessage { from, to, message_type, .. } = event {
        let (from, to, message_type) = (from.to_string(), to.to_string(), message_type.clone());
        return Some(Seen::Message { from, to, message_type });
    }
    let RunEvent::Disturbance { name, state, .. } = event else { return None };
    let disturbance = without_number(name);
    match state {
        DisturbanceState::Applied => Some(Seen::Applied { disturbance }),
        DisturbanceState::Undone => Some(Seen::Undone { disturbance }),
        DisturbanceState::Failed { .. } => None,
    }
}

/// A name without the number that tells it from others like it.
fn without_number(name: &str) -> String {
    let bare = name.rsplit_once(" (").filter(|(_, rest)| rest.ends_with(')'));
    bare.map_or(name, |(bare, _)| bare).to_owned()
}

fn until_calm(events: &[Recorded]) -> &[Recorded] {
    let calm = events.iter().find_map(|recorded| {
        let RunEvent::StepStarted { step, text, .. } = &recorded.event else { return None };
        text.starts_with(CALM_WITHIN).then_some(step)
    });
    let ends = |recorded: &Recorded| matches!(&recorded.event, RunEvent::StepEnded { step, .. } if Some(step) == calm);
    let end = calm.and_then(|_| events.iter().position(ends));
    &events[..end.unwrap_or(events.len())]
}

fn began_us(events: &[Recorded]) -> Option<u64> {
    let is_step = |recorded: &&Recorded| matches!(recorded.event, RunEvent::StepStarted { .. });
    events.iter().find(is_step).map(|recorded| recorded.at_us)
}

#[cfg(test)]
mod tests;
