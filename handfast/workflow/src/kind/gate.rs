//! The one job that a branch has to wait for: green only if all others succeeded. A job that was skipped did not succeed.

use crate::github::when;
use crate::job::{Job, Outcome};
use crate::setting::Setting;
use crate::yaml::{Field, Yaml};

pub(super) fn jobs(setting: &Setting<'_>, before: &[Job]) -> Vec<Job> {
    vec![Job {
        id: "gate".to_owned(),
        about: "Green only if every job succeeded; skipped is no success. The one check that a protected branch has to ask for.".to_owned(),
        github: Some(github(setting, before)),
        // On GitLab the pipeline itself is green only if every job succeeded.
        gitlab: None,
        outcome: Outcome::Looking,
        only_full: false,
    }]
}

fn github(setting: &Setting<'_>, before: &[Job]) -> Vec<Field> {
    let is_judged = |job: &&Job| job.github.is_some() && job.outcome != Outcome::Looking;
    let jobs: Vec<&Job> = before.iter().filter(is_judged).collect();
    let names: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
    let result = |job: &&Job| format!("{0} ${{{{ needs.{0}.result }}}}", job.id);
    let results: Vec<String> = jobs.iter().map(result).collect();
    let only_full: Vec<&str> =
        jobs.iter().filter(|job| job.only_full).map(|job| job.id.as_str()).collect();
    let mut env = vec![Field::new("RESULTS", Yaml::lines(&results))];
    let mut script = vec!["red=0", "while read -r job result; do"];
    let exception = format!("  case \"$FULL $job\" in {}) continue ;; esac", patterns(&only_full));
    if !only_full.is_empty() {
        script.push("  # Only part of a full regression.");
        script.push(&exception);
    }
    script.extend([
        "  if [ \"$result\" != success ]; then",
        "    echo \"::error title=$job::the job $job ended with $result\"",
        "    red=1",
        "  fi",
        "done < <(printf '%s' \"$RESULTS\")",
        "exit \"$red\"",
    ]);
    let step = vec![
        Field::new("name", "every job succeeded"),
        Field::new("env", std::mem::take(&mut env)),
        Field::new("run", Yaml::lines(&script)),
    ];
    vec![
        Field::new("needs", Yaml::texts(&names)),
        when("always()"),
        Field::new("name", "gate"),
        Field::new("runs-on", setting.ci.runner.as_str()),
        Field::new("timeout-minutes", 5),
        Field::new("permissions", vec![]),
        Field::new("steps", Yaml::tables(vec![step])),
    ]
}

fn patterns(jobs: &[&str]) -> String {
    jobs.iter().map(|job| format!("\"false {job}\"")).collect::<Vec<_>>().join(" | ")
}
