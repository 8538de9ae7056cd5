//! Calls, peer events and wire messages of a unit on one time axis, a line each.

use std::collections::BTreeMap;

use handfast_scenario::event::{CallOutcome, DisturbanceState, Exit, Half, WireTaken};
use handfast_scenario::name::RoleName;
use handfast_scenario::{Recorded, RunEvent};
use serde_json::Value;

use crate::quantity::{axis_ms, clipped, tame, time};

/// One line of the time axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Since the unit began.
    pub at_us: u64,
    /// Who, such as `a` or `a -> b`.
    pub who: String,
    /// What happened.
    pub what: String,
    /// How often in a row.
    pub times: u64,
}

impl Moment {
    /// The line, without indent: time in ms, who, what, and how often in a row if more than once.
    pub fn line(&self) -> String {
        let times = if self.times > 1 { format!("  (x{})", self.times) } else { String::new() };
        format!("{:>9}  {:<8} {}{times}", axis_ms(self.at_us), self.who, self.what)
    }

    /// Takes in another moment if it is the same once more, such as a getter that is asked again and
    /// again; otherwise gives it back.
    pub fn absorb(&mut self, next: Self) -> Option<Self> {
        if self.who != next.who || self.what != next.what {
            return Some(next);
        }
        self.times += next.times;
        None
    }
}

/// Calls that have begun and not ended.
#[derive(Debug, Default)]
pub struct Calls {
    open: BTreeMap<u64, Moment>,
}

impl Calls {
    /// The line of a call once it has ended: at the time of its answer.
    pub fn read(&mut self, recorded: &Recorded, unit_started_us: u64) -> Option<Moment> {
        let at_us = recorded.at_us.saturating_sub(unit_started_us);
        if let RunEvent::CallStarted { call, role, method, params, .. } = &recorded.event {
            let what = tame(&format!("call {method} {}", value(params)));
            self.open.insert(*call, Moment { at_us, who: role.to_string(), what, times: 1 });
        }
        let RunEvent::CallEnded { call, outcome, .. } = &recorded.event else { return None };
        let begun = self.open.remove(call)?;
        let what = tame(&format!("{} {}", begun.what, call_outcome(outcome)));
        Some(Moment { at_us, what, ..begun })
    }

    /// The lines of calls without an answer: at the times they began.
    pub fn unanswered(&mut self) -> impl Iterator<Item = Moment> {
        let open = std::mem::take(&mut self.open).into_values();
        open.map(|begun| Moment {
            what: format!("{} => no answer when the unit ended", begun.what),
            ..begun
        })
    }
}

/// Values longer than this are cut: a line of the axis is for finding the place, the record has the rest.
const VALUE_CHARS_MAX: usize = 140;

/// The line that an event has on the axis of its unit; `None` for events with no place there.
pub fn moment(recorded: &Recorded, unit_started_us: u64) -> Option<Moment> {
    let (who, what) = words(&recorded.event)?;
    let at_us = recorded.at_us.saturating_sub(unit_started_us);
    Some(Moment { at_us, who, what: tame(&what), times: 1 })
}

fn words(event: &RunEvent) -> Option<(String, String)> {
    let of = |role: &RoleName, what: String| Some((role.to_string(), what));
    match event {
        RunEvent::PeerStarted { role, pid, ready_us, address, .. } => {
            of(role, format!("ready after {} at {address} (process {pid})", time(*ready_us)))
        }
        RunEvent::PeerEvent { role, event, params, .. } => {
            of(role, format!("event {event} {}", value(params)))
        }
        RunEvent::WireMessage {
            from, to, index, target, message_type, response, action, ..
        } => {
            let kind = message_type.as_deref().unwrap_or("-");
            let status = match response {
                Some(response) => response.status.to_string(),
                None => "no answer".to_owned(),
            };
            let what = format!("#{index} {target} {kind} => {status}{}", taken(action));
            Some((format!("{from} -> {to}"), what))
        }
        RunEvent::PeerExited { role, how, expected, .. } => {
            let surprise = if *expected { "" } else { ", unasked" };
            of(role, format!("ended {}{surprise}", exit(*how)))
        }
        RunEvent::NetworkStarted { means, asked, .. } => {
            Some((NOBODY.to_owned(), format!("network by {means}{}", conditions(asked))))
        }
        RunEvent::Disturbance { text, state, .. } => {
            let state = match state {
                DisturbanceState::Applied => String::new(),
                DisturbanceState::Undone => " (over)".to_owned(),
                DisturbanceState::Failed { reason } => format!(" FAILED: {reason}"),
            };
            Some((NOBODY.to_owned(), format!("disturbance: {text}{state}")))
        }
        RunEvent::RunStarted { .. }
        | RunEvent::UnitStarted { .. }
        // At the end of a unit, in a table of its own: see `accounts`.
        | RunEvent::Account { .. }
        | RunEvent::StepStarted { .. }
        | RunEvent::StepEnded { .. }
        // Question and answer of a call are one line: see `Calls`.
        | RunEvent::CallStarted { .. }
        | RunEvent::CallEnded { .. }
        | RunEvent::PeerLog { .. }
        | RunEvent::Searched { .. }
        | RunEvent::Measured { .. }
        | RunEvent::CheckEnded { .. }
        | RunEvent::MatrixStarted { .. }
        | RunEvent::CellRecalled { .. }
        | RunEvent::UnitEnded { .. }
        | RunEvent::SuiteStarted { .. }
        | RunEvent::UnitFlaky { .. }
        | RunEvent::UnitHealing { .. }
        | RunEvent::SuiteTest { .. }
        | RunEvent::SuiteTestFlaky { .. }
        | RunEvent::SuiteEnded { .. }
        | RunEvent::ShardsMerged { .. }
        | RunEvent::NeverExercised { .. }
        | RunEvent::RunEnded { .. } => None,
    }
}

/// Who does what no peer does.
const NOBODY: &str = "~";

fn conditions(asked: &str) -> String {
    if asked.is_empty() { String::new() } else { format!(": {asked}") }
}

fn value(value: &Value) -> String {
    clipped(&value.to_string(), VALUE_CHARS_MAX)
}

fn call_outcome(outcome: &CallOutcome) -> String {
    match outcome {
        CallOutcome::Ok { result } => format!("=> {}", value(result)),
        CallOutcome::Refused { code, status, message, detail, .. } => {
            let code = code.as_deref().unwrap_or("no code");
            let status = status.map(|status| format!(" {status}")).unwrap_or_default();
            let text = detail.as_deref().unwrap_or(message);
            format!("=> refused {code}{status}: {}", clipped(text, VALUE_CHARS_MAX))
        }
        CallOutcome::Unsupported => "=> unsupported".to_owned(),
        CallOutcome::TimedOut => "=> no answer in time".to_owned(),
        CallOutcome::Lost => "=> the peer went away".to_owned(),
    }
}

fn taken(action: &WireTaken) -> String {
    let side = |half: &Half| match half {
        Half::Request => "request",
        Half::Response => "response",
    };
    match action {
        WireTaken::Passed => String::new(),
        WireTaken::Dropped { half } => format!(" [{} dropped]", side(half)),
        WireTaken::Duplicated => " [sent twice]".to_owned(),
        WireTaken::Held { for_us } => format!(" [held for {}]", time(*for_us)),
        WireTaken::Replayed => " [replayed]".to_owned(),
        WireTaken::Cut { half } => format!(" [cut in the {}]", side(half)),
        WireTaken::Replaced { half, what } => format!(" [{what} of the {} replaced]", side(half)),
        WireTaken::Responded { half } => format!(" [answered in place of the {}]", side(half)),
        WireTaken::Unreachable { reason } => format!(" [unreachable: {reason}]"),
    }
}

fn exit(how: Exit) -> String {
    match how {
        Exit::Code { code } => format!("with code {code}"),
        Exit::Signal { signal } => format!("by signal {signal}"),
        Exit::OutOfMemory => "by SIGKILL for want of memory".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[track_caller]
    fn check(event: RunEvent, expected: Option<&str>) {
        let line = moment(&Recorded { at_us: 15_300, event }, 3_000).map(|moment| moment.line());
        assert_eq!(line.as_deref(), expected);
    }

    #[test]
    fn a_wire_message_shows_who_what_and_what_was_done_to_it() {
        let dropped = WireTaken::Dropped { half: Half::Request };
        check(
            sample::wire("u1", b"{}", dropped),
            Some("     12.3  a -> b   #1 POST /message message => no answer [request dropped]"),
        );
        let responded = WireTaken::Responded { half: Half::Request };
        check(
            sample::wire("u1", b"{}", responded),
            Some(concat!(
                "     12.3  a -> b   #1 POST /message message => no answer",
                " [answered in place of the request]"
            )),
        );
    }

    #[test]
    fn a_peer_event_shows_its_parameters() {
        check(
            sample::peer_event("u1", "b", "session.ready", serde_json::json!({ "id": "s" })),
            Some(r#"     12.3  b        event session.ready {"id":"s"}"#),
        );
    }

    #[test]
    fn a_call_is_one_line_with_question_and_answer() {
        let mut calls = Calls::default();
        let [began, ended] = sample::call("u1", 1, "a", "stats", serde_json::json!({}));
        assert_eq!(calls.read(&Recorded { at_us: 1_000, event: began }, 0), None);
        let moment = calls.read(&Recorded { at_us: 2_000, event: ended }, 0).unwrap();
        assert_eq!(moment.line(), "      2.0  a        call stats {} => {\"x\":1}");
        assert_eq!(calls.unanswered().count(), 0);
    }

    #[test]
    fn a_call_without_answer_is_told_at_the_end() {
        let mut calls = Calls::default();
        let [began, _] = sample::call("u1", 1, "a", "stats", serde_json::json!({}));
        calls.read(&Recorded { at_us: 1_000, event: began }, 0);
        let lines: Vec<String> = calls.unanswered().map(|moment| moment.line()).collect();
        assert_eq!(lines, ["      1.0  a        call stats {} => no answer when the unit ended"]);
    }

    #[test]
    fn the_same_moment_again_is_counted() {
        let moment = |at_us| Moment { at_us, who: "a".to_owned(), what: "x".to_owned(), times: 1 };
        let mut first = moment(0);
        assert_eq!(first.absorb(moment(9)), None);
        assert_eq!(first.line(), "      0.0  a        x  (x2)");
        let other = Moment { what: "y".to_owned(), ..moment(9) };
        assert_eq!(first.absorb(other.clone()), Some(other));
    }

    #[test]
    fn steps_have_no_place_on_the_axis() {
        check(sample::step_started("u1", "1", 3, "call"), None);
    }

    #[test]
    fn control_characters_of_a_peer_are_tamed() {
        let event = sample::peer_event("u1", "b", "x", serde_json::json!("\u{7f}"));
        let moment = moment(&Recorded { at_us: 0, event }, 0).unwrap();
        assert!(!moment.what.contains('\u{7f}'));
    }
}
