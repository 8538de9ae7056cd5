//! Whoever `[notify]` names is told, also of a job that was cancelled, ran out of time, or whose machine died.

use std::time::Duration;

use crate::github::{frame, steps, when};
use crate::gitlab::{REQUEST, parts};
use crate::job::{Job, Outcome};
use crate::pins;
use crate::setting::{Setting, words};
use crate::yaml::{Field, Yaml};

pub(super) fn jobs(setting: &Setting<'_>, before: &[Job]) -> Vec<Job> {
    if !setting.ci.notify {
        return Vec::new();
    }
    vec![Job {
        id: "tell".to_owned(),
        about: "Tells whoever is named in [notify], on a machine of its own: also that a job's machine died. Only this job of the file sees the secrets.".to_owned(),
        github: Some(github(setting, before)),
        gitlab: Some(gitlab(setting, before)),
        outcome: Outcome::Looking,
        only_full: false,
    }]
}

/// A service may ask to wait.
const BUDGET: Duration = Duration::from_mins(10);

fn github(setting: &Setting<'_>, before: &[Job]) -> Vec<Field> {
    let jobs: Vec<&Job> = before.iter().filter(|job| job.github.is_some()).collect();
    let needs: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    let mut fields = vec![
        Field::new("needs", Yaml::texts(&needs)),
        when("always() && github.event_name != 'pull_request'"),
    ];
    fields.extend(frame(setting, "tell", setting.minutes(BUDGET)));
    let mut all = vec![steps::checkout()];
    all.extend(steps::restore_build(setting));
    all.push(cache_step(false));
    all.push(steps::download(None, ".handfast/jobs"));
    all.extend(steps::set_up(setting));
    // The record of the matrix is that of the job that merges it.
    let result = |job: &&Job| format!("{0}=${{{{ needs.{0}.result }}}}", job.id);
    let results = jobs.iter().filter(|job| job.id != "matrix").map(result);
    let mut env = vec![
        Field::new("SUBJECT", "ci ${{ github.ref_name }}"),
        Field::new(
            "LINK",
            // Each attempt is news of its own.
            "${{ github.server_url }}/${{ github.repository }}/actions/runs/${{ github.run_id }}/attempts/${{ github.run_attempt }}",
        ),
        Field::new("RESULTS", Yaml::lines(&results.collect::<Vec<_>>())),
    ];
    for name in setting.secrets() {
        let secret = format!("${{{{ secrets.{name} }}}}");
        env.push(Field::new(&name, secret));
    }
    let script = [
        "mapfile -t results < <(printf '%s' \"$RESULTS\")".to_owned(),
        format!(
            "{} --subject \"$SUBJECT\" --link \"$LINK\" --records .handfast/jobs \"${{results[@]}}\"",
            setting.call(&words(&["notify", "jobs"]))
        ),
    ];
    all.push(vec![
        Field::new("name", "handfast notify jobs"),
        Field::new("env", env),
        Field::new("run", Yaml::lines(&script)),
    ]);
    all.push(cache_step(true));
    fields.push(Field::new("steps", Yaml::tables(all)));
    fields
}

/// What is told already, and what could not be told yet.
const OUTBOX: &str = ".handfast/notify.db*";

fn cache_step(save: bool) -> Vec<Field> {
    let key =
        "handfast-notify-${{ github.ref_name }}-${{ github.run_id }}-${{ github.run_attempt }}";
    let mut with = vec![Field::new("path", OUTBOX), Field::new("key", key)];
    if save {
        let mut step = steps::action("keep what was told", pins::CACHE_SAVE, with);
        step.insert(1, when("always()"));
        return step;
    }
    with.push(Field::new("restore-keys", "handfast-notify-${{ github.ref_name }}-"));
    steps::action("what was told before", pins::CACHE_RESTORE, with)
}

fn gitlab(setting: &Setting<'_>, before: &[Job]) -> Vec<Field> {
    let jobs: Vec<&Job> = before
        .iter()
        .filter(|job| job.outcome == Outcome::Recorded || job.id == super::plan::ID)
        .filter(|job| job.gitlab.is_some())
        .collect();
    let need = |job: &&Job| vec![Field::new("job", job.id.as_str()), Field::new("optional", true)];
    let mut never = parts::when(REQUEST);
    never.push(Field::new("when", "never"));
    let rules = vec![never, vec![Field::new("when", "always")]];
    // The job's number tells the attempts of a pipeline apart: they have one address.
    // GitLab tells no job how another one ended: a record says it, and where there is none its machine died. The plan leaves no record,
    // but a folder if all went well.
    let names = |only_full: bool| {
        let jobs = jobs.iter().filter(|job| job.only_full == only_full);
        jobs.map(|job| job.id.as_str()).collect::<Vec<_>>().join(" ")
    };
    let script = [
        format!("jobs=\"{}\"", names(false)),
        format!("if [ \"$HANDFAST_FULL\" = true ]; then jobs=\"$jobs {}\"; fi", names(true)),
        "set --".to_owned(),
        "for job in $jobs; do".to_owned(),
        "  if [ -d \".handfast/jobs/$job\" ]; then set -- \"$@\" \"$job=success\"; else set -- \"$@\" \"$job=failure\"; fi".to_owned(),
        "done".to_owned(),
        format!(
            "{} --subject \"ci $CI_COMMIT_REF_NAME\" --link \"$CI_PIPELINE_URL#$CI_JOB_ID\" --records .handfast/jobs \"$@\"",
            setting.call(&words(&["notify", "jobs"])),
        ),
    ];
    let mut fields = vec![
        Field::new("stage", "tell"),
        Field::new("needs", Yaml::tables(jobs.iter().map(need).collect())),
        Field::new("rules", Yaml::tables(rules)),
        parts::timeout(setting.minutes(BUDGET)),
        environment(),
    ];
    fields.extend(parts::caches(vec![parts::build_cache(setting, "pull"), Some(cache())]));
    fields.push(parts::script(setting, vec![script.join("\n") + "\n"]));
    fields
}

/// Variables that belong to this environment are seen by no other job.
pub(super) fn environment() -> Field {
    let fields = vec![Field::new("name", "handfast-notify"), Field::new("action", "access")];
    Field::new("environment", fields)
}

pub(super) fn cache() -> Vec<Field> {
    parts::state_cache("notify", OUTBOX, "pull-push")
}
