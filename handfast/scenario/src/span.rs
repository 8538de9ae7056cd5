//! Where something stands in a file.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A part of a text: byte offsets and, for people, the line and column of its start.
///
/// Shape: `start <= end`; `line` and `column` count from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte after the part.
    pub end: usize,
    /// Line of `start`.
    pub line: usize,
    /// Column of `start`.
    pub column: usize,
}

impl Span {
    /// The part `range` of `text`. A range outside the text is cut to it.
    pub fn of(text: &str, range: Range<usize>) -> Self {
        Places::new(text).span(range)
    }
}

/// Finds the lines and columns of a text without counting from its start each time, so that a file of
/// one long line takes no longer than any other.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    text: &'a str,
    /// Line and column at the first character from each multiple of [`STRIDE`] on, with its offset.
    marks: Vec<(usize, usize, usize)>,
}

/// Bytes between two marks.
const STRIDE: usize = 512;

impl<'a> Places<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let mut marks = Vec::with_capacity(text.len() / STRIDE + 1);
        let (mut line, mut column) = (1, 1);
        for (offset, letter) in text.char_indices() {
            if offset >= marks.len() * STRIDE {
                marks.push((offset, line, column));
            }
            (line, column) = after(letter, line, column);
        }
        Self { text, marks }
    }

    /// The part `range` of the text. A range outside the text is cut to it.
    pub(crate) fn span(&self, range: Range<usize>) -> Span {
        let start = floor_boundary(self.text, range.start);
        let end = floor_boundary(self.text, range.end).max(start);
        let index = self.marks.partition_point(|(offset, ..)| *offset <= start);
        let mark = index.checked_sub(1).and_then(|index| self.marks.get(index)).copied();
        let (offset, mut line, mut column) = mark.unwrap_or((0, 1, 1));
        for letter in self.text[offset..start].chars() {
            (line, column) = after(letter, line, column);
        }
        Span { start, end, line, column }
    }
}

fn after(letter: char, line: usize, column: usize) -> (usize, usize) {
    if letter == '\n' { (line + 1, 1) } else { (line, column + 1) }
}

impl From<Span> for miette::SourceSpan {
    fn from(span: Span) -> Self {
        (span.start, span.end - span.start).into()
    }
}

fn floor_boundary(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, range: Range<usize>, line: usize, column: usize) {
        let span = Span::of(text, range);
        assert_eq!((span.line, span.column), (line, column));
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        check("ab\ncd", 0..1, 1, 1);
        check("ab\ncd", 4..5, 2, 2);
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        check("äö = 1", 5..6, 1, 4);
    }

    #[test]
    fn a_place_far_from_the_start_is_counted_like_one_near_it() {
        let text = "ä\n".repeat(STRIDE) + &"x".repeat(3 * STRIDE);
        let places = Places::new(&text);
        for (offset, letter) in text.char_indices() {
            let before = &text[..offset];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            let span = places.span(offset..offset + letter.len_utf8());
            assert_eq!((span.line, span.column), (line, column), "at {offset}");
        }
    }

    #[test]
    fn a_range_past_the_end_points_at_the_end() {
        check("ab", 7..9, 1, 3);
    }
}
