//! Limits as disturbances of a scenario: in force for a time, with an account; or not possible on this host, and said so.

use crate::support::Project;

fn limited(limit: &str) -> Project {
    let steps = format!(
        "[[disturbance]]\nat = \"1ms\"\nfor = \"200ms\"\nlimit = {{ role = \"b\", {limit} }}\n\
         [[step]]\ncalm = \"20s\"\n"
    );
    Project::new("").scenario("x", &steps)
}

#[test]
fn a_limit_that_was_met_stands_in_the_account_and_costs_nothing_else() {
    let ran = limited("descriptors = 3").run(&["run"]);
    ran.check(0, "1 passed, 0 failed", &["b has 3 descriptors", "3 a process", "held"]);
}

#[test]
#[expect(clippy::print_stderr, reason = "what the host lacks is named")]
fn a_limit_that_this_host_cannot_put_on_is_infrastructure_and_never_a_pass() {
    let ran = limited("memory = \"512MiB\"").run(&["run"]);
    if ran.code == 0 {
        // This host can. That nobody came near it is told.
        ran.check(0, "1 passed, 0 failed", &["512 MiB", "0 killed", "too few"]);
    } else {
        eprintln!("not possible on this host: a limit of memory");
        assert_eq!(ran.code, 3, "{}{}", ran.out, ran.error);
        assert!(ran.out.contains("memory cannot be limited here: "), "{}", ran.out);
    }
}
