//! A run that ends at its first failure.

use crate::support::Project;

const ONE_AT_A_TIME: &str = "[categories.unit]\nparallel = 1\n";

const CRASH: &str = "[[step]]\nrole = \"b\"\ncall = \"crash\"\n";

#[test]
fn nothing_begins_after_the_first_failure() {
    let project = Project::new(ONE_AT_A_TIME);
    let project = project.scenario("x", CRASH).scenario("y", CRASH).scenario("z", CRASH);
    let told = ["FAIL", "ended at the first failure: 2 were not begun"];
    project.run(&["run", "--fail-fast"]).check(1, "0 passed, 1 failed", &told);
}

#[test]
fn where_nothing_fails_everything_runs() {
    let project = Project::new(ONE_AT_A_TIME).scenario("x", "").scenario("y", "");
    project.run(&["run", "--fail-fast"]).check(0, "2 passed, 0 failed", &["PASS"]);
}

#[test]
fn until_it_fails_is_once_where_it_fails_at_once() {
    let project = Project::new(ONE_AT_A_TIME).scenario("x", CRASH);
    let told = ["FAIL", "ended at the first failure: 999 were not begun"];
    project.run(&["run", "--until-fail"]).check(1, "0 passed, 1 failed", &told);
}

#[test]
fn until_it_fails_is_as_often_as_it_may_where_it_never_fails() {
    let project = Project::new(ONE_AT_A_TIME).scenario("x", "");
    let ran = project.run(&["run", "--until-fail", "--repeat", "3"]);
    ran.check(0, "3 passed, 0 failed", &["PASS"]);
}

#[test]
fn a_suite_that_failed_is_the_end_too() {
    let suite = |name: &str, exit: u8| {
        let script = format!(
            "echo '<testsuite><testcase classname=\\\"c\\\" name=\\\"n\\\">{}</testcase></testsuite>' > {name}.xml; exit {exit}",
            if exit == 0 { "" } else { "<failure message=\\\"no\\\"/>" }
        );
        format!(
            "[[suites]]\nname = \"{name}\"\nkind = \"junit\"\ncategory = \"unit\"\ncommand = [\"sh\", \"-c\", \"{script}\"]\nreport = \"{name}.xml\"\n"
        )
    };
    let project = Project::bare(&format!("{}{}", suite("bad", 1), suite("good", 0)));
    let told = ["FAIL", "ended at the first failure: 1 were not begun"];
    project.run(&["run", "--all", "--fail-fast"]).check(1, "0 passed, 1 failed", &told);
}
