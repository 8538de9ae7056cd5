//! A scenario file, played once a seed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{Scenario, Verdict};
use handfast_simulation::scenario::{Played, play, unplayable};

use crate::order;
use crate::report::{Cost, Outcome, Report};
use crate::watch::Watch;

/// Most seeds that a report names one by one.
const NAMED_MAX: usize = 10;

/// Plays every variant of a scenario with every seed, on as many threads as there are cores.
pub(crate) fn run(seed: u64, order: &order::Scenario, watch: &Watch) -> Report {
    let variants = match Scenario::parse(&order.file, &order.text, &Vocabulary::default()) {
        Ok(variants) => variants,
        Err(problems) => return refused(seed, problems.to_string()),
    };
    let problems: Vec<String> = variants.iter().flat_map(unplayable).collect();
    if let Some(first) = problems.first() {
        let more = match problems.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        return refused(
            seed,
            format!("{} cannot be played in virtual time: {first}{more}", order.file),
        );
    }
    let total = Mutex::new(Total::default());
    let next = AtomicU64::new(0);
    let rounds = order.seeds * variants.len() as u64;
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let round = next.fetch_add(1, Ordering::Relaxed);
                    if round >= rounds || watch.is_ended() {
                        return;
                    }
                    let count = variants.len() as u64;
                    let which = usize::try_from(round % count).unwrap_or(0);
                    let scenario = &variants[which];
                    let played = play(scenario, seed.wrapping_add(round / count));
                    let mut total = total.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    total.add(scenario, which, played);
                    watch.progress("playing", share(total.runs, rounds), || {
                        format!("{} of {rounds} runs, {} failed", total.runs, total.failed.len())
                    });
                }
            });
        }
    });
    let total = total.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    total.report(seed, rounds)
}

/// What many runs came to.
#[derive(Default)]
struct Total {
    runs: u64,
    steps: u64,
    length: Duration,
    histories: BTreeMap<(u64, usize), u64>,
    failed: BTreeMap<(u64, usize), String>,
}

impl Total {
    fn add(&mut self, scenario: &Scenario, which: usize, played: Played) {
        self.runs += 1;
        self.steps += played.steps;
        self.length += played.length;
        self.histories.insert((played.seed, which), played.history);
        let reason = match played.verdict {
            Verdict::Passed => return,
            Verdict::Failed { reason } | Verdict::Infra { reason } => reason,
            other @ (Verdict::TimedOut { .. }
            | Verdict::Unsupported { .. }
            | Verdict::Absent { .. }
            | Verdict::DidNotFit { .. }) => format!("{other:?}"),
        };
        let title = format!("seed {} of {}: {reason}", played.seed, scenario.id);
        self.failed.insert((played.seed, which), title);
    }

    fn report(self, seed: u64, rounds: u64) -> Report {
        let mut hasher = DefaultHasher::new();
        self.histories.hash(&mut hasher);
        let history = format!("{:016x}", hasher.finish());
        let failed = self.failed.len();
        let outcome = match (failed, self.runs == rounds) {
            (0, true) => Outcome::Passed,
            (0, false) => Outcome::EndedEarly,
            (_, _) => Outcome::Failed,
        };
        let mut lines = vec![
            format!("runs       {} of {rounds}, {failed} failed", self.runs),
            format!(
                "steps      {} in {:.0} s of virtual time",
                self.steps,
                self.length.as_secs_f64()
            ),
            format!("history    {history}"),
        ];
        lines.extend(
            self.failed.values().take(NAMED_MAX).map(|title| format!("failed     {title}")),
        );
        let figures = [
            ("runs", count(self.runs)),
            ("failed", count(failed as u64)),
            ("steps", count(self.steps)),
            ("virtual_s", self.length.as_secs_f64()),
        ];
        let broken = self.failed.into_values().next();
        let cost = Cost::default();
        Report {
            network: "scenario",
            seed,
            history,
            outcome,
            broken,
            figures: figures.into(),
            lines,
            cost,
        }
    }
}

fn refused(seed: u64, reason: String) -> Report {
    Report {
        network: "scenario",
        seed,
        history: format!("{:016x}", 0),
        outcome: Outcome::Refused,
        broken: Some(reason),
        figures: [].into(),
        lines: Vec::new(),
        cost: Cost::default(),
    }
}

fn share(done: u64, of: u64) -> f64 {
    count(done) / count(of.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn count(of: u64) -> f64 {
    of as f64
}
