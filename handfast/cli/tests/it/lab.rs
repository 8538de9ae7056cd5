//! `handfast lab calibrate` as a program.

use serde_json::Value;

use crate::support::Project;

/// What is said on a host without namespaces.
const NO_NETWORK: &str = "there are no network namespaces here";

/// On a host without namespaces it says so, and that is what is asserted.
#[test]
fn a_calibration_needs_no_project_and_is_a_table_for_a_program() {
    let project = Project::new("");
    std::fs::remove_file(project.path().join("handfast.toml")).unwrap();
    let ran = project.run(&["lab", "calibrate", "--quick", "--only", "repetition", "--json"]);
    if ran.error.contains(NO_NETWORK) {
        assert_eq!((ran.code, ran.out.as_str()), (3, ""));
        return;
    }
    let table: Value = serde_json::from_str(&ran.out).unwrap();
    let lines = table["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0]["group"]), (1, &"repetition".into()));
    let expected = match lines[0]["verdict"].as_str() {
        Some("held") => 0,
        // Others use this machine: the same packets can only be told apart from those that its kernel lost.
        Some("host-busy") => 3,
        other => panic!("{other:?}: {}", ran.out),
    };
    assert_eq!(ran.code, expected, "{}", ran.out);
    assert!(lines[0]["figures"]["lost"].as_f64().unwrap() > 0.0, "{}", ran.out);
    assert!(ran.error.contains("seed 7"), "{}", ran.error);
}

#[test]
fn what_cannot_be_measured_is_refused_and_what_can_is_named() {
    let ran = Project::new("").run(&["lab", "calibrate", "--only", "weather"]);
    assert_eq!(ran.code, 2);
    assert!(ran.error.contains("throughput"), "{}", ran.error);
}
