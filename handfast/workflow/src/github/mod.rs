//! The workflow of GitHub: its head, the jobs, and the steps that jobs are made of.

pub mod steps;

use crate::job::{Job, Plain};
use crate::region::Region;
use crate::setting::Setting;
use crate::yaml::{Field, Item, Yaml, write_fields};

/// The regions of the workflow.
pub fn regions(setting: &Setting<'_>, jobs: &[Job]) -> Vec<Region> {
    let mut head = String::new();
    write_fields(&mut head, &self::head(setting), 0);
    let mut regions = vec![Region::new("head", 0, &head)];
    for job in jobs {
        let Some(fields) = &job.github else { continue };
        let mut text = String::new();
        let field = Field::new(&job.id, fields.clone()).above(&job.about);
        write_fields(&mut text, &[field], 2);
        regions.push(Region::new(&format!("job {}", job.id), 2, &text));
    }
    regions
}

/// Whether this is a full regression, in the language of conditions.
pub fn full(setting: &Setting<'_>) -> String {
    format!("github.event.schedule == '{}' || inputs.full == true", setting.full.text())
}

/// A condition.
pub fn when(condition: &str) -> Field {
    Field::new("if", format!("${{{{ {condition} }}}}"))
}

/// The fields that every job has that runs something: its name, machine, time, and what it may read.
pub fn frame(setting: &Setting<'_>, name: &str, minutes: u64) -> Vec<Field> {
    vec![
        Field::new("name", name),
        Field::new("runs-on", setting.ci.runner.as_str()),
        Field::new("timeout-minutes", minutes),
        Field::new("permissions", vec![Field::new("contents", "read")]),
    ]
}

/// A job that calls handfast once and keeps the record.
pub fn plain(setting: &Setting<'_>, plain: &Plain) -> Vec<Field> {
    let mut fields = Vec::new();
    if plain.only_full {
        fields.push(when(&full(setting)));
    }
    fields.extend(frame(setting, &plain.id, plain.minutes));
    let mut all = steps::prepare(setting);
    all.push(steps::call(setting, &plain.call));
    all.push(steps::keep_record(setting, &plain.id));
    fields.push(Field::new("steps", Yaml::tables(all)));
    fields
}

fn head(setting: &Setting<'_>) -> Vec<Field> {
    let file = setting.ci.workflow.rsplit('/').next().unwrap_or_default();
    let name = file.trim_end_matches(".yml").trim_end_matches(".yaml");
    let cron = |cron: String, note: &str| vec![Field::new("cron", cron).note(note)];
    let schedule = Yaml::tables(vec![
        cron(setting.daily.text(), "daily, but not on the days of the full regression"),
        cron(setting.full.text(), "the full regression"),
    ]);
    let full_input = vec![
        Field::new("description", "The full regression: nothing is taken over from earlier runs"),
        Field::new("type", "boolean"),
        Field::new("default", false),
    ];
    let push = Yaml::List(
        setting.ci.branches.iter().map(|branch| Item::from(Yaml::from(branch.as_str()))).collect(),
    );
    let cancel = "${{ github.event_name == 'pull_request' }}";
    vec![
        Field::new("name", name),
        Field::new(
            "on",
            vec![
                Field::new("push", vec![Field::new("branches", push)]),
                Field::new("pull_request", Yaml::Nothing),
                Field::new("schedule", schedule).above("UTC"),
                Field::new(
                    "workflow_dispatch",
                    vec![Field::new("inputs", vec![Field::new("full", full_input)])],
                ),
            ],
        ),
        Field::new("permissions", vec![]).above("Each job says what it may; none may write."),
        Field::new(
            "concurrency",
            vec![
                Field::new(
                    "group",
                    "${{ github.workflow }}-${{ github.event.pull_request.number || github.run_id }}",
                ),
                Field::new("cancel-in-progress", cancel),
            ],
        )
        .above("A newer push to a pull request ends the run of the older one; nothing else is ended."),
        Field::new("defaults", vec![Field::new("run", vec![Field::new("shell", "bash")])])
            .above("bash -e -o pipefail"),
        Field::new("env", vec![Field::new("FULL", format!("${{{{ {} }}}}", full(setting)))]),
        Field::new("jobs", Yaml::Nothing),
    ]
}
