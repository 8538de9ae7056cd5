//! What was asked of one direction of a link, and what came of it.
//!
//! The shaper counts each packet here; [`Account::judge`] compares the counts with the conditions that were asked for.
//! A condition that did not take effect is [`Missed`](LineVerdict::Missed); one that had too few packets to show
//! anything is [`TooFew`](LineVerdict::TooFew), which is not the same as held.
//!
//! - `bursts`: losses in a row
//! - `judge`: the lines of asked and measured

mod bursts;
mod judge;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use bursts::Bursts;
pub use judge::{Level, Line, LineVerdict};

use crate::conditions::Conditions;
use crate::histogram::Histogram;

/// Why a packet does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The link is cut, or the way of its flow is dead.
    Cut,
    /// The link is cut so that the sender hears of it.
    Reset,
    /// It is larger than the MTU.
    Mtu,
    /// The queue had no room.
    Queue,
    /// It was lost by chance.
    Loss,
}

impl Cause {
    /// Every cause, in the order in which a packet meets them.
    pub const ALL: [Self; 5] = [Self::Cut, Self::Reset, Self::Mtu, Self::Queue, Self::Loss];
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cut => "cut",
            Self::Reset => "reset",
            Self::Mtu => "mtu",
            Self::Queue => "queue",
            Self::Loss => "loss",
        })
    }
}

/// What happened in one direction of a link while the same conditions held.
#[derive(Clone, Debug)]
pub struct Account {
    /// Packets that came.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that passed on, copies not counted.
    pub passed: u64,
    /// Their bytes.
    pub passed_bytes: u64,
    dropped: [u64; Cause::ALL.len()],
    /// Packets of which a second copy passed on.
    pub duplicated: u64,
    /// Packets that were damaged.
    pub corrupted: u64,
    /// Packets that were kept back so that others overtake them.
    pub reordered: u64,
    /// Packets that are due before one that came earlier.
    pub overtook: u64,
    /// Losses in a row.
    pub bursts: Bursts,
    /// How long packets were to take, as drawn: without queue, order and lateness of the driver.
    pub delays: Histogram,
    /// How long packets waited before and in the bottleneck.
    pub waits: Histogram,
    /// By how much the driver delivered later than was due.
    pub late: Histogram,
    /// For how long the bottleneck was busy, in nanoseconds.
    pub busy_ns: u64,
    /// What passed it meanwhile.
    pub busy_bytes: u64,
    /// How many delays were at most the median, the ninetieth and the ninety-ninth percentile that were asked for.
    below: [u64; QUANTILES.len()],
    limits_ns: [u64; QUANTILES.len()],
    /// Whether the driver carries streams, and so leaves undone what only packets can be done to.
    is_of_streams: bool,
}

/// The shares of packets at which delays are compared.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

impl Account {
    /// Opens an account for conditions.
    pub fn new(asked: &Conditions) -> Self {
        let limit = |share| u64::try_from(asked.delay.quantile(share).as_nanos());
        Self {
            packets: 0,
            bytes: 0,
            passed: 0,
            passed_bytes: 0,
            dropped: Default::default(),
            duplicated: 0,
            corrupted: 0,
            reordered: 0,
            overtook: 0,
            bursts: Bursts::default(),
            delays: Histogram::default(),
            waits: Histogram::default(),
            late: Histogram::default(),
            busy_ns: 0,
            busy_bytes: 0,
            below: Default::default(),
            limits_ns: QUANTILES.map(|share| limit(share).unwrap_or(u64::MAX)),
            is_of_streams: false,
        }
    }

    /// An account of a driver that carries streams: what that leaves undone ([`Conditions::approximated`]) is not held.
    #[must_use]
    pub(crate) fn of_streams(mut self, is_of_streams: bool) -> Self {
        self.is_of_streams = is_of_streams;
        self
    }

    /// Goes on under other conditions.
    pub(crate) fn ask(&mut self, asked: &Conditions) {
        self.limits_ns = Self::new(asked).limits_ns;
        self.bursts.interrupted();
    }

    /// Adds what another account of the same conditions has counted.
    pub fn merge(&mut self, other: &Self) {
        self.is_of_streams |= other.is_of_streams;
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.passed += other.passed;
        self.passed_bytes += other.passed_bytes;
        self.duplicated += other.duplicated;
        self.corrupted += other.corrupted;
        self.reordered += other.reordered;
        self.overtook += other.overtook;
        self.busy_ns = self.busy_ns.saturating_add(other.busy_ns);
        self.busy_bytes += other.busy_bytes;
        self.bursts.merge(&other.bursts);
        self.delays.merge(&other.delays);
        self.waits.merge(&other.waits);
        self.late.merge(&other.late);
        for (dropped, more) in self.dropped.iter_mut().zip(other.dropped) {
            *dropped += more;
        }
        for (below, more) in self.below.iter_mut().zip(other.below) {
            *below += more;
        }
    }

    /// Packets that did not pass on for this cause.
    pub fn dropped(&self, cause: Cause) -> u64 {
        self.dropped[place(cause)]
    }

    /// Packets that did not pass on, for whatever cause.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().sum()
    }

    /// Packets whose loss was left to chance: all that no other cause took.
    pub fn tried(&self) -> u64 {
        self.passed + self.dropped(Cause::Loss)
    }

    pub(crate) fn arrived(&mut self, bytes: u32) {
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }

    pub(crate) fn drop_for(&mut self, cause: Cause) {
        self.dropped[place(cause)] += 1;
        match cause {
            Cause::Loss => self.bursts.lost(),
            Cause::Cut | Cause::Reset | Cause::Mtu | Cause::Queue => self.bursts.interrupted(),
        }
    }

    pub(crate) fn pass(&mut self, bytes: u32) {
        self.passed += 1;
        self.passed_bytes += u64::from(bytes);
        self.bursts.passed();
    }

    pub(crate) fn delayed(&mut self, ns: u64) {
        self.delays.add(ns);
        for (below, limit) in self.below.iter_mut().zip(self.limits_ns) {
            *below += u64::from(ns <= limit);
        }
    }
}

impl Default for Account {
    /// An account of a link on which nothing happens.
    fn default() -> Self {
        Self::new(&Conditions::default())
    }
}

fn place(cause: Cause) -> usize {
    match cause {
        Cause::Cut => 0,
        Cause::Reset => 1,
        Cause::Mtu => 2,
        Cause::Queue => 3,
        Cause::Loss => 4,
    }
}

#[cfg(test)]
mod tests;
