//! Failures to test with, told as a run tells them.

use std::collections::BTreeMap;

use handfast_scenario::RunEvent;
use handfast_scenario::event::{CallOutcome, DisturbanceState, Exit, Outcome, Recorded, StepId};
use handfast_scenario::name::{CategoryName, MethodName, PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;

use crate::failure::Failure;

pub(crate) const UNIT: &str = "meeting/test_unit_x[v=1.1] (a=entity, b=python)";

pub(crate) fn unit() -> UnitId {
    UnitId::new(UNIT)
}

pub(crate) fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

pub(crate) fn peer(name: &str) -> PeerName {
    PeerName::new(name).unwrap()
}

pub(crate) fn infra(reason: &str) -> Verdict {
    Verdict::Infra { reason: reason.to_owned() }
}

pub(crate) fn failed(reason: &str) -> Verdict {
    Verdict::Failed { reason: reason.to_owned() }
}

/// The events of a unit, one after the other, a millisecond apart.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    events: Vec<Recorded>,
}

impl Story {
    /// A unit of `entity` and `python` begins.
    pub(crate) fn new() -> Self {
        Self { events: Vec::new() }.tell(RunEvent::UnitStarted {
            unit: unit(),
            name: "x".to_owned(),
            file: "x.toml".to_owned(),
            category: CategoryName::new("unit").unwrap(),
            proves: Vec::new(),
            peers: BTreeMap::from([(role("a"), peer("entity")), (role("b"), peer("python"))]),
            budget_us: 1_000_000,
        })
    }

    /// Both peers have started.
    pub(crate) fn played() -> Self {
        Self::new().started("a", "entity", "0.9.0").started("b", "python", "1.2.3")
    }

    fn tell(mut self, event: RunEvent) -> Self {
        let at_us = u64::try_from(self.events.len()).unwrap() * 1_000;
        self.events.push(Recorded { at_us, event });
        self
    }

    pub(crate) fn started(self, of: &str, name: &str, version: &str) -> Self {
        self.tell(RunEvent::PeerStarted {
            unit: unit(),
            role: role(of),
            peer: peer(name),
            pid: 1,
            ready_us: 1,
            address: "http://127.0.0.1:1".to_owned(),
            key: None,
            version: version.to_owned(),
            protocol_versions: Vec::new(),
        })
    }

    pub(crate) fn step(self, step: &str) -> Self {
        self.tell(RunEvent::StepStarted {
            unit: unit(),
            step: StepId(step.to_owned()),
            line: 1,
            text: "a step".to_owned(),
        })
    }

    pub(crate) fn step_failed(self, step: &str, reason: &str) -> Self {
        self.tell(RunEvent::StepEnded {
            unit: unit(),
            step: StepId(step.to_owned()),
            outcome: Outcome::Failed { reason: reason.to_owned() },
            duration_us: 1,
        })
    }

    pub(crate) fn call(self, of: &str, outcome: CallOutcome) -> Self {
        self.tell(RunEvent::CallEnded {
            unit: unit(),
            call: 1,
            role: role(of),
            method: MethodName::new("session.open").unwrap(),
            outcome,
            duration_us: 1,
        })
    }

    pub(crate) fn exited(self, of: &str, how: Exit) -> Self {
        self.tell(RunEvent::PeerExited { unit: unit(), role: role(of), how, expected: false })
    }

    pub(crate) fn check(self, check: &str, outcome: Outcome) -> Self {
        self.tell(RunEvent::CheckEnded { unit: unit(), check: check.to_owned(), outcome })
    }

    pub(crate) fn log(self, of: &str, line: &str) -> Self {
        let (role, line) = (role(of), line.to_owned());
        self.tell(RunEvent::PeerLog { unit: unit(), role, line, truncated: false })
    }

    pub(crate) fn disturbed(self, state: DisturbanceState) -> Self {
        self.tell(RunEvent::Disturbance {
            unit: unit(),
            number: 1,
            name: "memory".to_owned(),
            line: 1,
            text: "leave b 64 MB".to_owned(),
            state,
        })
    }

    pub(crate) fn flaky(self, verdict: Verdict) -> Self {
        self.tell(RunEvent::UnitFlaky { unit: unit(), verdict })
    }

    /// The events, with the end of the unit.
    pub(crate) fn events(self, verdict: Verdict) -> Vec<Recorded> {
        let ended = RunEvent::UnitEnded { unit: unit(), verdict, duration_us: 1, cpu_us: 1 };
        self.tell(ended).events
    }

    /// What is read from it.
    pub(crate) fn failure(self, verdict: Verdict) -> Failure {
        Failure::of_unit(&unit(), &self.events(verdict)).unwrap()
    }
}

pub(crate) fn ok() -> CallOutcome {
    CallOutcome::Ok { result: serde_json::Value::Null }
}

pub(crate) fn refused() -> CallOutcome {
    CallOutcome::Refused {
        code: Some("SEQUENCE_ERROR".to_owned()),
        status: Some(400),
        rpc_code: -32000,
        message: "refused".to_owned(),
        detail: None,
    }
}
