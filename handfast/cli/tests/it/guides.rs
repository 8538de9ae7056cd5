//! The guides are followed: their examples are written where they say, and what is shown in them is what a reader sees.

use xtask::documents::{self, Form};
use xtask::files;

use crate::stranger::echo_project;
use crate::support::Project;

/// The blocks of one language in a guide.
fn blocks(guide: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(files::root().join("docs/guide").join(guide)).unwrap();
    let form = Form::Fence(language.to_owned());
    let code = documents::code_of(guide, &text).into_iter();
    code.filter(|code| code.form == form).map(|code| code.text).collect()
}

/// The example peer with the guide's scenario beside its own, under the name that the guide gives it.
fn with_scenario_of(guide: &str) -> Project {
    let text = std::fs::read_to_string(files::root().join("docs/guide").join(guide)).unwrap();
    // Its name is the first file of a test that the guide names.
    let name = text.split('`').find(|span| span.starts_with("test_integration_")).unwrap();
    let project = echo_project();
    project.write(&format!("scenarios/{name}"), &blocks(guide, "toml")[0]);
    project
}

/// A line without what is another one each time: numbers, and how much blank is between.
fn steady(line: &str) -> String {
    let mut words = Vec::new();
    for word in line.split_whitespace() {
        let is_id = word.starts_with(".handfast/runs/");
        let word = if is_id { ".handfast/runs/ID" } else { word };
        words.push(
            word.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect(),
        );
    }
    let line: Vec<String> = words;
    let line = line.join(" ");
    // However many digits a number has.
    line.split('0').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("0")
}

#[test]
fn the_red_run_of_the_guide_is_red_for_the_reason_that_it_shows() {
    let ran = with_scenario_of("red-run.md").run(&["run", "arrives"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.error);
    let seen: Vec<String> = ran.out.lines().map(steady).collect();
    let shown = blocks("red-run.md", "text");
    let mut count = 0;
    for line in shown.iter().flat_map(|block| block.lines()) {
        count += 1;
        let line = steady(line);
        assert!(seen.contains(&line), "{line:?} is missing in {}", ran.out);
    }
    assert!(count >= 12, "{count} lines");
}

#[test]
fn the_record_of_the_guide_has_the_files_that_it_names() {
    let project = with_scenario_of("red-run.md");
    project.run(&["run", "arrives"]).check(1, "0 passed, 1 failed", &[]);
    let text = std::fs::read_to_string(files::root().join("docs/guide/red-run.md")).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("| file |")).skip(2);
    let rows = rows.take_while(|line| line.starts_with("| `"));
    let named: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    assert!(named.len() >= 5, "{named:?}");
    let record = project.last_record();
    // A peer that logs nothing has no log.
    for file in named.iter().filter(|file| **file != "logs/") {
        assert!(record.join(file).exists(), "{file} is not in the record");
    }
    for entry in std::fs::read_dir(&record).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let is_named = named.iter().any(|file| file.trim_end_matches('/') == name);
        assert!(is_named, "the guide does not name {name}");
    }
    project.run(&["replay", "last"]).check(1, "0 passed, 1 failed", &["[request dropped]"]);
}

#[test]
fn the_scenario_of_the_guide_passes() {
    let project = with_scenario_of("write-a-scenario.md");
    let ran = project.run(&["list", "restart"]);
    assert!(ran.out.contains("test_integration_a_restart_loses_what_was_not_told"), "{}", ran.out);
    project.run(&["run", "a_restart_loses"]).check(0, "1 passed, 0 failed", &["PASS"]);
}

#[test]
fn the_scenario_of_the_guide_fails_where_an_expectation_is_turned_round() {
    for (right, wrong, reason) in [
        ("lacks = {", "has = {", "to have"),
        ("refused = true\n", "", "refused UNREACHABLE"),
        (
            "text = \"welcome back\" } }\nwithin",
            "text = \"go away\" } }\nwithin",
            "message.received",
        ),
    ] {
        let text = &blocks("write-a-scenario.md", "toml")[0];
        assert_eq!(text.matches(right).count(), 1, "{right:?}");
        let project = echo_project();
        project.write("scenarios/test_integration_turned.toml", &text.replace(right, wrong));
        project.run(&["run", "turned"]).check(1, "0 passed, 1 failed", &["FAIL", reason]);
    }
}

#[test]
fn the_scenario_of_the_guide_to_peers_is_the_one_that_the_example_has() {
    let file = "examples/echo-peer/scenarios/test_integration_a_message_that_got_lost_is_told.toml";
    let file = std::fs::read_to_string(files::root().join(file)).unwrap();
    assert!(blocks("bring-your-peer.md", "toml").contains(&file));
}
