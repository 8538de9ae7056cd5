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
        let start = floor_boundary(text, range.start);
        let end = floor_boundary(text, range.end).max(start);
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { start, end, line, column }
    }
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
    fn a_range_past_the_end_points_at_the_end() {
        check("ab", 7..9, 1, 3);
    }
}
