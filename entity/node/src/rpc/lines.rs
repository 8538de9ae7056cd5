//! Bounded lines from and to blocking streams, each on a thread of its own.
//!
//! Standard input and output cannot be used without blocking, and the admin socket is too rare to deserve another way.

use std::io::{BufRead, BufReader, Read, Write};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::debug;

/// The longest line in bytes, without its end: 4 MiB, as the contract says.
pub use entity_contract::methods::LINE_LEN_MAX;

/// Lines read ahead of the conversation, and lines waiting to be written. Guessed: enough to keep both sides busy.
const LINES_WAITING_MAX: usize = 256;

/// What the threads need; they hold no deep stacks.
const STACK_LEN: usize = 256 * 1024;

/// One line, or that one was longer than [`LINE_LEN_MAX`] and is gone.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// The line without its end.
    Text(String),
    /// It was too long.
    TooLong,
    /// It was not UTF-8.
    NotText,
}

/// Reads lines until the stream ends; the channel closes then. Empty lines are skipped.
///
/// # Errors
///
/// What the system says when it cannot start a thread.
pub fn read_from(stream: impl Read + Send + 'static) -> std::io::Result<mpsc::Receiver<Line>> {
    let (sender, receiver) = mpsc::channel(LINES_WAITING_MAX);
    let reading = move || {
        let mut stream = BufReader::with_capacity(64 * 1024, stream);
        loop {
            match next_line(&mut stream) {
                Ok(Some(Line::Text(text))) if text.is_empty() => {}
                Ok(Some(line)) => {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => return debug!(%error, "cannot read the next line"),
            }
        }
    };
    thread::Builder::new().name("lines-in".to_owned()).stack_size(STACK_LEN).spawn(reading)?;
    Ok(receiver)
}

fn next_line(stream: &mut impl BufRead) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    let limit = u64::try_from(LINE_LEN_MAX + 1).unwrap_or(u64::MAX);
    if stream.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    } else if line.len() > LINE_LEN_MAX {
        stream.skip_until(b'\n')?;
        return Ok(Some(Line::TooLong));
    }
    Ok(Some(String::from_utf8(line).map_or(Line::NotText, Line::Text)))
}

/// The writing end of a stream of lines.
#[derive(Debug)]
pub struct Writer {
    lines: mpsc::Sender<String>,
    written: oneshot::Receiver<()>,
}

impl Writer {
    /// Starts to write lines to `stream`; each is flushed unless another waits already.
    ///
    /// # Errors
    ///
    /// What the system says when it cannot start a thread.
    pub fn to(mut stream: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (lines, mut waiting) = mpsc::channel::<String>(LINES_WAITING_MAX);
        let (done, written) = oneshot::channel();
        let writing = move || {
            while let Some(line) = waiting.blocking_recv() {
                let mut block = line.into_bytes();
                block.push(b'\n');
                while let Ok(line) = waiting.try_recv() {
                    block.extend_from_slice(line.as_bytes());
                    block.push(b'\n');
                }
                if let Err(error) = stream.write_all(&block).and_then(|()| stream.flush()) {
                    debug!(%error, "cannot write a line");
                    break;
                }
            }
            if done.send(()).is_err() {
                debug!("nobody waits for the last line");
            }
        };
        thread::Builder::new().name("lines-out".to_owned()).stack_size(STACK_LEN).spawn(writing)?;
        Ok(Self { lines, written })
    }

    /// Where to put lines.
    pub fn lines(&self) -> mpsc::Sender<String> {
        self.lines.clone()
    }

    /// Waits until everything is written, once all senders are gone; a reader that stopped reading is not waited for longer
    /// than a second.
    pub async fn close(self) {
        drop(self.lines);
        if tokio::time::timeout(Duration::from_secs(1), self.written).await.is_err() {
            debug!("the other side does not read the last lines");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expected: &[Line]) {
        let mut stream = BufReader::with_capacity(64, input);
        let mut lines = Vec::new();
        while let Some(line) = next_line(&mut stream).unwrap() {
            lines.push(line);
        }
        assert_eq!(lines, expected);
    }

    fn text(text: &str) -> Line {
        Line::Text(text.to_owned())
    }

    #[test]
    fn lines_end_with_a_newline_or_the_stream() {
        check(b"", &[]);
        check(b"a\nb\r\n\nc", &[text("a"), text("b"), text(""), text("c")]);
        check(b"\xff\na\n", &[Line::NotText, text("a")]);
    }

    #[test]
    fn a_line_at_the_limit_passes_and_one_byte_more_does_not() {
        let fitting = "x".repeat(LINE_LEN_MAX);
        check(format!("{fitting}\nnext\n").as_bytes(), &[text(&fitting), text("next")]);
        check(format!("{fitting}x\nnext\n").as_bytes(), &[Line::TooLong, text("next")]);
        check(format!("{fitting}{fitting}").as_bytes(), &[Line::TooLong]);
    }

    #[tokio::test]
    async fn what_is_written_can_be_read() {
        let (here, there) = std::os::unix::net::UnixStream::pair().unwrap();
        let writer = Writer::to(here).unwrap();
        let mut lines = read_from(there).unwrap();
        for line in ["a", "b"] {
            writer.lines().send(line.to_owned()).await.unwrap();
        }
        writer.close().await;
        assert_eq!(lines.recv().await, Some(text("a")));
        assert_eq!(lines.recv().await, Some(text("b")));
        assert_eq!(lines.recv().await, None);
    }
}
