//! The schemas for editors (`docs/schema/`) say what the reader says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::fields::opened::{self, Opened};
use crate::scenario::Vocabulary;
use crate::{Project, Scenario};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn schema(name: &str) -> Value {
    let path = format!("{ROOT}/docs/schema/{name}.schema.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Every object of a schema that allows no other keys: what it is, and its keys.
fn objects(schema: &Value, found: &mut Opened) {
    if let (Some(title), Some(keys)) = (schema["title"].as_str(), schema["properties"].as_object())
    {
        assert_eq!(schema["additionalProperties"], false, "{title}");
        // The kinds of steps have titles of their own; the reader calls them all a step.
        let what = title.split_once(": ").map_or(title, |(what, _)| what);
        found.insert((what.to_owned(), keys.keys().cloned().collect()));
    }
    match schema {
        Value::Object(fields) => fields.values().for_each(|field| objects(field, found)),
        Value::Array(items) => items.iter().for_each(|item| objects(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    found
}

#[track_caller]
fn valid(name: &str, file: &Path) {
    let text = fs::read_to_string(file).unwrap();
    let document: toml::Table = toml::from_str(&text).unwrap();
    let validator = jsonschema::draft202012::new(&schema(name)).unwrap();
    let document = serde_json::to_value(document).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error:.300}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{}: {errors:#?}", file.display());
}

#[test]
fn every_file_of_this_repository_is_valid_in_an_editor() {
    let scenarios = files(&Path::new(ROOT).join("scenarios"));
    assert!(scenarios.len() > 50, "{}", scenarios.len());
    for file in scenarios {
        valid("scenario", &file);
    }
    valid("handfast", &Path::new(ROOT).join("handfast.toml"));
    valid("handfast", &Path::new(ROOT).join("examples/echo-peer/handfast.toml"));
}

#[test]
fn what_the_reader_does_not_know_is_marked_in_an_editor() {
    let validator = jsonschema::draft202012::new(&schema("scenario")).unwrap();
    for step in [
        r#"{ "cal": "x", "role": "a" }"#,
        r#"{ "call": "x" }"#,
        r#"{ "call": "x", "role": "a", "stop": "b" }"#,
        r#"{ "wire": { "from": "a", "to": "b", "drpo": true } }"#,
        r#"{ "event": "x", "on": "a", "within": "soon" }"#,
    ] {
        let step: Value = serde_json::from_str(step).unwrap();
        let scenario = serde_json::json!({ "name": "x", "step": [step] });
        assert!(!validator.is_valid(&scenario), "{scenario}");
    }
}

/// A scenario in which every kind of table occurs that scenario files can have.
const EVERYTHING: &str = r#"
name = "x"
roles = { a = {}, b = {} }
network = { delay = "50ms" }
[[disturbance]]
at = "1s"
network = { between = ["a", "b"], loss = 0.2 }
[[disturbance]]
at = "1s"
cut = { from = "a", to = "b" }
[[disturbance]]
at = "1s"
crash-loop = { role = "b", times = 3, every = "1s" }
[[disturbance]]
when = { event = "x", role = "b" }
clock = { role = "b", offset = "-90s" }
[[disturbance]]
at = "1s"
limit = { role = "b", disk = "full" }
[[step]]
calm = "30s"
[[step]]
call = "x"
role = "a"
[[step]]
expect = "x"
on = "a"
count = 0
[[step]]
event = "x"
on = "a"
within = "1s"
[[step]]
never = "x"
on = "a"
[[step]]
parallel = true
do = [{ measure = "a" }, { stop = "a" }, { kill = "a" }, { start = "a" }]
[[step]]
repeat = { count = 2 }
do = [{ check = "order" }, { clock = { a = "+1s" } }]
[[step]]
fault = { kill = "a", when = { event = "x", role = "b" } }
[[step]]
wire = { from = "a", to = "b", drop = { percent = 5 } }
[[step]]
wire = { from = "a", to = "b", replace = { field = "x", by = "null" } }
[[step]]
wire = { from = "a", to = "b", respond = { status = 500 } }
[[step]]
wire = { from = "a", to = "b", replace_byte = { at = 0 } }
"#;

const PROJECT: &str = r#"
[project]
name = "x"
[peers.a]
start = ["a"]
flaws = { list = ["a"], start = ["a"], plant = ["${flaw}"] }
[scenarios]
folders = ["x"]
[categories.unit]
parallel = 1
[[suites]]
name = "s"
kind = "cargo"
category = "unit"
[matrix]
peers = ["a"]
[exercise]
messages = ["hello"]
faults = ["mtu"]
[selftest]
hints = { f = { scenario = "x" } }
chaos = { min_found = 50, flaws = { f = { role = "a", scenarios = ["x"] } } }
[perf]
aims = { latency = { target = "1ms", alert = "2ms" } }
[notify]
owners = [{ match = "x", who = "us" }]
quiet = { from = "22:00", to = "07:00" }
[[notify.channels]]
name = "x"
kind = "webhook"
secret = { env = "X" }
[ci.jobs.a]
kind = "scenarios"
[[schedule]]
name = "daily"
cron = "0 2 * * *"
command = ["run"]
[simulator]
start = ["x"]
"#;

#[track_caller]
fn same(name: &str, opened: Opened) {
    let mut described = Opened::new();
    objects(&schema(name), &mut described);
    let missing: BTreeSet<_> = opened.difference(&described).collect();
    let more: BTreeSet<_> = described.difference(&opened).collect();
    assert!(
        missing.is_empty() && more.is_empty(),
        "the reader knows, the schema does not: {missing:#?}; the schema knows, the reader does not: {more:#?}"
    );
}

#[test]
fn the_schema_of_scenarios_has_the_keys_that_the_reader_knows() {
    drop(opened::take());
    if let Err(problems) = Scenario::parse("x.toml", EVERYTHING, &Vocabulary::default()) {
        panic!("{}", problems.to_plain_text());
    }
    same("scenario", opened::take());
}

#[test]
fn the_schema_of_the_project_has_the_keys_that_the_reader_knows() {
    drop(opened::take());
    if let Err(problems) = Project::parse("handfast.toml", PROJECT) {
        panic!("{}", problems.to_plain_text());
    }
    same("handfast", opened::take());
}

#[test]
fn the_schema_of_scenarios_has_the_ways_to_change_a_field_that_the_reader_knows() {
    let schema = schema("scenario");
    let ways = &schema["$defs"]["replacement"]["properties"]["by"]["enum"];
    assert_eq!(*ways, serde_json::json!(super::wire::WAYS));
}
