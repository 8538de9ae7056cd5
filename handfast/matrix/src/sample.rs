//! Runs for the tests of this crate.

use std::collections::BTreeMap;

use handfast_scenario::event::{CellLine, Expected};
use handfast_scenario::name::{CategoryName, PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_scenario::{Recorded, RunEvent};

use crate::grid::Grid;

pub(crate) fn peer(name: &str) -> PeerName {
    PeerName::new(name).unwrap()
}

pub(crate) fn failed(reason: &str) -> Verdict {
    Verdict::Failed { reason: reason.to_owned() }
}

pub(crate) fn unsupported() -> Verdict {
    let role = RoleName::new("a").unwrap();
    let method = handfast_scenario::name::MethodName::new("x").unwrap();
    Verdict::Unsupported { role, method }
}

/// A cell of the scenario `scenario` with these peers, in the file of that name.
pub(crate) fn line(scenario: &str, a: &str, b: &str) -> CellLine {
    let role = |name: &str| RoleName::new(name).unwrap();
    CellLine {
        unit: UnitId::new(format!("{scenario} (a={a}, b={b})")),
        scenario: scenario.to_owned(),
        name: format!("the scenario {scenario}"),
        file: format!("scenarios/{}.toml", scenario.split('[').next().unwrap_or_default()),
        category: CategoryName::new("unit").unwrap(),
        column: [peer(a), peer(b)],
        peers: BTreeMap::from([(role("a"), peer(a)), (role("b"), peer(b))]),
        protocols: BTreeMap::new(),
        network: "none".to_owned(),
        key: Some(format!("{scenario}-{a}-{b}")),
        expected: None,
    }
}

pub(crate) fn expecting(mut line: CellLine, result: VerdictKind) -> CellLine {
    line.expected = Some(Expected {
        result,
        reason: "known".to_owned(),
        issue: "https://example.org/1".to_owned(),
        expires: "2026-12-31".to_owned(),
    });
    line
}

pub(crate) fn at(at_us: u64, event: RunEvent) -> Recorded {
    Recorded { at_us, event }
}

pub(crate) fn started(cells: Vec<CellLine>) -> Recorded {
    let peers = vec![peer("rust"), peer("python")];
    let faults = Vec::new();
    at(1_000, RunEvent::MatrixStarted { peers, builds: BTreeMap::new(), cells, faults })
}

pub(crate) fn ended(line: &CellLine, verdict: Verdict) -> Recorded {
    let unit = line.unit.clone();
    at(61_000, RunEvent::UnitEnded { unit, verdict, duration_us: 50, cpu_us: 40 })
}

/// A grid in which every pair of rust and python has played these scenarios.
pub(crate) fn played(scenarios: &[&str], verdict: impl Fn(&str, &str, &str) -> Verdict) -> Grid {
    let pairs = [("rust", "rust"), ("rust", "python"), ("python", "rust"), ("python", "python")];
    let mut cells = Vec::new();
    let mut verdicts = Vec::new();
    for scenario in scenarios {
        for (a, b) in pairs {
            let line = line(scenario, a, b);
            verdicts.push(ended(&line, verdict(scenario, a, b)));
            cells.push(line);
        }
    }
    let mut grid = Grid::default();
    grid.read(&started(cells));
    for event in &verdicts {
        grid.read(event);
    }
    grid
}
