use handfast_scenario::name::PeerName;
use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{Project, Scenario};

use super::*;
use crate::cell::{Ask, cells};

const PROJECT: &str =
    "[project]\nname = \"p\"\n[peers.rust]\nstart = \"r\"\n[peers.python]\nstart = \"p\"\n";

fn all() -> Vec<Cell> {
    let project = Project::parse("handfast.toml", PROJECT).unwrap();
    let text = "name = \"n\"\nvariants = [{ v = \"1.0\" }, { v = \"1.1\" }]\n[roles.a]\nprotocol = \"${v}\"\n[roles.b]";
    let one = Scenario::parse("token/test_unit_pay.toml", text, &Vocabulary::default()).unwrap();
    let two = Scenario::parse("test_unit_x.toml", "name = \"n\"", &Vocabulary::default()).unwrap();
    let peers = ["rust", "python"].map(|name| PeerName::new(name).unwrap()).to_vec();
    let scenarios: Vec<Scenario> = one.into_iter().chain(two).collect();
    cells(&project, &scenarios, &Ask { peers, ..Ask::default() }).unwrap()
}

fn entry(lines: &str) -> String {
    format!(
        "[[expected]]\nresult = \"failed\"\nreason = \"not there yet\"\nissue = \"https://example.org/7\"\nexpires = \"2026-12-31\"\n{lines}\n"
    )
}

fn parsed(text: &str) -> Expectations {
    Expectations::parse("expected.toml", text).unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[track_caller]
fn check_for(lines: &str, expected: &[&str]) {
    let expectations = parsed(&entry(lines));
    let found: Vec<String> = all()
        .iter()
        .filter(|cell| expectations.of(cell).is_some())
        .map(|cell| cell.unit.id.to_string())
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn an_entry_is_for_the_cells_of_its_scenario_pair_and_versions() {
    check_for(
        "scenario = \"token/*\"\npeers = [\"*\", \"python\"]\nversions = [\"1.1\"]",
        &[
            "token/test_unit_pay[v=1.1] (a=rust, b=python)",
            "token/test_unit_pay[v=1.1] (a=python, b=python)",
        ],
    );
    check_for(
        "scenario = \"token/test_unit_pay[v=1.0]\"\npeers = [\"python\", \"rust\"]",
        &["token/test_unit_pay[v=1.0] (a=python, b=rust)"],
    );
    check_for("scenario = \"test_unit_x\"\nversions = [\"1.0\"]", &[]);
}

#[test]
fn what_is_expected_comes_with_its_reason_link_and_day() {
    let expectations = parsed(&entry("scenario = \"*\""));
    let expected = Expected {
        result: VerdictKind::Failed,
        reason: "not there yet".to_owned(),
        issue: "https://example.org/7".to_owned(),
        expires: "2026-12-31".to_owned(),
    };
    assert_eq!(expectations.of(&all()[0]), Some(expected));
}

#[test]
fn verdicts_are_compared_strictly_both_ways() {
    let expected = parsed(&entry("scenario = \"*\"")).of(&all()[0]);
    let compared = |kind| compare(expected.as_ref(), kind);
    assert_eq!(compared(VerdictKind::Failed), Comparison::AsExpected);
    assert_eq!(compared(VerdictKind::Passed), Comparison::UnexpectedPass);
    assert_eq!(compared(VerdictKind::TimedOut), Comparison::Otherwise);
    assert_eq!(compared(VerdictKind::Unsupported), Comparison::Otherwise);
    assert_eq!(compared(VerdictKind::Absent), Comparison::Plain);
    assert_eq!(compared(VerdictKind::Infra), Comparison::Plain);
    assert_eq!(compare(None, VerdictKind::Failed), Comparison::Plain);
}

#[test]
fn an_entry_counts_up_to_its_last_day() {
    let expectations = parsed(&entry("scenario = \"*\""));
    assert!(expectations.faults(&all(), day("2026-12-31")).is_empty());
    assert_eq!(
        expectations.faults(&all(), day("2027-01-01")),
        [
            "expected.toml:1: * (not there yet) expired on 2026-12-31: mend it, or agree on another day"
        ]
    );
}

#[test]
fn an_entry_that_decides_over_no_cell_is_a_fault() {
    let text = entry("scenario = \"token/*\"") + &entry("scenario = \"token/test_unit_pay*\"");
    let faults = parsed(&text).faults(&all(), day("2026-01-01"));
    assert_eq!(faults.len(), 1);
    assert!(faults[0].starts_with("expected.toml:7: token/test_unit_pay*"), "{faults:?}");
    let faults = parsed(&entry("scenario = \"tokens/*\"")).faults(&all(), day("2026-01-01"));
    assert!(faults[0].contains("is for no cell"), "{faults:?}");
}

#[track_caller]
fn check_refused(text: &str, line: usize, part: &str) {
    let error = Expectations::parse("expected.toml", text).unwrap_err();
    assert!(error.message.contains(part) && error.line == line, "{error}");
    assert!(!error.help.is_empty());
}

#[test]
fn a_mistake_is_named_with_its_line() {
    check_refused("[[expected]]\nscenario = \"*\"\n", 1, "missing field");
    check_refused(&entry("scenario = \"*\"\nwho = \"x\""), 7, "unknown field");
    let good = entry("scenario = \"*\"");
    check_refused(&(good.clone() + &good.replace("failed", "flaky")), 7, "`result` cannot be");
    check_refused(&good.replace("https://example.org/7", "soon"), 1, "which is no link");
    check_refused(&good.replace("not there yet", " "), 1, "`reason` says nothing");
    check_refused(&good.replace("2026-12-31", "2026-13-31"), 1, "which is no day");
    check_refused("[[expected]", 1, "");
}

#[test]
fn a_file_has_its_limits() {
    check_refused(&"#".repeat(FILE_LEN_MAX + 1), 1, "more than 1048576 bytes");
    assert!(Expectations::parse("f", &"#".repeat(FILE_LEN_MAX)).is_ok());
    let entries = |count: usize| entry("scenario = \"*\"").repeat(count);
    check_refused(&entries(ENTRIES_MAX + 1), 1, "more than 1000 entries");
    assert!(Expectations::parse("f", &entries(ENTRIES_MAX)).is_ok());
}
