//! The diagram for a page: one picture that needs nothing from outside.

use std::fmt::Write as _;

use super::{Happening, Life, Row, Sequence, Tone};
use crate::html::Plain;
use crate::quantity::axis_ms;

/// Between two columns.
const GAP: usize = 260;
/// Left of the first column: the axis of times.
const LEFT: usize = 110;
/// Right of the last column: room for texts.
const RIGHT: usize = 330;
/// Above the first row: the names of the roles.
const TOP: usize = 46;
/// Of a row.
const HEIGHT: usize = 22;

/// The diagram as one `<svg>`, readable on light and on dark pages.
pub fn svg(sequence: &Sequence) -> String {
    let columns = sequence.roles.len().max(1);
    let width = LEFT + (columns - 1) * GAP + RIGHT;
    let height = TOP + sequence.rows.len() * HEIGHT + 16;
    let mut out = String::new();
    put(
        &mut out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\" font-family=\"ui-monospace, monospace\" font-size=\"12\">\n<title>who said what to whom, and what was disturbed</title>\n\
         <style>{STYLE}</style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n"
        ),
    );
    for (index, role) in sequence.roles.iter().enumerate() {
        put(
            &mut out,
            format_args!(
                "<text class=\"head\" x=\"{}\" y=\"26\" text-anchor=\"middle\">{}</text>\n",
                x(index),
                Plain(role)
            ),
        );
    }
    for (index, row) in sequence.rows.iter().enumerate() {
        let y = TOP + index * HEIGHT + HEIGHT / 2;
        lives(&mut out, row, y);
    }
    for (index, row) in sequence.rows.iter().enumerate() {
        let y = TOP + index * HEIGHT + HEIGHT / 2;
        put(
            &mut out,
            format_args!(
                "<text class=\"axis\" x=\"70\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
                y + 4,
                axis_ms(row.at_us)
            ),
        );
        draw(&mut out, sequence, row, y);
    }
    out.push_str("</svg>\n");
    out
}

const STYLE: &str = ".page{fill:#fff}.head{font-weight:bold;font-size:14px;fill:#111}text{fill:#222}.axis,.faint{fill:#777}\
.up{stroke:#555;stroke-width:1.5}.down{stroke:#bbb;stroke-dasharray:2 4}.hurt{stroke:#d33;stroke-width:7;opacity:.35}\
.way{stroke:#246;stroke-width:1.4;fill:none}.lost{stroke:#c60;stroke-dasharray:5 3}.bad{fill:#c22}.good{fill:#181}\
.begin{stroke:#d33;stroke-width:3}.over{stroke:#3a3;stroke-width:2;stroke-dasharray:4 3}";

/// The line of each peer beside this row.
fn lives(out: &mut String, row: &Row, y: usize) {
    let (top, bottom) = (y - HEIGHT / 2, y + HEIGHT / 2);
    for (index, life) in row.lives.iter().enumerate() {
        let classes: &[&str] = match life {
            Life::Down => &["down"],
            Life::Up => &["up"],
            Life::Disturbed => &["hurt", "up"],
        };
        for class in classes {
            line(out, class, (x(index), top), (x(index), bottom));
        }
    }
}

fn draw(out: &mut String, sequence: &Sequence, row: &Row, y: usize) {
    let times = if row.times > 1 { format!(" x{}", row.times) } else { String::new() };
    match &row.what {
        Happening::Message { from, to, label, arrived } => {
            let class = if *arrived { "way" } else { "way lost" };
            let (begin, end) = (x(*from), x(*to));
            let tip = match (*arrived, begin < end) {
                (true, _) => end,
                (false, true) => end - 22,
                (false, false) => end + 22,
            };
            line(out, class, (begin, y + 4), (tip, y + 4));
            head(out, tip, y + 4, begin < end, *arrived);
            let middle = usize::midpoint(begin, end);
            let class = if *arrived { "" } else { "bad" };
            words(out, class, (middle, y), "middle", &format!("{label}{times}"));
        }
        Happening::Note { role, text, tone } => {
            let (class, radius) = match tone {
                Tone::Said => ("", 4),
                Tone::Asked => ("faint", 3),
                Tone::Bad => ("bad", 5),
                Tone::Process => ("good", 5),
            };
            put(
                out,
                format_args!(
                    "<circle class=\"{class}\" cx=\"{}\" cy=\"{y}\" r=\"{radius}\"/>\n",
                    x(*role)
                ),
            );
            words(out, class, (x(*role) + 10, y + 4), "start", &format!("{text}{times}"));
        }
        Happening::Disturbance { roles, text, begins } => {
            let class = if *begins { "begin" } else { "over" };
            let first = roles.iter().min().copied().unwrap_or(0);
            let last = roles.iter().max().copied().unwrap_or(0);
            line(out, class, (x(first) - 14, y), (x(last) + 14, y));
            let class = if *begins { "bad" } else { "good" };
            words(out, class, (x(last) + 20, y + 4), "start", text);
        }
        Happening::LeftOut { count, text } => {
            words(out, "faint", (LEFT + 10, y + 4), "start", &format!("⋮ {count} more: {text}"));
        }
        Happening::End { text, good } => {
            let class = if *good { "good" } else { "bad" };
            let last = sequence.roles.len().saturating_sub(1);
            line(
                out,
                if *good { "over" } else { "begin" },
                (x(0) - 20, y - 9),
                (x(last) + 20, y - 9),
            );
            words(out, class, (x(0), y + 6), "start", &format!("{text}{times}"));
        }
    }
}

/// The head of an arrow, or the cross of one that did not arrive.
fn head(out: &mut String, tip: usize, y: usize, is_rightward: bool, arrived: bool) {
    if !arrived {
        line(out, "way", (tip - 5, y - 5), (tip + 5, y + 5));
        line(out, "way", (tip - 5, y + 5), (tip + 5, y - 5));
        return;
    }
    let back = if is_rightward { tip - 8 } else { tip + 8 };
    put(
        out,
        format_args!(
            "<polygon class=\"tip\" points=\"{tip},{y} {back},{} {back},{}\"/>\n",
            y - 4,
            y + 4
        ),
    );
}

fn line(out: &mut String, class: &str, (x1, y1): (usize, usize), (x2, y2): (usize, usize)) {
    put(
        out,
        format_args!("<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>\n"),
    );
}

fn words(out: &mut String, class: &str, (x, y): (usize, usize), anchor: &str, text: &str) {
    put(
        out,
        format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>\n",
            Plain(text)
        ),
    );
}

fn put(out: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a text cannot fail.
    out.write_fmt(what).unwrap_or_default();
}

fn x(column: usize) -> usize {
    LEFT + column * GAP
}
