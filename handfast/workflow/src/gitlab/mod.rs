//! The pipeline of GitLab: its head, the jobs, and what they are made of.
//!
//! GitLab computes no matrix while a pipeline runs. So the job `plan` writes a pipeline of its own for the shards
//! ([`child`]), which the job `matrix` triggers. Its schedules stand in the project's settings, not in the file.

pub mod parts;

use crate::job::{Job, Plain};
use crate::kind;
use crate::region::Region;
use crate::setting::Setting;
use crate::yaml::{Field, Yaml, write_fields};

/// The regions of the pipeline.
pub fn regions(setting: &Setting<'_>, jobs: &[Job]) -> Vec<Region> {
    let mut text = String::new();
    write_fields(&mut text, &head(setting), 0);
    let mut regions = vec![Region::new("head", 0, &text)];
    for job in jobs {
        let Some(fields) = &job.gitlab else { continue };
        let mut text = String::new();
        let field = Field::new(&job.id, fields.clone()).above(&job.about);
        write_fields(&mut text, &[field], 0);
        regions.push(Region::new(&format!("job {}", job.id), 0, &text));
    }
    regions
}

/// The pipeline that plays these shards of the matrix, such as `1/3`, `2/3`, `3/3`.
pub fn child(setting: &Setting<'_>, shards: &[String]) -> String {
    let fields = vec![
        Field::new("stages", Yaml::texts(&["matrix", "merge"])),
        Field::new("default", defaults(setting)),
        Field::new("matrix", kind::matrix::shards(setting, shards)),
        Field::new("merge", kind::merge::child(setting)),
    ];
    let mut text = String::from("# Written by `handfast ci child` while the pipeline runs.\n");
    write_fields(&mut text, &fields, 0);
    text
}

/// A job that calls handfast once and keeps the record.
pub fn plain(setting: &Setting<'_>, plain: &Plain) -> Vec<Field> {
    let mut fields = vec![Field::new("stage", "test")];
    if plain.only_full {
        fields.push(Field::new("rules", Yaml::tables(vec![parts::when(FULL)])));
    }
    fields.push(Field::new("needs", Yaml::List(Vec::new())));
    fields.push(parts::timeout(plain.minutes));
    fields.extend(parts::caches(vec![parts::build_cache(setting, "pull")]));
    fields.push(parts::script(setting, vec![setting.call(&plain.call)]));
    fields.extend(parts::record(setting, &plain.id));
    fields
}

/// The condition of a full regression.
pub const FULL: &str = "$HANDFAST_FULL == \"true\"";

/// The condition of a merge request.
pub const REQUEST: &str = "$CI_PIPELINE_SOURCE == \"merge_request_event\"";

fn head(setting: &Setting<'_>) -> Vec<Field> {
    let on =
        |new_commit: &str| Field::new("auto_cancel", vec![Field::new("on_new_commit", new_commit)]);
    let mut request = parts::when(REQUEST);
    request.push(on("interruptible"));
    let mut rules = vec![request];
    rules.push(parts::when("$CI_PIPELINE_SOURCE == \"schedule\""));
    rules.push(parts::when("$CI_PIPELINE_SOURCE == \"web\""));
    for branch in &setting.ci.branches {
        let branch = branch.replace('\\', "\\\\").replace('"', "\\\"");
        let condition =
            format!("$CI_PIPELINE_SOURCE == \"push\" && $CI_COMMIT_BRANCH == \"{branch}\"");
        rules.push(parts::when(&condition));
    }
    let (daily, full) = (setting.daily.text(), setting.full.text());
    vec![
        Field::new("workflow", vec![on("none"), Field::new("rules", Yaml::tables(rules))])
            .above("Two schedules belong to it, in the project's settings (Build > Pipeline schedules):")
            .above(&format!("  {daily}    the daily run, without a variable"))
            .above(&format!("  {full}    the full regression, with the variable HANDFAST_FULL = true"))
            .above("A newer push to a merge request ends the pipeline of the older one; nothing else is ended."),
        Field::new("variables", vec![Field::new("HANDFAST_FULL", "false")]),
        Field::new("stages", Yaml::texts(&["plan", "test", "tell"])),
        Field::new("default", defaults(setting)),
    ]
}

fn defaults(setting: &Setting<'_>) -> Vec<Field> {
    let image = setting.ci.image.iter().map(|image| Field::new("image", image.as_str()));
    image.chain([Field::new("interruptible", true)]).collect()
}
