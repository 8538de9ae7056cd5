//! Do the scenarios see what they are there to see? Peers with planted flaws play, until a scenario fails.
//!
//! For each flaw scenarios are played one after the other with the flawed peer in one role and sound peers in the others: where
//! a hint says first, then all the rest. The first verdict against the product ends the search, if the same scenario passes
//! with the same build and no flaw (the control). What the machine or the platform could not do is never counted.
//!
//! | module | what it holds |
//! |---|---|
//! | `catalogue` | the flaws that a peer says it can have |
//! | `attempts` | which scenarios a peer can play in which roles, and in which order they are tried |
//! | `control` | each scenario without a flaw, once |
//! | `search` | one flaw, to its end |
//!
//! Source: docs/design/selftest.md

mod attempts;
mod catalogue;
mod control;
mod search;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use handfast_lab::Lab;
use handfast_scenario::flaws::FlawedBuild;
use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::plan::{self, Plan};
use handfast_scenario::project::PeerProgram;
use tokio::task::JoinSet;

pub use self::catalogue::{Flaw, read as read_list};

use self::attempts::Casting;
use self::control::Control;
use self::search::Search;
use crate::care::{Care, Hands, Healer, Noted, Repairs};
use crate::command::Workshop;
use crate::interrupt::Interrupt;
use crate::place::Places;
use crate::probe;
use crate::project::Loaded;
use crate::retry::Retries;
use crate::run::Build;
use crate::sink::Mouth;
use crate::unit::{NetworkAsk, Surroundings};

/// Most flaws that are looked for at the same time.
pub const PARALLEL_MAX: usize = 64;

/// What a search works with.
#[derive(Debug)]
pub struct Means {
    /// The project.
    pub loaded: Loaded,
    /// What the variables of its commands stand for.
    pub places: Places,
    /// Where scenarios run.
    pub lab: Lab,
    /// Where events go: those of the scenarios, which are no verdicts on the product here.
    pub mouth: Mouth,
    /// Tells that it is to end.
    pub interrupt: Interrupt,
    /// Id of the run.
    pub run: String,
    /// Seed of the peers' keys and of the scenarios' identifiers.
    pub seed: u64,
    /// How many flaws are looked for at the same time, 1 to [`PARALLEL_MAX`].
    pub parallel: usize,
}

/// A peer, and what is to be seen of it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name in `handfast.toml`.
    pub peer: PeerProgram,
    /// How it is started with a flaw.
    pub flawed: FlawedBuild,
    /// The flaws to look for.
    pub flaws: Vec<Flaw>,
}

/// What came of one flaw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// Which.
    pub flaw: Flaw,
    /// Whether it was seen.
    pub fate: Fate,
    /// How long the search took, in microseconds.
    pub took_us: u64,
    /// How many times scenarios were played with it.
    pub played: usize,
    /// Scenarios that failed with the flaw and without it: what they say of the flaw does not count.
    pub spoilt: Vec<String>,
    /// Scenarios that failed with the flaw, and passed after a repair of the machine.
    pub healed: Vec<String>,
}

/// Whether a flaw was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// A scenario failed that passes without the flaw.
    Caught {
        /// The scenario.
        scenario: String,
        /// Which role the flawed peer played.
        role: RoleName,
        /// What failed.
        reason: String,
    },
    /// Every scenario that could be played passed.
    Missed {
        /// How many could not be carried out, and said nothing therefore.
        infra: usize,
        /// How many were not tried within [`SOUGHT_MAX`].
        untried: usize,
    },
    /// The search was interrupted.
    Open,
}

/// Longest search for one flaw: a scenario that sees it has a hint, and one that nothing sees would cost the time of all scenarios
/// in every role.
pub const SOUGHT_MAX: Duration = Duration::from_mins(5);

/// Looks for every flaw of every subject and tells of each as soon as it is settled, with the name of its peer.
///
/// # Errors
///
/// Why no verdict would count: a peer without a flaw does not keep the contract.
pub async fn run(
    means: Means,
    workshop: &Workshop,
    subjects: &[Subject],
    plan: &Plan,
    mut told: impl FnMut(&PeerName, Settled),
) -> Result<(), String> {
    let mut project = means.loaded.project.clone();
    for subject in subjects {
        let sound = subject.sound();
        keeps_the_contract(&means, workshop, &sound).await?;
        project.peers.push(PeerProgram { name: subject.named("without-flaw"), ..sound.clone() });
        for flaw in &subject.flaws {
            let start = subject.flawed.start_with(flaw.name.as_str());
            let name = subject.named(flaw.name.as_str());
            project.peers.push(PeerProgram { name, start, ..sound.clone() });
        }
    }
    // The probe has seen that a peer speaks what handfast.toml says of it; the others are taken at its word.
    let declared = project.peers.iter().filter(|peer| !peer.versions.is_empty());
    let spoken: BTreeMap<_, _> =
        declared.map(|peer| (peer.name.clone(), peer.versions.clone())).collect();
    let around = Arc::new(Surroundings {
        project,
        places: means.places,
        lab: means.lab,
        mouth: means.mouth,
        seed: means.seed,
        network: NetworkAsk::default(),
        interrupt: means.interrupt,
        retries: Retries::new(0, means.seed),
        spoken: OnceLock::from(spoken),
        healer: OnceLock::new(),
    });
    heal_as_a_run_does(&around, &means.run);
    let mut waiting = searches(&around, &Arc::new(means.loaded), subjects, plan).into_iter();
    let mut running: JoinSet<(PeerName, Settled)> = JoinSet::new();
    loop {
        while running.len() < means.parallel.clamp(1, PARALLEL_MAX) {
            let Some((peer, search, order)) = waiting.next() else { break };
            running.spawn(async move { (peer, search.run(order).await) });
        }
        match running.join_next().await {
            Some(Ok((peer, settled))) => told(&peer, settled),
            Some(Err(error)) => return Err(format!("handfast itself failed: {error}")),
            None => return Ok(()),
        }
    }
}

/// What fails is judged, and what is broken on the machine is repaired, as in a run, but nothing is tried again for luck: a flaw that
/// only healing makes pass is not caught.
fn heal_as_a_run_does(around: &Surroundings, run: &str) {
    let care = Care { repairs: Repairs::Proved, ..Care::default() };
    let noted = Noted::new(around, run, Build::Skip, care.wall.clone());
    let hands = (noted, Hands::that_build_nothing());
    let (healer, _) = Healer::new(run, &care, BTreeMap::new(), hands);
    around.mouth.remember();
    drop(around.healer.set(healer));
}

/// Every search, with the order in which it tries.
fn searches(
    around: &Arc<Surroundings>,
    loaded: &Arc<Loaded>,
    subjects: &[Subject],
    plan: &Plan,
) -> Vec<(PeerName, Search, Vec<Casting>)> {
    let hints = &around.project.selftest.hints;
    let mut searches = Vec::new();
    for subject in subjects {
        let castings = attempts::castings(plan, &subject.peer.name);
        let control = subject.named("without-flaw");
        let control = Arc::new(Control::new(around.clone(), loaded.clone(), control));
        for flaw in &subject.flaws {
            let order = attempts::with_second_chance(&castings, hints.get(flaw.name.as_str()));
            let search = Search {
                around: around.clone(),
                loaded: loaded.clone(),
                control: control.clone(),
                name: subject.named(flaw.name.as_str()),
                flaw: flaw.clone(),
            };
            searches.push((subject.peer.name.clone(), search, order));
        }
    }
    searches
}

async fn keeps_the_contract(
    means: &Means,
    workshop: &Workshop,
    sound: &PeerProgram,
) -> Result<(), String> {
    let clock = means.mouth.clock();
    let found = probe::run(workshop, &means.places, sound, clock, means.seed).await?;
    match found.objection() {
        None => Ok(()),
        Some(broken) => {
            let name = &sound.name;
            Err(format!(
                "{name}, built with flaws and started without one, does not keep the peer contract: {broken}"
            ))
        }
    }
}

impl Subject {
    /// The same build without any flaw.
    fn sound(&self) -> PeerProgram {
        PeerProgram { start: self.flawed.start.clone(), build: None, ..self.peer.clone() }
    }

    /// What one of its builds is called in a plan.
    fn named(&self, suffix: &str) -> PeerName {
        let name = PeerName::new(format!("{}.{suffix}", self.peer.name));
        // Too long a name would be another's: then the peer itself plays, and the flaw is missed.
        name.unwrap_or_else(|_| self.peer.name.clone())
    }
}

/// A unit with another peer in one of its roles.
fn recast(casting: &Casting, peer: &PeerName) -> plan::Unit {
    let mut unit = casting.unit.clone();
    unit.peers.insert(casting.role.clone(), peer.clone());
    let id = format!("{} ({}={peer})", unit.scenario.id, casting.role);
    unit.id = plan::UnitId::new(id);
    unit.budget = unit.budget.min(attempts::BUDGET_MAX);
    unit
}
