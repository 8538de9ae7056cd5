//! The grid on a terminal or in a file of text: rows scenarios, columns pairs of peers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use handfast_matrix::Grid;
use handfast_matrix::grid::Row;

use super::{Mark, marks_apart, square};
use crate::palette::{Ink, Palette};
use crate::quantity::{clipped, tame};

/// Longest scenario name; a longer one is cut.
const NAME_CHARS_MAX: usize = 60;

/// The whole grid, with its legend.
pub fn grid(grid: &Grid, palette: Palette) -> String {
    let layout = Layout::of(grid, usize::MAX);
    let mut text = layout.heading(grid, palette).join("\n");
    text.push('\n');
    for row in grid.rows() {
        text.push_str(&layout.row(grid, row, palette));
        text.push('\n');
    }
    text.push_str(&layout.sums(grid, palette));
    text.push('\n');
    text.push_str(&legend(grid, palette));
    text
}

/// The grid while it fills: at most `lines_max` lines of at most `columns` characters, those rows that move or wait first.
pub fn live(grid: &Grid, palette: Palette, columns: usize, lines_max: usize) -> Vec<String> {
    let layout = Layout::of(grid, columns);
    let is_narrow = layout.width() > columns;
    // A cut line cannot end its colours.
    let palette = if is_narrow { Palette::Plain } else { palette };
    let mut lines = layout.heading(grid, palette);
    let room = lines_max.saturating_sub(lines.len() + 1);
    let marks = |row: &Row| -> Vec<Mark> {
        row.squares.iter().flatten().map(|at| Mark::of(&grid.cells()[*at])).collect()
    };
    let moving = |row: &&Row| marks(row).contains(&Mark::Running);
    let waiting = |row: &&Row| !moving(row) && marks(row).contains(&Mark::Waiting);
    let chosen: BTreeSet<&str> = {
        let rows = grid.rows().iter();
        let first = rows.clone().filter(moving).chain(rows.filter(waiting));
        first.take(room).map(|row| row.file.as_str()).collect()
    };
    for row in grid.rows().iter().filter(|row| chosen.contains(row.file.as_str())) {
        lines.push(layout.row(grid, row, palette));
    }
    lines.push(layout.sums(grid, palette));
    lines.truncate(lines_max);
    if is_narrow {
        lines = lines.iter().map(|line| clipped(line, columns)).collect();
    }
    lines
}

/// How wide the parts of a line are.
struct Layout {
    name: usize,
    squares: Vec<usize>,
}

impl Layout {
    fn of(grid: &Grid, columns: usize) -> Self {
        let width = |text: &str| text.chars().count();
        let mut squares: Vec<usize> = Vec::new();
        for (at, column) in grid.columns().iter().enumerate() {
            let of_row = |row: &Row| -> usize {
                let count = row.squares.get(at).map_or(0, Vec::len);
                // The widest that so many marks can become: three groups of them.
                if count <= super::MARKS_APART_MAX { count } else { 9 }
            };
            let widest = grid.rows().iter().map(of_row).max().unwrap_or_default();
            squares.push(widest.max(width(column.a.as_str())).max(width(column.b.as_str())).max(7));
        }
        let names = grid.rows().iter().map(|row| width(&row.name)).max().unwrap_or_default();
        let taken: usize = squares.iter().map(|square| square + 2).sum();
        let room = columns.saturating_sub(taken).max(16);
        Self { name: names.clamp(16, NAME_CHARS_MAX.min(room)), squares }
    }

    fn width(&self) -> usize {
        self.name + self.squares.iter().map(|square| square + 2).sum::<usize>()
    }

    /// Two lines: who plays the first open role, who plays the second.
    fn heading(&self, grid: &Grid, palette: Palette) -> Vec<String> {
        let line = |title: &str, name: fn(&handfast_matrix::Column) -> &str| {
            let mut line = format!("{title:<width$}", width = self.name);
            for (column, width) in grid.columns().iter().zip(&self.squares) {
                // Writing to a text cannot fail.
                write!(line, "  {:<width$}", name(column)).unwrap_or_default();
            }
            palette.paint(Ink::Strong, line.trim_end())
        };
        vec![
            line("first role", |column| column.a.as_str()),
            line("second role", |column| column.b.as_str()),
        ]
    }

    fn row(&self, grid: &Grid, row: &Row, palette: Palette) -> String {
        let name = clipped(&tame(&row.name), self.name);
        let mut line = format!("{name:<width$}", width = self.name);
        let mut pending = 0;
        for (cells, width) in row.squares.iter().zip(&self.squares) {
            let marks: Vec<Mark> = cells.iter().map(|at| Mark::of(&grid.cells()[*at])).collect();
            line.push_str(&" ".repeat(pending + 2));
            let mut taken = 0;
            for (mark, text) in square(&marks) {
                taken += text.chars().count();
                line.push_str(&palette.paint(mark.ink(), text));
            }
            pending = width.saturating_sub(taken);
        }
        line.trim_end().to_owned()
    }

    /// How many of each column passed, of those that were judged.
    fn sums(&self, grid: &Grid, palette: Palette) -> String {
        let mut line = format!("{:<width$}", "passed", width = self.name);
        for (column, width) in grid.columns().iter().zip(&self.squares) {
            let counts = grid.count(|cell| cell.column() == *column);
            let sum = format!("{}/{}", counts.passed, counts.all);
            write!(line, "  {sum:<width$}").unwrap_or_default();
        }
        palette.paint(Ink::Strong, line.trim_end())
    }
}

fn legend(grid: &Grid, palette: Palette) -> String {
    let used: BTreeSet<Mark> = grid.cells().iter().map(Mark::of).collect();
    let marks = Mark::ALL.into_iter().filter(|mark| used.contains(mark));
    let entries: Vec<String> = marks
        .map(|mark| format!("{} {}", palette.paint(mark.ink(), mark.glyph()), mark.meaning()))
        .collect();
    format!("{}; {}\n", entries.join(", "), marks_apart(grid))
}
