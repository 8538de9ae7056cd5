//! The machine, and how much of it others take.

use std::cell::RefCell;
use std::time::Duration;

use serde_json::{Value, json};

use crate::lines::number;
use crate::spread::Spread;

/// How long is looked; the system counts in ticks of 10 ms.
const LOOK: Duration = Duration::from_millis(200);

/// From here on absolute figures are those of a smaller machine.
const NOTED_PERCENT: f64 = 10.0;

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// How much of all cores was busy while this program slept.
#[derive(Debug, Default)]
pub(crate) struct Busy(RefCell<Vec<f64>>);

impl Busy {
    /// Looks once; to be called before each round, when nothing of this run works.
    #[expect(clippy::disallowed_methods, reason = "it measures what happens while it sleeps")]
    pub(crate) fn look(&self) {
        let (busy, all) = ticks();
        std::thread::sleep(LOOK);
        let (busy_then, all_then) = ticks();
        let share = 100.0 * (busy_then - busy) / (all_then - all).max(1.0);
        self.0.borrow_mut().push(share);
    }

    fn spread(&self) -> Option<Spread> {
        let looks = self.0.borrow();
        (!looks.is_empty()).then(|| Spread::of(looks.clone()))
    }

    /// What to think of the figures of a machine that does other things.
    pub(crate) fn warning(&self) -> Option<&'static str> {
        self.spread().filter(|spread| spread.median >= NOTED_PERCENT).map(|_| {
            "The machine had other work: rates are too low and times too long; shares inside a line say more."
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        self.spread().map_or(json!(null), Spread::to_json)
    }
}

impl std::fmt::Display for Busy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Some(spread) = self.spread() else { return Ok(()) };
        let (median, between) = (number(spread.median), spread.between());
        write!(formatter, "of which other programs took {median} % ({between}) between the rounds")
    }
}

/// Ticks in which a core worked, and all ticks, since the machine started.
fn ticks() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let line = stat.lines().next().unwrap();
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).take(8).map(|ticks| ticks.parse().unwrap()).collect();
    let all: f64 = ticks.iter().sum();
    // The fourth and fifth: nothing to do, waiting for a disk.
    (all - ticks[3] - ticks[4], all)
}
