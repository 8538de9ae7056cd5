//! Every scenario with every pair of peers, in as many shards as earlier runs' durations ask for.

use std::time::Duration;

use super::plan::{CHILD, PLAN};
use crate::github::{frame, steps, when};
use crate::gitlab::{FULL, parts};
use crate::job::{Job, Outcome};
use crate::pins;
use crate::setting::{Setting, Word, words};
use crate::yaml::{Field, Yaml};

pub(super) fn jobs(setting: &Setting<'_>, _before: &[Job]) -> Vec<Job> {
    if setting.project.matrix.is_none() {
        return Vec::new();
    }
    vec![Job {
        id: "matrix".to_owned(),
        about: "Every scenario with every pair of peers; a full regression takes nothing over from earlier runs.".to_owned(),
        github: Some(github(setting)),
        gitlab: Some(gitlab()),
        outcome: Outcome::Unrecorded,
        only_full: false,
    }]
}

fn github(setting: &Setting<'_>) -> Vec<Field> {
    let mut fields = vec![Field::new("needs", Yaml::texts(&["plan"]))];
    fields.extend(frame(setting, "matrix ${{ matrix.shard }}", setting.minutes(budget(setting))));
    let max = u64::try_from(setting.ci.shards_max).unwrap_or(u64::MAX);
    fields.push(Field::new(
        "strategy",
        vec![
            Field::new("fail-fast", false),
            Field::new("max-parallel", max),
            Field::new("matrix", "${{ fromJSON(needs.plan.outputs.shards) }}"),
        ],
    ));
    fields.push(Field::new("env", vec![Field::new("SHARD", "${{ matrix.shard }}")]));
    let mut all = vec![steps::checkout()];
    all.extend(steps::restore_build(setting));
    all.push(steps::restore_history());
    let with = vec![Field::new("name", "plan"), Field::new("path", ".handfast")];
    all.push(steps::action("the plan of the shards", pins::DOWNLOAD, with));
    all.extend(steps::set_up(setting));
    for (words, condition) in
        [(call(&[]), "env.FULL != 'true'"), (call(&["--fresh"]), "env.FULL == 'true'")]
    {
        let mut step = steps::call(setting, &words);
        step.insert(1, when(condition));
        all.push(step);
    }
    all.push(steps::keep_record(setting, "shard-${{ strategy.job-index }}"));
    fields.push(Field::new("steps", Yaml::tables(all)));
    fields
}

/// The job that triggers the pipeline of the shards.
fn gitlab() -> Vec<Field> {
    let include = vec![vec![Field::new("artifact", CHILD), Field::new("job", "plan")]];
    let trigger =
        vec![Field::new("include", Yaml::tables(include)), Field::new("strategy", "depend")];
    vec![
        Field::new("stage", "test"),
        Field::new("needs", Yaml::texts(&["plan"])),
        Field::new(
            "variables",
            vec![
                Field::new("PARENT_PIPELINE_ID", "$CI_PIPELINE_ID"),
                Field::new("HANDFAST_FULL", "$HANDFAST_FULL"),
            ],
        ),
        Field::new("trigger", trigger),
    ]
}

/// The job of the pipeline that the shards have for themselves.
pub(crate) fn shards(setting: &Setting<'_>, shards: &[String]) -> Vec<Field> {
    let condition = FULL.replace("==", "=").replace("$HANDFAST_FULL", "\"$HANDFAST_FULL\"");
    let script = vec![format!(
        "if [ {condition} ]; then {}; else {}; fi",
        setting.call(&call(&["--fresh"])),
        setting.call(&call(&[]))
    )];
    let needs =
        vec![vec![Field::new("pipeline", "$PARENT_PIPELINE_ID"), Field::new("job", "plan")]];
    let matrix = vec![vec![Field::new("SHARD", Yaml::texts(shards))]];
    let mut fields = vec![
        Field::new("stage", "matrix"),
        Field::new("needs", Yaml::tables(needs)),
        Field::new("parallel", vec![Field::new("matrix", Yaml::tables(matrix))]),
        parts::timeout(setting.minutes(budget(setting))),
    ];
    fields.extend(parts::caches(vec![
        parts::build_cache(setting, "pull"),
        Some(parts::history_cache("pull")),
    ]));
    fields.push(parts::script(setting, script));
    // The shards of one pipeline keep their records under names of their own.
    fields.extend(parts::record(setting, "shard-$CI_NODE_INDEX"));
    fields
}

fn call(more: &[&str]) -> Vec<Word> {
    let mut call = words(&["matrix"]);
    call.extend(words(more));
    call.push(Word::Text("--shard".to_owned()));
    call.push(Word::Variable("SHARD"));
    call.extend(words(&["--shard-plan", PLAN]));
    call
}

/// A shard never takes longer than the whole.
fn budget(setting: &Setting<'_>) -> Duration {
    setting.project.matrix.as_ref().map_or(Duration::ZERO, |matrix| matrix.budget)
}
