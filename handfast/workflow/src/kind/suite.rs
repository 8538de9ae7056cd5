//! A foreign test suite.

use handfast_scenario::project::Suite;

use crate::job::{Job, Plain};
use crate::setting::{Setting, words, written};

pub(super) fn jobs(setting: &Setting<'_>, _before: &[Job]) -> Vec<Job> {
    setting.project.suites.iter().filter_map(|suite| job(setting, suite)).collect()
}

fn job(setting: &Setting<'_>, suite: &Suite) -> Option<Job> {
    let name = suite.name.as_str();
    let category = setting.project.category(&suite.category)?;
    let budget = written(category.budget);
    Some(super::plain(
        setting,
        Plain {
            id: format!("{}-{name}", category.name),
            about: format!(
                "The test suite {name} of handfast.toml, of the category {}: within {budget}.",
                category.name
            ),
            call: words(&["run", "--suite", name]),
            minutes: setting.minutes(category.budget),
            only_full: false,
        },
    ))
}
