use std::collections::BTreeSet;

use handfast_heal::known::Known;
use handfast_matrix::Expectations;
use handfast_scenario::project::MatrixSettings;
use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{Project, Scenario};
use xtask::documents::{Code, Form};

use super::{assert_none, code, repository};

/// What a block of TOML is a part of.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Scenario,
    Project,
    Expected,
    /// Known issues and quarantined tests.
    Known,
    /// Of another program than handfast.
    Foreign,
}

/// Tables with which a part of `handfast.toml` begins.
fn is_of_project(key: &str) -> bool {
    let schema = super::text("docs/schema/handfast.schema.json");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    schema["properties"].get(key).is_some()
}

fn kind(table: &toml::Table) -> Kind {
    let has = |key: &str| table.contains_key(key);
    if has("expected") {
        Kind::Expected
    } else if has("known") || has("quarantine") {
        Kind::Known
    } else if ["step", "roles", "proves", "network", "disturbance"].into_iter().any(has) {
        Kind::Scenario
    } else if table.keys().all(|key| is_of_project(key)) {
        Kind::Project
    } else {
        Kind::Foreign
    }
}

/// A block, with what goes before it in a whole file.
fn whole(text: &str, table: &toml::Table, kind: &Kind) -> String {
    let has = |key: &str| table.contains_key(key);
    match kind {
        Kind::Scenario if !has("name") => format!("name = \"x\"\n{text}"),
        Kind::Project if !has("project") => {
            let peers = peers_named_in(text);
            let unknown = ["entity", "python"].into_iter().filter(|name| !peers.contains(*name));
            let peers = unknown.map(|name| format!("[peers.{name}]\nstart = [\"x\"]\n"));
            format!("{text}\n[project]\nname = \"x\"\n{}", peers.collect::<String>())
        }
        Kind::Scenario | Kind::Project | Kind::Expected | Kind::Known | Kind::Foreign => {
            text.to_owned()
        }
    }
}

/// The peers that a part of `handfast.toml` defines.
pub(super) fn peers_named_in(text: &str) -> BTreeSet<String> {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let peers = table.get("peers").and_then(toml::Value::as_table);
    peers.into_iter().flat_map(toml::Table::keys).cloned().collect()
}

/// The jobs of the schedule that a part of `handfast.toml` defines.
pub(super) fn jobs_named_in(text: &str) -> BTreeSet<String> {
    let table: toml::Table = toml::from_str(text).unwrap_or_default();
    let jobs = table.get("schedule").and_then(toml::Value::as_array);
    let names = jobs.into_iter().flatten().filter_map(|job| job.get("name")?.as_str());
    names.map(str::to_owned).collect()
}

fn problem(code: &Code) -> Option<String> {
    let place = format!("{}:{}", code.file, code.line);
    let table: toml::Table = match toml::from_str(&code.text) {
        Ok(table) => table,
        Err(error) => return Some(format!("{place}: {error}")),
    };
    let kind = kind(&table);
    let text = whole(&code.text, &table, &kind);
    let oracles = handfast_oracle::names();
    let problems = match kind {
        Kind::Scenario => Scenario::parse("test_unit_x.toml", &text, &Vocabulary { oracles }).err(),
        Kind::Project => Project::parse("handfast.toml", &text).err(),
        Kind::Expected => {
            return Expectations::parse("expected.toml", &text)
                .err()
                .map(|error| format!("{place}: {error}"));
        }
        Kind::Known => {
            return Known::parse("known.toml", &text)
                .err()
                .map(|error| format!("{place}: {error}\n{}", error.help));
        }
        Kind::Foreign => None,
    };
    problems.map(|problems| format!("{place}:\n{}", problems.to_plain_text()))
}

fn fences(language: &str) -> Vec<Code> {
    let form = Form::Fence(language.to_owned());
    code().into_iter().filter(|code| code.form == form).collect()
}

#[test]
fn every_block_of_toml_in_a_document_is_read() {
    let blocks = fences("toml");
    let read = blocks
        .iter()
        .filter(|code| toml::from_str(&code.text).is_ok_and(|table| kind(&table) != Kind::Foreign));
    assert!(read.count() >= 3, "blocks are found");
    assert_none(&blocks.iter().filter_map(problem).collect::<Vec<_>>());
}

#[test]
fn a_block_of_toml_that_is_wrong_is_found() {
    let check = |text: &str, part: &str| {
        let code = Code {
            file: "x.md".to_owned(),
            line: 1,
            form: Form::Fence("toml".to_owned()),
            text: text.to_owned(),
        };
        let problem = problem(&code).unwrap_or_default();
        assert!(problem.contains(part) && problem.is_empty() == part.is_empty(), "{problem}");
    };
    check("[[step]]\nmeasure = \"a\"\n", "");
    check("[[step]]\nmaesure = \"a\"\n", "did you mean `measure`?");
    check("name = \"x\"\n[[step]]\ncheck = [\"odrer\"]\n", "odrer");
    check("[peers.x]\nstart = [\"x\"]\n", "");
    check("[peers.x]\nsatrt = [\"x\"]\n", "satrt");
    check("[[expected]]\nscenario = \"x\"\n", "missing field `result`");
    check("[[known]]\nname = \"x\"\n", "known.toml:1");
    check("x =", "x.md:1");
}

#[test]
fn every_block_of_json_in_a_document_is_json() {
    for code in fences("json") {
        let read: Result<serde_json::Value, _> = serde_json::from_str(&code.text);
        assert!(read.is_ok(), "{}:{}: {}", code.file, code.line, read.unwrap_err());
    }
}

#[test]
fn the_first_peer_of_this_repository_is_the_one_that_documents_speak_of() {
    assert_eq!(repository().project.peers[0].name.as_str(), "entity");
}

#[test]
fn the_guide_to_the_project_file_has_every_key_and_says_the_defaults() {
    let guide = |code: &&Code| code.file == "docs/guide/project-file.md";
    let block = fences("toml").iter().find(guide).map(|code| code.text.clone()).unwrap();
    let project = Project::parse("handfast.toml", &block).unwrap();
    let empty = Project::parse("handfast.toml", "[project]\nname = \"x\"\n").unwrap();
    assert_eq!(format!("{:?}", project.categories), format!("{:?}", empty.categories));
    assert_eq!(project.scenario_folders, empty.scenario_folders);
    assert_eq!(project.selftest.min_caught, empty.selftest.min_caught);
    assert_eq!(project.selftest.chaos.min_found, empty.selftest.chaos.min_found);
    assert_eq!(project.matrix.unwrap().budget, MatrixSettings::BUDGET);
    let guides = fences("toml").into_iter().filter(|code| code.file.starts_with("docs/guide/"));
    let guides: String = guides.map(|code| code.text).collect();
    let words: BTreeSet<&str> =
        guides.split(|letter: char| !(letter.is_alphanumeric() || "_-".contains(letter))).collect();
    let schema = super::text("docs/schema/handfast.schema.json");
    let mut keys = BTreeSet::new();
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    super::collect_keys(&schema, &mut keys);
    let missing: Vec<_> = keys.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
