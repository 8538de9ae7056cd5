//! The diagram for a console.

use super::{Happening, Life, Row, Sequence, Tone};
use crate::palette::{Ink, Palette};
use crate::quantity::{axis_ms, clipped};

/// Letters between two columns at least.
const GAP_MIN: usize = 18;

/// Letters between two columns at most.
const GAP_MAX: usize = 44;

/// Letters of the axis of times on the left.
const AXIS: usize = 12;

/// The diagram, a line a row, each ended by a line feed.
///
/// Lines of peers: `│` runs, `┃` is disturbed, `┊` does not run. `▼` and `▲` are the beginning and the end of a disturbance.
pub fn text(sequence: &Sequence, palette: Palette) -> String {
    let page = Page { gap: gap(sequence), sequence, palette };
    let mut lines = vec![page.heads()];
    lines.extend(sequence.rows.iter().map(|row| page.line(row)));
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    lines.join("\n") + "\n"
}

struct Page<'a> {
    gap: usize,
    sequence: &'a Sequence,
    palette: Palette,
}

/// One line of letters, overwritten from the left to the right.
struct Canvas(Vec<char>);

impl Page<'_> {
    fn heads(&self) -> String {
        let mut canvas = Canvas::new(self.width());
        for (index, role) in self.sequence.roles.iter().enumerate() {
            let width = role.chars().count();
            canvas.write((AXIS + index * self.gap + 1).saturating_sub(width.div_ceil(2)), role);
        }
        self.palette.paint(Ink::Strong, canvas.text())
    }

    fn line(&self, row: &Row) -> String {
        let mut canvas = Canvas::new(self.width());
        canvas.write(0, &format!("{:>9}", axis_ms(row.at_us)));
        for (index, life) in row.lives.iter().enumerate() {
            canvas.put(self.x(index), line_of(*life));
        }
        let times = if row.times > 1 { format!(" x{}", row.times) } else { String::new() };
        let (after, ink) = self.draw(row, &times, &mut canvas);
        let text = format!("{}{after}", canvas.text());
        ink.map_or_else(|| text.clone(), |ink| self.palette.paint(ink, text.trim_end()))
    }

    /// Draws what fits between the columns; what stands behind the last one is returned.
    fn draw(&self, row: &Row, times: &str, canvas: &mut Canvas) -> (String, Option<Ink>) {
        match &row.what {
            Happening::Message { from, to, label, arrived } => {
                self.arrow((*from, *to), &format!("{label}{times}"), *arrived, canvas);
                (String::new(), (!arrived).then_some(Ink::Doubtful))
            }
            Happening::Note { role, text, tone } => {
                let (sign, ink) = match tone {
                    Tone::Said => ('●', None),
                    Tone::Asked => ('○', Some(Ink::Faint)),
                    Tone::Bad => ('×', Some(Ink::Bad)),
                    Tone::Process => ('■', None),
                };
                canvas.put(self.x(*role), sign);
                (self.beside(*role, &format!("{text}{times}"), canvas), ink)
            }
            Happening::Disturbance { roles, text, begins } => {
                for role in roles {
                    canvas.put(self.x(*role), if *begins { '▼' } else { '▲' });
                }
                if let (Some(first), Some(last)) = (roles.iter().min(), roles.iter().max()) {
                    canvas.fill(self.x(*first) + 1, self.x(*last), '═');
                }
                let last = roles.iter().max().copied().unwrap_or(0);
                let ink = if *begins { Ink::Bad } else { Ink::Good };
                (self.beside(last, text, canvas), Some(ink))
            }
            Happening::LeftOut { count, text } => {
                canvas.write(0, "        ⋮");
                (format!("  {count} more: {text}"), Some(Ink::Faint))
            }
            Happening::End { text, good } => {
                let ink = if *good { Ink::Good } else { Ink::Bad };
                canvas.fill(AXIS, self.width(), '─');
                (format!(" {text}{times}"), Some(ink))
            }
        }
    }

    fn arrow(&self, (from, to): (usize, usize), label: &str, arrived: bool, canvas: &mut Canvas) {
        let (left, right) = (self.x(from.min(to)), self.x(from.max(to)));
        if left == right {
            return;
        }
        canvas.fill(left + 1, right, '─');
        let room = (right - left).saturating_sub(6);
        let label = format!(" {} ", clipped(label, room.saturating_sub(2)));
        let begin = left + (right - left).saturating_sub(label.chars().count()) / 2;
        canvas.write(begin.max(left + 2), &label);
        let (head, place) = match (from < to, arrived) {
            (true, true) => ('▶', right - 1),
            (true, false) => ('✗', right - 2),
            (false, true) => ('◀', left + 1),
            (false, false) => ('✗', left + 2),
        };
        canvas.put(place, head);
    }

    /// Writes a text to the right of a column where that is free, and returns it where it belongs behind the last one.
    fn beside(&self, role: usize, text: &str, canvas: &mut Canvas) -> String {
        if role + 1 >= self.sequence.roles.len() {
            return format!(" {text}");
        }
        canvas.write(self.x(role) + 2, &clipped(text, self.gap.saturating_sub(4)));
        String::new()
    }

    fn x(&self, column: usize) -> usize {
        AXIS + column * self.gap
    }

    fn width(&self) -> usize {
        self.x(self.sequence.roles.len().saturating_sub(1)) + 1
    }
}

impl Canvas {
    fn new(width: usize) -> Self {
        Self(vec![' '; width])
    }

    fn put(&mut self, x: usize, letter: char) {
        if let Some(place) = self.0.get_mut(x) {
            *place = letter;
        }
    }

    fn write(&mut self, x: usize, text: &str) {
        for (offset, letter) in text.chars().enumerate() {
            self.put(x + offset, letter);
        }
    }

    fn fill(&mut self, from: usize, to: usize, letter: char) {
        for x in from..to {
            self.put(x, letter);
        }
    }

    fn text(&self) -> String {
        self.0.iter().collect()
    }
}

fn line_of(life: Life) -> char {
    match life {
        Life::Down => '┊',
        Life::Up => '│',
        Life::Disturbed => '┃',
    }
}

/// Room for the longest label between two neighbours.
fn gap(sequence: &Sequence) -> usize {
    let label = |row: &Row| match &row.what {
        Happening::Message { label, .. } => label.chars().count() + 14,
        Happening::Note { text, .. } | Happening::Disturbance { text, .. } => {
            text.chars().count() + 5
        }
        Happening::LeftOut { .. } | Happening::End { .. } => 0,
    };
    let longest = sequence.rows.iter().map(label).max().unwrap_or(0);
    longest.clamp(GAP_MIN, GAP_MAX)
}
