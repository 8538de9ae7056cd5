//! What can be done to whom, and at which moments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use handfast_faults::conditions::Cut;
use handfast_faults::disturbance::{Cue, Disturbance, Limit, What, When};
use handfast_faults::{Chance, Dice};

use crate::novelty::{Seen, Sign};

mod network;

/// Most moments that are remembered.
pub const MOMENTS_MAX: usize = 1_024;

/// How many disturbances are drawn of which the least used one is taken.
const DRAWS: usize = 6;

/// Of a thousand disturbances so many wait for a moment of the protocol; the others come at a time.
const ON_CUE: u32 = 650;

/// Of a thousand of those, so many come at once.
const AT_ONCE: u32 = 500;

/// The longest time between a moment and a disturbance, in milliseconds: what a handshake takes with some to spare.
const AFTER_MS_MAX: u64 = 100;

/// Spans of disturbances, in milliseconds: from what a program hardly notices to what several attempts with growing pauses between them
/// do not outlast.
const SPANS_MS: [u64; 8] = [50, 100, 250, 500, 1_000, 2_000, 4_000, 7_000];

/// Offsets of clocks, in seconds: within and beyond the windows that protocols allow.
const OFFSETS_S: [i64; 6] = [-3_600, -90, -5, 5, 90, 3_600];

/// The length of a scenario about which nothing is known yet.
const LENGTH_DEFAULT: Duration = Duration::from_secs(1);

/// A kind of disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// SIGKILL, and started again.
    Kill,
    /// SIGSTOP, and SIGCONT.
    Pause,
    /// Killed again and again.
    CrashLoop,
    /// Another time.
    Clock,
    /// Messages take longer.
    Delay,
    /// Packets get lost.
    Loss,
    /// Nothing goes through, and nobody is told.
    Silence,
    /// Connections are reset.
    Reset,
    /// Less processor time.
    Cpu,
    /// A few descriptors only.
    Descriptors,
    /// No room on the disk.
    DiskFull,
}

impl Kind {
    /// Every kind, in the order in which the menu shows them.
    pub const ALL: [Self; 11] = [
        Self::Kill,
        Self::Pause,
        Self::CrashLoop,
        Self::Clock,
        Self::Delay,
        Self::Loss,
        Self::Silence,
        Self::Reset,
        Self::Cpu,
        Self::Descriptors,
        Self::DiskFull,
    ];

    /// The word for it on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::CrashLoop => "crash-loop",
            Self::Clock => "clock",
            Self::Delay => "delay",
            Self::Loss => "loss",
            Self::Silence => "silence",
            Self::Reset => "reset",
            Self::Cpu => "cpu",
            Self::Descriptors => "descriptors",
            Self::DiskFull => "disk-full",
        }
    }

    /// Whether it is done to the way between two peers.
    pub fn is_of_network(self) -> bool {
        matches!(self, Self::Delay | Self::Loss | Self::Silence | Self::Reset)
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub struct Menu {
    roles: Vec<String>,
    kinds: Vec<Kind>,
    length: Duration,
    moments: BTreeMap<Seen, u64>,
    used: BTreeMap<(Kind, String, String), u32>,
}

impl Menu {
    /// These kinds, done to these peers; a kind of the network needs two of them.
    pub fn new(
        roles: impl IntoIterator<Item = String>,
        kinds: impl IntoIterator<Item = Kind>,
    ) -> Self {
        let roles: Vec<String> = roles.into_iter().collect();
        let kinds: BTreeSet<Kind> = kinds.into_iter().collect();
        let possible = |kind: &Kind| roles.len() >= if kind.is_of_network() { 2 } else { 1 };
        Self {
            kinds: kinds.into_iter().filter(possible).collect(),
            roles,
            length: LENGTH_DEFAULT,
            moments: BTreeMap::new(),
            used: BTreeMap::new(),
        }
    }

    /// Takes in what was seen without disturbances: moments that come every time, and how long it takes.
    pub fn learn(&mut self, signs: &[Sign]) {
        let mut counts: BTreeMap<&Seen, u64> = BTreeMap::new();
        for Sign { at, what } in signs {
            self.length = self.length.max(*at);
            match what {
                Seen::Event { .. } | Seen::Message { .. } => *counts.entry(what).or_default() += 1,
                Seen::Applied { .. } | Seen::Undone { .. } => {}
            }
        }
        if self.moments.is_empty() {
            let first = counts.into_iter().take(MOMENTS_MAX);
            self.moments = first.map(|(what, count)| (what.clone(), count)).collect();
            return;
        }
        // What did not come this time would be waited for in vain.
        self.moments.retain(|what, known| {
            let count = counts.get(what).copied().unwrap_or_default();
            *known = (*known).min(count);
            *known > 0
        });
    }

    /// A disturbance: of a few that are thrown, the one that is least like what was drawn before.
    pub fn draw(&mut self, dice: &mut Dice) -> Option<Disturbance> {
        let drawn = (0..DRAWS).filter_map(|_| self.draw_one(dice));
        let used =
            |(use_, _): &(Use, Disturbance)| self.used.get(use_).copied().unwrap_or_default();
        let (use_, disturbance) = drawn.collect::<Vec<_>>().into_iter().min_by_key(used)?;
        if self.used.len() < MOMENTS_MAX * Kind::ALL.len() || self.used.contains_key(&use_) {
            *self.used.entry(use_).or_default() += 1;
        }
        Some(disturbance)
    }

    /// Another moment for a disturbance: one of the protocol that comes every time, or a time.
    pub fn draw_when(&self, dice: &mut Dice) -> When {
        let count = u64::try_from(self.moments.len()).unwrap_or(0);
        let index = usize::try_from(dice.below(count)).unwrap_or(0);
        let moment = self.moments.iter().nth(index);
        let is_on_cue = dice.happens(Chance::per_mille(ON_CUE));
        let cue = moment
            .filter(|_| is_on_cue)
            .and_then(|(what, times)| cue(what, dice.between(1, *times)));
        if let Some(cue) = cue {
            let is_at_once = dice.happens(Chance::per_mille(AT_ONCE));
            let after_ms = if is_at_once { 0 } else { dice.between(1, AFTER_MS_MAX) };
            return When::On { cue, after: Duration::from_millis(after_ms) };
        }
        // To ten milliseconds: nobody reads more out of it.
        let tens = u64::try_from(self.length.as_millis() / 10).unwrap_or(u64::MAX);
        When::At(Duration::from_millis(dice.below(tens.max(1)).saturating_mul(10)))
    }

    /// A span for a disturbance.
    pub fn draw_span(dice: &mut Dice) -> Duration {
        Duration::from_millis(one_of(&SPANS_MS, dice))
    }

    /// Who can be disturbed.
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// What can be done.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// How many moments of the protocol a disturbance can wait for.
    pub fn moments(&self) -> usize {
        self.moments.len()
    }

    fn draw_one(&self, dice: &mut Dice) -> Option<(Use, Disturbance)> {
        let kind = pick(&self.kinds, dice).copied()?;
        let what = self.draw_what(kind, dice)?;
        let when = self.draw_when(dice);
        let use_ = (kind, words(&what), moment_of(&when));
        let span = Self::draw_span(dice);
        // A crash loop ends by itself.
        let lasts = (kind != Kind::CrashLoop).then_some(span);
        Some((use_, Disturbance { name: String::new(), when, lasts, what }))
    }

    fn draw_what(&self, kind: Kind, dice: &mut Dice) -> Option<What> {
        let role = pick(&self.roles, dice)?.clone();
        Some(match kind {
            Kind::Kill => What::Kill { role },
            Kind::Pause => What::Pause { role },
            Kind::CrashLoop => {
                let times = u32::try_from(dice.between(2, 4)).unwrap_or(2);
                What::CrashLoop {
                    role,
                    times,
                    every: Duration::from_millis(one_of(&SPANS_MS[1..4], dice)),
                }
            }
            Kind::Clock => {
                let offset_ms = one_of(&OFFSETS_S, dice).saturating_mul(1_000);
                What::Clock { role, offset_ms }
            }
            Kind::Delay | Kind::Loss | Kind::Silence | Kind::Reset => {
                self.draw_way(kind, role, dice)?
            }
            Kind::Cpu => {
                What::Limit { role, what: Limit::Cpu { percent: one_of(&[5, 20, 50], dice) } }
            }
            Kind::Descriptors => {
                What::Limit { role, what: Limit::Descriptors { most: one_of(&[24, 48, 96], dice) } }
            }
            Kind::DiskFull => What::Limit { role, what: Limit::DiskFull },
        })
    }

    /// Something done to the way from a role to another one.
    fn draw_way(&self, kind: Kind, from: String, dice: &mut Dice) -> Option<What> {
        let others: Vec<&String> = self.roles.iter().filter(|other| **other != from).collect();
        let to = (*pick(&others, dice)?).clone();
        let both = dice.happens(Chance::per_mille(500));
        let how = match kind {
            Kind::Silence => Cut::Silent,
            Kind::Reset => Cut::Reset,
            Kind::Delay => {
                return Some(What::Network { from, to, both, change: network::delay(dice) });
            }
            Kind::Loss => {
                return Some(What::Network { from, to, both, change: network::loss(dice) });
            }
            Kind::Kill
            | Kind::Pause
            | Kind::CrashLoop
            | Kind::Clock
            | Kind::Cpu
            | Kind::Descriptors
            | Kind::DiskFull => return None,
        };
        Some(What::Cut { from, to, both, how })
    }
}

/// What, to whom, and at which moment.
type Use = (Kind, String, String);

/// A disturbance without its moment, in a few words: `kill b`, `cut a -> b`.
pub fn words(what: &What) -> String {
    let way = |from: &str, to: &str, both: bool| {
        if both { format!("{from} <-> {to}") } else { format!("{from} -> {to}") }
    };
    match what {
        What::Network { from, to, both, change } => {
            format!("{} {}", network::words(change), way(from, to, *both))
        }
        What::Cut { from, to, both, how: Cut::Silent } => {
            format!("silence {}", way(from, to, *both))
        }
        What::Cut { from, to, both, how: Cut::Reset } => format!("reset {}", way(from, to, *both)),
        What::Kill { role } => format!("kill {role}"),
        What::Pause { role } => format!("pause {role}"),
        What::CrashLoop { role, .. } => format!("crash-loop {role}"),
        What::Clock { role, .. } => format!("clock {role}"),
        What::Limit { role, what } => match what {
            Limit::Cpu { .. } => format!("cpu {role}"),
            Limit::Memory { .. } => format!("memory {role}"),
            Limit::Processes { .. } => format!("processes {role}"),
            Limit::Descriptors { .. } => format!("descriptors {role}"),
            Limit::DiskFull => format!("disk-full {role}"),
            Limit::DiskSlow { .. } => format!("disk-slow {role}"),
        },
    }
}

/// What waits for something that was seen; nothing for what only disturbances make.
fn cue(what: &Seen, nth: u64) -> Option<Cue> {
    match what {
        Seen::Event { role, event } => {
            Some(Cue::Notification { role: role.clone(), event: event.clone(), includes: None })
        }
        Seen::Message { from, to, message_type } => Some(Cue::Message {
            from: from.clone(),
            to: to.clone(),
            message_type: message_type.clone(),
            nth,
        }),
        Seen::Applied { .. } | Seen::Undone { .. } => None,
    }
}

/// A moment as far as two of them are alike: a cue without its number, or any time.
fn moment_of(when: &When) -> String {
    match when {
        When::At(_) => String::new(),
        When::On { cue: Cue::Notification { role, event, .. }, .. } => format!("{role} {event}"),
        When::On { cue: Cue::Message { from, to, message_type, .. }, .. } => {
            format!("{from} {to} {}", message_type.as_deref().unwrap_or_default())
        }
    }
}

fn pick<'a, T>(items: &'a [T], dice: &mut Dice) -> Option<&'a T> {
    let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
    items.get(usize::try_from(dice.below(count)).unwrap_or(0))
}

fn one_of<T: Copy + Default>(items: &[T], dice: &mut Dice) -> T {
    pick(items, dice).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
