//! One record, event by event: a merged run may be larger than memory.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use handfast_scenario::Recorded;
use handfast_scenario::event::read_record;

/// Bytes of one line at most: that of a matrix of the greatest size has less.
pub const LINE_LEN_MAX: u64 = 256 * 1024 * 1024;

/// The events of a record. After a line that is no event there is nothing more: what it said is not known, and what follows may rest on it.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<File>,
    line: usize,
    text: String,
    is_over: bool,
}

/// Why a record does not go on.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is no record of this format.
    #[error(transparent)]
    Head(handfast_scenario::event::RecordError),
    /// A line is no event.
    #[error("line {line} is no event: {source}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What the decoder says.
        source: serde_json::Error,
    },
    /// A line is longer than [`LINE_LEN_MAX`].
    #[error("line {line} has more than {LINE_LEN_MAX} bytes")]
    TooLong {
        /// Which line, from 1.
        line: usize,
    },
}

impl Lines {
    /// Opens a file of events.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub fn open(file: &Path) -> io::Result<Self> {
        let reader = BufReader::with_capacity(64 * 1024, File::open(file)?);
        Ok(Self { reader, line: 0, text: String::new(), is_over: false })
    }

    /// The line of the event that was read last.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    fn read(&mut self) -> Result<Option<Recorded>, LineError> {
        self.text.clear();
        self.line += 1;
        let line = self.line;
        self.reader.by_ref().take(LINE_LEN_MAX + 1).read_line(&mut self.text)?;
        if self.text.len() as u64 > LINE_LEN_MAX {
            return Err(LineError::TooLong { line });
        }
        // A run that was killed ends in the middle of a line.
        if !self.text.ends_with('\n') {
            return Ok(None);
        }
        if line == 1 {
            let first = read_record(&self.text).map_err(LineError::Head)?;
            return Ok(first.into_iter().next());
        }
        match serde_json::from_str(&self.text) {
            Ok(recorded) => Ok(Some(recorded)),
            Err(source) => Err(LineError::Line { line, source }),
        }
    }
}

impl Iterator for Lines {
    type Item = Result<Recorded, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let read = self.read().transpose();
        self.is_over = !matches!(read, Some(Ok(_)));
        read
    }
}
