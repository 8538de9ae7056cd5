//! Planted flaws: whether the scenarios see them. Only where no suite of the project does it already.

use std::time::Duration;

use handfast_scenario::project::{Suite, SuiteKind};

use crate::job::{Job, Plain};
use crate::setting::{Setting, words};

pub(super) fn jobs(setting: &Setting<'_>, _before: &[Job]) -> Vec<Job> {
    let has_flaws = setting.project.peers.iter().any(|peer| peer.flaws.is_some());
    if !has_flaws || setting.project.suites.iter().any(is_selftest) {
        return Vec::new();
    }
    let plain = Plain {
        id: "selftest".to_owned(),
        about: "Planted flaws: do the scenarios see them?".to_owned(),
        call: words(&["selftest"]),
        minutes: setting.minutes(BUDGET),
        only_full: true,
    };
    vec![super::plain(setting, plain)]
}

/// Every flaw can cost the time of all scenarios.
const BUDGET: Duration = Duration::from_hours(1);

fn is_selftest(suite: &Suite) -> bool {
    match &suite.kind {
        SuiteKind::Cargo => false,
        SuiteKind::JUnit { command, .. } => {
            command.program() == "${handfast}"
                && command.args().first().is_some_and(|word| word == "selftest")
        }
    }
}
