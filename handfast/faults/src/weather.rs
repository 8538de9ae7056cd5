//! What a link does to whatever passes: a chain of faults, and chance from a seed.
//!
//! A [`Weather`] decides and carries nothing out, so that a driver in virtual time (the simulator, by a [`Channel`]) and
//! one in real time can be under the same weather: both ask [`Weather::decide`] for each message and deliver a copy
//! for each pause that it names.
//!
//! [`Channel`]: crate::Channel

use std::time::Duration;

use crate::dice::{Chance, Dice};

/// One fault of a link. Times count from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A message takes this long, anything between both ends; with a range it overtakes others.
    Delay {
        /// The least.
        least: Duration,
        /// The most.
        most: Duration,
    },
    /// A message disappears.
    Loss {
        /// How often.
        chance: Chance,
    },
    /// Messages disappear one after the other: a bad stretch begins before a message and ends before a later one.
    Burst {
        /// How often it begins.
        begins: Chance,
        /// How often it ends.
        ends: Chance,
    },
    /// A message comes twice; both copies meet the later faults apart.
    Duplicate {
        /// How often.
        chance: Chance,
    },
    /// A message stays behind, so that others overtake it.
    Straggle {
        /// How often.
        chance: Chance,
        /// For how long.
        span: Duration,
    },
    /// Nothing passes for a time.
    Cut {
        /// From here on.
        from: Duration,
        /// Until here, which is not included.
        until: Duration,
    },
}

/// The faults of one direction of a link, in order, with their chance.
#[derive(Clone, Debug)]
pub struct Weather {
    faults: Vec<(Fault, Stretch)>,
    dice: Dice,
}

/// Whether a burst is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stretch {
    Good,
    Bad,
}

/// What becomes of one message: the time each copy takes. None for a lost one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// One pause a copy.
    pub pauses: Vec<Duration>,
}

impl Fate {
    /// Whether nothing of it arrives.
    pub fn is_lost(&self) -> bool {
        self.pauses.is_empty()
    }
}

impl Weather {
    /// Copies of one message at most: what more faults would double is not doubled.
    pub const COPIES_MAX: usize = 4;

    /// Starts with a chain of faults. Without any, everything passes at once.
    pub fn new(faults: impl IntoIterator<Item = Fault>, dice: Dice) -> Self {
        let faults = faults.into_iter().map(|fault| (fault, Stretch::Good)).collect();
        Self { faults, dice }
    }

    /// Changes the chain; chance goes on.
    pub fn change(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.faults = faults.into_iter().map(|fault| (fault, Stretch::Good)).collect();
    }

    /// Decides what becomes of a message that is sent at `now`.
    pub fn decide(&mut self, now: Duration) -> Fate {
        let mut pauses = vec![Duration::ZERO];
        let dice = &mut self.dice;
        for (fault, stretch) in &mut self.faults {
            match *fault {
                Fault::Delay { least, most } => {
                    for pause in &mut pauses {
                        *pause += span_between(dice, least, most);
                    }
                }
                Fault::Loss { chance } => pauses.retain(|_| !dice.happens(chance)),
                Fault::Burst { begins, ends } => {
                    *stretch = match *stretch {
                        Stretch::Good if dice.happens(begins) => Stretch::Bad,
                        Stretch::Bad if dice.happens(ends) => Stretch::Good,
                        same @ (Stretch::Good | Stretch::Bad) => same,
                    };
                    if *stretch == Stretch::Bad {
                        pauses.clear();
                    }
                }
                Fault::Duplicate { chance } => {
                    let copies: Vec<_> =
                        pauses.iter().copied().filter(|_| dice.happens(chance)).collect();
                    pauses.extend(copies);
                    pauses.truncate(Self::COPIES_MAX);
                }
                Fault::Straggle { chance, span } => {
                    for pause in &mut pauses {
                        if dice.happens(chance) {
                            *pause += span;
                        }
                    }
                }
                Fault::Cut { from, until } => {
                    if (from..until).contains(&now) {
                        pauses.clear();
                    }
                }
            }
        }
        Fate { pauses }
    }
}

fn span_between(dice: &mut Dice, least: Duration, most: Duration) -> Duration {
    let micros = |span: Duration| u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(dice.between(micros(least), micros(most)))
}

#[cfg(test)]
#[path = "weather_tests.rs"]
mod tests;
