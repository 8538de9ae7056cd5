//! One record of all shards, and what they have found, kept for the next run.

use std::time::Duration;

use crate::github::{frame, steps, when};
use crate::gitlab::parts;
use crate::job::{Job, Outcome};
use crate::setting::{Setting, words};
use crate::yaml::{Field, Yaml};

use super::tell;

pub(super) fn jobs(setting: &Setting<'_>, _before: &[Job]) -> Vec<Job> {
    if setting.project.matrix.is_none() {
        return Vec::new();
    }
    vec![Job {
        id: "merge".to_owned(),
        about: "One record of all shards. One that is missing is a failure; what was found is kept for the next run.".to_owned(),
        github: Some(github(setting)),
        // On GitLab it is part of the pipeline of the shards.
        gitlab: None,
        outcome: Outcome::Recorded,
        only_full: false,
    }]
}

/// Reading records.
const BUDGET: Duration = Duration::from_mins(5);

fn github(setting: &Setting<'_>) -> Vec<Field> {
    let mut fields =
        vec![Field::new("needs", Yaml::texts(&["plan", "matrix"])), when("!cancelled()")];
    fields.extend(frame(setting, "merge", setting.minutes(BUDGET)));
    let mut all = vec![steps::checkout()];
    all.extend(steps::restore_build(setting));
    all.push(steps::restore_history());
    all.push(steps::download(Some("shard-*"), ".handfast/shards"));
    all.extend(steps::set_up(setting));
    all.push(steps::call(setting, &words(&["merge", ".handfast/shards"])));
    all.push(steps::keep_record(setting, "merge"));
    all.push(steps::save_history());
    fields.push(Field::new("steps", Yaml::tables(all)));
    fields
}

/// The job of the pipeline that the shards have for themselves on GitLab.
pub(crate) fn child(setting: &Setting<'_>) -> Vec<Field> {
    let mut call = setting.call(&words(&["merge", ".handfast/jobs"]));
    if setting.ci.notify {
        // Expanded by the shell, inside quotes.
        call.push_str(" --notify=\"ci $CI_COMMIT_REF_NAME matrix\"");
    }
    let mut fields = vec![
        Field::new("stage", "merge"),
        Field::new("needs", Yaml::texts(&["matrix"])),
        Field::new("when", "always"),
        parts::timeout(setting.minutes(BUDGET)),
    ];
    if setting.ci.notify {
        fields.push(tell::environment());
    }
    let notify = setting.ci.notify.then(tell::cache);
    fields.extend(parts::caches(vec![
        parts::build_cache(setting, "pull"),
        Some(parts::history_cache("pull-push")),
        notify,
    ]));
    fields.push(parts::script(setting, vec![call]));
    fields.extend(parts::record(setting, "merge"));
    fields
}
