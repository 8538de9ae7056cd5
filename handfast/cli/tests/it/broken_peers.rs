//! Each kind of broken peer is named as what it is, before any verdict on it could count.

use std::fs;
use std::path::Path;

use crate::support::Project;

const SCENARIO: &str = "name = \"x\"\n[roles.a]\n[roles.b]\n[[step]]\nexpect = \"session.list\"\non = [\"a\"]\ncount = 0\n";

/// The example of the contract's documentation, broken in one place.
#[track_caller]
fn broken(from: &str, to: &str, versions: &str, parts: &[&str]) {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contract/example_peer.py");
    let sound = fs::read_to_string(example).unwrap();
    assert!(from.is_empty() || sound.contains(from), "the example has no {from:?} any more");
    let text = if from.is_empty() { format!("{to}\n{sound}") } else { sound.replace(from, to) };
    let peer =
        format!("[peers.toy]\nstart = [\"python3\", \"peer.py\"]\nversions = [{versions}]\n");
    let project = Project::bare(&peer);
    project.write("peer.py", &text);
    project.write("scenarios/test_unit_x.toml", SCENARIO);
    let ran = project.run(&["run"]);
    let mut all = vec!["INFRA", "does not keep the peer contract"];
    all.extend(parts);
    ran.check(3, "0 passed, 1 failed", &all);
    let probed = project.run(&["probe", "toy"]);
    assert_eq!(probed.code, 1, "{}{}", probed.out, probed.error);
    assert!(probed.out.contains("broken"), "{}", probed.out);
}

#[test]
fn the_sound_example_is_not_called_broken() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/contract/example_peer.py");
    let peer = "[peers.toy]\nstart = [\"python3\", \"peer.py\"]\nversions = [\"toy\"]\n";
    let project = Project::bare(peer);
    project.write("peer.py", &fs::read_to_string(example).unwrap());
    project.write("scenarios/test_unit_x.toml", SCENARIO);
    project.run(&["run"]).check(0, "1 passed, 0 failed", &[]);
}

#[test]
fn a_peer_that_answers_the_random_method_wrongly_is_named() {
    let rule = ["an unknown method is answered -32601"];
    broken(
        "{\"error\": {\"code\": -32601, \"message\": \"unknown method\"}}",
        "{\"result\": {}}",
        "\"toy\"",
        &rule,
    );
}

#[test]
fn a_peer_that_does_not_answer_is_named() {
    let silent = "def peer_list():\n    time.sleep(3600)\n";
    broken(
        "def peer_list():\n",
        silent,
        "\"toy\"",
        &["peer.list answers in its shape", "it did not answer"],
    );
}

#[test]
fn a_peer_that_says_half_a_line_is_named() {
    let half = "import os\nos.write(1, b'{\"jsonrpc\": \"2.0\", \"id\": 1, \"resu')\nos._exit(0)";
    broken("", half, "\"toy\"", &["not JSON"]);
}

#[test]
fn a_peer_that_crashes_at_its_start_is_named_with_its_last_words() {
    let crash = "raise SystemExit('no configuration')";
    broken(
        "",
        crash,
        "\"toy\"",
        &["initialize answers in its shape", "ended with code 1", "no configuration"],
    );
}

#[test]
fn a_peer_that_does_not_speak_what_it_is_said_to_is_named() {
    broken("", "", "\"toy\", \"1.1\"", &["the peer speaks 1.1, as handfast.toml says"]);
}
