//! The example of `docs/guide/bring-your-peer.md`: a peer by a stranger, in a language of its own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Project;

fn example(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/echo-peer").join(file)
}

/// The example as its reader has it, in a folder of its own.
pub(crate) fn echo_project() -> Project {
    let project = Project::bare("");
    for file in ["handfast.toml", "peer.pl"] {
        project.write(file, &fs::read_to_string(example(file)).unwrap());
    }
    for entry in fs::read_dir(example("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("scenarios/{}", path.file_name().unwrap().to_str().unwrap());
        project.write(&name, &fs::read_to_string(&path).unwrap());
    }
    project
}

#[test]
fn a_strangers_peer_keeps_the_contract() {
    let kept = ["kept   an unknown method is answered -32601", "kept   the peer speaks toy"];
    let ran = echo_project().run(&["probe", "echo"]);
    ran.check(0, "echo keeps the peer contract", &kept);
    // So many the guide promises its reader.
    let lines = ran.out.lines().filter(|line| line.starts_with("kept   ")).count();
    assert_eq!(lines, 11, "{}", ran.out);
}

#[test]
fn a_strangers_peer_passes_scenarios_of_its_own() {
    let parts = ["A message that got lost on the way", "A peer that was killed and started again"];
    echo_project().run(&["run"]).check(0, "4 passed, 0 failed", &parts);
}

#[test]
fn a_strangers_peer_stays_short_enough_to_be_read() {
    let lines = fs::read_to_string(example("peer.pl")).unwrap().lines().count();
    assert!(lines < 150, "{lines} lines");
}

#[test]
fn a_peer_that_is_late_is_played_by_a_stub_that_keeps_the_contract_and_says_what_it_is() {
    let late = "[peers.late]\nstart = [\"not-there-yet\"]\nstub = [\"late.toml\"]\n";
    let project = Project::bare(late);
    let stub = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stubs/entity-1.1.toml");
    project.write("late.toml", &fs::read_to_string(stub).unwrap());
    let ran = project.run(&["probe", "late-stub"]);
    ran.check(0, "late-stub keeps the peer contract", &["kept   session.list"]);
    let list = "name = \"two\"\n[roles.a]\n[roles.b]\n[[step]]\nexpect = \"session.list\"\non = [\"a\"]\ncount = 0\n";
    project.write("scenarios/test_unit_x.toml", list);
    let ran = project.run(&["run", "--peer", "a=late-stub", "--peer", "b=late-stub"]);
    ran.check(0, "1 passed, 0 failed", &["a=late-stub b=late-stub"]);
}

#[test]
fn a_stub_without_conversations_says_how_to_name_them() {
    let project = Project::new("");
    let ran = project.run(&["stub", "py"]);
    assert_eq!(ran.code, 2, "{}", ran.error);
    assert!(ran.error.contains("no conversation of py is recorded"), "{}", ran.error);
    assert!(ran.error.contains("[peers.py] stub"), "{}", ran.error);
}
