//! One thing that is done to the network, a process, a clock or a resource, from a moment on, for a time.
//!
//! A [`Disturbance`] only says what; [`Timeline`](crate::Timeline) says when it is to be applied and undone, and whoever
//! drives it does so.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conditions::{ConditionsPatch, Cut};
use crate::units;

/// What is done, when, and for how long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// How reports call it.
    pub name: String,
    /// When it begins.
    pub when: When,
    /// For how long it lasts, from the moment on at which it took effect; `None`: until the unit is to be calm, or ends.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "units::span_option")]
    pub lasts: Option<Duration>,
    /// What is done.
    pub what: What,
}

/// When a disturbance begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At this time since the unit's first step.
    #[serde(with = "units::span")]
    At(Duration),
    /// When something happens, and so much later.
    On {
        /// What has to happen.
        cue: Cue,
        /// How much later.
        #[serde(with = "units::span")]
        after: Duration,
    },
}

/// Something that happens in a unit and begins a disturbance. What happens before the first step does not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cue {
    /// A peer has told of an event.
    Notification {
        /// Which peer.
        role: String,
        /// Which event, such as `token.vote_requested`.
        event: String,
        /// What its fields have to hold at least; `None` for any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        includes: Option<Value>,
    },
    /// A message was seen on the wire.
    Message {
        /// Who sent it.
        from: String,
        /// Whom it was for.
        to: String,
        /// Its type; `None` for any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_type: Option<String>,
        /// Which of those, from 1.
        nth: u64,
    },
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Other conditions are laid over a link.
    Network {
        /// Who sends.
        from: String,
        /// Who receives.
        to: String,
        /// Whether the way back is meant too.
        both: bool,
        /// The conditions that differ.
        change: ConditionsPatch,
    },
    /// A link is cut.
    Cut {
        /// Who sends.
        from: String,
        /// Who receives.
        to: String,
        /// Whether the way back is cut too.
        both: bool,
        /// How.
        how: Cut,
    },
    /// A peer is killed, and started again when the time is over; without a time it stays dead.
    Kill {
        /// Which peer.
        role: String,
    },
    /// A peer stands still.
    Pause {
        /// Which peer.
        role: String,
    },
    /// A peer is killed and started again, over and over.
    CrashLoop {
        /// Which peer.
        role: String,
        /// How often it is killed.
        times: u32,
        /// How long it lives each time.
        #[serde(with = "units::span")]
        every: Duration,
    },
    /// A peer's clock is wrong.
    Clock {
        /// Which peer.
        role: String,
        /// By how much, in milliseconds; negative for a clock that is behind.
        offset_ms: i64,
    },
    /// A peer has less of something.
    Limit {
        /// Which peer.
        role: String,
        /// Of what.
        what: Limit,
    },
}

impl What {
    /// The roles that it is about.
    pub fn roles(&self) -> Vec<&str> {
        match self {
            Self::Network { from, to, .. } | Self::Cut { from, to, .. } => vec![from, to],
            Self::Kill { role }
            | Self::Pause { role }
            | Self::CrashLoop { role, .. }
            | Self::Clock { role, .. }
            | Self::Limit { role, .. } => vec![role],
        }
    }

    /// What it lays over the direction from `from` to `to`; `None` if it is not about that.
    pub fn change_of(&self, from: &str, to: &str) -> Option<ConditionsPatch> {
        let concerns =
            |a: &str, b: &str, both: bool| (a == from && b == to) || (both && b == from && a == to);
        match self {
            Self::Network { from, to, both, change } if concerns(from, to, *both) => {
                Some(change.clone())
            }
            Self::Cut { from, to, both, how } if concerns(from, to, *both) => {
                Some(ConditionsPatch::cut(*how))
            }
            Self::Network { .. }
            | Self::Cut { .. }
            | Self::Kill { .. }
            | Self::Pause { .. }
            | Self::CrashLoop { .. }
            | Self::Clock { .. }
            | Self::Limit { .. } => None,
        }
    }

    /// Whether it comes to its end by itself where no time is named.
    pub fn ends_by_itself(&self) -> bool {
        match self {
            Self::Kill { .. } | Self::CrashLoop { .. } => true,
            Self::Network { .. }
            | Self::Cut { .. }
            | Self::Pause { .. }
            | Self::Clock { .. }
            | Self::Limit { .. } => false,
        }
    }

    /// One word for what it does, as scenario files say it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Network { .. } => "network",
            Self::Cut { .. } => "cut",
            Self::Kill { .. } => "kill",
            Self::Pause { .. } => "pause",
            Self::CrashLoop { .. } => "crash-loop",
            Self::Clock { .. } => "clock",
            Self::Limit { .. } => "limit",
        }
    }
}

/// Of what a peer has less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Processor time.
    Cpu {
        /// Per cent of one core.
        percent: u32,
    },
    /// Memory.
    Memory {
        /// At most so many bytes.
        bytes: u64,
    },
    /// Processes and threads.
    Processes {
        /// At most so many.
        most: u32,
    },
    /// Open descriptors.
    Descriptors {
        /// At most so many.
        most: u32,
    },
    /// The disk takes nothing more.
    DiskFull,
    /// The disk is slow.
    DiskSlow {
        /// So many bytes a second.
        bytes_per_s: u64,
    },
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu { percent } => write!(f, "{percent} % of a core"),
            Self::Memory { bytes } => write!(f, "{} of memory", units::display_bytes(*bytes)),
            Self::Processes { most } => write!(f, "{most} processes and threads"),
            Self::Descriptors { most } => write!(f, "{most} descriptors"),
            Self::DiskFull => f.write_str("a full disk"),
            Self::DiskSlow { bytes_per_s } => {
                write!(f, "a disk of {}/s", units::display_bytes(*bytes_per_s))
            }
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = |both: bool| if both { "<->" } else { "->" };
        match self {
            Self::Network { from, to, both, change } => {
                write!(f, "{from} {} {to}: {change}", arrow(*both))
            }
            Self::Cut { from, to, both, how } => {
                let how = match how {
                    Cut::Silent => "cut silently",
                    Cut::Reset => "cut with resets",
                };
                write!(f, "{from} {} {to}: {how}", arrow(*both))
            }
            Self::Kill { role } => write!(f, "{role} is killed"),
            Self::Pause { role } => write!(f, "{role} stands still"),
            Self::CrashLoop { role, times, every } => {
                write!(f, "{role} is killed {times} times, every {}", units::display_span(*every))
            }
            Self::Clock { role, offset_ms } => {
                write!(f, "the clock of {role} is off by {offset_ms} ms")
            }
            Self::Limit { role, what } => write!(f, "{role} has {what}"),
        }
    }
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)?;
        match self.lasts {
            Some(lasts) => write!(f, ", for {}", units::display_span(lasts)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
