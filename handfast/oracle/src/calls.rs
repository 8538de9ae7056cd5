//! Calls with the places of their begins and ends in the history: what came before what.

use std::collections::BTreeMap;

use handfast_scenario::RunEvent;
use handfast_scenario::event::CallOutcome;
use serde_json::{Value, json};

use crate::history::History;

/// A call. Its places are numbers of events: two events of one microsecond still have an order.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    /// The number of the event by which it began.
    pub(crate) began: usize,
    /// The number of the event by which it ended, and how it did; nothing where the history ends before.
    pub(crate) ended: Option<(usize, &'a CallOutcome)>,
    /// When it began, in microseconds.
    pub(crate) began_us: u64,
    /// Who was asked.
    pub(crate) role: &'a str,
    /// For what.
    pub(crate) method: &'a str,
    /// With which parameters.
    pub(crate) params: &'a Value,
}

impl<'a> Asked<'a> {
    /// The number of the event by which it was done, and its result.
    pub(crate) fn done(&self) -> Option<(usize, &'a Value)> {
        match self.ended {
            Some((at, CallOutcome::Ok { result })) => Some((at, result)),
            Some((_, _)) | None => None,
        }
    }

    /// Whether it surely had no effect: it was refused, and not because nobody knew whether it could be done.
    pub(crate) fn had_no_effect(&self) -> bool {
        match self.ended {
            Some((_, CallOutcome::Refused { code, .. })) => {
                code.as_deref().is_some_and(|code| code != "SERVICE_UNAVAILABLE")
            }
            Some((_, CallOutcome::Unsupported)) => true,
            Some((_, CallOutcome::Ok { .. } | CallOutcome::TimedOut | CallOutcome::Lost))
            | None => false,
        }
    }

    /// What paths of a scenario point into: `{role, with, result}`.
    pub(crate) fn whole(&self) -> Value {
        let result = self.done().map(|(_, result)| result);
        json!({ "role": self.role, "with": self.params, "result": result })
    }
}

/// All calls, in the order they began.
pub(crate) fn all<'a>(history: &History<'a>) -> Vec<Asked<'a>> {
    let mut calls: Vec<Asked<'a>> = Vec::new();
    let mut open: BTreeMap<u64, usize> = BTreeMap::new();
    for (at, (at_us, event)) in history.timed().enumerate() {
        if let RunEvent::CallStarted { call, role, method, params, .. } = event {
            open.insert(*call, calls.len());
            let (role, method) = (role.as_str(), method.as_str());
            calls.push(Asked { began: at, ended: None, began_us: at_us, role, method, params });
        }
        if let RunEvent::CallEnded { call, outcome, .. } = event
            && let Some(index) = open.remove(call)
        {
            calls[index].ended = Some((at, outcome));
        }
    }
    calls
}
