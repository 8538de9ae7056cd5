use std::collections::BTreeMap;

use handfast_matrix::Grid;
use handfast_scenario::event::{CellLine, Expected};
use handfast_scenario::name::{CategoryName, MethodName, PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;
use handfast_scenario::{Recorded, RunEvent};

use super::*;
use crate::book::Book;
use crate::palette::Palette;

const PAIRS: [(&str, &str); 4] =
    [("rust", "rust"), ("rust", "python"), ("python", "rust"), ("python", "python")];

fn peer(name: &str) -> PeerName {
    PeerName::new(name).unwrap()
}

fn role(name: &str) -> RoleName {
    RoleName::new(name).unwrap()
}

fn line(scenario: &str, a: &str, b: &str) -> CellLine {
    CellLine {
        unit: UnitId::new(format!("{scenario} (a={a}, b={b})")),
        scenario: scenario.to_owned(),
        name: format!("scenario | {}", scenario.split('[').next().unwrap_or_default()),
        file: format!("scenarios/{}.toml", scenario.split('[').next().unwrap_or_default()),
        category: CategoryName::new("unit").unwrap(),
        column: [peer(a), peer(b)],
        peers: BTreeMap::from([(role("a"), peer(a)), (role("b"), peer(b))]),
        protocols: BTreeMap::new(),
        network: "none".to_owned(),
        key: Some("k".to_owned()),
        expected: None,
    }
}

fn at(at_us: u64, event: RunEvent) -> Recorded {
    Recorded { at_us, event }
}

fn started(cells: Vec<CellLine>, faults: Vec<String>) -> Recorded {
    let peers = vec![peer("rust"), peer("python")];
    at(1_000, RunEvent::MatrixStarted { peers, builds: BTreeMap::new(), cells, faults })
}

fn ended(unit: &UnitId, verdict: Verdict) -> Recorded {
    let unit = unit.clone();
    at(60_001_000, RunEvent::UnitEnded { unit, verdict, duration_us: 60_000_000, cpu_us: 40 })
}

/// Two variants of `x` and one of `y` with every pair: python fails `y`, and `x[v=2]` is unsupported with it.
fn events() -> Vec<Recorded> {
    let mut lines = Vec::new();
    let mut events = Vec::new();
    for scenario in ["x[v=1]", "x[v=2]", "y"] {
        for (a, b) in PAIRS {
            let line = line(scenario, a, b);
            let python = a == "python" || b == "python";
            let verdict = match scenario {
                "y" if python => Verdict::Failed { reason: "no answer".to_owned() },
                "x[v=2]" if python => {
                    Verdict::Unsupported { role: role("a"), method: MethodName::new("m").unwrap() }
                }
                _ => Verdict::Passed,
            };
            let unit = line.unit.clone();
            if scenario == "x[v=1]" && !python {
                let run = "r0".to_owned();
                events
                    .push(at(2_000, RunEvent::CellRecalled { unit, run, verdict, duration_us: 7 }));
            } else {
                events.push(ended(&unit, verdict));
            }
            lines.push(line);
        }
    }
    let mut all = vec![started(lines, Vec::new())];
    all.extend(events);
    all
}

fn grid_of(events: &[Recorded]) -> Grid {
    let mut grid = Grid::default();
    for event in events {
        grid.read(event);
    }
    grid
}

#[test]
fn the_grid_has_a_row_a_scenario_and_a_mark_a_variant() {
    let text = terminal::grid(&grid_of(&events()), Palette::Plain);
    let expected = "\
first role        rust     rust     python   python
second role       rust     python   rust     python
scenario | x      =✓       ✓-       ✓-       ✓-
scenario | y      ✓        ✗        ✗        ✗
passed            3/3      1/3      1/3      1/3
✓ passed, = passed in an earlier run on the same content, ✗ failed, - declared unsupported; a mark for each variant
";
    assert_eq!(text, expected);
}

#[test]
fn a_cell_of_several_seeds_names_its_own() {
    let line = CellLine { key: None, ..line("y", "rust", "python") };
    let seeded = |seed| CellLine { unit: line.unit.with_seed(seed), ..line.clone() };
    let failed = Verdict::Failed { reason: "no answer".to_owned() };
    let events = [
        started(vec![seeded(14), seeded(15)], Vec::new()),
        ended(&seeded(14).unit, Verdict::Passed),
        ended(&seeded(15).unit, failed),
    ];
    let grid = grid_of(&events);
    let text = terminal::grid(&grid, Palette::Plain);
    assert!(
        text.contains("✓✗") && text.ends_with("; a mark for each variant and seed\n"),
        "{text}"
    );
    let text = notes::text(&grid, Palette::Plain);
    assert!(text.contains("failed: y (a=rust b=python), seed 15: "), "{text}");
    let mut book = Book::default();
    for event in &events {
        book.read(event);
    }
    let seeds: Vec<_> = json::summary(&book).unwrap().cells.iter().map(|cell| cell.seed).collect();
    assert_eq!(seeds, [Some(14), Some(15)]);
}

#[test]
fn many_variants_are_counted() {
    let marks = [Mark::Passed, Mark::Passed, Mark::Failed, Mark::Passed, Mark::Failed];
    let text: String = square(&marks).into_iter().map(|(_, text)| text).collect();
    assert_eq!(text, "✓3✗2");
}

#[test]
fn a_grid_that_fills_shows_what_moves_first_and_keeps_to_the_screen() {
    let mut events = events();
    events.truncate(1);
    let unit = line("y", "rust", "rust").unit;
    events.push(at(
        2_000,
        RunEvent::UnitStarted {
            unit,
            name: "n".to_owned(),
            file: "f".to_owned(),
            category: CategoryName::new("unit").unwrap(),
            proves: Vec::new(),
            peers: BTreeMap::new(),
            budget_us: 1,
        },
    ));
    let grid = grid_of(&events);
    let lines = terminal::live(&grid, Palette::Plain, 100, 4);
    assert_eq!(lines.len(), 4);
    assert!(lines[2].starts_with("scenario | y") && lines[2].contains('▸'), "{lines:?}");
    let narrow = terminal::live(&grid, Palette::Coloured, 20, 10);
    assert!(narrow.iter().all(|line| line.chars().count() <= 20), "{narrow:?}");
}

#[test]
fn notes_name_the_blame_the_rate_and_what_is_from_earlier_runs() {
    let text = notes::text(&grid_of(&events()), Palette::Plain);
    let parts = [
        "failed: y (a=rust b=python): blame python\n",
        "failed: y (a=python b=python): blame python\n",
        "3 cells are unsupported, by a peer's own declaration\n",
        "12 of 12 cells judged, 1 by earlier runs on the same content, 11 played in 1 min 00 s: 11 a minute\n",
    ];
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
}

#[test]
fn notes_list_only_so_many_cells() {
    let lines: Vec<CellLine> = (0..30).map(|at| line(&format!("s{at}"), "rust", "rust")).collect();
    let failed = |line: &CellLine| ended(&line.unit, Verdict::Failed { reason: "x".to_owned() });
    let ends: Vec<Recorded> = lines.iter().map(failed).collect();
    let mut grid = grid_of(&[started(lines, vec!["expected.toml:1: expired".to_owned()])]);
    for event in &ends {
        grid.read(event);
    }
    let text = notes::text(&grid, Palette::Plain);
    assert_eq!(text.matches("failed: ").count(), 20, "{text}");
    assert!(text.contains("and 10 more") && text.contains("expected.toml:1: expired"), "{text}");
    assert!(text.contains("rust fails in all 30 of its cells: x"), "{text}");
}

#[test]
fn markdown_escapes_what_is_not_markdown() {
    let text = markdown::markdown(&grid_of(&events()));
    assert!(text.starts_with("| scenario | rust → rust | rust → python |"), "{text}");
    assert!(text.contains("| scenario \\| y | ✓ | ✗ | ✗ | ✗ |"), "{text}");
    assert!(text.contains("| **passed** | **3/3** | **1/3** | **1/3** | **1/3** |"), "{text}");
}

#[test]
fn json_has_for_every_cell_its_blame_its_record_and_the_command_that_repeats_it() {
    let mut book = Book::new();
    for event in &events() {
        book.read(event);
    }
    let json = serde_json::to_value(json::summary(&book).unwrap()).unwrap();
    assert_eq!(
        (&json["passed"], &json["failed"], &json["recalled"]),
        (&6.into(), &3.into(), &1.into())
    );
    assert_eq!(json["cells"][0]["record"], ".handfast/runs/r0");
    let cell = &json["cells"][9];
    assert_eq!(cell["blame"], serde_json::json!({ "kind": "peer", "peers": ["python"] }));
    assert_eq!(cell["again"], "handfast run y --peer a=rust --peer b=python");
    assert_eq!((&cell["verdict"], &cell["reason"]), (&"failed".into(), &"no answer".into()));
    assert!(json::summary(&Book::new()).is_none());
}

#[test]
fn expected_failures_are_not_failures_and_unexpected_passes_are() {
    let expecting = |scenario: &str| CellLine {
        expected: Some(Expected {
            result: VerdictKind::Failed,
            reason: "known".to_owned(),
            issue: "https://example.org/1".to_owned(),
            expires: "2999-01-01".to_owned(),
        }),
        ..line(scenario, "rust", "rust")
    };
    let (known, mended) = (expecting("known"), expecting("mended"));
    let events = [
        started(vec![known.clone(), mended.clone()], Vec::new()),
        unit_started(&known),
        ended(&known.unit, Verdict::Failed { reason: "x".to_owned() }),
        unit_started(&mended),
        ended(&mended.unit, Verdict::Passed),
    ];
    let mut book = Book::new();
    for event in &events {
        book.read(event);
    }
    let totals = book.totals();
    assert_eq!((totals.passed, totals.failed), (0, 1));
    let marks: Vec<Mark> = book.grid().cells().iter().map(Mark::of).collect();
    assert_eq!(marks, [Mark::AsExpected, Mark::UnexpectedPass]);
    let text = notes::text(book.grid(), Palette::Plain);
    assert!(text.contains("passed, but expected failed until 2999-01-01: mended"), "{text}");
    assert!(text.contains("1 cells failed as expected"), "{text}");
}

fn unit_started(line: &CellLine) -> Recorded {
    let event = RunEvent::UnitStarted {
        unit: line.unit.clone(),
        name: line.name.clone(),
        file: line.file.clone(),
        category: line.category.clone(),
        proves: Vec::new(),
        peers: line.peers.clone(),
        budget_us: 1,
    };
    at(2_000, event)
}
