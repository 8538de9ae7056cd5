//! The scenario files of this repository are read without a mistake and have one category each.
#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{Project, Scenario};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn scenarios() -> Vec<Scenario> {
    let folder = Path::new(FOLDER);
    let mut scenarios = Vec::new();
    for path in files(folder) {
        let file = path.strip_prefix(folder).unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        match Scenario::parse(file, &text, &Vocabulary::default()) {
            Ok(read) => scenarios.extend(read),
            Err(problems) => panic!("{}", problems.to_plain_text()),
        }
    }
    scenarios
}

#[test]
fn every_scenario_is_read_and_has_a_category() {
    let project = Project::parse("handfast.toml", "[project]\nname = \"handfast\"\n").unwrap();
    for scenario in scenarios() {
        let id = scenario.id.to_string();
        let category = project.category_of(&id, scenario.id.stem(), scenario.category.as_ref());
        assert!(category.is_ok(), "{}", category.unwrap_err());
    }
}

#[test]
fn every_scenario_says_what_it_proves() {
    for scenario in scenarios() {
        assert!(!scenario.proves.is_empty(), "{} proves nothing", scenario.id);
    }
}

#[test]
fn the_catalogue_of_two_peers_is_covered() {
    let proved: BTreeSet<String> =
        scenarios().into_iter().flat_map(|scenario| scenario.proves).collect();
    for id in [
        "ab.handshake",
        "ab.encrypted",
        "interop.version",
        "interop.message",
        "interop.errors",
        "TC-01",
        "TC-02",
        "TC-04",
        "TC-05",
        "PS-1",
        "PS-3",
        "PS-5",
    ] {
        assert!(proved.contains(id), "no scenario proves {id}");
    }
}

#[test]
fn every_pair_of_versions_is_tried() {
    let pairs: BTreeSet<(String, String)> = scenarios()
        .iter()
        .filter(|scenario| scenario.proves.iter().any(|id| id == "interop.version"))
        .filter_map(|scenario| {
            let protocol = |role: &str| scenario.roles.get(role)?.protocol.clone();
            Some((protocol("a")?, protocol("b")?))
        })
        .collect();
    assert_eq!(pairs.len(), 9, "{pairs:?}");
}
