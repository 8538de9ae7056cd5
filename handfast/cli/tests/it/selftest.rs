//! Flaws that are planted into peers: what is caught, what is missed, and what counts for neither.

use std::path::Path;

use crate::support::{Project, Ran};

const HEARS: &str = "[[step]]\nrole = \"a\"\ncall = \"message.send\"\nwith = { to = \"b\", body = { text = \"hello\" } }\n\
    [[step]]\nevent = \"message.received\"\non = [\"b\"]\nwithin = \"1s\"\n";

/// The rule is there for a message, and takes the pass away where there is none.
const DISTURBED: &str = "[[step]]\nwire = { from = \"a\", to = \"b\", duplicate = true }\n\
    [[step]]\nrole = \"a\"\ncall = \"message.send\"\nwith = { to = \"b\", body = { text = \"hello\" } }\n";

const FAILS: &str = "[[step]]\nexpect = \"message.inbox\"\non = [\"b\"]\nhas = { from = \"a\" }\n";

fn project(more: &str) -> Project {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/peer.py");
    let start = format!("[\"python3\", \"{}\"]", peer.display());
    let list = format!("[\"python3\", \"{}\", \"--list-flaws\"]", peer.display());
    Project::new(&format!(
        "[peers.py.flaws]\nlist = {list}\nstart = {start}\nplant = [\"--flaw\", \"${{flaw}}\"]\n{more}"
    ))
}

fn selftest(project: &Project, more: &[&str]) -> Ran {
    let arguments: Vec<&str> = ["selftest"].iter().chain(more).copied().collect();
    project.run(&arguments)
}

#[test]
fn a_flaw_is_caught_by_the_scenario_that_fails_with_it_in_the_role_where_it_shows() {
    let project = project("").scenario("hears", HEARS);
    selftest(&project, &["--flaw", "deaf"]).check(
        0,
        "1 caught, 0 missed",
        &["caught py deaf", "by test_unit_hears (b) after", "py: 1 of 1 flaws caught, 100 %"],
    );
}

#[test]
fn a_flaw_that_no_scenario_sees_is_missed_by_name() {
    let project = project("").scenario("hears", HEARS);
    selftest(&project, &[]).check(
        1,
        "2 caught, 1 missed",
        &[
            "MISSED py chatty",
            "Says more in its answers than anybody asks for. No scenario sees it in 2 attempts",
            "py: 2 of 3 flaws caught, 66 % (at least 95 % are asked for); missed: chatty",
        ],
    );
}

#[test]
fn what_could_not_be_carried_out_catches_nothing() {
    let project = project("").scenario("disturbed", DISTURBED);
    selftest(&project, &["--flaw", "mute"]).check(
        1,
        "0 caught, 1 missed",
        &["MISSED py mute", "1 of the attempts could not be carried out"],
    );
}

#[test]
fn a_scenario_that_fails_without_a_flaw_proves_nothing_of_one() {
    let project = project("").scenario("fails", FAILS);
    selftest(&project, &["--flaw", "chatty"]).check(
        1,
        "0 caught, 1 missed",
        &["MISSED py chatty", "not counted test_unit_fails (a): it fails without a flaw, too"],
    );
}

#[test]
fn how_much_has_to_be_caught_is_for_the_project_to_say() {
    let project = project("[selftest]\nmin_caught = 66\n").scenario("hears", HEARS);
    selftest(&project, &[]).check(0, "2 caught, 1 missed", &["at least 66 % are asked for"]);
}

#[test]
fn a_hint_says_where_to_look_first() {
    let hint = "[selftest.hints]\ndeaf = { role = \"b\", scenario = \"second\" }\n";
    let project = project(hint).scenario("first", HEARS).scenario("second", HEARS);
    let parts = &["by test_unit_second (b) after"];
    selftest(&project, &["--flaw", "deaf"]).check(0, "1 caught, 0 missed", parts);
}

#[test]
fn a_machine_reads_the_outcome_as_json_and_as_junit() {
    let project = project("").scenario("hears", HEARS);
    let ran = selftest(&project, &["--json", "--junit", "out/selftest.xml"]);
    assert_eq!(ran.code, 1, "{}", ran.error);
    for part in [
        "\"missed\": [\n        \"chatty\"\n      ]",
        "\"percent\": 66",
        "\"scenario\": \"test_unit_hears\"",
    ] {
        assert!(ran.out.contains(part), "{part:?} is missing in {}", ran.out);
    }
    let xml = std::fs::read_to_string(project.path().join("out/selftest.xml")).unwrap();
    assert!(xml.contains("tests=\"3\" failures=\"1\""), "{xml}");
    assert!(xml.contains("no scenario sees it"), "{xml}");
}

#[test]
fn a_flaw_that_nobody_has_and_a_project_without_flaws_are_mistakes_of_the_user() {
    let refused = selftest(&project("").scenario("hears", HEARS), &["--flaw", "blind"]);
    assert_eq!((refused.code, refused.error.contains("no peer has a flaw blind")), (2, true));
    let refused = selftest(&Project::new("").scenario("hears", HEARS), &[]);
    assert_eq!((refused.code, refused.error.contains("can be started with a flaw")), (2, true));
}

#[test]
fn a_table_of_flaws_without_a_place_for_the_name_is_a_mistake_of_the_file() {
    let flaws = "[peers.py.flaws]\nlist = \"x\"\nstart = \"x\"\nplant = [\"--flaw\"]\n";
    let ran = selftest(&Project::new(flaws).scenario("hears", HEARS), &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.error.contains("does not say where ${flaw} stands"), "{}", ran.error);
}
