//! A scenario file on whole peers in virtual time: the same steps, faults, disturbances and oracles as on processes.
//!
//! What a run on processes leaves to the machine follows from the seed here: keys, identifiers, how long messages and disks take, what gets
//! lost on a link, and so the order of everything. One seed has one history in one build; [`Played::history`] is its hash. Beside what the
//! scenario says, one law holds in every run: after every input the books of every peer balance.
//!
//! | module | what it holds |
//! |---|---|
//! | `cast` | what can be played, and the configuration of a role's peer |
//! | `field` | machines, links and the time |
//! | `link` | one direction of a link: the conditions of the network, message by message |
//! | `journal` | what a run says |
//! | `tap` | the recording proxy: rules on messages |
//! | `stage` | what steps act on |
//! | `steps`, `faults`, `wire` | the steps |
//! | `disturbances` | what goes on beside them |

mod cast;
mod disturbances;
mod faults;
mod field;
mod journal;
mod link;
mod stage;
mod steps;
mod tap;
mod wire;

use std::hash::{DefaultHasher, Hasher};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use handfast_faults::Dice;
use handfast_scenario::plan::UnitId;
use handfast_scenario::{Recorded, Scenario, Verdict};

use disturbances::{Aside, Disturbances};
use field::Field;
use journal::Journal;
use stage::Stage;
use steps::{StepError, StepResult};

/// How long a run may take, in its own time.
pub const LENGTH_MAX: Duration = Duration::from_mins(30);

/// What came of one seed.
#[derive(Debug)]
pub struct Played {
    /// The seed.
    pub seed: u64,
    /// How it ended.
    pub verdict: Verdict,
    /// Equal for equal histories of one build.
    pub history: u64,
    /// Everything that was said, as a run on processes says it.
    pub events: Vec<Recorded>,
    /// How long it took, in its own time.
    pub length: Duration,
    /// Things that happened.
    pub steps: u64,
}

/// What of a scenario cannot be played in virtual time, a sentence each; nothing where all of it can.
pub fn unplayable(scenario: &Scenario) -> Vec<String> {
    cast::unplayable(scenario)
}

/// Plays a scenario, with its own network and disturbances, with the chance of a seed.
///
/// A scenario that is [`unplayable`] has the verdict [`Verdict::Infra`].
pub fn play(scenario: &Scenario, seed: u64) -> Played {
    let configs = scenario.roles.iter().map(|(name, role)| cast::config(name, role));
    let problems = unplayable(scenario);
    let configs: Vec<_> = match configs.collect() {
        Ok(configs) if problems.is_empty() => configs,
        Ok(_) | Err(_) => return refused(seed, &problems),
    };
    let mut dice = Dice::new(seed);
    let field = Field::new(configs, seed, &mut dice);
    let journal = Journal::new(UnitId::new(scenario.id.to_string()));
    let disturbances = match Disturbances::new(scenario) {
        Ok(disturbances) => disturbances,
        Err(problem) => return refused(seed, &[problem]),
    };
    let stage = Stage::new((scenario, seed), field, journal, disturbances);
    stage.lay_network();
    let result = live(&stage);
    let idle = stage.idle_rule().or_else(|| stage.without_effect()).or_else(|| stage.undisturbed());
    let (field, events, broken) = stage.close();
    // What broke a law is the reason of whatever failed after it.
    let broken = broken.or_else(|| audits(&field, scenario.roles.len()));
    let verdict = match (broken, result, idle) {
        (Some(reason), ..) | (None, Err(StepError::Failed(reason)), _) => {
            Verdict::Failed { reason }
        }
        (None, Err(StepError::Infra(reason)), _) | (None, Ok(()), Some(reason)) => {
            Verdict::Infra { reason }
        }
        (None, Ok(()), None) => Verdict::Passed,
    };
    let (history, length, steps) = (fingerprint(&events), field.now(), field.steps());
    Played { seed, verdict, history, events, length, steps }
}

fn refused(seed: u64, problems: &[String]) -> Played {
    let reason = problems.join("\n");
    let verdict = Verdict::Infra { reason };
    Played { seed, verdict, history: 0, events: Vec::new(), length: Duration::ZERO, steps: 0 }
}

/// Lets one thing happen after the other until the steps are over.
fn live(stage: &Stage<'_>) -> StepResult {
    let mut acts = pin!(stage.act());
    let mut asides: Vec<Aside<'_>> = Vec::new();
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = acts.as_mut().poll(&mut context) {
            return result;
        }
        stage.strike_all()?;
        asides.extend(stage.disturb());
        asides.retain_mut(|aside| aside.as_mut().poll(&mut context).is_pending());
        let due = stage.with(|inner| {
            [inner.field.next_due(), inner.disturbances.next_deadline()].into_iter().flatten().min()
        });
        let Some(next) = due.into_iter().chain(stage.next_wake()).min() else {
            return Err(StepError::Infra(
                "nothing will happen any more, and steps still wait".to_owned(),
            ));
        };
        if next > LENGTH_MAX {
            return Err(StepError::Failed(format!(
                "it has not ended after {LENGTH_MAX:?} of its own time"
            )));
        }
        stage.advance(next);
        if let Some(broken) = stage.with(|inner| inner.broken.clone()) {
            return Err(StepError::Failed(broken));
        }
    }
}

fn audits(field: &Field, machines: usize) -> Option<String> {
    (0..machines).find_map(|at| field.audit(at).err())
}

fn fingerprint(events: &[Recorded]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for recorded in events {
        hasher.write(recorded.to_line().as_bytes());
    }
    hasher.finish()
}
