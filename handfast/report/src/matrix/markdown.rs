//! The grid as Markdown, for a page or a merge request.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use handfast_matrix::Grid;

use super::{Mark, marks_apart, notes, square};
use crate::quantity::tame;

/// The grid with its legend and notes.
pub fn markdown(grid: &Grid) -> String {
    let mut text = String::from("| scenario |");
    for column in grid.columns() {
        // Writing to a text cannot fail.
        write!(text, " {} → {} |", escaped(column.a.as_str()), escaped(column.b.as_str()))
            .unwrap_or_default();
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(grid.columns().len()));
    text.push('\n');
    for row in grid.rows() {
        write!(text, "| {} |", escaped(&row.name)).unwrap_or_default();
        for cells in &row.squares {
            let marks: Vec<Mark> = cells.iter().map(|at| Mark::of(&grid.cells()[*at])).collect();
            let marks: Vec<String> = square(&marks).into_iter().map(|(_, text)| text).collect();
            write!(text, " {} |", escaped(&marks.concat())).unwrap_or_default();
        }
        text.push('\n');
    }
    text.push_str("| **passed** |");
    for column in grid.columns() {
        let counts = grid.count(|cell| cell.column() == *column);
        write!(text, " **{}/{}** |", counts.passed, counts.all).unwrap_or_default();
    }
    text.push_str("\n\n");
    let used: BTreeSet<Mark> = grid.cells().iter().map(Mark::of).collect();
    let marks = Mark::ALL.into_iter().filter(|mark| used.contains(mark));
    let entries: Vec<String> =
        marks.map(|mark| format!("`{}` {}", mark.glyph(), mark.meaning())).collect();
    writeln!(text, "{}; {}.\n", entries.join(", "), marks_apart(grid)).unwrap_or_default();
    for note in notes::notes(grid) {
        writeln!(text, "- {}", escaped(&note.text)).unwrap_or_default();
    }
    text
}

/// Text of a peer or a scenario in a cell of a table: nothing in it is Markdown.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in tame(text).chars() {
        if "\\|*_`<>[]~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
