//! What a run reached of what its project wants it to reach: messages on the wire, faults that took effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use handfast_scenario::RunEvent;
use handfast_scenario::plan::{Unit, UnitId};
use handfast_scenario::project::Exercise;
use handfast_scenario::verdict::VerdictKind;

/// What was said of messages and units so far. It grows with the types of messages and with the units, not with events.
#[derive(Debug, Default)]
pub(crate) struct Reach(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    messages: BTreeSet<String>,
    /// Units with a verdict on the peers: what they ask of the network and of processes took effect, or they would be
    /// failures of the infrastructure.
    judged: BTreeSet<UnitId>,
    /// Whether cells were taken over, of which nobody knows any more what went over their wires.
    has_recalled: bool,
}

impl Reach {
    /// Hears an event.
    pub(crate) fn hear(&self, event: &RunEvent) {
        if let RunEvent::WireMessage { message_type: Some(kind), .. } = event {
            let mut seen = self.seen();
            if !seen.messages.contains(kind) {
                seen.messages.insert(kind.clone());
            }
        }
        if let RunEvent::UnitEnded { unit, verdict, .. }
        | RunEvent::CellRecalled { unit, verdict, .. } = event
            && is_judged(verdict.kind())
        {
            self.seen().judged.insert(unit.clone());
        }
        if let RunEvent::CellRecalled { .. } = event {
            self.seen().has_recalled = true;
        }
    }

    /// What of `wanted` was not reached, where each unit asks for the faults of `asked`; `None` where all was. Of messages
    /// nothing is said where a cell was taken over.
    pub(crate) fn never(&self, wanted: &Exercise, asked: &Asked) -> Option<RunEvent> {
        let seen = self.seen();
        let reached: BTreeSet<&str> =
            seen.judged.iter().filter_map(|unit| asked.0.get(unit)).flatten().copied().collect();
        let missing = wanted.messages.difference(&seen.messages).filter(|_| !seen.has_recalled);
        let messages: Vec<String> = missing.cloned().collect();
        let missing = wanted.faults.iter().filter(|fault| !reached.contains(fault.as_str()));
        let faults: Vec<String> = missing.cloned().collect();
        let is_something = !messages.is_empty() || !faults.is_empty();
        is_something.then_some(RunEvent::NeverExercised { messages, faults })
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a verdict says something of the peers.
fn is_judged(kind: VerdictKind) -> bool {
    match kind {
        VerdictKind::Passed | VerdictKind::Failed | VerdictKind::TimedOut => true,
        VerdictKind::Infra | VerdictKind::Unsupported | VerdictKind::Absent => false,
    }
}

/// Which units ask for which kinds of faults.
#[derive(Debug, Default)]
pub(crate) struct Asked(BTreeMap<UnitId, BTreeSet<&'static str>>);

impl Asked {
    /// What these units ask for.
    pub(crate) fn of<'a>(units: impl Iterator<Item = &'a Unit>) -> Self {
        Self(units.map(|unit| (unit.id.clone(), unit.scenario.faults())).collect())
    }
}

#[cfg(test)]
mod tests {
    use handfast_scenario::verdict::Verdict;

    use super::*;

    fn wanted(messages: &[&str], faults: &[&str]) -> Exercise {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Exercise { messages: owned(messages), faults: owned(faults) }
    }

    fn asked() -> Asked {
        let units = [("killed", "kill"), ("cut", "silent-cut"), ("slow", "rate")];
        Asked(units.map(|(unit, kind)| (UnitId::new(unit), BTreeSet::from([kind]))).into())
    }

    fn ended(unit: &str, verdict: Verdict) -> RunEvent {
        RunEvent::UnitEnded { unit: UnitId::new(unit), verdict, duration_us: 1, cpu_us: 0 }
    }

    fn message(kind: Option<&str>) -> RunEvent {
        let line = serde_json::json!({
            "kind": "wire_message", "unit": "u", "from": "a", "to": "b", "index": 1, "target": "POST /message",
            "message_type": kind, "request": { "len": 0, "base64": "" }, "delivered": null, "response": null,
            "action": { "action": "passed" },
        });
        serde_json::from_value(line).unwrap()
    }

    fn never(reach: &Reach, wanted: &Exercise) -> Option<(Vec<String>, Vec<String>)> {
        match reach.never(wanted, &asked()) {
            Some(RunEvent::NeverExercised { messages, faults }) => Some((messages, faults)),
            None => None,
            Some(other) => panic!("{other:?}"),
        }
    }

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_no_tap_saw_and_no_judged_unit_asked_for_is_named() {
        let reach = Reach::default();
        reach.hear(&message(Some("hello")));
        reach.hear(&message(None));
        reach.hear(&ended("killed", Verdict::Passed));
        reach.hear(&ended("slow", Verdict::Failed { reason: "too slow".to_owned() }));
        let wanted = wanted(&["hello", "goodbye"], &["kill", "silent-cut", "rate", "clock"]);
        let expected = (texts(&["goodbye"]), texts(&["clock", "silent-cut"]));
        assert_eq!(never(&reach, &wanted), Some(expected));
    }

    #[test]
    fn a_fault_that_could_not_be_carried_out_was_not_reached() {
        let reach = Reach::default();
        let wanted = wanted(&[], &["kill"]);
        reach.hear(&ended("killed", Verdict::Infra { reason: "it took no effect".to_owned() }));
        assert_eq!(never(&reach, &wanted), Some((texts(&[]), texts(&["kill"]))));
        reach.hear(&ended("killed", Verdict::Passed));
        assert_eq!(never(&reach, &wanted), None);
    }

    #[test]
    fn nothing_is_said_of_messages_where_a_cell_was_taken_over() {
        let reach = Reach::default();
        let wanted = wanted(&["hello"], &["kill"]);
        let (unit, run) = (UnitId::new("killed"), "20261122-093045-1f3c07ab".to_owned());
        let verdict = Verdict::Passed;
        reach.hear(&RunEvent::CellRecalled { unit, run, verdict, duration_us: 1 });
        assert_eq!(never(&reach, &wanted), None);
    }
}
