//! What a peer writes on stderr: its beginning and its end, whatever it writes in between.

use std::collections::VecDeque;

/// Longest log line kept whole, in bytes.
pub const LOG_LINE_MAX: usize = 8 * 1024;

/// How much of the beginning of a log is kept, in bytes (guessed: a healthy peer's whole log).
pub const LOG_HEAD_MAX: usize = 256 * 1024;

/// How much of the end of a log is kept, in bytes (guessed: what explains a crash).
pub const LOG_TAIL_MAX: usize = 64 * 1024;

/// The beginning and the end of what a peer wrote on stderr.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturedLog {
    /// The first lines, at most [`LOG_HEAD_MAX`] bytes.
    pub head: Vec<LogLine>,
    /// Lines between head and tail that were thrown away.
    pub dropped_lines: u64,
    /// Their size, in bytes.
    pub dropped_bytes: u64,
    /// The last lines, none of which is in the head; at most [`LOG_TAIL_MAX`] bytes.
    pub tail: VecDeque<LogLine>,
    head_bytes: usize,
    tail_bytes: usize,
}

/// A line on a peer's stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was complete, in microseconds since the run started.
    pub at_us: u64,
    /// The line without its end, cut to [`LOG_LINE_MAX`] bytes; bytes that are not UTF-8 are
    /// replaced.
    pub text: String,
    /// Whether the line was longer.
    pub truncated: bool,
}

impl CapturedLog {
    /// Adds a line; `true` if it belongs to the head.
    pub(crate) fn push(&mut self, line: LogLine) -> bool {
        // An empty line costs memory too.
        let size = line.text.len() + size_of::<LogLine>();
        let head_is_open = self.tail.is_empty() && self.dropped_lines == 0;
        if head_is_open && self.head_bytes + size <= LOG_HEAD_MAX {
            self.head_bytes += size;
            self.head.push(line);
            return true;
        }
        self.tail_bytes += size;
        self.tail.push_back(line);
        while self.tail_bytes > LOG_TAIL_MAX
            && let Some(dropped) = self.tail.pop_front()
        {
            self.tail_bytes -= dropped.text.len() + size_of::<LogLine>();
            self.dropped_lines += 1;
            self.dropped_bytes += dropped.text.len() as u64;
        }
        false
    }

    /// All kept lines in order; those dropped are missing between head and tail.
    pub fn lines(&self) -> impl Iterator<Item = &LogLine> {
        self.head.iter().chain(&self.tail)
    }
}

/// Cuts a stream of bytes into lines of bounded length.
#[derive(Debug, Default)]
pub(crate) struct LineCutter {
    partial: Vec<u8>,
    overlong: bool,
}

impl LineCutter {
    /// Takes bytes and gives each line they complete, with whether it was cut.
    pub(crate) fn push(&mut self, mut bytes: &[u8], mut complete: impl FnMut(String, bool)) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            let (line, rest) = bytes.split_at(end);
            self.keep(line);
            bytes = rest.get(1..).unwrap_or_default();
            let (text, truncated) = self.take();
            complete(text, truncated);
        }
        self.keep(bytes);
    }

    /// The unfinished last line, if there is one.
    pub(crate) fn finish(&mut self) -> Option<(String, bool)> {
        (!self.partial.is_empty()).then(|| self.take())
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LOG_LINE_MAX - self.partial.len();
        self.overlong |= bytes.len() > room;
        self.partial.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn take(&mut self) -> (String, bool) {
        let line = std::mem::take(&mut self.partial);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        (String::from_utf8_lossy(line).into_owned(), std::mem::take(&mut self.overlong))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(chunks: &[&[u8]], expected: &[(&str, bool)]) {
        let mut cutter = LineCutter::default();
        let mut seen = Vec::new();
        for chunk in chunks {
            cutter.push(chunk, |text, truncated| seen.push((text, truncated)));
        }
        seen.extend(cutter.finish());
        let expected: Vec<_> = expected.iter().map(|&(t, cut)| (t.to_owned(), cut)).collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        check(
            &[b"on", b"e\ntw", b"o\r\n", b"\nrest"],
            &[("one", false), ("two", false), ("", false), ("rest", false)],
        );
    }

    #[test]
    fn a_longer_line_is_cut_and_the_next_is_whole() {
        let long = vec![b'x'; LOG_LINE_MAX + 1];
        let whole = "x".repeat(LOG_LINE_MAX);
        check(&[&long, b"y\nnext\n"], &[(&whole, true), ("next", false)]);
        check(&[whole.as_bytes(), b"\n"], &[(&whole, false)]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        check(&[b"a\xffb\n"], &[("a\u{fffd}b", false)]);
    }

    #[test]
    fn a_flood_keeps_its_beginning_and_its_end() {
        let mut log = CapturedLog::default();
        let total = 200_000_u64;
        let mut in_head = 0;
        for n in 0..total {
            let line = LogLine { at_us: n, text: format!("{n:08}"), truncated: false };
            in_head += u64::from(log.push(line));
        }
        assert_eq!(log.head.len() as u64, in_head);
        assert_eq!(log.head.len() as u64 + log.dropped_lines + log.tail.len() as u64, total);
        assert_eq!(log.head.first().unwrap().at_us, 0);
        assert_eq!(log.tail.back().unwrap().at_us, total - 1);
        let kept: usize = log.lines().map(|line| line.text.len() + size_of::<LogLine>()).sum();
        assert!(kept <= LOG_HEAD_MAX + LOG_TAIL_MAX, "{kept}");
        assert_eq!(log.dropped_bytes, log.dropped_lines * 8);
    }
}
