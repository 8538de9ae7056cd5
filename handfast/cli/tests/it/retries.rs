//! What fails once and then passes is flaky: neither a plain pass nor a failure.

use crate::support::{Project, Ran};

/// Two peers, of which one dies if that file is not there yet, and then makes it.
fn dies_once(project: Project, name: &str) -> Project {
    let marker = project.path().join(format!("{name}.marker"));
    let with = format!("with = {{ unless = \"{}\" }}", marker.display());
    project.scenario(name, &format!("[[step]]\nrole = \"b\"\ncall = \"crash\"\n{with}\n"))
}

#[test]
fn a_scenario_that_fails_once_is_flaky() {
    let project = dies_once(Project::new(""), "x");
    let parts = [
        "tried again: test_unit_x",
        "FLAKY  the scenario x",
        "failed, and passed when it was tried again",
        "exit code 7",
        "flaky, passed only when tried again: 1",
    ];
    project.run(&["run", "--retry", "1"]).check(5, "1 passed, 0 failed", &parts);
    let junit = std::fs::read_to_string(project.last_record().join("junit.xml")).unwrap();
    assert!(junit.contains("flaky: failed, and passed when tried again"), "{junit}");
}

#[test]
fn without_retries_a_scenario_that_fails_once_has_failed() {
    let project = dies_once(Project::new(""), "x");
    project.run(&["run"]).check(1, "0 passed, 1 failed", &["FAIL", "exit code 7"]);
}

#[test]
fn what_fails_twice_has_failed_and_more_than_the_retries_are_not_tried_again() {
    let steps = "[[step]]\nrole = \"b\"\ncall = \"crash\"\n";
    let project = Project::new("").scenario("x", steps).scenario("y", steps);
    let ran = project.run(&["run", "--retry", "1"]);
    ran.check(1, "0 passed, 2 failed", &["FAIL", "tried again: test_unit_"]);
    let told = format!("{}{}", ran.out, ran.error);
    assert_eq!(told.matches("tried again: ").count(), 1, "{told}");
    assert!(!told.contains("FLAKY"), "{told}");
}

fn suite(library: &str) -> Ran {
    let suite = "[[suites]]\nname = \"tests\"\nkind = \"cargo\"\ncategory = \"unit\"\n";
    let project = Project::bare(suite);
    project.write("Cargo.toml", "[package]\nname = \"sum\"\nedition = \"2024\"\n[workspace]\n");
    project.write("src/lib.rs", library);
    project.run(&["run", "--all", "--retry", "2"])
}

#[test]
fn a_test_of_a_suite_that_fails_once_is_flaky() {
    let test = "#[test] fn once() { assert!(std::fs::exists(\"m\").unwrap() || { std::fs::write(\"m\", \"\").unwrap(); false }, \"not yet\"); }";
    let library =
        format!("#[cfg(test)] mod tests {{ #[test] fn good() {{ assert_eq!(1, 1); }} {test} }}");
    let parts = ["tried again: tests: ", "FLAKY  tests: ", "tests::once", "not yet"];
    suite(&library).check(5, "2 passed, 0 failed", &parts);
}

#[test]
fn a_test_of_a_suite_that_fails_twice_has_failed() {
    let library = "#[cfg(test)] mod tests { #[test] fn never() { panic!(\"never\"); } }";
    suite(library).check(
        1,
        "0 passed, 1 failed",
        &["tried again: tests: ", "FAIL", "tests::never"],
    );
}

/// A tool whose second test passes only from the `passes_at`-th time on that it is run.
fn tool(passes_at: u32) -> Ran {
    let suite = "[[suites]]\nname = \"tool\"\nkind = \"junit\"\ncategory = \"unit\"\ncommand = [\"sh\", \"tool.sh\"]\nreport = \"out.xml\"\n";
    let project = Project::bare(suite);
    let script = format!(
        "echo >> times; bad='<failure message=\"not yet\"/>'; [ $(wc -l < times) -ge {passes_at} ] && bad=; \
         echo \"<testsuite><testcase classname='c' name='good'/><testcase classname='c' name='once'>$bad</testcase></testsuite>\" > out.xml; \
         [ -z \"$bad\" ]\n"
    );
    project.write("tool.sh", &script);
    project.run(&["run", "--all", "--retry", "2"])
}

#[test]
fn a_test_of_another_tool_that_fails_once_is_flaky() {
    let parts = ["tried again: tool: c once", "FLAKY  tool: c once", "not yet"];
    tool(2).check(5, "2 passed, 0 failed", &parts);
}

#[test]
fn a_test_of_another_tool_that_fails_twice_has_failed() {
    tool(3).check(1, "1 passed, 1 failed", &["tried again: tool: c once", "FAIL", "not yet"]);
}
