//! What all scenarios together never reached is named; a part of them is no reason to.

use crate::support::Project;

const EXERCISE: &str = "[exercise]\nmessages = [\"goodbye\"]\nfaults = [\"kill\", \"clock\"]\n";

fn project() -> Project {
    let kill =
        "[[disturbance]]\nat = \"0s\"\nkill = \"b\"\nfor = \"10ms\"\n[[step]]\ncalm = \"20s\"\n";
    Project::new(EXERCISE).scenario("x", kill)
}

#[test]
fn a_whole_run_names_the_faults_and_messages_that_it_never_reached() {
    let project = project();
    let parts = ["never exercised: messages goodbye", "never exercised: faults clock"];
    project.run(&["run"]).check(0, "1 passed, 0 failed", &parts);
    let summary = std::fs::read_to_string(project.last_record().join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    let expected = serde_json::json!({ "messages": ["goodbye"], "faults": ["clock"] });
    assert_eq!(summary["never_exercised"], expected);
}

#[test]
fn a_part_of_the_scenarios_names_nothing() {
    let ran = project().run(&["run", "test_unit_x"]);
    ran.check(0, "1 passed, 0 failed", &[]);
    assert!(!format!("{}{}", ran.out, ran.error).contains("never exercised"));
}

#[test]
fn a_kind_of_fault_that_does_not_exist_is_an_error() {
    let project = Project::new("[exercise]\nfaults = [\"killl\"]\n");
    let ran = project.run(&["list"]);
    assert_eq!(ran.code, 2);
    assert!(ran.error.contains("`faults` cannot be \"killl\""), "{}", ran.error);
    assert!(ran.error.contains("did you mean \"kill\"?"), "{}", ran.error);
}
