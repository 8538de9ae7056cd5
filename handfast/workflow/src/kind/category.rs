//! The scenarios of one category, with the project's own peers.

use crate::job::{Job, Plain};
use crate::setting::{Setting, words, written};

pub(super) fn jobs(setting: &Setting<'_>, _before: &[Job]) -> Vec<Job> {
    let job = |category: &&handfast_scenario::project::Category| {
        let name = category.name.as_str();
        let (parallel, budget) = (category.parallel, written(category.budget));
        super::plain(
            setting,
            Plain {
                id: name.to_owned(),
                about: format!(
                    "Scenarios of the category {name}: {parallel} at the same time, within {budget}."
                ),
                call: words(&["run", "--category", name]),
                minutes: setting.minutes(category.budget),
                only_full: false,
            },
        )
    };
    setting.categories.iter().map(job).collect()
}
