//! What a file runs of a project: the calls of handfast in its jobs, as they were written, not as they were meant.

use serde_json::Value;

use crate::generate::Service;
use crate::gitlab;
use crate::kind;
use crate::setting::{Setting, unshell};
use crate::{github, yaml};

/// A call of handfast in a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The job.
    pub job: String,
    /// The words behind the program. The choice of a shard is left out where the job runs once for each.
    pub words: Vec<String>,
}

/// Which run is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// A push, a pull request, a day.
    Daily,
    /// The full regression.
    Full,
}

/// The calls that happen on an occasion, whatever the outcome of other jobs.
///
/// A job or step under a condition that is not known counts as one that does not run, and so does one whose failure is forgiven.
pub fn calls(setting: &Setting<'_>, service: Service, file: &Value, on: Occasion) -> Vec<Call> {
    match service {
        Service::GitHub => on_github(setting, file, on),
        Service::GitLab => on_gitlab(setting, file, on, false),
    }
}

fn on_github(setting: &Setting<'_>, file: &Value, on: Occasion) -> Vec<Call> {
    let full = format!("${{{{ {} }}}}", github::full(setting));
    let mut calls = Vec::new();
    for (name, job) in file["jobs"].as_object().into_iter().flatten() {
        let runs = match job.get("if").and_then(Value::as_str) {
            None => job.get("if").is_none(),
            Some(condition) => condition == full && on == Occasion::Full,
        };
        let runs = runs && !is_forgiven(&job["continue-on-error"]);
        let is_sharded = job["strategy"]["matrix"] == "${{ fromJSON(needs.plan.outputs.shards) }}"
            && job["env"]["SHARD"] == "${{ matrix.shard }}";
        for step in job["steps"].as_array().into_iter().flatten().filter(|_| runs) {
            if is_forgiven(&step["continue-on-error"]) {
                continue;
            }
            let happens = match (step.get("if").and_then(Value::as_str), on) {
                (None, _) => step.get("if").is_none(),
                (Some(condition), Occasion::Daily) => condition == "${{ env.FULL != 'true' }}",
                (Some(condition), Occasion::Full) => condition == "${{ env.FULL == 'true' }}",
            };
            let script = step["run"].as_str().filter(|_| happens).unwrap_or_default();
            calls.extend(in_script(setting, name, script, is_sharded));
        }
    }
    calls
}

/// Whether a job or step can fail and nobody hears of it.
fn is_forgiven(value: &Value) -> bool {
    !value.is_null() && *value != false
}

/// `is_child`: the pipeline is the one that the plan writes for the shards. Only there all jobs of a matrix are the whole.
fn on_gitlab(setting: &Setting<'_>, file: &Value, on: Occasion, is_child: bool) -> Vec<Call> {
    let mut calls = Vec::new();
    // A job whose name begins with a dot never runs.
    let jobs = file.as_object().into_iter().flatten().filter(|(name, _)| !name.starts_with('.'));
    for (name, job) in jobs {
        let only_full = serde_json::json!([{ "if": gitlab::FULL }]);
        let runs = match job.get("rules") {
            None => job.get("when").is_none(),
            Some(rules) => *rules == only_full && on == Occasion::Full,
        };
        let runs = runs && !is_forgiven(&job["allow_failure"]);
        let is_sharded = is_child && job["parallel"]["matrix"].is_array();
        for line in job["script"].as_array().into_iter().flatten().filter(|_| runs) {
            let line = line.as_str().unwrap_or_default();
            let chosen = branch(line, on);
            calls.extend(in_script(setting, name, chosen, is_sharded));
        }
        let triggers = job["trigger"]["include"][0]["artifact"] == kind::CHILD && runs;
        if triggers && let Ok(child) = yaml::read(&gitlab::child(setting, &["1/1".to_owned()])) {
            calls.extend(
                on_gitlab(setting, &child, on, true)
                    .into_iter()
                    .map(|call| Call { job: name.clone(), ..call }),
            );
        }
    }
    calls
}

/// The branch of `if FULL; then A; else B; fi` that is taken; the line itself if it is another one.
fn branch(line: &str, on: Occasion) -> &str {
    let Some(rest) = line.strip_prefix("if [ \"$HANDFAST_FULL\" = \"true\" ]; then ") else {
        return line;
    };
    let Some((full, daily)) = rest.split_once("; else ") else { return line };
    match on {
        Occasion::Full => full,
        Occasion::Daily => daily.trim_end_matches("; fi"),
    }
}

fn in_script(setting: &Setting<'_>, job: &str, script: &str, is_sharded: bool) -> Vec<Call> {
    let program = setting.call(&[]);
    let lines = script.lines().filter_map(|line| line.trim().strip_prefix(program.as_str()));
    let words = lines.filter_map(|line| unshell(line.strip_prefix(' ').unwrap_or_default()));
    let call = |words: Vec<String>| {
        let words = if is_sharded { without_shard(words) } else { words };
        Call { job: job.to_owned(), words }
    };
    words.map(call).collect()
}

/// All shards together are everything.
fn without_shard(words: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let chosen = word == "--shard" && words.peek().is_some_and(|next| next == "$SHARD");
        if chosen || word == "--shard-plan" {
            words.next();
        } else {
            kept.push(word);
        }
    }
    kept
}
