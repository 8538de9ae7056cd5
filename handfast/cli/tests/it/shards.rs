//! One run cut into shards: each piece in exactly one, the same on every machine, and no shard is more than its part.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::support::{Project, Ran};

const FAILING: &str =
    "[[step]]\nexpect = \"message.inbox\"\non = [\"b\"]\nhas = { from = \"a\" }\n";

/// Four scenarios, one of which fails, and two suites.
pub(crate) fn project() -> Project {
    let suite = |name: &str| {
        let report =
            format!("echo '<testsuite><testcase name=\\\"t\\\"/></testsuite>' > {name}.xml");
        format!(
            "[[suites]]\nname = \"{name}\"\nkind = \"junit\"\ncategory = \"unit\"\nreport = \"{name}.xml\"\n\
             command = [\"sh\", \"-c\", \"{report}\"]\n"
        )
    };
    Project::new(&(suite("one") + &suite("two")))
        .scenario("p", "")
        .scenario("q", "")
        .scenario("r", FAILING)
        .scenario("s", "")
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}\n{}", ran.out, ran.error))
}

/// The pieces of a plan, shard by shard.
fn pieces(plan: &Value) -> Vec<Vec<String>> {
    let piece = |entry: &Value| entry["piece"].to_string();
    let shard = |shard: &Value| shard["pieces"].as_array().unwrap().iter().map(piece).collect();
    plan["shards"].as_array().unwrap().iter().map(shard).collect()
}

#[test]
fn every_scenario_and_suite_runs_in_exactly_one_shard() {
    let project = project();
    let (mut units, mut suites, mut partitions) = (Vec::new(), Vec::new(), BTreeSet::new());
    for index in 1..=3 {
        // No plan: the history of this machine, which every shard finds as it was.
        drop(fs::remove_file(project.path().join(".handfast/history.db")));
        let shard = format!("{index}/3");
        let ran = project.run(&["run", "--all", "--json", "--shard", &shard]);
        let summary = json(&ran);
        assert_eq!(summary["shard"]["shard"], shard.as_str(), "{}", ran.error);
        assert!(ran.error.contains(&format!("shard {shard} of 6 pieces")), "{}", ran.error);
        partitions.insert(summary["shard"]["partition"].to_string());
        let names = |list: &str, name: &str| -> Vec<String> {
            summary[list].as_array().unwrap().iter().map(|one| one[name].to_string()).collect()
        };
        units.extend(names("units", "unit"));
        suites.extend(names("suites", "suite"));
    }
    units.sort();
    suites.sort();
    let expected = ["p", "q", "r", "s"].map(|name| format!("\"test_unit_{name}\""));
    assert_eq!(
        (units.as_slice(), suites.as_slice()),
        (&expected[..], &["\"one\"".to_owned(), "\"two\"".to_owned()][..])
    );
    assert_eq!(partitions.len(), 1);
}

#[test]
fn the_number_of_shards_follows_from_what_earlier_runs_took() {
    let project = project();
    let ran = project.run(&["shards", "--all", "--json"]);
    assert_eq!((pieces(&json(&ran)).len(), ran.code), (1, 0), "{}", ran.error);
    assert!(ran.error.contains("6 pieces, 6 of them never played"), "{}", ran.error);
    project.run(&["run", "--all"]);
    let ran = project.run(&["shards", "--all", "--json", "--within", "1ms", "--out", "plan.json"]);
    let plan = json(&ran);
    assert!(ran.error.contains("of 6 pieces: one machine"), "{}", ran.error);
    let found: Vec<String> = pieces(&plan).concat();
    assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 6, "{found:?}");
    assert!(pieces(&plan).len() > 1, "{}", ran.error);
    assert_eq!(fs::read_to_string(project.path().join("plan.json")).unwrap(), ran.out);
    // Never more than asked for.
    let ran = project.run(&["shards", "--all", "--json", "--within", "1us", "--max", "2"]);
    assert_eq!(pieces(&json(&ran)).len(), 2, "{}", ran.error);
}

#[test]
fn the_value_for_a_github_matrix_is_the_only_line_on_standard_output() {
    let project = project();
    project.run(&["run", "--all"]);
    let ran = project.run(&["shards", "--all", "--within", "1us", "--max", "3", "--github"]);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    let value = json(&ran);
    let count = value["include"].as_array().unwrap().len();
    assert_eq!(value["include"][0]["shard"], format!("1/{count}"), "{}", ran.out);
    let ran = project.run(&["shards", "no-such-scenario", "--github"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{}", ran.error);
}

#[test]
fn a_plan_is_kept_to_whatever_the_history_says() {
    let project = project();
    let plan = json(&project.run(&[
        "shards",
        "--json",
        "--within",
        "1ms",
        "--max",
        "2",
        "--out",
        "plan.json",
    ]));
    project.run(&["run"]);
    for (index, expected) in (1..).zip(pieces(&plan)) {
        let shard = format!("{index}/2");
        let ran = project.run(&["run", "--json", "--shard", &shard, "--shard-plan", "plan.json"]);
        let summary = json(&ran);
        assert_eq!(summary["shard"]["partition"], plan["partition"], "{}", ran.error);
        let units = summary["units"].as_array().unwrap().iter();
        let units: BTreeSet<String> =
            units.map(|unit| format!("{{\"unit\":{}}}", unit["unit"])).collect();
        assert_eq!(units, expected.into_iter().collect(), "{}", ran.error);
    }
}

#[track_caller]
fn check_usage(project: &Project, arguments: &[&str], parts: &[&str]) {
    let ran = project.run(arguments);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.error);
    // Long lines are folded.
    let error: Vec<&str> = ran.error.split_whitespace().filter(|word| *word != "│").collect();
    for part in parts {
        assert!(error.join(" ").contains(part), "{part:?} is missing in {}", ran.error);
    }
}

#[test]
fn a_plan_of_something_else_is_refused_with_the_fix() {
    let project = project();
    project.run(&["shards", "--within", "1ms", "--max", "2", "--out", "plan.json"]);
    let with_plan = |more: &[&'static str]| -> Vec<&'static str> {
        [&["run", "--shard-plan", "plan.json"], more].concat()
    };
    let again = "make it anew with `handfast shards";
    check_usage(
        &project,
        &with_plan(&["--shard", "1/3"]),
        &["has 2 shards, and not 3", "--shard I/2"],
    );
    check_usage(
        &project,
        &with_plan(&["--shard", "1/2", "--all"]),
        &["does not say in which shard suite one is", again],
    );
    check_usage(
        &project,
        &with_plan(&["--shard", "1/2", "unit_p"]),
        &["which this run has not", again],
    );
    check_usage(&project, &with_plan(&[]), &["--shard"]);
    let plan = fs::read_to_string(project.path().join("plan.json")).unwrap();
    project.write("plan.json", &plan.replace("test_unit_p", "test_unit_x"));
    check_usage(&project, &with_plan(&["--shard", "1/2"]), &["changed after it was made", again]);
    fs::remove_file(project.path().join("plan.json")).unwrap();
    check_usage(
        &project,
        &with_plan(&["--shard", "1/2"]),
        &["failed to read the plan plan.json", again],
    );
    check_usage(&project, &["run", "--shard", "3/2"], &["no shard 3 of 2"]);
    check_usage(&project, &["shards", "--within", "0s"], &["no time at all"]);
    check_usage(&project, &["shards", "--max", "257"], &["257"]);
}

#[test]
fn a_shard_that_is_given_nothing_has_passed_and_a_partition_of_nothing_has_not() {
    let project = project();
    let ran = project.run(&["run", "unit_p", "--shard", "2/2"]);
    ran.check(0, "0 passed, 0 failed", &["nothing to do: the partition has 1 pieces"]);
    project.run(&["replay", "last"]).check(0, "0 passed, 0 failed", &["nothing to do"]);
    let ran = project.run(&["run", "no-such-scenario", "--shard", "1/2"]);
    ran.check(4, "0 passed, 0 failed", &["nothing ran"]);
}

#[test]
fn the_matrix_is_cut_into_shards_too() {
    let project = Project::new("[matrix]\npeers = [\"py\"]\n").scenario("p", "").scenario("q", "");
    project.run(&["shards", "--matrix", "--within", "1ms", "--max", "2", "--out", "plan.json"]);
    for index in 1..=2 {
        let shard = format!("{index}/2");
        let ran = project.run(&["matrix", "--shard", &shard, "--shard-plan", "plan.json"]);
        ran.check(0, "1 passed, 0 failed", &["matrix: 1 cells of py", "1 of 1 cells judged"]);
    }
}
