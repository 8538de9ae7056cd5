use handfast_scenario::event::{CallOutcome, Outcome};
use handfast_scenario::verdict::Verdict;
use proptest::prelude::*;

use super::file::{ENTRIES_MAX, FILE_LEN_MAX, PASSES_MAX};
use super::*;
use crate::sample::{Story, failed, peer, role};

const TEXT: &str = "* did not answer session.open within <duration>*";

fn entry(changes: &[(&str, &str)]) -> String {
    let mut fields = vec![
        ("name", "\"late\""),
        ("act", "\"mark\""),
        ("text", "\"* did not answer session.open within <duration>*\""),
        ("scenario", "\"meeting/*\""),
        ("owner", "\"mara\""),
        ("reason", "\"a slow library\""),
        ("issue", "\"https://example.org/7\""),
        ("until", "{ day = \"2026-12-31\" }"),
    ];
    for (key, value) in changes {
        fields.retain(|(other, _)| other != key);
        fields.push((*key, *value));
    }
    let lines = fields.iter().filter(|(_, value)| !value.is_empty());
    let lines: Vec<String> = lines.map(|(key, value)| format!("{key} = {value}")).collect();
    format!("[[known]]\n{}\n", lines.join("\n"))
}

fn parsed(text: &str) -> Known {
    Known::parse("known.toml", text).unwrap()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn late() -> Failure {
    let story = Story::played().step("1").call("b", CallOutcome::TimedOut);
    story
        .step_failed("1", "late")
        .failure(failed("b did not answer session.open within 5s (pid 4711)"))
}

fn versions(python: &str) -> BTreeMap<PeerName, String> {
    BTreeMap::from([(peer("python"), python.to_owned()), (peer("entity"), "0.9.0".to_owned())])
}

struct Past {
    versions: BTreeMap<PeerName, String>,
    passes: BTreeMap<String, u32>,
}

impl Past {
    fn new(python: &str, passes: u32) -> Self {
        Self { versions: versions(python), passes: BTreeMap::from([("late".to_owned(), passes)]) }
    }

    fn today(&self) -> Today<'_> {
        Today { day: day("2026-11-23"), versions: &self.versions, passes: &self.passes }
    }
}

fn cast() -> BTreeMap<RoleName, PeerName> {
    BTreeMap::from([(role("a"), peer("entity")), (role("b"), peer("python"))])
}

#[track_caller]
fn check_for(changes: &[(&str, &str)], failure: &Failure, expected: bool) {
    let (known, past) = (parsed(&entry(changes)), Past::new("1.2.3", 0));
    let (mut in_force, notes) = known.in_force(past.today());
    assert_eq!(notes, []);
    assert_eq!(in_force.rule_for(failure).is_some(), expected);
}

#[test]
fn a_rule_marks_the_failures_that_its_signature_scenario_and_versions_are_for() {
    check_for(&[], &late(), true);
    check_for(&[("scenario", "\"meeting/test_unit_x\"")], &late(), true);
    check_for(&[("scenario", "\"meeting/test_unit_x[v=1.1]\"")], &late(), true);
    check_for(&[("scenario", "\"meeting/test_unit_x[v=1.0]\"")], &late(), false);
    check_for(&[("text", "\"* did not answer token.pay*\"")], &late(), false);
    check_for(&[("peers", "{ python = \"1.2.*\" }")], &late(), true);
    check_for(&[("peers", "{ python = \"1.3.*\" }")], &late(), false);
    check_for(&[("peers", "{ python = \"*\", entity = \"0.9.0\" }")], &late(), true);
    check_for(&[("peers", "{ another = \"*\" }")], &late(), false);
}

#[test]
fn a_failure_with_something_beside_the_known_one_is_not_known() {
    let story = |reason: &str| {
        let found = Outcome::Failed { reason: reason.to_owned() };
        Story::played().check("ledger", found).failure(late().verdict)
    };
    check_for(&[], &story("a coin too many"), false);
    check_for(&[], &story("a did not answer session.open within 9s"), true);
}

#[test]
fn a_version_that_nobody_said_fits_only_any() {
    let failure = Story::new().failure(late().verdict);
    check_for(&[("peers", "{ python = \"*\" }")], &failure, true);
    check_for(&[("peers", "{ python = \"1.*\" }")], &failure, false);
}

#[test]
fn what_a_rule_skips_is_not_run_and_marks_nothing() {
    let known = parsed(&entry(&[("act", "\"skip\""), ("text", "")]));
    let past = Past::new("1.2.3", 0);
    let (mut in_force, _) = known.in_force(past.today());
    let (peers, versions) = (cast(), versions("1.2.3"));
    let played = |scenario| Played { scenario, peers: &peers, versions: &versions };
    assert_eq!(in_force.skips(played("meeting/x")).map(|rule| rule.name.as_str()), Some("late"));
    assert_eq!(in_force.skips(played("token/x")), None);
    assert_eq!(in_force.rule_for(&late()), None);
    assert_eq!(in_force.close().notes, []);
}

#[track_caller]
fn check_ends(until: &str, past: &Past, expected: Option<&str>) {
    let known = parsed(&entry(&[("until", until)]));
    let (mut in_force, notes) = known.in_force(past.today());
    let notes: Vec<String> = notes.iter().map(Note::to_string).collect();
    assert_eq!(notes.first().map(String::as_str), expected);
    assert_eq!(
        in_force.rule_for(&late()).is_none(),
        expected.is_some(),
        "what has ended marks nothing"
    );
}

#[test]
fn a_rule_ends_by_itself_and_is_named() {
    let past = Past::new("1.2.3", 19);
    check_ends("{ day = \"2026-11-23\" }", &past, None);
    check_ends(
        "{ day = \"2026-11-22\" }",
        &past,
        Some(
            "known.toml:1: late has ended: its last day was 2026-11-22. Leave it out, or agree on another condition",
        ),
    );
    check_ends("{ peer = \"python\", version = \"1.3\" }", &past, None);
    check_ends("{ peer = \"another\", version = \"1.3\" }", &past, None);
    check_ends(
        "{ peer = \"python\", version = \"1.3\" }",
        &Past::new("1.10.0", 0),
        Some(
            "known.toml:1: late has ended: python has version 1.10.0, it was until 1.3. Leave it out, or agree on another condition",
        ),
    );
    check_ends("{ passes = 20 }", &past, None);
    check_ends(
        "{ passes = 20 }",
        &Past::new("1.2.3", 20),
        Some(
            "known.toml:1: late has ended: what it is for passed 20 times in a row, it was until 20. Leave it out, or agree on another condition",
        ),
    );
}

#[test]
fn passes_in_a_row_are_counted_over_runs_and_begin_anew_with_a_failure() {
    let known = parsed(&entry(&[("until", "{ passes = 3 }")]));
    let (peers, versions) = (cast(), versions("1.2.3"));
    let mut past = Past::new("1.2.3", 0);
    let mut run = |failures: &[Failure], passes: usize| {
        let (mut in_force, notes) = known.in_force(past.today());
        for failure in failures {
            in_force.rule_for(failure);
        }
        for _ in 0..passes {
            in_force.passed(Played { scenario: "meeting/x", peers: &peers, versions: &versions });
            in_force.passed(Played { scenario: "token/x", peers: &peers, versions: &versions });
        }
        let closed = in_force.close();
        let has_ended = !notes.is_empty();
        let count = closed.passes.get("late").copied();
        past.passes = closed.passes;
        (count, has_ended)
    };
    assert_eq!(run(&[], 2), (Some(2), false));
    assert_eq!(run(&[late()], 0), (Some(0), false));
    assert_eq!(run(&[], 2), (Some(2), false));
    let other = Story::played().failure(failed("refused"));
    assert_eq!(run(&[other], 1), (Some(1), false));
    assert_eq!(run(&[], 2), (Some(3), false));
    assert_eq!(run(&[], 0), (None, true));
}

#[test]
fn a_rule_that_never_matches_is_named() {
    let known = parsed(&entry(&[]));
    let past = Past::new("1.2.3", 0);
    let (peers, versions) = (cast(), versions("1.2.3"));
    let (mut in_force, _) = known.in_force(past.today());
    in_force.passed(Played { scenario: "meeting/x", peers: &peers, versions: &versions });
    in_force.rule_for(&Story::played().failure(failed("refused")));
    let notes: Vec<String> = in_force.close().notes.iter().map(Note::to_string).collect();
    let expected = "known.toml:1: late never matched, though what it is for ran 2 times: mend `text`, or leave it out if the issue is solved";
    assert_eq!(notes, [expected]);
    // What was not run at all says nothing of it.
    assert_eq!(known.in_force(past.today()).0.close().notes, []);
    assert_eq!(known.for_nothing(["meeting/x[v=1.1]", "token/y"].into_iter()), []);
    let notes: Vec<String> =
        known.for_nothing(["token/y"].into_iter()).iter().map(Note::to_string).collect();
    let expected =
        "known.toml:1: late is for no scenario and no test: mend `scenario`, or leave it out";
    assert_eq!(notes, [expected]);
}

#[test]
fn of_several_rules_the_first_counts() {
    let known = parsed(&(entry(&[]) + &entry(&[("name", "\"second\"")])));
    let past = Past::new("1.2.3", 0);
    let (mut in_force, _) = known.in_force(past.today());
    assert_eq!(in_force.rule_for(&late()).map(|rule| rule.name.as_str()), Some("late"));
    let notes = in_force.close().notes;
    assert_eq!(notes.iter().map(|note| note.rule.as_str()).collect::<Vec<_>>(), ["second"]);
}

#[test]
fn a_rule_is_read_as_it_is_written() {
    let text = entry(&[("peers", "{ python = \"1.2.*\" }"), ("until", "{ passes = 20 }")]);
    let expected = Rule {
        name: "late".to_owned(),
        line: 1,
        act: Act::Mark { text: Pattern::new(TEXT) },
        scenario: Pattern::new("meeting/*"),
        peers: BTreeMap::from([(peer("python"), Pattern::new("1.2.*"))]),
        owner: "mara".to_owned(),
        reason: "a slow library".to_owned(),
        issue: "https://example.org/7".to_owned(),
        until: Until::Passes(20),
    };
    assert_eq!(parsed(&text).rules(), [expected]);
    assert_eq!(parsed("").rules(), []);
}

#[track_caller]
fn check_refused(text: &str, line: usize, message: &str, help: &str) {
    let error = Known::parse("known.toml", text).unwrap_err();
    assert!(error.message.contains(message), "{error}");
    assert!(error.help.contains(help), "{}", error.help);
    assert_eq!(error.line, line);
    assert!(error.to_string().starts_with(&format!("known.toml:{line}: ")));
}

#[test]
fn every_mistake_is_named_with_its_line_and_how_to_mend_it() {
    let refused = |changes: &[(&str, &str)], message: &str, help: &str| {
        // Behind a good one, so that the line is not the first by chance.
        let good = entry(&[("name", "\"good\"")]);
        check_refused(&(good + &entry(changes)), 10, message, help);
    };
    refused(&[("owner", "")], "missing field `owner`", "a rule is [[known]]");
    refused(&[("name", "\"good\"")], "two rules with the name", "another name");
    refused(&[("name", "\"a b\"")], "`name` is", "a rule is");
    refused(&[("act", "\"ignore\"")], "`act` is \"ignore\"", "skip does not run it");
    refused(&[("act", "\"skip\"")], "`text` is there", "leave `text` out");
    refused(&[("text", "")], "`text` is missing", "copy the failure's text");
    refused(
        &[("text", "\"* not within 5s, pid 4711\"")],
        "no normalised text",
        "\"* not within <duration>, pid <n>\"",
    );
    refused(&[("text", "\"* <duration> late *\"")], "4 letters", "at least 8");
    refused(&[("scenario", "\" \"")], "`scenario` says nothing", "fill in");
    refused(&[("peers", "{ \"a b\" = \"*\" }")], "`peers` names", "handfast.toml");
    refused(&[("peers", "{ python = \"\" }")], "`peers` says nothing", "fill in");
    refused(&[("owner", "\"\"")], "`owner` says nothing", "fill in");
    refused(&[("reason", "\" \"")], "`reason` says nothing", "fill in");
    refused(&[("issue", "\"soon\"")], "which is no link", "https://");
    refused(&[("until", "{ day = \"2026-13-01\" }")], "which is no day", "2026-12-31");
    refused(&[("until", "{ }")], "exactly one", "passes = 20");
    refused(&[("until", "{ day = \"2026-12-31\", passes = 1 }")], "exactly one", "passes = 20");
    refused(&[("until", "{ peer = \"python\" }")], "exactly one", "version = ");
    refused(&[("until", "{ peer = \"python\", version = \"new\" }")], "the version \"new\"", "1.3");
    refused(&[("until", "{ passes = 0 }")], "waits for 0 passes", "passes = 20");
    let too_many = format!("{{ passes = {} }}", PASSES_MAX + 1);
    refused(&[("until", &too_many)], "10001 passes", "passes = 20");
    refused(
        &[("act", "\"skip\""), ("text", ""), ("until", "{ passes = 2 }")],
        "runs nothing that could pass",
        "mark",
    );
}

#[test]
fn what_is_no_such_file_is_named_with_its_line() {
    check_refused("[[known]", 1, "", "a rule is");
    check_refused(&(entry(&[]) + "who = \"x\"\n"), 10, "unknown field", "a quarantined test is");
}

#[test]
fn a_file_has_its_limits() {
    check_refused(&"#".repeat(FILE_LEN_MAX + 1), 1, "more than 1048576 bytes", "solved");
    assert!(Known::parse("f", &"#".repeat(FILE_LEN_MAX)).is_ok());
    let entries = |count: usize| {
        (0..count).map(|number| entry(&[("name", &format!("\"n{number}\""))])).collect::<String>()
    };
    check_refused(&entries(ENTRIES_MAX + 1), 1, "more than 1000 entries", "pattern");
    assert!(Known::parse("f", &entries(ENTRIES_MAX)).is_ok());
}

#[test]
fn a_verdict_without_a_text_of_its_own_can_be_known_too() {
    let verdict = Verdict::TimedOut { after_us: 5_000_000, during: "step 3: paying".to_owned() };
    let failure = Story::played().step("3").failure(verdict);
    check_for(
        &[("text", "\"not done within <duration>, while step <n>: paying\"")],
        &failure,
        true,
    );
}

#[test]
fn the_example_of_this_module_is_a_rule() {
    let lines = include_str!("../known.rs").lines();
    let lines = lines.skip_while(|line| *line != "//! ```toml").skip(1);
    let lines = lines.take_while(|line| *line != "//! ```");
    let lines: Vec<&str> = lines.map(|line| line.trim_start_matches("//! ")).collect();
    let known = parsed(&lines.join("\n"));
    assert_eq!(known.rules().len(), 1);
    let past = Past::new("1.2.3", 0);
    assert!(known.in_force(past.today()).0.rule_for(&late()).is_some());
}

/// A good file with one piece of it taken out, doubled, or replaced by what nobody meant.
fn broken_files() -> impl Strategy<Value = String> {
    let good = entry(&[("peers", "{ python = \"1.2.*\" }"), ("until", "{ passes = 20 }")])
        + "[[quarantine]]\ntest = \"x\"\nowner = \"o\"\nreason = \"r\"\nissue = \"https://x\"\nexpires = \"2026-12-31\"\n";
    let piece = prop_oneof![
        any::<String>(),
        prop::sample::select(vec!["", "\"", "[", "{", "}", "\n", "= 1", "<n>", "0000-00-00"])
            .prop_map(str::to_owned),
    ];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), piece).prop_map(
        move |(from, until, piece)| {
            let (from, until) = (from.index(good.len()), until.index(good.len()));
            let (from, until) = (from.min(until), from.max(until));
            format!("{}{piece}{}", &good[..from], &good[until..])
        },
    )
}

proptest! {
    #[test]
    fn a_file_that_nobody_meant_is_read_or_refused_with_a_line_that_it_has(text in broken_files()) {
        if let Err(error) = Known::parse("known.toml", &text) {
            prop_assert!(error.line >= 1 && error.line <= text.lines().count() + 1, "{error}");
            prop_assert!(!error.message.is_empty() && !error.help.is_empty());
        }
    }
}
