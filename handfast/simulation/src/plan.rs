//! What one seed decides.

use std::time::Duration;

use entity_peer::Config;
use entity_peer::config::{Liveness, Protocols};
use handfast_faults::{Chance, Dice, Fault};

use crate::history::Keep;
use crate::laws::Request;
use crate::laws::equivocation::{Lie, ORDERS, Tale};
use crate::machine::{Defect, Side};

/// One run, before it has begun.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Two to four; as many as a [town](crate::town) has.
    pub machines: Vec<MachinePlan>,
    /// For each machine those that it knows; who is known knows back.
    pub knows: Vec<Vec<usize>>,
    /// How many machines are the committee of the ledger: the first ones.
    pub members: usize,
    /// The weather of every link until it heals.
    pub weather: Vec<Fault>,
    /// How long a disk takes.
    pub disk: Duration,
    /// Whether the peers connect by themselves.
    pub connect: bool,
    /// Whether all machines keep a ledger together.
    pub ledger: bool,
    /// How many machines are members that lie: the last ones.
    pub liars: usize,
    /// How long a machine stays off after a crash.
    pub off_for: Duration,
    /// What is done, and when.
    pub actions: Vec<(Duration, Action)>,
    /// When everything heals.
    pub heal_at: Duration,
    /// Steps after which a run is not taken to come to rest any more.
    pub steps_max: u64,
    /// What of the history stays in memory.
    pub keep: Keep,
    /// What is wrong with every machine, to show that the laws see it.
    pub defect: Option<Defect>,
}

/// One machine of a run.
#[derive(Debug, Clone)]
pub struct MachinePlan {
    /// Its name.
    pub name: String,
    /// When it starts for the first time.
    pub starts_at: Duration,
    /// How far its clock is off, in microseconds.
    pub skew_us: i64,
    /// The power fails at this batch, counted from 1 at its first start.
    pub crash_at: Option<(u64, Side)>,
}

/// One thing that is done.
#[derive(Debug, Clone)]
pub enum Action {
    /// A peer is asked for something.
    Ask {
        /// Whose peer.
        at: usize,
        /// For what.
        request: Request,
    },
    /// A member lies.
    Lie {
        /// Which.
        at: usize,
        /// What it tells whom.
        lie: Lie,
    },
    /// A machine loses its power, between two inputs.
    Crash {
        /// Which.
        at: usize,
    },
    /// A machine loses its power at a batch to come.
    CrashAtBatch {
        /// Which.
        at: usize,
        /// At the first (1), second, ... batch from here on.
        after: u64,
        /// Before or after it is durable.
        side: Side,
    },
    /// The weather of every link changes.
    Turn {
        /// The faults from here on.
        faults: Vec<Fault>,
    },
    /// The weather of one direction changes.
    Weather {
        /// From this machine.
        from: usize,
        /// To this one.
        to: usize,
        /// The faults from here on.
        faults: Vec<Fault>,
    },
}

impl MachinePlan {
    /// A machine that is right.
    pub fn sound(number: usize) -> Self {
        let name = name_of(number);
        Self { name, starts_at: Duration::ZERO, skew_us: 0, crash_at: None }
    }

    /// The configuration of its peer.
    ///
    /// # Panics
    ///
    /// Where the name is none.
    pub fn config(&self) -> Config {
        let id = self.name.parse().expect("letters and digits are an id");
        Config { protocols: Protocols::OnlyV1_1, liveness: Liveness::Silent, ..Config::new(id) }
    }
}

impl Plan {
    /// Two machines that are right, links that are good, nothing to do.
    pub fn calm(count: usize) -> Self {
        let others = |at| (0..count).filter(move |other| *other != at).collect();
        Self {
            machines: (0..count).map(MachinePlan::sound).collect(),
            knows: (0..count).map(others).collect(),
            members: count,
            weather: vec![constant(1)],
            disk: Duration::ZERO,
            connect: true,
            ledger: true,
            liars: 0,
            off_for: Duration::from_millis(100),
            actions: Vec::new(),
            heal_at: STORM,
            steps_max: STEPS_MAX,
            keep: Keep::All,
            defect: None,
        }
    }

    /// What `dice` decide: weather, clocks, crashes and work.
    pub fn draw(dice: &mut Dice) -> Self {
        let count = [2, 2, 3, 4][index(dice, 4)];
        let mut plan = Self::calm(count);
        plan.draw_all(dice);
        plan
    }

    /// The same among four, of which the last `liars` are members that lie together with an owner.
    pub fn draw_lies(dice: &mut Dice, liars: usize) -> Self {
        let mut plan = Self { liars, ..Self::calm(4) };
        for _ in 0..dice.between(20, 60) {
            let at = 4 - liars + index(dice, liars);
            // Honest members are lied to, and now and then another liar.
            let lie = Lie { to: index(dice, 4), tale: draw_tale(dice) };
            if lie.to != at {
                plan.actions.push((moment(dice), Action::Lie { at, lie }));
            }
        }
        plan.draw_all(dice);
        plan
    }

    fn draw_all(&mut self, dice: &mut Dice) {
        let plan = self;
        for machine in &mut plan.machines {
            machine.skew_us = draw_skew(dice);
        }
        plan.weather = draw_weather(dice);
        plan.disk = Duration::from_micros([0, 200, 5_000, 50_000][index(dice, 4)]);
        plan.connect = dice.below(2) == 0;
        plan.off_for = Duration::from_millis([1, 100, 2_000, 12_000][index(dice, 4)]);
        plan.draw_work(dice);
        plan.draw_crashes(dice);
        plan.draw_cuts(dice);
        plan.actions.sort_by_key(|(at, _)| *at);
    }

    fn draw_work(&mut self, dice: &mut Dice) {
        for mark in 0..dice.between(4, 16) {
            let (from, to) = self.draw_pair(dice);
            let request = match dice.below(8) {
                0 => Request::Message { to, mark },
                1 => Request::Task { to, mark },
                // The first machine can pay anything, the others what they were paid: some are refused.
                2..=5 => Request::Pay { to, mark, units: dice.between(1, 900) },
                _ => Request::Durable { to, mark },
            };
            self.actions.push((moment(dice), Action::Ask { at: from, request }));
        }
    }

    fn draw_crashes(&mut self, dice: &mut Dice) {
        for _ in 0..dice.below(4) {
            let at = index(dice, self.machines.len());
            let action = match dice.below(3) {
                0 => Action::Crash { at },
                1 => Action::CrashAtBatch { at, after: dice.between(1, 8), side: Side::Before },
                _ => Action::CrashAtBatch { at, after: dice.between(1, 8), side: Side::After },
            };
            self.actions.push((moment(dice), action));
        }
    }

    /// Cuts one direction, or both, between two machines for a while.
    fn draw_cuts(&mut self, dice: &mut Dice) {
        for _ in 0..dice.below(3) {
            let (from, to) = self.draw_pair(dice);
            let begins = moment(dice);
            let ends = begins + Duration::from_millis(dice.between(100, 10_000));
            let mut ways = vec![(from, to)];
            if dice.below(2) == 0 {
                ways.push((to, from));
            }
            for (from, to) in ways {
                let cut = Fault::Loss { chance: Chance::ALWAYS };
                let faults = vec![cut];
                self.actions.push((begins, Action::Weather { from, to, faults }));
                let faults = self.weather.clone();
                self.actions.push((ends.min(self.heal_at), Action::Weather { from, to, faults }));
            }
        }
    }

    fn draw_pair(&self, dice: &mut Dice) -> (usize, usize) {
        let from = index(dice, self.machines.len());
        let step = 1 + index(dice, self.machines.len() - 1);
        (from, (from + step) % self.machines.len())
    }
}

fn draw_tale(dice: &mut Dice) -> Tale {
    match dice.below(12) {
        // Most tell of the same order, or no order would ever have its votes.
        0..=5 => Tale::Order {
            number: dice.below(2 * ORDERS).saturating_sub(ORDERS),
            votes: dice.below(16),
        },
        6..=7 => Tale::Certificate { back: dice.below(2) },
        8 => Tale::FalseVote,
        9 => Tale::Refusal { code: dice.below(10) },
        10 => Tale::Receipt,
        _ => Tale::State { next: dice.between(1, 9), units: dice.below(CAP_SEEN) },
    }
}

fn draw_weather(dice: &mut Dice) -> Vec<Fault> {
    let most = Duration::from_millis([1, 10, 100, 900][index(dice, 4)]);
    let mut faults = vec![Fault::Delay { least: Duration::from_micros(200), most }];
    let per_mille =
        |dice: &mut Dice, most| Chance::per_mille(u32::try_from(dice.below(most)).unwrap_or(0));
    if dice.below(3) > 0 {
        faults.push(Fault::Loss { chance: per_mille(dice, 300) });
    }
    if dice.below(2) == 0 {
        faults.push(Fault::Duplicate { chance: per_mille(dice, 300) });
    }
    if dice.below(3) == 0 {
        let span = Duration::from_millis(dice.between(100, 6_000));
        faults.push(Fault::Straggle { chance: per_mille(dice, 200), span });
    }
    if dice.below(4) == 0 {
        let (begins, ends) = (per_mille(dice, 100), Chance::per_mille(300));
        faults.push(Fault::Burst { begins, ends });
    }
    faults
}

/// A delay without chance.
fn constant(millis: u64) -> Fault {
    let span = Duration::from_millis(millis);
    Fault::Delay { least: span, most: span }
}

fn moment(dice: &mut Dice) -> Duration {
    moment_before(STORM, dice)
}

/// Some moment before `end`.
pub(crate) fn moment_before(end: Duration, dice: &mut Dice) -> Duration {
    Duration::from_micros(dice.below(u64::try_from(end.as_micros()).unwrap_or(0)))
}

/// How far a clock is off, in microseconds.
pub(crate) fn draw_skew(dice: &mut Dice) -> i64 {
    let us = i64::try_from(dice.between(0, 2 * SKEW_MAX_US)).unwrap_or(0);
    us - i64::try_from(SKEW_MAX_US).unwrap_or(0)
}

pub(crate) fn index(dice: &mut Dice, end: usize) -> usize {
    usize::try_from(dice.below(u64::try_from(end).unwrap_or(0))).unwrap_or(0)
}

/// What the machine with this number is called: a letter, or `p` and the number.
pub fn name_of(number: usize) -> String {
    LETTERS.get(number).map_or_else(|| format!("p{number}"), |letter| (*letter).to_owned())
}

/// The machine that is called so.
pub fn number_of(name: &str) -> Option<usize> {
    let letter = LETTERS.iter().position(|letter| *letter == name);
    letter.or_else(|| name.strip_prefix('p')?.parse().ok())
}

const LETTERS: [&str; 4] = ["a", "b", "c", "d"];

/// A run of a few machines takes some thousand steps; what takes more does not come to rest.
const STEPS_MAX: u64 = 200_000;

/// More than any account has.
const CAP_SEEN: u64 = 2_000_000;

/// How long the bad weather lasts.
const STORM: Duration = Duration::from_secs(20);

/// Clocks differ by twice this at most, which messages survive that are 10 s old (`docs/protocol/1.1.md#order-of-checks`).
const SKEW_MAX_US: u64 = 20_000_000;
