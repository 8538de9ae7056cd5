//! `[ci]` of `handfast.toml`.

use std::time::Duration;

use super::Sink;
use super::fields::{Fields, boolean, count, duration, list, table};
use super::project::command;
use crate::ci::{CiJob, CiSettings};
use crate::document::{Entry, Node};
use crate::project::Command;
use crate::span::Span;

/// Most entries of a list in `[ci]`.
const LIST_MAX: usize = 64;

/// Reads `[ci]`; `can_tell`: whether the file has a `[notify]`.
pub(super) fn ci(node: &Node, can_tell: bool, sink: &mut Sink) -> Option<CiSettings> {
    let fields = Fields::open(node, "[ci]", &KEYS, sink)?;
    let default = CiSettings::default();
    let text = |key: &str, default: String, sink: &mut Sink| {
        fields.text(key, sink).map_or(default, str::to_owned)
    };
    let number = |key: &str, most: usize, default: usize, sink: &mut Sink| {
        fields.node(key).and_then(|node| count(node, key, most, sink)).unwrap_or(default)
    };
    let handfast = fields.node("handfast").and_then(|node| command(node, "handfast", sink));
    let notify = fields.node("notify").and_then(|node| boolean(node, "notify", sink));
    let settings = CiSettings {
        workflow: file(&fields, "workflow", sink).unwrap_or(default.workflow),
        gitlab: file(&fields, "gitlab", sink),
        branches: strings(&fields, "branches", sink).unwrap_or(default.branches),
        daily: text("daily", default.daily, sink),
        full: text("full", default.full, sink),
        runner: text("runner", default.runner, sink),
        image: fields.text("image", sink).map(str::to_owned),
        handfast: handfast.unwrap_or(default.handfast),
        setup: fields.node("setup").map_or_else(Vec::new, |node| commands(node, sink)),
        cache: strings(&fields, "cache", sink).unwrap_or_default(),
        cache_key: strings(&fields, "cache_key", sink).unwrap_or_default(),
        artifacts_days: number(
            "artifacts_days",
            CiSettings::ARTIFACTS_DAYS_MAX,
            default.artifacts_days,
            sink,
        ),
        shard_within: time(&fields, "shard_within", sink).unwrap_or(default.shard_within),
        shards_max: number("shards_max", CiSettings::SHARDS_MAX, default.shards_max, sink),
        build_within: time(&fields, "build_within", sink).unwrap_or(default.build_within),
        notify: notify.unwrap_or(default.notify),
        jobs: fields.node("jobs").map_or_else(Vec::new, |node| jobs(node, sink)),
    };
    if settings.gitlab.as_ref() == Some(&settings.workflow) {
        let message = "`workflow` and `gitlab` are the same file".to_owned();
        let help = "write `gitlab = \".gitlab-ci.yml\"`".to_owned();
        sink.note(fields.span, message, "here", help);
    }
    if settings.branches.is_empty() {
        let help = "write `branches = [\"main\"]`, or leave it out".to_owned();
        let message = "`branches` names no branch".to_owned();
        sink.note(span(&fields, "branches"), message, "empty", help);
    }
    if settings.notify && !can_tell {
        let message = "`notify` needs a [notify], which says whom to tell".to_owned();
        let help = "add [notify] with a [[notify.channels]], or leave `notify` out".to_owned();
        sink.note(span(&fields, "notify"), message, "nobody to tell", help);
    }
    Some(settings)
}

const KEYS: [&str; 17] = [
    "workflow",
    "gitlab",
    "branches",
    "daily",
    "full",
    "runner",
    "image",
    "handfast",
    "setup",
    "cache",
    "cache_key",
    "artifacts_days",
    "shard_within",
    "shards_max",
    "build_within",
    "notify",
    "jobs",
];

/// A file inside the project.
fn file(fields: &Fields<'_>, key: &str, sink: &mut Sink) -> Option<String> {
    let written = fields.text(key, sink)?;
    let outside = written.is_empty()
        || written.starts_with('/')
        || written.split('/').any(|part| part == ".." || part.is_empty());
    if outside {
        let message = format!("`{key}` is no file of this project: {written:?}");
        let help = "write a path relative to handfast.toml, without `..`".to_owned();
        sink.note(span(fields, key), message, "outside", help);
        return None;
    }
    Some(written.to_owned())
}

/// A list of texts that are not empty and fit into one line each.
fn strings(fields: &Fields<'_>, key: &str, sink: &mut Sink) -> Option<Vec<String>> {
    fields.node(key)?;
    let texts = fields.texts(key, sink);
    for (text, span) in &texts {
        if text.is_empty() || text.contains(char::is_control) {
            let message = format!("{text:?} in `{key}` is no line of text");
            sink.note(*span, message, "empty, or several lines", "leave it out".to_owned());
        }
    }
    limit(texts.len(), key, span(fields, key), sink);
    Some(texts.into_iter().map(|(text, _)| text.to_owned()).collect())
}

fn limit(entries: usize, key: &str, span: Span, sink: &mut Sink) {
    if entries > LIST_MAX {
        let message = format!("`{key}` has {entries} entries, at most {LIST_MAX} are possible");
        sink.note(span, message, "too long", "put them into a script".to_owned());
    }
}

fn commands(node: &Node, sink: &mut Sink) -> Vec<Command> {
    let Some(items) = list(node, "setup", sink) else { return Vec::new() };
    limit(items.len(), "setup", node.span, sink);
    items.iter().filter_map(|item| command(item, "setup", sink)).collect()
}

/// A time that a job can take.
fn time(fields: &Fields<'_>, key: &str, sink: &mut Sink) -> Option<Duration> {
    let node = fields.node(key)?;
    let time = duration(node, key, sink)?;
    if time < Duration::from_secs(1) || time > CiSettings::TIMEOUT_MAX {
        let message = format!("`{key}` is not between a second and six hours");
        sink.note(node.span, message, "out of range", format!("write `{key} = \"10min\"`"));
        return None;
    }
    Some(time)
}

fn jobs(node: &Node, sink: &mut Sink) -> Vec<CiJob> {
    let Some(entries) = table(node, "jobs", sink) else { return Vec::new() };
    if entries.len() > CiSettings::JOBS_MAX {
        let message =
            format!("[ci.jobs] has {} jobs, at most {}", entries.len(), CiSettings::JOBS_MAX);
        sink.note(node.span, message, "too many", "put several filters into one".to_owned());
    }
    entries.iter().filter_map(|entry| job(entry, sink)).collect()
}

fn job(entry: &Entry, sink: &mut Sink) -> Option<CiJob> {
    let known = ["kind", "run", "timeout", "only_full"];
    let fields = Fields::open(&entry.node, "a job", &known, sink)?;
    let fits = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-' || letter == '_'
    };
    let begins = entry.key.starts_with(|letter: char| letter.is_ascii_lowercase());
    if !begins || !entry.key.chars().all(fits) || entry.key.len() > 40 {
        let message = format!("{:?} cannot be the name of a job", entry.key);
        let help = "use up to 40 lower-case letters, digits, `-` and `_`, a letter first";
        sink.note(entry.key_span, message, "not a name", help.to_owned());
    }
    let only_full = fields.node("only_full").and_then(|node| boolean(node, "only_full", sink));
    Some(CiJob {
        name: entry.key.clone(),
        kind: fields.required_text("kind", "\"scenarios\"", sink)?.to_owned(),
        run: strings(&fields, "run", sink).unwrap_or_default(),
        timeout: time(&fields, "timeout", sink).unwrap_or(TIMEOUT),
        only_full: only_full.unwrap_or_default(),
        span: entry.key_span,
    })
}

/// How long a further job may take where a project does not say.
const TIMEOUT: Duration = Duration::from_mins(15);

fn span(fields: &Fields<'_>, key: &str) -> Span {
    fields.node(key).map_or(fields.span, |node| node.span)
}

#[cfg(test)]
#[path = "ci_tests.rs"]
mod tests;
