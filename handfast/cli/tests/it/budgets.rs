//! Budgets: what does not fit is ended or never begun, is named, and is no failure; who comes first, and who has the machine for itself.

use std::time::Duration;

use handfast_scenario::{Recorded, RunEvent, Verdict, event};

use crate::budget_trial::{self, Order};
use crate::support::{Project, Ran};

const ONE_AT_A_TIME: &str = "[categories.unit]\nparallel = 1\nbudget = \"3s\"\n";

/// Longer than any budget here.
const HANG: &str = "[[step]]\nrole = \"a\"\ncall = \"hang\"\nwithin = \"1h\"\n";

/// Takes a part of the budget that nobody could overlook.
const SLOW: &str =
    "[[step]]\nrole = \"a\"\ncall = \"hang\"\nwithin = \"700ms\"\noutcome = \"unknown\"\n";

/// Its own time may be over before that of its category is.
fn file(project: &Project, name: &str, lines: &str, steps: &str) {
    let text = format!("name = \"the scenario {name}\"\n{lines}[roles.a]\n[roles.b]\n{steps}");
    project.write(&format!("scenarios/test_unit_{name}.toml"), &text);
}

fn events(project: &Project) -> Vec<Recorded> {
    let text = std::fs::read_to_string(project.last_record().join("events.jsonl")).unwrap();
    event::read_record(&text).unwrap()
}

/// The units of the last run in the order in which they began.
fn order(project: &Project) -> Vec<String> {
    let begun = events(project).into_iter().filter_map(|recorded| {
        let RunEvent::UnitStarted { unit, .. } = recorded.event else { return None };
        Some(unit.to_string())
    });
    begun.collect()
}

/// How long the last run took beyond its preparations: from the first beginning of a unit or suite to its end.
fn took(project: &Project) -> Duration {
    let events = events(project);
    let is_first = |recorded: &&Recorded| {
        matches!(recorded.event, RunEvent::UnitStarted { .. } | RunEvent::SuiteStarted { .. })
    };
    let first = events.iter().find(is_first).unwrap().at_us;
    Duration::from_micros(events.last().unwrap().at_us - first)
}

/// A spent budget: exit code 6, these names, and no more than 2 s beyond it.
#[track_caller]
fn check_spent(project: &Project, ran: &Ran, budget: Duration, closing: &str, parts: &[&str]) {
    ran.check(6, closing, parts);
    let took = took(project);
    assert!(took <= budget + Duration::from_secs(2), "{took:?}\n{}", ran.out);
}

#[test]
fn what_does_not_fit_into_a_category_is_ended_or_never_begun_and_named() {
    let project = Project::new(ONE_AT_A_TIME);
    let project = project.scenario("x", SLOW).scenario("y", HANG).scenario("z", "");
    let ran = project.run(&["run"]);
    let named = [
        "the category unit has 3s; did not fit: test_unit_y, test_unit_z: give it more time",
        "NOFIT",
        "while step 1: a calls hang",
        "the 3s of the category unit were over before it could begin",
        "time budgets spent: 1",
        "scenarios not run: 2",
    ];
    check_spent(&project, &ran, Duration::from_secs(3), "1 passed, 0 failed", &named);
    let junit = std::fs::read_to_string(project.last_record().join("junit.xml")).unwrap();
    assert_eq!(junit.matches("<skipped").count(), 2, "{junit}");
    // The verdict is in the history, and is none on the test.
    let shown = project.run(&["history", "test_unit_y", "--json"]);
    assert!(shown.out.contains("did_not_fit"), "{}{}", shown.out, shown.error);
}

#[test]
fn one_that_had_the_whole_budget_hung_and_is_a_failure() {
    let project = Project::new(ONE_AT_A_TIME).scenario("x", HANG).scenario("y", "");
    let parts = ["HUNG", "not done within 3s", "did not fit: test_unit_y:"];
    project.run(&["run"]).check(1, "0 passed, 1 failed", &parts);
    assert!(took(&project) <= Duration::from_secs(5));
}

#[test]
fn a_scenario_is_ended_at_its_own_time() {
    let project = Project::new("");
    file(&project, "x", "timeout = \"1s\"\n", HANG);
    project.run(&["run"]).check(1, "0 passed, 1 failed", &["HUNG", "not done within 1s"]);
    assert!(took(&project) <= Duration::from_secs(3));
}

#[test]
fn what_does_not_fit_into_the_matrix_is_named() {
    let project = Project::new("[matrix]\npeers = [\"py\"]\nbudget = \"2s\"\n");
    let project = project.scenario("x", HANG).scenario("y", "");
    let ran = project.run(&["matrix"]);
    let named = ["the matrix has 2s; did not fit: test_unit_x: ", "T did not fit into the budget"];
    check_spent(&project, &ran, Duration::from_secs(2), "1 passed, 0 failed", &named);
}

/// A suite with one test that takes so many seconds.
fn suite(name: &str, seconds: u32) -> String {
    let script = format!(
        "sleep {seconds}; echo '<testsuite><testcase name=\\\"t\\\"/></testsuite>' > {name}.xml"
    );
    format!(
        "[[suites]]\nname = \"{name}\"\nkind = \"junit\"\ncategory = \"unit\"\nreport = \"{name}.xml\"\ncommand = [\"sh\", \"-c\", \"{script}\"]\n"
    )
}

#[test]
fn a_suite_gets_what_is_left_and_does_not_fit_where_that_is_too_little() {
    let suites = format!("{}{}{}", suite("quick", 1), suite("slow", 600), suite("late", 0));
    let project = Project::bare(&format!("[categories.unit]\nbudget = \"3s\"\n{suites}"));
    let ran = project.run(&["run", "--all"]);
    let named = ["did not fit: suite slow, suite late: ", "NOFIT"];
    check_spent(&project, &ran, Duration::from_secs(3), "1 passed, 0 failed", &named);
}

#[test]
fn the_longest_of_earlier_runs_begins_first() {
    let project = Project::new("[categories.unit]\nparallel = 1\n");
    let project = project.scenario("x", "").scenario("y", SLOW);
    project.run(&["run"]).check(0, "2 passed, 0 failed", &[]);
    assert_eq!(order(&project), ["test_unit_x", "test_unit_y"]);
    project.run(&["run"]).check(0, "2 passed, 0 failed", &[]);
    assert_eq!(order(&project), ["test_unit_y", "test_unit_x"]);
}

#[test]
fn one_that_needs_the_machine_has_nothing_beside_it() {
    let project = Project::new("").scenario("x", "").scenario("y", "");
    file(&project, "z", "alone = true\n", "");
    project.run(&["run"]).check(0, "3 passed, 0 failed", &[]);
    let mut running = 0;
    for recorded in events(&project) {
        if let RunEvent::UnitStarted { unit, .. } = &recorded.event {
            running += 1;
            assert!(unit.as_str() != "test_unit_z" || running == 1);
        }
        if let RunEvent::UnitEnded { unit, verdict, .. } = &recorded.event {
            assert_eq!(*verdict, Verdict::Passed);
            assert!(unit.as_str() != "test_unit_z" || running == 1);
            running -= 1;
        }
    }
}

#[test]
fn a_resource_that_the_project_does_not_have_is_an_error() {
    let project = Project::new("[resources]\nports = 1\n");
    file(&project, "x", "uses = { ports = 2 }\n", "");
    let ran = project.run(&["run"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.error);
    for part in ["test_unit_x uses 2 of the resource ports", "`ports = 2`"] {
        assert!(ran.error.contains(part), "{part:?} is missing in {}", ran.error);
    }
}

/// The short form of the benchmark `budgets`.
#[test]
fn runs_keep_their_budgets_and_lose_no_result_when_they_are_killed() {
    let outcome = budget_trial::run(&Order { runs: 9, seed: 5, workers: 3 });
    assert!(outcome.broken.is_empty(), "{}\n{:#?}", outcome.report(), outcome.broken);
    assert_eq!(outcome.runs, 9);
    assert!(outcome.killed > 0 && outcome.kept > 0, "{}", outcome.report());
}
