//! The tests of a cargo project as part of a run.

use crate::support::{Project, Ran};

const SUITE: &str = "[[suites]]\nname = \"tests\"\nkind = \"cargo\"\ncategory = \"unit\"\n";
const PASSING: &str =
    "#[cfg(test)] mod tests { #[test] fn one_and_one() { assert_eq!(1 + 1, 2); } }\n";
const FAILING: &str =
    "#[cfg(test)] mod more { #[test] fn wrong() { panic!(\"one is not two\"); } }\n";
const DOC: &str = "/// ```\n/// assert_eq!(sum::one(), 1);\n/// ```\npub fn one() -> u8 { 1 }\n";

fn run(library: &str) -> Ran {
    let project = Project::bare(SUITE);
    project.write("Cargo.toml", "[package]\nname = \"sum\"\nedition = \"2024\"\n[workspace]\n");
    project.write("src/lib.rs", library);
    project.run(&["run", "--all"])
}

#[test]
fn unit_tests_and_doc_tests_count() {
    run(&format!("{DOC}{PASSING}")).check(
        0,
        "2 passed, 0 failed",
        &["suite tests: 2 passed, 0 failed"],
    );
}

#[test]
fn a_failed_test_shows_what_it_printed() {
    run(&format!("{PASSING}{FAILING}")).check(
        1,
        "1 passed, 1 failed",
        &["FAIL", "more::wrong", "one is not two"],
    );
}

#[test]
fn a_suite_that_does_not_compile_is_a_failure() {
    run("fn broken( {}\n").check(1, "0 passed, 1 failed", &["suite tests did not build", "error"]);
}

#[test]
fn a_suite_without_a_test_ran_nothing() {
    run("").check(4, "0 passed, 1 failed", &["it ran no test"]);
}

#[test]
fn a_tool_that_leaves_a_junit_file_is_a_suite() {
    let suite = "[[suites]]\nname = \"other\"\nkind = \"junit\"\ncategory = \"unit\"\nreport = \"out.xml\"\n";
    let command = "command = [\"sh\", \"-c\", \"echo '<testsuite><testcase name=\\\"t\\\"/></testsuite>' > out.xml\"]\n";
    let project = Project::bare(&format!("{suite}{command}"));
    project.run(&["run", "--all"]).check(0, "1 passed, 0 failed", &["suite other: 1 passed"]);
    project.run(&["run"]).check(4, "0 passed, 0 failed", &["nothing ran"]);
}
