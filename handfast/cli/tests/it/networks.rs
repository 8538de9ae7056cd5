//! A scenario with a network as root, as a user without any right, and where the host gives no namespaces at all.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use handfast_lab::net::{Ask, Means, Owner};
use rustix::process::geteuid;

use crate::support::Project;

/// `nobody`, as it is numbered wherever Linux runs.
const NOBODY: u32 = 65534;

const SCENARIO: &str = "name = \"a message on a slow link\"\nnetwork = { delay = \"3ms\" }\n\
    [roles.a]\n[roles.b]\n\
    [[step]]\nrole = \"a\"\ncall = \"message.send\"\nwith = { to = \"b\", body = { text = \"x\" } }\n";

/// A project with copies of all it needs, so that every user can play in it.
fn project() -> Project {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/peer.py");
    let project = Project::bare("");
    let here = project.path().display();
    let lines = format!(
        "[project]\nname = \"test\"\n[peers.py]\nstart = [\"python3\", \"{here}/peer.py\"]\nversions = [\"1.0\"]\n"
    );
    project.write("handfast.toml", &lines);
    project.write("scenarios/test_unit_x.toml", SCENARIO);
    // By a process of its own: what this one has open for writing may be open in another test's child for a moment, and what is
    // open for writing cannot be started.
    let mut copy = Command::new("cp");
    copy.arg(peer).arg(env!("CARGO_BIN_EXE_handfast")).arg(project.path());
    assert!(copy.status().unwrap().success());
    project
}

/// Plays the scenario, which passes by whichever means; gives what the record says these were.
#[track_caller]
fn means_of(project: &Project, command: &mut Command) -> String {
    let output = command.current_dir(project.path()).output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{out}{error}");
    project.assert_nothing_left();
    let events = fs::read_to_string(project.last_record().join("events.jsonl")).unwrap();
    let line = events.lines().find(|line| line.contains("\"means\"")).unwrap();
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    let means = event.pointer("/means").or_else(|| event.pointer("/event/means")).unwrap();
    serde_json::to_string(means).unwrap()
}

#[test]
fn whoever_may_make_networks_plays_in_them() {
    let project = project();
    let means = means_of(&project, Command::new(project.path().join("handfast")).arg("run"));
    let expected = match found() {
        Means::Namespaces => "\"namespaces\"",
        Means::Rootless => "\"rootless\"",
        Means::Proxies { .. } => "\"proxies\"",
    };
    assert!(means.contains(expected), "{means}");
}

#[test]
fn a_user_without_rights_plays_in_networks_inside_a_user_namespace() {
    let project = project();
    let program = project.path().join("handfast");
    let mut command = Command::new(&program);
    if geteuid().is_root() {
        give_to_nobody(project.path());
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab/tests/fixtures/as_nobody.sh");
        command = Command::new("sh");
        command.arg(script).arg(&program);
        let mut python = Command::new("python3");
        if !python.args(["-c", ""]).uid(NOBODY).gid(NOBODY).status().is_ok_and(|s| s.success()) {
            return not_here("nobody may not start python3 on this host");
        }
    }
    let means = means_of(&project, command.arg("run"));
    if means.contains("proxies") {
        let reasons =
            ["cannot make a network namespace as this user", "cannot make a TUN interface"];
        assert!(reasons.iter().any(|reason| means.contains(reason)), "{means}");
        // To root this is what the test is about: a host that refuses both is one without them.
        let is_tun = means.contains("cannot make a TUN interface");
        assert!(!(is_tun && geteuid().is_root()), "root gave nobody a TUN device: {means}");
        return not_here(&means);
    }
    assert!(means.contains("\"rootless\""), "{means}");
}

#[test]
fn where_there_are_no_namespaces_the_scenario_is_played_by_proxies_and_says_why() {
    let project = project();
    // In a user namespace of its own a process may lower what it and its children get, down to nothing.
    let nothing = "echo 0 > /proc/sys/user/max_net_namespaces && \
                   echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "sh", "-c", nothing, "sh"]);
    if !Command::new("unshare")
        .args(["--user", "--map-root-user", "true"])
        .status()
        .is_ok_and(|s| s.success())
    {
        // Nothing can be taken away where nothing is given; a user without rights has none then.
        return not_here("unshare(1) makes no user namespace on this host");
    }
    let means = means_of(&project, command.arg(project.path().join("handfast")).arg("run"));
    assert!(means.contains("\"proxies\"") && means.contains("No space left on device"), "{means}");
}

fn found() -> Means {
    let reaper = vec![env!("CARGO_BIN_EXE_handfast").into(), handfast_lab::reaper::ARGUMENT.into()];
    let dir = PathBuf::from("/nowhere");
    Means::find(&Owner { reaper, run: "asks".to_owned(), dir, ask: Ask::Auto })
}

fn give_to_nobody(folder: &Path) {
    chown(folder, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            give_to_nobody(&path);
        }
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

#[expect(
    clippy::print_stdout,
    reason = "who reads the test's output is to know what it did not show"
)]
fn not_here(what: &str) {
    println!("NOT HERE: {what}");
}
