//! What the other jobs rest on: the files are what `handfast.toml` says, handfast is built, and the matrix is cut into shards.

use std::time::Duration;

use crate::github::{frame, steps};
use crate::gitlab::parts;
use crate::job::{Job, Outcome};
use crate::setting::{Setting, Word, words, written};
use crate::yaml::{Field, Yaml};

/// The name of the job.
pub(super) const ID: &str = "plan";

pub(super) fn jobs(setting: &Setting<'_>, _before: &[Job]) -> Vec<Job> {
    vec![Job {
        id: ID.to_owned(),
        about: "Are these files up to date? How many shards does the matrix have, by what earlier runs took?".to_owned(),
        github: Some(github(setting)),
        gitlab: Some(gitlab(setting)),
        outcome: Outcome::Unrecorded,
        only_full: false,
    }]
}

/// The plan of the shards, which every shard needs.
pub(super) const PLAN: &str = ".handfast/shards.json";

/// Reading files, counting cells.
const BUDGET: Duration = Duration::from_mins(5);

fn github(setting: &Setting<'_>) -> Vec<Field> {
    let mut fields = frame(setting, "plan", setting.minutes(BUDGET));
    let mut all = vec![steps::checkout()];
    all.extend(steps::restore_build(setting));
    if setting.project.matrix.is_some() {
        all.push(steps::restore_history());
    }
    all.extend(steps::set_up(setting));
    all.push(steps::call(setting, &check()));
    if setting.project.matrix.is_some() {
        let output = vec![Field::new("shards", "${{ steps.shards.outputs.shards }}")];
        fields.push(Field::new("outputs", output));
        let script = [
            "mkdir -p .handfast".to_owned(),
            format!("shards=\"$({})\"", setting.call(&shards(setting))),
            "echo \"shards=$shards\" >> \"$GITHUB_OUTPUT\"".to_owned(),
        ];
        all.push(vec![
            Field::new("name", "handfast shards"),
            Field::new("id", "shards"),
            Field::new("run", Yaml::lines(&script)),
        ]);
        all.push(steps::upload(setting, "plan", PLAN));
    }
    all.extend(steps::save_build(setting));
    fields.push(Field::new("steps", Yaml::tables(all)));
    fields
}

fn gitlab(setting: &Setting<'_>) -> Vec<Field> {
    let has_matrix = setting.project.matrix.is_some();
    let mut script = vec![setting.call(&check())];
    let mut caches = vec![parts::build_cache(setting, "pull-push")];
    if has_matrix {
        script.push("mkdir -p .handfast".to_owned());
        script.push(format!("{} > .handfast/shards.matrix.json", setting.call(&shards(setting))));
        let child = words(&["ci", "child", ".handfast/shards.matrix.json"]);
        script.push(format!("{} > {CHILD}", setting.call(&child)));
        caches.push(Some(parts::history_cache("pull")));
    }
    // What is there only if all went well tells the job `tell` that it did.
    script.push(format!("mkdir -p {DONE} && echo done > {DONE}/done"));
    let mut fields = vec![Field::new("stage", "plan"), parts::timeout(setting.minutes(BUDGET))];
    fields.extend(parts::caches(caches));
    fields.push(parts::script(setting, script));
    let paths = if has_matrix { vec![PLAN, CHILD, DONE] } else { vec![DONE] };
    let artifacts = vec![Field::new("paths", Yaml::texts(&paths)), parts::expiry(setting)];
    fields.push(Field::new("artifacts", artifacts));
    fields
}

/// Where other jobs have their records; this one has none.
const DONE: &str = ".handfast/jobs/plan";

/// The pipeline of the shards on GitLab.
pub(crate) const CHILD: &str = ".handfast/child.yml";

/// An edit inside a region was seen by whoever reviewed it; that `handfast.toml` says something else by now was not.
fn check() -> Vec<Word> {
    words(&["ci", "check", "--allow-edits"])
}

fn shards(setting: &Setting<'_>) -> Vec<Word> {
    let (within, max) = (written(setting.ci.shard_within), setting.ci.shards_max.to_string());
    words(&["shards", "--matrix", "--within", &within, "--max", &max, "--out", PLAN, "--github"])
}
