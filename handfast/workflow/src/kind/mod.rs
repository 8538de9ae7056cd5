//! The kinds of jobs, one file each: what a project has of it, and how it looks on both services.
//!
//! A new kind is a new file here and a line in `ALL`. A kind that projects declare (`[ci.jobs.NAME]` with `kind = "..."`) has its
//! name in [`DECLARED`], too. Kinds come in the order of `ALL`, and each sees the jobs before it.

mod category;
mod gate;
pub(crate) mod matrix;
pub(crate) mod merge;
mod plan;
mod scenarios;
mod selftest;
mod suite;
mod tell;

use std::collections::BTreeSet;

pub(crate) use plan::CHILD;

use crate::job::{Job, Outcome, Plain};
use crate::setting::{Setting, SettingError};
use crate::{github, gitlab};

/// What a kind does: the jobs of it that a project has, beside those before it.
type Kind = fn(&Setting<'_>, &[Job]) -> Vec<Job>;

const ALL: [Kind; 9] = [
    plan::jobs,
    category::jobs,
    scenarios::jobs,
    suite::jobs,
    selftest::jobs,
    matrix::jobs,
    merge::jobs,
    tell::jobs,
    gate::jobs,
];

/// The kinds that a project can declare.
pub const DECLARED: [&str; 1] = [scenarios::NAME];

/// All jobs of a project, in the order of the file.
///
/// # Errors
///
/// A declared job of an unknown kind, and two jobs of one name.
pub fn jobs(setting: &Setting<'_>) -> Result<Vec<Job>, SettingError> {
    for job in &setting.ci.jobs {
        if !DECLARED.contains(&job.kind.as_str()) {
            let (name, line) = (&job.name, job.span.line);
            return Err(SettingError {
                message: format!(
                    "handfast.toml:{line}: [ci.jobs.{name}] has the kind {:?}",
                    job.kind
                ),
                help: format!("a job can be of kind {}", DECLARED.join(", ")),
            });
        }
    }
    if let Some(job) = setting.ci.jobs.iter().find(|job| job.name.starts_with("shard-")) {
        return Err(SettingError {
            message: format!(
                "[ci.jobs.{}] has a name that the records of the shards have",
                job.name
            ),
            help: "give it a name that does not begin with shard-".to_owned(),
        });
    }
    let mut all: Vec<Job> = Vec::new();
    for kind in ALL {
        let more = kind(setting, &all);
        all.extend(more);
    }
    let mut seen = BTreeSet::new();
    match all.iter().find(|job| !seen.insert(&job.id)) {
        None => Ok(all),
        Some(twice) => Err(SettingError {
            message: format!("two jobs of the workflow would have the name {}", twice.id),
            help: "give the one of [ci.jobs] in handfast.toml another name".to_owned(),
        }),
    }
}

/// A job that calls handfast once and keeps the record, on both services.
fn plain(setting: &Setting<'_>, plain: Plain) -> Job {
    Job {
        github: Some(github::plain(setting, &plain)),
        gitlab: Some(gitlab::plain(setting, &plain)),
        outcome: Outcome::Recorded,
        only_full: plain.only_full,
        id: plain.id,
        about: plain.about,
    }
}
