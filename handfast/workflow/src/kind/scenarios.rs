//! Chosen scenarios as a job of their own: `[ci.jobs.NAME]`, such as everything about token transfers.

use handfast_scenario::ci::CiJob;

use crate::job::{Job, Plain};
use crate::setting::{Setting, Word};

pub(super) const NAME: &str = "scenarios";

pub(super) fn jobs(setting: &Setting<'_>, _before: &[Job]) -> Vec<Job> {
    let job = |job: &CiJob| {
        let filters = job.run.iter().cloned().map(Word::Text);
        super::plain(
            setting,
            Plain {
                id: job.name.clone(),
                about: format!("[ci.jobs.{}] of handfast.toml.", job.name),
                call: std::iter::once(Word::Text("run".to_owned())).chain(filters).collect(),
                minutes: setting.minutes(job.timeout),
                only_full: job.only_full,
            },
        )
    };
    setting.ci.jobs.iter().filter(|job| job.kind == NAME).map(job).collect()
}
