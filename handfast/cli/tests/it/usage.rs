//! What a user gets wrong ends with exit code 2 and the fix; what runs nothing with 4; a spent budget with 6.

use crate::support::Project;

#[track_caller]
fn check_usage(project: &Project, arguments: &[&str], parts: &[&str]) {
    let ran = project.run(arguments);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.error);
    for part in parts {
        assert!(ran.error.contains(part), "{part:?} is missing in {}", ran.error);
    }
}

#[test]
fn a_mistake_in_a_scenario_is_shown_where_it_is() {
    let project = Project::new("")
        .scenario("x", "[[step]]\nrole = \"a\"\ncall = \"stats\"\nwithinn = \"1s\"\n");
    check_usage(&project, &["run"], &["test_unit_x.toml:7:1", "within"]);
}

#[test]
fn an_unknown_oracle_is_a_mistake_of_the_scenario() {
    let project = Project::new("").scenario("x", "[[step]]\ncheck = [\"no-plaintexts\"]\n");
    check_usage(&project, &["run"], &["no-plaintexts", "no-plaintext"]);
}

#[test]
fn an_unknown_peer_names_the_known_ones() {
    let project = Project::new("").scenario("x", "");
    check_usage(&project, &["run", "--peer", "a=rust"], &["rust", "py"]);
    check_usage(&project, &["probe", "rust"], &["no peer rust", "it has py"]);
}

#[test]
fn an_unknown_argument_is_refused() {
    check_usage(&Project::new(""), &["run", "--everything"], &["--everything"]);
}

#[test]
fn outside_a_project_the_way_in_is_told() {
    let project = Project::new("");
    std::fs::remove_file(project.path().join("handfast.toml")).unwrap();
    check_usage(&project, &["run"], &["there is no handfast.toml"]);
}

#[test]
fn a_run_in_which_nothing_ran_is_no_success() {
    let project = Project::new("").scenario("x", "");
    project.run(&["run", "no-such-scenario"]).check(4, "0 passed, 0 failed", &["nothing ran"]);
}

#[test]
fn a_category_whose_time_is_over_begins_nothing_more() {
    let slow =
        "[[step]]\nrole = \"a\"\ncall = \"hang\"\nwithin = \"5100ms\"\noutcome = \"unknown\"\n";
    let project = Project::new("[categories.unit]\nbudget = \"10s\"\nparallel = 1\n");
    let ran = project.scenario("x", slow).scenario("y", slow).scenario("z", slow).run(&["run"]);
    assert_eq!(ran.code, 6, "{}{}", ran.out, ran.error);
    for part in ["time budgets spent: 1", "scenarios not run: ", "0 failed"] {
        assert!(ran.out.contains(part), "{part:?} is missing in {}", ran.out);
    }
}

#[test]
fn help_names_the_exit_codes() {
    let ran = Project::new("").run(&["--help"]);
    assert_eq!(ran.code, 0);
    for part in ["Exit codes:", "6  the time budget", "handfast replay last"] {
        assert!(ran.out.contains(part), "{part:?} is missing in {}", ran.out);
    }
}

#[test]
fn list_shows_what_run_would_run() {
    let project = Project::new("").scenario("x", "").scenario("y", "");
    let ran = project.run(&["list", "unit_y"]);
    ran.check(0, "1 scenarios, 0 suites", &["test_unit_y", "the scenario y"]);
    assert!(!ran.out.contains("the scenario x"));
}
