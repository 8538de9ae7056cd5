//! What is nobody's fault in the product ends with exit code 3.

use crate::support::Project;

const NOTHING: &str = "";

#[test]
fn a_peer_that_does_not_build_shows_the_last_lines_of_its_build() {
    let build = "build = [\"sh\", \"-c\", \"echo error: expected semicolon >&2; exit 1\"]\n";
    let project = Project::new(build).scenario("x", NOTHING);
    let ran = project.run(&["run"]);
    ran.check(
        3,
        "0 passed, 1 failed",
        &["peer py did not build", "error: expected semicolon", "ABSNT"],
    );
}

#[test]
fn without_building_the_peer_is_taken_as_it_is() {
    let project = Project::new("build = [\"false\"]\n").scenario("x", NOTHING);
    project.run(&["run", "--no-build"]).check(0, "1 passed, 0 failed", &[]);
}

#[test]
fn a_program_that_is_not_there_is_no_failure_of_the_product() {
    let project =
        Project::bare("[peers.py]\nstart = [\"no-such-program\"]\n").scenario("x", NOTHING);
    project.run(&["run"]).check(3, "0 passed, 1 failed", &["INFRA", "no-such-program"]);
}

#[test]
fn no_verdict_counts_on_a_peer_that_does_not_keep_the_contract() {
    let start = "start = [\"python3\", \"-c\", \"print('hello', flush=True); import time; time.sleep(60)\"]";
    let project = Project::bare(&format!("[peers.py]\n{start}\n")).scenario("x", NOTHING);
    let parts = [
        "INFRA",
        "does not keep the peer contract",
        "every line on stdout is a JSON-RPC 2.0 message",
    ];
    project.run(&["run"]).check(3, "0 passed, 1 failed", &parts);
}

#[test]
fn the_probe_shows_every_rule() {
    let ran = Project::new("").run(&["probe", "py"]);
    ran.check(0, "py keeps the peer contract", &["kept   an unknown method is answered -32601"]);
}

#[test]
fn the_probe_shows_a_promise_that_is_not_kept() {
    let project = Project::new("");
    let text = std::fs::read_to_string(project.path().join("handfast.toml")).unwrap();
    project.write(
        "handfast.toml",
        &text.replace("versions = [\"1.0\"]", "versions = [\"1.0\", \"1.1\"]"),
    );
    let ran = project.run(&["probe", "py"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.error);
    assert!(ran.out.contains("broken the peer speaks 1.1, as handfast.toml says"), "{}", ran.out);
}
