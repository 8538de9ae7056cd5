//! What follows from how a metric stands: a warning, one more look, one incident.
//!
//! A slow minute of the machine looks like a slow peer. So nobody is told of a suspect before further looks, with peers that were started
//! anew, have found the same; and whoever was told is not told again of the same change.

use serde::Serialize;

/// Why a metric is looked at once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspicion {
    /// It is beyond its alert.
    Alert,
    /// It is worse than earlier runs on machines of this class.
    Worse,
}

impl Suspicion {
    /// The class of the incident that it becomes, as the history has it.
    pub fn class(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Worse => "worse",
        }
    }
}

/// What one look at a metric found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// Nothing is wrong.
    Well,
    /// It is between target and alert.
    Warning,
    /// Something may be wrong.
    Suspect(Suspicion),
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Nothing.
    Well,
    /// Nobody is told; the report says so.
    Warning,
    /// Look once more before anyone is told.
    LookAgain(Suspicion),
    /// A further look found otherwise: the machine, not the peers.
    NotConfirmed(Suspicion),
    /// Confirmed, and new: one incident.
    Open(Suspicion),
    /// An incident of it is open from before.
    StillOpen(Suspicion),
    /// What was open is over.
    Close,
}

/// Further looks that have to find the same as the first one.
pub const LOOKS: usize = 2;

/// What follows from the first look at a metric in this run, the further ones so far, and whether an incident of it is open.
pub fn decide(first: Look, further: &[Look], is_open: bool) -> Decision {
    let Look::Suspect(suspicion) = first else {
        return match (first, is_open) {
            (_, true) => Decision::Close,
            (Look::Warning, false) => Decision::Warning,
            (Look::Well | Look::Suspect(_), false) => Decision::Well,
        };
    };
    let found_same = |look: &Look| match (look, suspicion) {
        (Look::Suspect(Suspicion::Alert), _) => true,
        (Look::Suspect(Suspicion::Worse), seen) => seen == Suspicion::Worse,
        (Look::Well | Look::Warning, _) => false,
    };
    if is_open {
        // Nobody is told of it a second time, so nothing has to be confirmed.
        return Decision::StillOpen(suspicion);
    }
    if !further.iter().all(found_same) {
        return Decision::NotConfirmed(suspicion);
    }
    if further.len() < LOOKS {
        return Decision::LookAgain(suspicion);
    }
    Decision::Open(suspicion)
}

impl Decision {
    /// Whether the run has found something that is wrong with the peers.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Open(_) | Self::StillOpen(_) => true,
            Self::Well
            | Self::Warning
            | Self::LookAgain(_)
            | Self::NotConfirmed(_)
            | Self::Close => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALERT: Look = Look::Suspect(Suspicion::Alert);
    const WORSE: Look = Look::Suspect(Suspicion::Worse);

    #[test]
    fn an_alert_is_told_once_and_only_when_two_more_looks_agree() {
        use Decision::{Close, LookAgain, NotConfirmed, Open, StillOpen};
        assert_eq!(decide(ALERT, &[], false), LookAgain(Suspicion::Alert));
        assert_eq!(decide(ALERT, &[ALERT], false), LookAgain(Suspicion::Alert));
        assert_eq!(decide(ALERT, &[ALERT, ALERT], false), Open(Suspicion::Alert));
        assert_eq!(decide(ALERT, &[], true), StillOpen(Suspicion::Alert));
        assert_eq!(decide(ALERT, &[ALERT, Look::Warning], false), NotConfirmed(Suspicion::Alert));
        assert_eq!(decide(Look::Well, &[], true), Close);
    }

    #[test]
    fn a_warning_is_only_a_warning() {
        assert_eq!(decide(Look::Warning, &[], false), Decision::Warning);
        assert_eq!(decide(Look::Well, &[], false), Decision::Well);
    }

    #[test]
    fn an_alert_confirms_that_something_is_worse_but_not_the_other_way_round() {
        assert_eq!(decide(WORSE, &[ALERT, WORSE], false), Decision::Open(Suspicion::Worse));
        assert_eq!(decide(ALERT, &[WORSE], false), Decision::NotConfirmed(Suspicion::Alert));
    }

    fn look() -> impl Strategy<Value = Look> {
        prop_oneof![Just(Look::Well), Just(Look::Warning), Just(ALERT), Just(WORSE)]
    }

    proptest! {
        #[test]
        fn one_change_makes_one_incident(firsts in proptest::collection::vec((look(), look(), look()), 1..30)) {
            let (mut is_open, mut opened, mut closed) = (false, 0_i32, 0_i32);
            for (first, second, third) in firsts {
                match decide(first, &[second, third], is_open) {
                    Decision::Open(_) => {
                        prop_assert!(!is_open, "opened twice");
                        (is_open, opened) = (true, opened + 1);
                    }
                    Decision::Close => {
                        prop_assert!(is_open, "closed what was not open");
                        (is_open, closed) = (false, closed + 1);
                    }
                    Decision::LookAgain(_) => prop_assert!(false, "three looks are enough"),
                    Decision::Well
                    | Decision::Warning
                    | Decision::NotConfirmed(_)
                    | Decision::StillOpen(_) => {}
                }
                prop_assert_eq!(opened - closed, i32::from(is_open));
            }
        }
    }
}
