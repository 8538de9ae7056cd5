//! A seed from its plan to its verdict, and many seeds on all cores.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use handfast_faults::Dice;

use crate::laws::Request;
use crate::plan::{Action, Plan};
use crate::world::World;

/// What a run came to when every law held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Equal for equal histories.
    pub fingerprint: u64,
    /// Steps it took.
    pub steps: u64,
    /// Machines that lost their power.
    pub crashes: u64,
    /// Batches that were made durable or lost.
    pub batches: u64,
}

/// A seed whose run broke a law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// When in the run.
    pub at: Duration,
    /// The law, in words.
    pub law: String,
    /// How many members lied.
    pub liars: usize,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, at, law, liars } = self;
        write!(
            f,
            "seed {seed}, after {:.3} s: {law}; again by `cargo run --release -p handfast-simulation --example simulate -- --liars {liars} --seed {seed}`",
            at.as_secs_f64()
        )
    }
}

/// Runs the plan that a seed draws.
///
/// # Errors
///
/// [`Broken`] with the first law that does not hold.
pub fn run_seed(seed: u64) -> Result<Verdict, Broken> {
    run_plan(&plan_of(seed, 0), seed, |_| {})
}

/// The plan that a seed draws: among honest peers, or among four of which `liars` are members that lie.
pub fn plan_of(seed: u64, liars: usize) -> Plan {
    let mut dice = Dice::new(seed).split();
    if liars == 0 { Plan::draw(&mut dice) } else { Plan::draw_lies(&mut dice, liars) }
}

/// Runs a plan with the chance of `seed`, and shows the world at the end to `look`.
///
/// # Errors
///
/// [`Broken`] with the first law that does not hold.
pub fn run_plan(plan: &Plan, seed: u64, look: impl FnOnce(&World)) -> Result<Verdict, Broken> {
    let mut course = Course::new(plan, seed)?;
    let outcome = course.advance(Duration::MAX);
    look(course.world());
    outcome.map(|_| course.verdict())
}

/// A run under way: storm, healing, rest, and messages each way between every two that know each other.
#[derive(Debug)]
pub struct Course {
    world: World,
    seed: u64,
    liars: usize,
    heal_at: Duration,
    stage: Stage,
}

/// How far a run is. Each stage ends at its moment with something that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Until it heals.
    Storm,
    /// Until the first messages are sent: where one side has forgotten the session and nobody connects by himself, they
    /// find that out.
    Rest,
    /// Until the messages are sent that have to arrive.
    Messages,
    /// Until it is judged.
    Probes,
    /// Judged.
    Over,
}

impl Course {
    /// Begins a run with the chance of `seed`.
    ///
    /// # Errors
    ///
    /// A law that the very start breaks.
    pub fn new(plan: &Plan, seed: u64) -> Result<Self, Broken> {
        let liars = plan.liars;
        let mut dice = Dice::new(seed);
        let world = World::new(plan, &mut dice).map_err(|law| Broken {
            seed,
            at: Duration::ZERO,
            law,
            liars,
        })?;
        Ok(Self { world, seed, liars, heal_at: plan.heal_at, stage: Stage::Storm })
    }

    /// Lets so much time pass; says whether there is more to come.
    ///
    /// # Errors
    ///
    /// [`Broken`] with the first law that does not hold.
    pub fn advance(&mut self, by: Duration) -> Result<bool, Broken> {
        let end = self.world.now().saturating_add(by);
        let lived = self.live_until(end);
        let (seed, at, liars) = (self.seed, self.world.now(), self.liars);
        lived.map_err(|law| Broken { seed, at, law, liars })?;
        Ok(self.stage != Stage::Over)
    }

    /// The machines, and what is between them.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// How long the run takes, in its own time.
    pub fn length(&self) -> Duration {
        self.ends(Stage::Probes)
    }

    /// Whether the bad weather is over.
    pub fn is_healed(&self) -> bool {
        self.stage > Stage::Storm
    }

    /// What the run has come to so far.
    pub fn verdict(&self) -> Verdict {
        let world = &self.world;
        Verdict {
            fingerprint: world.history().fingerprint(),
            steps: world.steps(),
            crashes: world.machines().iter().map(|machine| u64::from(machine.life)).sum(),
            batches: world.machines().iter().map(|machine| machine.batches).sum(),
        }
    }

    fn live_until(&mut self, end: Duration) -> Result<(), String> {
        while self.stage != Stage::Over {
            let stage_end = self.ends(self.stage);
            self.world.run_until(stage_end.min(end))?;
            if end < stage_end {
                return Ok(());
            }
            self.stage = self.next_stage()?;
        }
        Ok(())
    }

    fn ends(&self, stage: Stage) -> Duration {
        let rests = match stage {
            Stage::Storm => 0,
            Stage::Rest => 1,
            Stage::Messages => 2,
            Stage::Probes | Stage::Over => 3,
        };
        self.heal_at + REST * rests
    }

    fn next_stage(&mut self) -> Result<Stage, String> {
        let world = &mut self.world;
        match self.stage {
            Stage::Storm => {
                world.heal()?;
                Ok(Stage::Rest)
            }
            Stage::Rest => {
                let request = |to, mark| Request::Message { to, mark };
                send_all(world, MARKS_AFTER_STORM, request)?;
                Ok(Stage::Messages)
            }
            Stage::Messages => {
                if self.liars > 0 {
                    world.present()?;
                }
                send_all(world, MARKS_OF_PROBES, |to, mark| Request::Probe { to, mark })?;
                Ok(Stage::Probes)
            }
            Stage::Probes | Stage::Over => {
                world.judge()?;
                Ok(Stage::Over)
            }
        }
    }
}

fn send_all(
    world: &mut World,
    marks_from: u64,
    request: impl Fn(usize, u64) -> Request,
) -> Result<(), String> {
    let knows = world.knows().iter().enumerate();
    let pairs = knows.flat_map(|(from, known)| known.iter().map(move |to| (from, *to)));
    for (mark, (from, to)) in (marks_from..).zip(pairs.collect::<Vec<_>>()) {
        world.act(Action::Ask { at: from, request: request(to, mark) })?;
    }
    Ok(())
}

/// Runs seeds on `threads` threads, with `liars` as in [`plan_of`]; returns what the good ones came to together, or the smallest broken one.
///
/// # Errors
///
/// [`Broken`] for the smallest seed that was found to break a law. The others are not run to their end then.
pub fn run_seeds(seeds: Range<u64>, liars: usize, threads: usize) -> Result<Total, Broken> {
    let next = AtomicU64::new(seeds.start);
    let broken = Mutex::new(BTreeMap::new());
    let total = Mutex::new(Total::default());
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    match run_plan(&plan_of(seed, liars), seed, |_| {}) {
                        Ok(verdict) => lock(&total).add(verdict),
                        Err(law) => {
                            lock(&broken).insert(seed, law);
                            next.store(seeds.end, Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    match lock(&broken).pop_first() {
        Some((_, law)) => Err(law),
        None => Ok(lock(&total).clone()),
    }
}

/// What many runs came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Total {
    /// Runs.
    pub seeds: u64,
    /// Steps of all.
    pub steps: u64,
    /// Crashes in all.
    pub crashes: u64,
    /// Batches in all.
    pub batches: u64,
}

impl Total {
    fn add(&mut self, verdict: Verdict) {
        self.seeds += 1;
        self.steps += verdict.steps;
        self.crashes += verdict.crashes;
        self.batches += verdict.batches;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// How long peers have, after the healing, to find back to each other, and then for a message.
const REST: Duration = Duration::from_secs(90);

/// The marks of messages lie apart, by when they are sent.
const MARKS_AFTER_STORM: u64 = 1 << 32;
const MARKS_OF_PROBES: u64 = 2 << 32;
