//! What one direction of a link is like.
//!
//! [`Conditions`] are complete: each field says what happens, and the default says "nothing". A [`ConditionsPatch`] names
//! some fields and is laid over other conditions ([`ConditionsPatch::over`]); it is also the text form of both. The order
//! in which they act on a packet is that of a real path: a cut or a dead way swallows it, a link with a smaller MTU does
//! not take it, the queue before the bottleneck has no room, the bottleneck sends it bit by bit, it is lost, damaged or
//! doubled on the way, and it takes its time.
//!
//! - [`patch`]: conditions of which some fields are named, and their text
//! - [`approximated`](Conditions::approximated): what a proxy that sees streams and no packets makes of them

mod approximation;
pub mod patch;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use approximation::Approximation;
pub use patch::{ConditionsPatch, InvalidPatch};

use crate::dice::Chance;

/// What one direction of a link is like. The default is a link on which nothing happens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConditionsPatch", into = "ConditionsPatch")]
pub struct Conditions {
    /// How long a packet takes.
    pub delay: Delay,
    /// Which packets are lost.
    pub loss: Loss,
    /// How often a packet arrives twice.
    pub duplicate: Chance,
    /// How often one bit of a packet is turned.
    pub corrupt: Chance,
    /// Whether the checksums of a damaged packet are made to fit again. If not, a receiver notices and drops it, as on a
    /// real link; if so, the damage reaches the program.
    pub renew_checksums: bool,
    /// Which packets are overtaken.
    pub reorder: Reorder,
    /// The bottleneck, if there is one.
    pub rate: Option<Rate>,
    /// Largest packet that passes, in bytes with its IP header; larger ones vanish without a word (a black hole: no
    /// "fragmentation needed" comes back, RFC 2923 section 2.1).
    pub mtu: Option<u16>,
    /// The share of all flows for which nothing passes: one of several parallel paths is dead, and which flow takes it
    /// follows from the flow alone (ECMP, RFC 2992).
    pub dead_flows: Chance,
    /// Whether anything passes at all.
    pub cut: Option<Cut>,
}

impl Conditions {
    /// Longest delay and longest time in a queue: a minute. More than that no transport protocol waits for.
    pub const DELAY_MAX: Duration = Duration::from_mins(1);

    /// Least MTU: what every internet module must forward (RFC 791, section 3.2).
    pub const MTU_MIN: u16 = 68;

    /// Largest bottleneck, in bits a second: beyond it nanoseconds cannot tell small packets apart.
    pub const RATE_MAX: u64 = 100_000_000_000;

    /// Longest queue, in bytes.
    pub const QUEUE_MAX: u64 = 256 << 20;

    /// Whether nothing happens on such a link.
    pub fn are_clear(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that every field is in its range.
    ///
    /// # Errors
    ///
    /// [`InvalidConditions`] names the first field that is not.
    pub fn check(&self) -> Result<(), InvalidConditions> {
        let Delay { base, jitter, correlation, .. } = self.delay;
        for (field, span) in [("delay", base), ("jitter", jitter), ("reorder_by", self.reorder.by)]
        {
            if span > Self::DELAY_MAX {
                return Err(InvalidConditions::TooLong { field });
            }
        }
        if correlation > Delay::CORRELATION_MAX {
            return Err(InvalidConditions::Correlation);
        }
        if let Some(Rate { bits_per_s, queue }) = self.rate {
            if bits_per_s == 0 || bits_per_s > Self::RATE_MAX {
                return Err(InvalidConditions::Rate { bits_per_s });
            }
            match queue {
                Queue::Time(span) if span > Self::DELAY_MAX => {
                    return Err(InvalidConditions::TooLong { field: "queue" });
                }
                Queue::Bytes(bytes) if bytes > Self::QUEUE_MAX => {
                    return Err(InvalidConditions::Queue { bytes });
                }
                Queue::Time(_) | Queue::Bytes(_) => {}
            }
        }
        match self.mtu {
            Some(mtu) if mtu < Self::MTU_MIN => Err(InvalidConditions::Mtu { mtu }),
            Some(_) | None => Ok(()),
        }
    }

    /// What of these conditions needs packets: a proxy between streams can do without it, or only approximate it.
    pub fn needs_packets(&self) -> Vec<&'static str> {
        self.approximated().into_iter().map(|approximation| approximation.what).collect()
    }
}

/// How long a packet takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// In the middle of the distribution: its mean, except that no delay is below zero.
    pub base: Duration,
    /// How wide it is: half the range of [`Shape::Uniform`], the standard deviation of the others.
    pub jitter: Duration,
    /// How delays are distributed.
    pub shape: Shape,
    /// How much of a packet's luck the next one inherits: 0 for none. The distribution stays the same.
    pub correlation: Chance,
    /// Whether a packet waits for those before it: most links are queues. If not, jitter makes packets overtake others.
    pub keeps_order: bool,
}

impl Delay {
    /// Most that a packet can inherit of the luck of the one before it; at 1 chance would never be asked again.
    pub const CORRELATION_MAX: Chance = Chance::per_mille(990);

    /// The same delay for every packet.
    pub const fn constant(base: Duration) -> Self {
        let (jitter, correlation) = (Duration::ZERO, Chance::NEVER);
        Self { base, jitter, shape: Shape::Constant, correlation, keeps_order: true }
    }
}

impl Default for Delay {
    fn default() -> Self {
        Self::constant(Duration::ZERO)
    }
}

/// A distribution of delays. All are cut off at zero, so that nothing arrives before it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Always the same.
    #[default]
    Constant,
    /// Anything from base - jitter to base + jitter, evenly.
    Uniform,
    /// Normal, cut off at four standard deviations.
    Normal,
    /// Pareto with a = 3, moved so that its mean is the base: most packets are a little early, a few very late. Cut off
    /// at sixteen standard deviations.
    Pareto,
    /// A quarter normal, three quarters Pareto: what netem's authors found in measurements of real paths.
    ParetoNormal,
}

/// Which packets are lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loss {
    /// None.
    #[default]
    None,
    /// Each with the same chance, whatever became of the one before.
    Independent(Chance),
    /// In bursts, by the two states of Gilbert and Elliott (E. N. Gilbert, "Capacity of a burst-noise channel", 1960;
    /// E. O. Elliott, "Estimates of error rates for codes on burst-noise channels", 1963).
    GilbertElliott {
        /// How often a packet finds that a bad stretch has begun.
        p: Chance,
        /// How often a packet finds that it has ended.
        r: Chance,
        /// How often a packet is lost in a good stretch (1 - k of the literature).
        good_loss: Chance,
        /// How often a packet is lost in a bad stretch (1 - h of the literature).
        bad_loss: Chance,
    },
}

impl Loss {
    /// Loss in bursts: this share of all packets in the long run, this many packets a burst in the mean.
    ///
    /// # Errors
    ///
    /// [`InvalidConditions::Burst`] where there is no such chain: a mean burst below one packet, or so many losses that
    /// bursts of that length cannot be told apart.
    pub fn bursts(share: Chance, mean_length: f64) -> Result<Self, InvalidConditions> {
        let lost = share.as_share();
        let wrong = InvalidConditions::Burst;
        if share.is_never() {
            return Ok(Self::None);
        }
        if !(1.0..=1e6).contains(&mean_length) || lost >= 1.0 {
            return Err(wrong);
        }
        let r = Chance::share(1.0 / mean_length).map_err(|_| InvalidConditions::Burst)?;
        let p = lost / (1.0 - lost) / mean_length;
        let p = Chance::share(p).map_err(|_| InvalidConditions::Burst)?;
        Ok(Self::GilbertElliott { p, r, good_loss: Chance::NEVER, bad_loss: Chance::ALWAYS })
    }

    /// The share of packets that are lost in the long run: p / (p + r) of the time is bad.
    pub fn share(&self) -> f64 {
        match *self {
            Self::None => 0.0,
            Self::Independent(chance) => chance.as_share(),
            Self::GilbertElliott { p, r, good_loss, bad_loss } => {
                let (p, r) = (p.as_share(), r.as_share());
                if p + r == 0.0 {
                    return good_loss.as_share();
                }
                (good_loss.as_share() * r + bad_loss.as_share() * p) / (p + r)
            }
        }
    }

    /// The chance that the packet after a lost one is lost as well, where that follows from the one before alone: losses
    /// in a row are then distributed geometrically, and are 1 / (1 - this) long in the mean.
    pub fn continues(&self) -> Option<f64> {
        match *self {
            Self::None => None,
            Self::Independent(chance) => Some(chance.as_share()),
            Self::GilbertElliott { r, good_loss, bad_loss, .. } => {
                let is_simple = good_loss.is_never() && bad_loss == Chance::ALWAYS;
                is_simple.then(|| 1.0 - r.as_share())
            }
        }
    }

    /// By how much the variance of the number of losses exceeds that of independent ones: (1 + c) / (1 - c), with c the
    /// correlation of neighbours.
    pub fn dispersion(&self) -> f64 {
        let Self::GilbertElliott { p, r, good_loss, bad_loss } = *self else { return 1.0 };
        let (p, r) = (p.as_share(), r.as_share());
        let share = self.share();
        if p + r == 0.0 || share <= 0.0 || share >= 1.0 {
            return 1.0;
        }
        let memory = 1.0 - p - r;
        let bad = p / (p + r);
        // Only the part of the variance that comes from the state is correlated.
        let apart = bad_loss.as_share() - good_loss.as_share();
        let explained = bad * (1.0 - bad) * apart * apart / (share * (1.0 - share));
        (1.0 + 2.0 * explained * memory / (1.0 - memory)).max(f64::MIN_POSITIVE)
    }
}

/// Which packets are overtaken by others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reorder {
    /// How often a packet stays behind.
    pub chance: Chance,
    /// For how much longer than without.
    pub by: Duration,
}

impl Reorder {
    /// How long a packet stays behind where nobody says: longer than the gap between two packets of a busy link.
    pub const BY: Duration = Duration::from_millis(10);
}

/// A bottleneck with a queue before it, which drops what finds no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What passes, in bits a second, packets counted with their IP headers.
    pub bits_per_s: u64,
    /// How much may wait.
    pub queue: Queue,
}

/// How much may wait before a bottleneck. A packet that finds the queue empty always has room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// So many bytes, the packet that is being sent among them.
    Bytes(u64),
    /// As much as is sent in this time.
    Time(Duration),
}

impl Queue {
    /// The queue of a bottleneck of which nobody says more: a tenth of a second, which is neither starved nor bloated
    /// (near the buffers of access links found by Kreibich et al., "Netalyzr", IMC 2010, at their better end).
    pub const USUAL: Self = Self::Time(Duration::from_millis(100));

    /// Ten packets of 1,500 bytes: with fewer a slow link would lose most of whatever is sent at once.
    const LEAST: u64 = 15_000;

    /// The queue of a bottleneck of this rate of which nobody says more: [`USUAL`](Self::USUAL), but ten full packets at
    /// least.
    pub const fn usual(bits_per_s: u64) -> Self {
        if bits_per_s / 80 < Self::LEAST { Self::Bytes(Self::LEAST) } else { Self::USUAL }
    }
}

/// How a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cut {
    /// What is sent vanishes, and nobody hears of it.
    Silent,
    /// Whoever sends on a connection is told that it is gone.
    Reset,
}

/// Why there can be no such conditions.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InvalidConditions {
    /// A span is out of range.
    #[error("`{field}` is longer than a minute")]
    TooLong {
        /// Which.
        field: &'static str,
    },
    /// A packet cannot inherit that much.
    #[error("`correlation` is more than 0.99")]
    Correlation,
    /// There is no chain of losses with this mean.
    #[error(
        "`burst` is not between 1 and 1000000 packets, or so many losses leave no room between bursts of that length"
    )]
    Burst,
    /// Nothing or too much passes.
    #[error("`rate` is {bits_per_s} bit/s; it is at least 1bit/s and at most 100Gbit/s")]
    Rate {
        /// What was asked for.
        bits_per_s: u64,
    },
    /// The queue would not fit into memory.
    #[error("`queue` is {bytes} bytes; it is at most 256MiB")]
    Queue {
        /// What was asked for.
        bytes: u64,
    },
    /// No IP header would pass.
    #[error("`mtu` is {mtu}; it is at least 68, the least that IPv4 knows")]
    Mtu {
        /// What was asked for.
        mtu: u16,
    },
}

#[cfg(test)]
mod tests;
