//! What the benchmark of two peers is measured against is what `TESTING.md` says it is.

#[path = "../../benches/layers/lines.rs"]
mod lines;

use std::fs;

use lines::Aim;
use xtask::files;

/// The rows of a table in a text that have this as their first cell: what their last cell says.
fn aims<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let named = rows.filter_map(|row| {
        let mut cells = row.split(" | ");
        (cells.next() == Some(name)).then(|| cells.last().unwrap_or_default())
    });
    named.collect()
}

#[test]
fn every_line_of_the_benchmark_stands_in_testing_md_with_its_aim() {
    let text = fs::read_to_string(files::root().join("TESTING.md")).unwrap();
    for line in lines::ALL {
        let aim = format!("{} {}", line.aim, line.unit);
        assert_eq!(aims(&text, line.name), [aim.as_str()], "the row of {:?}", line.name);
    }
}

#[test]
fn a_row_without_its_aim_or_that_is_not_there_is_found() {
    let table = "| a | 3 /s | >= 2 /s |\n| b | 3 /s | |\n";
    assert_eq!(aims(table, "a"), [">= 2 /s"]);
    assert_ne!(aims(table, "b"), [">= 2 /s"]);
    assert!(aims(table, "c").is_empty());
}

#[test]
fn an_aim_is_met_at_its_edge_and_not_beyond_it() {
    assert!(Aim::AtLeast(70.0).is_met(70.0) && !Aim::AtLeast(70.0).is_met(69.99));
    assert!(Aim::AtMost(1.5).is_met(1.5) && !Aim::AtMost(1.5).is_met(1.51));
    assert_eq!(Aim::AtLeast(60_000.0).to_string(), ">= 60,000");
    assert_eq!(Aim::AtMost(1.5).to_string(), "<= 1.5");
}
