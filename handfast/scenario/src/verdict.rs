//! How a unit of a run ended.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{MethodName, PeerName, RoleName};

/// How a unit ended. Nothing turns one verdict into a kinder one: retries and known issues are
/// counted beside it, never instead of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case", deny_unknown_fields)]
pub enum Verdict {
    /// Every expectation held.
    Passed,
    /// The product did something else than the scenario says.
    Failed {
        /// Which expectation, what was there instead.
        reason: String,
    },
    /// The platform or the machine could not run the scenario: a port, a build, a missing program.
    Infra {
        /// What could not be done.
        reason: String,
    },
    /// The unit did not end within its budget and was ended by force.
    TimedOut {
        /// The budget, in microseconds.
        after_us: u64,
        /// What it was doing when the budget was spent.
        during: String,
    },
    /// A peer says that it does not have what the scenario requires. Never inferred from failure:
    /// only a method missing from `initialize`, or answer -32601, leads here.
    Unsupported {
        /// Whose peer lacks it.
        role: RoleName,
        /// What it lacks.
        method: MethodName,
    },
    /// A peer cannot be had on this machine: a program it needs is missing, or it cannot be built. Nothing is proved.
    Absent {
        /// Which peer.
        peer: PeerName,
        /// Why.
        reason: String,
        /// Whether the command line allows it.
        allowed: bool,
    },
    /// The budget of its category, or of the matrix, left it no time, or too little: it was not begun, or was ended by force
    /// before its own time was over. Nothing is proved, and nothing is said against it.
    DidNotFit {
        /// Which budget, and how far it came.
        reason: String,
    },
}

/// A verdict without its reasons, for counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// See [`Verdict::Passed`].
    Passed,
    /// See [`Verdict::Failed`].
    Failed,
    /// See [`Verdict::Infra`].
    Infra,
    /// See [`Verdict::TimedOut`].
    TimedOut,
    /// See [`Verdict::Unsupported`].
    Unsupported,
    /// See [`Verdict::Absent`].
    Absent,
    /// See [`Verdict::DidNotFit`].
    DidNotFit,
}

impl Verdict {
    /// The verdict without its reasons.
    pub fn kind(&self) -> VerdictKind {
        match self {
            Self::Passed => VerdictKind::Passed,
            Self::Failed { .. } => VerdictKind::Failed,
            Self::Infra { .. } => VerdictKind::Infra,
            Self::TimedOut { .. } => VerdictKind::TimedOut,
            Self::Unsupported { .. } => VerdictKind::Unsupported,
            Self::Absent { .. } => VerdictKind::Absent,
            Self::DidNotFit { .. } => VerdictKind::DidNotFit,
        }
    }

    /// Whether every expectation held.
    pub fn is_passed(&self) -> bool {
        self.kind() == VerdictKind::Passed
    }

    /// The reason in one sentence; empty for a unit that passed.
    pub fn reason(&self) -> String {
        match self {
            Self::Passed => String::new(),
            Self::Failed { reason } | Self::Infra { reason } | Self::DidNotFit { reason } => {
                reason.clone()
            }
            Self::TimedOut { after_us, during } => {
                let budget = std::time::Duration::from_micros(*after_us);
                format!("not done within {}, while {during}", crate::duration::display(budget))
            }
            Self::Unsupported { role, method } => format!("{role} does not offer {method}"),
            Self::Absent { peer, reason, .. } => format!("{peer} is absent: {reason}"),
        }
    }
}

impl VerdictKind {
    /// The word for it in tables and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Infra => "infra",
            Self::TimedOut => "timed out",
            Self::Unsupported => "unsupported",
            Self::Absent => "absent",
            Self::DidNotFit => "did not fit",
        }
    }
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_says_the_budget_and_what_was_going_on() {
        let verdict =
            Verdict::TimedOut { after_us: 2_000_000, during: "calling session.open".to_owned() };
        assert_eq!(verdict.reason(), "not done within 2s, while calling session.open");
    }

    #[test]
    fn a_verdict_reads_back_from_its_record() {
        let verdict = Verdict::Failed { reason: "no session".to_owned() };
        let text = serde_json::to_string(&verdict).unwrap();
        assert_eq!(text, r#"{"verdict":"failed","reason":"no session"}"#);
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
    }
}
