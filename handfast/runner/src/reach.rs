//! What a run reached of what its project wants it to reach: messages on the wire, faults that took effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use handfast_scenario::RunEvent;
use handfast_scenario::plan::{Unit, UnitId};
use handfast_scenario::project::Exercise;
use handfast_scenario::verdict::VerdictKind;

/// What has not been reached yet. It only shrinks, whatever peers say on the wire; where nothing is wanted, nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct Reach(OnceLock<Watch>);

#[derive(Debug)]
struct Watch {
    asked: Asked,
    left: Mutex<Left>,
}

#[derive(Debug)]
struct Left {
    wanted: Exercise,
    /// Whether cells were taken over, of which nobody knows any more what went over their wires.
    has_recalled: bool,
}

impl Reach {
    /// From now on it is told what of `wanted` has been reached, where each unit asks for the faults of `asked`. Only the first such wish
    /// counts.
    pub(crate) fn want(&self, wanted: Exercise, asked: Asked) {
        let left = Mutex::new(Left { wanted, has_recalled: false });
        self.0.get_or_init(|| Watch { asked, left });
    }

    /// Hears an event.
    pub(crate) fn hear(&self, event: &RunEvent) {
        let Some(watch) = self.0.get() else { return };
        if let RunEvent::WireMessage { message_type: Some(kind), .. } = event {
            watch.left().wanted.messages.remove(kind);
        }
        // Of a unit with a verdict on the peers everything took effect that it asks of the network and of processes, or it
        // would be a failure of the infrastructure.
        if let RunEvent::UnitEnded { unit, verdict, .. }
        | RunEvent::CellRecalled { unit, verdict, .. } = event
            && is_judged(verdict.kind())
            && let Some(faults) = watch.asked.0.get(unit)
        {
            watch.left().wanted.faults.retain(|fault| !faults.contains(fault.as_str()));
        }
        if let RunEvent::CellRecalled { .. } = event {
            watch.left().has_recalled = true;
        }
    }

    /// What was wanted and not reached; `None` where all was. Of messages nothing is said where a cell was taken over.
    pub(crate) fn never(&self) -> Option<RunEvent> {
        let left = self.0.get()?.left();
        let messages = left.wanted.messages.iter().filter(|_| !left.has_recalled);
        let messages: Vec<String> = messages.cloned().collect();
        let faults: Vec<String> = left.wanted.faults.iter().cloned().collect();
        let is_something = !messages.is_empty() || !faults.is_empty();
        is_something.then_some(RunEvent::NeverExercised { messages, faults })
    }
}

impl Watch {
    fn left(&self) -> std::sync::MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a verdict says something of the peers.
fn is_judged(kind: VerdictKind) -> bool {
    match kind {
        VerdictKind::Passed | VerdictKind::Failed | VerdictKind::TimedOut => true,
        VerdictKind::Infra
        | VerdictKind::Unsupported
        | VerdictKind::Absent
        | VerdictKind::DidNotFit => false,
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

    fn reach(wanted: Exercise) -> Reach {
        let reach = Reach::default();
        reach.want(wanted, asked());
        reach
    }

    fn never(reach: &Reach) -> Option<(Vec<String>, Vec<String>)> {
        match reach.never() {
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
        let reach = reach(wanted(&["hello", "goodbye"], &["kill", "silent-cut", "rate", "clock"]));
        reach.hear(&message(Some("hello")));
        reach.hear(&message(Some("nobody wants this")));
        reach.hear(&message(None));
        reach.hear(&ended("killed", Verdict::Passed));
        reach.hear(&ended("slow", Verdict::Failed { reason: "too slow".to_owned() }));
        let expected = (texts(&["goodbye"]), texts(&["clock", "silent-cut"]));
        assert_eq!(never(&reach), Some(expected));
    }

    #[test]
    fn a_fault_that_could_not_be_carried_out_was_not_reached() {
        let reach = reach(wanted(&[], &["kill"]));
        reach.hear(&ended("killed", Verdict::Infra { reason: "it took no effect".to_owned() }));
        assert_eq!(never(&reach), Some((texts(&[]), texts(&["kill"]))));
        reach.hear(&ended("killed", Verdict::Passed));
        assert_eq!(never(&reach), None);
    }

    #[test]
    fn nothing_is_said_of_messages_where_a_cell_was_taken_over() {
        let reach = reach(wanted(&["hello"], &["kill"]));
        let (unit, run) = (UnitId::new("killed"), "20261122-093045-1f3c07ab".to_owned());
        let verdict = Verdict::Passed;
        reach.hear(&RunEvent::CellRecalled { unit, run, verdict, duration_us: 1 });
        assert_eq!(never(&reach), None);
    }

    #[test]
    fn where_nothing_is_wanted_nothing_is_missed() {
        let reach = Reach::default();
        reach.hear(&message(Some("hello")));
        assert_eq!(never(&reach), None);
    }
}
