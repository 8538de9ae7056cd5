//! `handfast doctor` finds real lacks, and says what they cost.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::support::Project;

/// The lacks and the findings that were printed.
fn findings(out: &str) -> (Vec<String>, Vec<Value>) {
    let value: Value = serde_json::from_str(out).unwrap();
    let lacks = value["lacks"].as_array().unwrap().iter();
    let lacks = lacks.map(|name| name.as_str().unwrap().to_owned()).collect();
    (lacks, value["host"]["abilities"].as_array().unwrap().clone())
}

fn finding<'a>(findings: &'a [Value], name: &str) -> &'a Value {
    findings.iter().find(|finding| finding["name"] == name).unwrap()
}

#[test]
fn a_host_that_runs_these_tests_has_what_is_indispensable() {
    let project = Project::new("");
    let ran = project.run(&["doctor"]);
    ran.check(0, "nothing lacks that is needed", &["Linux ", "loopback", "limit-memory", "timer"]);
    assert!(!project.path().join(".handfast").exists(), "nothing is left behind");
}

#[test]
fn a_folder_that_cannot_be_written_is_a_lack_and_ends_with_3() {
    let project = Project::new("");
    let ran = project.run(&["doctor", "--folder", "/proc"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.error);
    for part in
        ["no      scratch", "costs: no scenario runs", "do: make room there", "lacking: scratch"]
    {
        assert!(ran.out.contains(part), "{part:?} is missing in {}", ran.out);
    }
    let ran = project.run(&["doctor", "--folder", "/proc", "--json"]);
    let (lacks, findings) = findings(&ran.out);
    assert_eq!((ran.code, lacks), (3, vec!["scratch".to_owned()]));
    let scratch = finding(&findings, "scratch");
    assert_eq!(
        (&scratch["state"], &scratch["essential"]),
        (&Value::from("cannot"), &Value::from(true))
    );
    // No block device is under it either.
    assert_eq!(finding(&findings, "slow-disk")["state"], "cannot");
}

#[test]
fn too_few_descriptors_are_a_lack() {
    let project = Project::new("");
    let program = env!("CARGO_BIN_EXE_handfast");
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("ulimit -n 64; exec {program} doctor --json")]);
    let output = shell.current_dir(project.path()).output().unwrap();
    let (lacks, findings) = findings(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((output.status.code(), lacks), (Some(3), vec!["descriptors".to_owned()]));
    let found = &finding(&findings, "descriptors")["found"];
    assert!(found.as_str().unwrap().starts_with("64 a process"), "{found}");
}

#[test]
#[expect(clippy::print_stderr, reason = "what the host lacks is named")]
fn somebody_who_is_not_root_is_told_what_he_cannot_do() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root already: the other tests are this one");
        return;
    }
    let project = Project::new("");
    // Where somebody else may write, and read the program.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.path().join("handfast");
    std::fs::copy(env!("CARGO_BIN_EXE_handfast"), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
    nobody.args(["doctor", "--json", "--need", "full-disk", "--folder"]).arg(folder.path());
    let output = nobody.current_dir(folder.path()).output().unwrap();
    let (lacks, findings) = findings(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((output.status.code(), lacks), (Some(3), vec!["full-disk".to_owned()]));
    assert_eq!(finding(&findings, "limit-descriptors")["state"], "partly");
    let disk = finding(&findings, "full-disk");
    assert!(disk["found"].as_str().unwrap().contains("not permitted"), "{disk}");
    assert!(disk["remedy"].as_str().unwrap().contains("root"), "{disk}");
    project.assert_nothing_left();
}

#[test]
fn a_need_that_nobody_knows_names_the_known_ones() {
    let ran = Project::new("").run(&["doctor", "--need", "magic"]);
    assert_eq!(ran.code, 2);
    for part in ["there is no \"magic\" to need", "limit-memory"] {
        assert!(ran.error.contains(part), "{part:?} is missing in {}", ran.error);
    }
}

#[test]
fn the_help_names_everything_that_can_be_needed() {
    let ran = Project::new("").run(&["doctor", "--help"]);
    assert_eq!(ran.code, 0);
    for name in handfast_lab::Host::NAMES {
        assert!(ran.out.contains(name), "{name} is missing in {}", ran.out);
    }
}
