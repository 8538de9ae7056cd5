//! The matrix in the page: a row a scenario, a column a pair of peers, a link behind everything that did not pass.

use std::fmt::Write as _;

use handfast_matrix::Grid;
use handfast_matrix::grid::Square;

use super::text::{Plain, anchor};
use crate::matrix::{Mark, notes};
use crate::palette::Ink;

/// The table, its legend and what stands below it; nothing for a run without a matrix.
pub(super) fn grid(html: &mut String, grid: &Grid) {
    if grid.is_empty() {
        return;
    }
    let _ = writeln!(html, "<section id=\"matrix\"><h2>Matrix</h2>\n<ul class=\"notes\">");
    for note in notes::notes(grid) {
        let _ = writeln!(html, "<li class=\"{}\">{}</li>", class(note.ink), Plain(&note.text));
    }
    html.push_str(
        "</ul>\n<div class=\"scroll\"><table class=\"grid\"><thead><tr><th>scenario</th>",
    );
    for column in grid.columns() {
        let (a, b) = (column.a.to_string(), column.b.to_string());
        let _ = write!(html, "<th scope=\"col\">{}<br>{}</th>", Plain(&a), Plain(&b));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let mut folder = "";
    let mut rows: Vec<_> = grid.rows().iter().collect();
    rows.sort_by_key(|row| folder_of(&row.file));
    for row in rows {
        let here = folder_of(&row.file);
        if here != folder {
            folder = here;
            let columns = grid.columns().len() + 1;
            let _ = writeln!(
                html,
                "<tr class=\"folder\"><th colspan=\"{columns}\" scope=\"rowgroup\">{}</th></tr>",
                Plain(here)
            );
        }
        let _ = write!(
            html,
            "<tr class=\"row\"><th scope=\"row\" title=\"{}\">{}</th>",
            Plain(&row.file),
            Plain(&row.name)
        );
        for square in &row.squares {
            html.push_str("<td>");
            for cell in square.iter().filter_map(|at| grid.cells().get(*at)) {
                mark(html, cell);
            }
            html.push_str("</td>");
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n<p class=\"legend\">");
    for mark in Mark::ALL {
        let _ = write!(
            html,
            "<span><b class=\"{}\">{}</b> {}</span> ",
            class(mark.ink()),
            mark.glyph(),
            mark.meaning()
        );
    }
    html.push_str("</p></section>\n");
}

fn folder_of(file: &str) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn mark(html: &mut String, cell: &Square) {
    let mark = Mark::of(cell);
    let title = format!("{}: {}", notes::cell_name(cell), mark.meaning());
    let class = class(mark.ink());
    // What was not played in this run, or passed, has no story here.
    let linked = cell.failed() && !matches!(mark, Mark::Recalled);
    if linked {
        let _ = write!(
            html,
            "<a class=\"{class}\" href=\"#{}\" title=\"{}\">{}</a>",
            anchor(&cell.line.unit),
            Plain(&title),
            mark.glyph()
        );
    } else {
        let _ =
            write!(html, "<b class=\"{class}\" title=\"{}\">{}</b>", Plain(&title), mark.glyph());
    }
}

pub(super) fn class(ink: Ink) -> &'static str {
    match ink {
        Ink::Good => "good",
        Ink::Bad => "bad",
        Ink::Doubtful => "doubtful",
        Ink::Faint => "faint",
        Ink::Strong => "strong",
    }
}
