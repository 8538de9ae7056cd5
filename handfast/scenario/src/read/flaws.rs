//! `[peers.NAME.flaws]` and `[selftest]`.

use super::Sink;
use super::fields::{Fields, integer, table};
use super::project::command;
use crate::document::{Entry, Node};
use crate::filter::Filter;
use crate::flaws::{FLAW_VARIABLE, FlawedBuild, Hint, Hunt, Hunts, Selftest};
use crate::name::RoleName;

pub(super) fn flawed(node: &Node, sink: &mut Sink) -> Option<FlawedBuild> {
    let known = ["build", "list", "start", "plant"];
    let fields = Fields::open(node, "the flaws of a peer", &known, sink)?;
    let build = match fields.node("build") {
        None => None,
        Some(node) => Some(command(node, "build", sink)?),
    };
    let example = "[\"program\", \"argument\"]";
    let list = fields.required("list", example, sink);
    let list = list.and_then(|node| command(node, "list", sink));
    let start = fields.required("start", example, sink);
    let start = start.and_then(|node| command(node, "start", sink));
    let plant = fields.required("plant", "[\"--flaw\", \"${flaw}\"]", sink);
    let plant = plant.and_then(|node| {
        let words: Vec<String> =
            fields.texts("plant", sink).into_iter().map(|(word, _)| word.to_owned()).collect();
        if words.iter().any(|word| word.contains(FLAW_VARIABLE)) {
            return Some(words);
        }
        let message = format!("`plant` does not say where {FLAW_VARIABLE} stands");
        let help = "write `plant = [\"--flaw\", \"${flaw}\"]`".to_owned();
        sink.note(node.span, message, "every flaw would be the same", help);
        None
    });
    Some(FlawedBuild { build, list: list?, start: start?, plant: plant? })
}

pub(super) fn selftest(fields: &Fields<'_>, sink: &mut Sink) -> Selftest {
    let default = Selftest::default();
    let Some(node) = fields.node("selftest") else { return default };
    let Some(fields) = Fields::open(node, "[selftest]", &["min_caught", "hints", "chaos"], sink)
    else {
        return default;
    };
    let min_caught = percent_of(&fields, "min_caught", sink);
    let hints = fields.node("hints").and_then(|node| table(node, "hints", sink));
    let hints = hints.unwrap_or_default().iter();
    Selftest {
        min_caught: min_caught.unwrap_or(default.min_caught),
        hints: hints.filter_map(|entry| Some((entry.key.clone(), hint(entry, sink)?))).collect(),
        chaos: fields.node("chaos").and_then(|node| hunts(node, sink)).unwrap_or_default(),
    }
}

fn hunts(node: &Node, sink: &mut Sink) -> Option<Hunts> {
    let fields = Fields::open(node, "[selftest.chaos]", &["min_found", "flaws"], sink)?;
    let min_found = percent_of(&fields, "min_found", sink).unwrap_or(Hunts::default().min_found);
    let flaws = fields.node("flaws").and_then(|node| table(node, "flaws", sink));
    let flaws = flaws.unwrap_or_default().iter();
    let flaws = flaws.filter_map(|entry| Some((entry.key.clone(), hunt(&entry.node, sink)?)));
    Some(Hunts { min_found, flaws: flaws.collect() })
}

fn hunt(node: &Node, sink: &mut Sink) -> Option<Hunt> {
    let fields = Fields::open(node, "a flaw to find", &["role", "scenarios"], sink)?;
    let role = fields.name("role", RoleName::new, sink);
    let written = fields.texts("scenarios", sink).into_iter();
    let scenarios = written.filter_map(|(text, _)| filter(text, node, sink)).collect();
    Some(Hunt { role, scenarios })
}

fn percent_of(fields: &Fields<'_>, key: &str, sink: &mut Sink) -> Option<u64> {
    fields.node(key).and_then(|node| percent(node, key, sink))
}

fn percent(node: &Node, key: &str, sink: &mut Sink) -> Option<u64> {
    let number = integer(node, key, sink)?;
    let percent = u64::try_from(number).ok().filter(|percent| *percent <= 100);
    if percent.is_none() {
        let message = format!("`{key}` is {number}");
        let help = "use a number of percent from 0 to 100".to_owned();
        sink.note(node.span, message, "out of range", help);
    }
    percent
}

fn hint(entry: &Entry, sink: &mut Sink) -> Option<Hint> {
    let fields = Fields::open(&entry.node, "a hint", &["role", "scenario"], sink)?;
    let role = fields.name("role", RoleName::new, sink);
    let written = fields.required_text("scenario", "\"part of its name\"", sink)?;
    Some(Hint { role, scenario: filter(written, &entry.node, sink)? })
}

fn filter(written: &str, node: &Node, sink: &mut Sink) -> Option<Filter> {
    match Filter::new(written) {
        Ok(filter) => Some(filter),
        Err(error) => {
            let message = format!("{written:?} is no pattern: {}", error.kind());
            let help = "`*` is any text, `?` any letter".to_owned();
            sink.note(node.span, message, "not a pattern", help);
            None
        }
    }
}
