use std::collections::BTreeSet;
use std::time::Duration;

use handfast_matrix::{Ask, cells};
use handfast_report::palette::Palette;
use handfast_scenario::plan::Selection;
use handfast_scenario::project::Category;
use handfast_scenario::verdict::VerdictKind;
use handfast_scenario::{ExitCode, Plan, Project};
use xtask::files;

use super::{collect_keys, repository, text};

/// Every document that has this sentence, with its line breaks as blanks.
#[track_caller]
fn check(file: &str, sentence: &str) {
    let text = text(file).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(sentence), "{file} does not say {sentence:?}");
}

#[test]
fn the_scenarios_are_as_many_as_the_documents_say() {
    let loaded = repository();
    let plan = Plan::new(&loaded.project, &loaded.scenarios, &Selection::default()).unwrap();
    let files: BTreeSet<&String> = loaded.files.values().collect();
    check("README.md", &format!("{} scenarios ({} files)", plan.units.len(), files.len()));
    check("README.md", &format!("{} passed, 0 failed", plan.units.len()));
}

#[test]
fn the_cells_are_as_many_as_the_documents_say() {
    let loaded = repository();
    let peers = loaded.project.matrix.clone().unwrap().peers;
    let names = peers.iter().map(|peer| format!("`{peer}`")).collect::<Vec<_>>().join(" and ");
    let ask = Ask { peers, ..Ask::default() };
    let count = cells(&loaded.project, &loaded.scenarios, &ask).unwrap().len();
    check("TESTING.md", &format!(", {count} cells"));
    check("TESTING.md", &format!("{count} cells of {names}"));
}

/// The entries of a catalogue of flaws, counted in its source.
fn flaws(file: &str, is_entry: impl Fn(&str) -> bool) -> usize {
    text(file).lines().filter(|line| is_entry(line)).count()
}

#[test]
fn the_flaws_are_as_many_as_the_documents_say() {
    let entity = flaws("entity/flaw/src/flaws.rs", |line| {
        line.split('"').count() == 5 && line.starts_with("    ")
    });
    let python = flaws("peers/python/src/entity_py/flaws/catalogue.py", |line| {
        line.starts_with("    \"") && line.contains("\": Flaw(")
    });
    check("TESTING.md", &format!("each of {entity} defects of the one and {python} of the other"));
    check(
        "TESTING.md",
        &format!(
            "which scenario catches each of {entity} in the Rust peer and {python} in the Python peer"
        ),
    );
    check("TESTING.md", &format!("for all {}", entity + python));
    check("CHANGELOG.md", &format!("one of {entity} named defects"));
}

#[test]
fn the_strangers_peer_is_as_long_as_the_documents_say() {
    let lines = text("examples/echo-peer/peer.pl").lines().count();
    check("TESTING.md", &format!("in {lines} lines of Perl"));
    check("docs/guide/bring-your-peer.md", &format!("in {lines} lines of plain Perl"));
}

#[test]
fn the_example_peer_and_the_recorded_cases_are_as_many_as_the_documents_say() {
    let lines = text("docs/contract/example_peer.py").lines().count();
    assert!(lines < 100, "{lines} lines");
    check("docs/contract/README.md", "a whole peer in under 100 lines");
    let cases: serde_json::Value =
        serde_json::from_str(&text("entity/peer/tests/data/errors.json")).unwrap();
    let count = cases["cases"].as_array().unwrap().len();
    check("TESTING.md", &format!("the {count} recorded error cases"));
}

#[test]
fn the_formats_are_those_that_the_documents_say() {
    check("docs/design/history.md", &format!("Format {} (", handfast_history::schema::FORMAT));
    check("CHANGELOG.md", &format!("Records have format {}", handfast_scenario::event::FORMAT));
}

fn minutes(time: Duration) -> String {
    format!("{} min", time.as_secs() / 60)
}

#[test]
fn the_table_of_categories_is_what_the_code_says() {
    let defaults = Project::parse("handfast.toml", "[project]\nname = \"x\"\n").unwrap();
    let here = repository().project;
    for (default, here) in defaults.categories.iter().zip(&here.categories) {
        let patterns: Vec<_> =
            default.patterns.iter().map(|pattern| format!("`{}`", pattern.as_str())).collect();
        let say = |category: &Category| {
            format!("{}, {} at once", minutes(category.budget), category.parallel)
        };
        let row = format!(
            "| `{}` | {} | {} | {} |",
            default.name,
            patterns.join(", "),
            say(default),
            say(here)
        );
        check("TESTING.md", &row);
    }
    let table = text("TESTING.md");
    let rows =
        table.lines().filter(|line| line.starts_with("| `") && line.contains(" at once |")).count();
    assert_eq!(rows, defaults.categories.len(), "rows of the table");
}

#[test]
fn the_exit_codes_are_those_that_the_documents_say() {
    let all = [
        (ExitCode::Passed, "passed"),
        (ExitCode::ProductFailure, "product failure"),
        (ExitCode::Usage, "usage or configuration"),
        (ExitCode::Infrastructure, "infrastructure"),
        (ExitCode::NothingRan, "nothing ran"),
        (ExitCode::OnlyFlaky, "only flaky"),
        (ExitCode::BudgetSpent, "budget"),
    ];
    let red_run = text("docs/guide/red-run.md");
    for (code, word) in all {
        let row = format!("| {} | ", code.number());
        let row = red_run.lines().find(|line| line.starts_with(&row));
        assert!(row.is_some_and(|row| row.contains(word)), "{word}: {row:?}");
    }
    check(
        "ARCHITECTURE.md",
        "3 infrastructure, or a peer is absent · 4 nothing ran · 5 only flaky",
    );
}

#[test]
fn the_words_of_verdicts_are_those_that_the_documents_say() {
    let guide = text("docs/guide/red-run.md");
    for kind in [
        VerdictKind::Failed,
        VerdictKind::Infra,
        VerdictKind::TimedOut,
        VerdictKind::Unsupported,
        VerdictKind::Absent,
        VerdictKind::DidNotFit,
    ] {
        let word = Palette::Plain.verdict(kind);
        assert!(guide.contains(&format!("| `{}` | ", word.trim())), "{word}");
    }
    let kept = handfast_runner::record::RUNS_KEPT_MAX;
    check("docs/guide/red-run.md", &format!("the last {kept} are kept"));
}

/// The numbered rows of a guide's table.
fn places(guide: &str) -> usize {
    let is_place = |line: &&str| {
        let number = line.strip_prefix("| ").and_then(|rest| rest.split(' ').next());
        number.is_some_and(|number| number.parse::<usize>().is_ok())
    };
    text(guide).lines().filter(is_place).count()
}

#[test]
fn the_places_that_a_fault_and_an_oracle_touch_are_as_many_as_the_documents_say() {
    assert_eq!(places("docs/guide/add-a-fault.md"), 12);
    check("TESTING.md", "(docs/guide/add-a-fault.md): twelve places");
    assert_eq!(places("docs/guide/add-an-oracle.md"), 8);
    check("TESTING.md", "(docs/guide/add-an-oracle.md): eight places");
}

#[test]
fn the_guide_to_scenarios_names_every_oracle_and_every_key() {
    let guide = text("scenarios/README.md");
    for name in handfast_oracle::names() {
        assert!(guide.contains(&format!("`{name}")), "the oracle {name} is missing");
    }
    let schema = text("docs/schema/scenario.schema.json");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let mut keys = BTreeSet::new();
    collect_keys(&schema, &mut keys);
    assert!(keys.len() > 50, "{}", keys.len());
    let words: BTreeSet<&str> =
        guide.split(|letter: char| !(letter.is_alphanumeric() || "_-".contains(letter))).collect();
    let missing: Vec<_> = keys.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(files::root().join("docs/schema/handfast.schema.json").is_file());
}
