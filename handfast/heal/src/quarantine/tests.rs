use super::*;

const FILE: &str = "[[quarantine]]\ntest = \"meeting/*\"\nowner = \"mara\"\nreason = \"a race in the test\"\n\
    issue = \"https://example.org/8\"\nexpires = \"2026-12-31\"\n";

fn known() -> Known {
    Known::parse("known.toml", FILE).unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[track_caller]
fn check(test: &str, state: Option<State>, today: &str, expected: Option<Result<(), Out>>) {
    let known = known();
    let found = match known.standing(test, state, day(today)) {
        Standing::Decides => None,
        Standing::Quarantined(entry) => {
            assert_eq!(entry.owner, "mara");
            Some(Ok(()))
        }
        Standing::Out { why, .. } => Some(Err(why)),
    };
    assert_eq!(found, expected);
}

#[test]
fn a_quarantined_test_decides_nothing_up_to_its_last_day() {
    check("meeting/x[v=1.1]", None, "2026-12-31", Some(Ok(())));
    check("meeting/x", Some(State::Quarantined), "2026-12-31", Some(Ok(())));
    check("meeting/x", Some(State::Suspect), "2026-12-31", Some(Ok(())));
    check("meeting/x", Some(State::Flaky), "2027-01-01", Some(Err(Out::Expired)));
    check("token/x", Some(State::Flaky), "2026-12-31", None);
}

#[test]
fn what_many_runs_say_takes_a_test_out_of_quarantine() {
    check("meeting/x", Some(State::Healthy), "2026-12-31", Some(Err(Out::Released)));
    check("meeting/x", Some(State::Broken), "2026-12-31", Some(Err(Out::Broken)));
}

#[track_caller]
fn check_notes(tests: &[(&str, Option<State>)], today: &str, expected: &[&str]) {
    assert_eq!(known().quarantine_notes(tests, day(today)), expected);
}

#[test]
fn what_does_not_hold_is_named() {
    let flaky = ("meeting/x", Some(State::Flaky));
    check_notes(&[flaky, ("meeting/y", Some(State::Healthy))], "2026-12-31", &[]);
    check_notes(
        &[flaky],
        "2027-01-01",
        &[
            "known.toml:1: meeting/* has expired and decides again: mend it, or agree on another day",
        ],
    );
    check_notes(
        &[flaky, ("meeting/y", Some(State::Broken))],
        "2026-12-31",
        &[
            "known.toml:1: meeting/* fails every time and decides: that is not flaky, mend it or make it a known issue",
        ],
    );
    check_notes(
        &[("meeting/y", Some(State::Healthy))],
        "2026-12-31",
        &["known.toml:1: meeting/* is healthy again and decides: leave the entry out"],
    );
    check_notes(
        &[("token/x", None)],
        "2026-12-31",
        &[
            "known.toml:1: meeting/* is for no test, or an earlier entry is for the same: leave it out",
        ],
    );
}

#[test]
fn owner_reason_link_and_last_day_are_obligatory() {
    for key in ["test", "owner", "reason", "issue", "expires"] {
        let lines = FILE.lines().filter(|line| !line.starts_with(&format!("{key} =")));
        let lines: Vec<&str> = lines.collect();
        let error = Known::parse("known.toml", &lines.join("\n")).unwrap_err();
        assert!(error.message.contains(&format!("missing field `{key}`")), "{error}");
        assert!(error.help.contains("a quarantined test is"));
        let empty = FILE.lines().map(|line| {
            if line.starts_with(&format!("{key} =")) {
                format!("{key} = \"\"\n")
            } else {
                format!("{line}\n")
            }
        });
        assert!(Known::parse("known.toml", &empty.collect::<String>()).is_err(), "{key}");
    }
}
