//! A foreign test suite.

use handfast_scenario::project::Suite;

use crate::job::{Job, Plain};
use crate::setting::{Setting, words};

pub(super) fn jobs(setting: &Setting<'_>, _before: &[Job]) -> Vec<Job> {
    setting.project.suites.iter().filter_map(|suite| job(setting, suite)).collect()
}

fn job(setting: &Setting<'_>, suite: &Suite) -> Option<Job> {
    let name = suite.name.as_str();
    let category = setting.project.category(&suite.category)?;
    Some(super::plain(
        setting,
        Plain {
            id: format!("suite-{name}"),
            about: format!("The test suite {name} of handfast.toml."),
            call: words(&["run", "--suite", name]),
            minutes: setting.minutes(category.budget),
            only_full: false,
        },
    ))
}
