//! What a record says of the network and of disturbances: what was asked for, what was measured.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the network of a unit is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "means", rename_all = "snake_case", deny_unknown_fields)]
pub enum NetworkMeans {
    /// Each peer in a network namespace of its own, packets through our switch.
    Namespaces,
    /// The same, inside a user namespace, without being root.
    Rootless,
    /// No namespaces: the recording proxy delays and cuts streams in place of packets.
    Proxies {
        /// Why there are no namespaces.
        why: String,
    },
}

impl fmt::Display for NetworkMeans {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespaces => formatter.write_str("namespaces"),
            Self::Rootless => formatter.write_str("rootless namespaces"),
            Self::Proxies { why } => write!(formatter, "proxies ({why})"),
        }
    }
}

/// How far a disturbance is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
pub enum DisturbanceState {
    /// It is in force.
    Applied,
    /// Its guard has undone it, or it was over by itself.
    Undone,
    /// It could not be carried out, or not be undone.
    Failed {
        /// Why.
        reason: String,
    },
}

/// One thing that was asked of a link or a disturbance, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountLine {
    /// What, such as `loss`.
    pub what: String,
    /// What was asked, with its unit, such as `2 %`.
    pub asked: String,
    /// What was measured, with its unit and, where it is an estimate, its interval.
    pub measured: String,
    /// Whether the two agree.
    pub verdict: AccountVerdict,
}

/// Whether what was measured is what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountVerdict {
    /// It is.
    Held,
    /// It is not: what the unit proves was proved under other conditions than it says.
    Missed,
    /// There was too little of it to tell.
    TooFew,
}

impl AccountVerdict {
    /// The word for it in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Missed => "missed",
            Self::TooFew => "too few",
        }
    }
}

impl fmt::Display for AccountVerdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
