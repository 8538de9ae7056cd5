//! Programs that are not peers: builds and foreign test tools.
//!
//! Each has a reaper of its own, like a unit: whatever happens to handfast, nothing that a compiler or
//! a test tool started is left.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, PipeReader, Read as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use handfast_lab::Exit;
use handfast_lab::reaper::{Reaper, Running, SpawnOrder};
use tokio::sync::mpsc;

/// Longest line that is kept, in bytes; a longer one is cut into several.
const LINE_LEN_MAX: u64 = 1024 * 1024;

/// Lines that may wait to be read.
pub(crate) const LINES_QUEUED_MAX: usize = 1_024;

/// Where programs run under a reaper.
#[derive(Debug)]
pub struct Workshop {
    reaper: Vec<OsString>,
    run: String,
    folder: PathBuf,
    programs: AtomicU64,
}

/// A program and where it runs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    /// The program and its arguments.
    pub(crate) words: Vec<String>,
    /// Where it runs.
    pub(crate) folder: PathBuf,
    /// Further environment.
    pub(crate) env: BTreeMap<String, String>,
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output, or both in one.
    Out,
    /// Standard error.
    Error,
}

/// How the two outputs of a program are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outputs {
    /// Through one pipe: the order between them is kept.
    Merged,
    /// Apart.
    Apart,
}

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
#[error("failed to run {program}: {reason}")]
pub(crate) struct RunError {
    program: String,
    reason: String,
}

impl Workshop {
    /// A workshop whose reapers are made by `reaper` and work below `folder`, the run's own.
    pub fn new(reaper: Vec<OsString>, run: String, folder: PathBuf) -> Self {
        Self { reaper, run, folder, programs: AtomicU64::new(0) }
    }

    /// Runs a program to its end and hands over each line of its output.
    ///
    /// Dropping the future breaks the reaper's lifeline: the program and all it started end.
    pub(crate) async fn run(
        &self,
        program: &Program,
        outputs: Outputs,
        mut line: impl FnMut(Stream, String),
    ) -> Result<Exit, RunError> {
        let failed = |reason: String| RunError { program: program.text(), reason };
        let (sender, mut lines) = mpsc::channel(LINES_QUEUED_MAX);
        let stdio = stdio(outputs, sender).map_err(|error| failed(error.to_string()))?;
        let (reaper, running) = self.start(program, stdio).await?;
        let exit = loop {
            tokio::select! {
                biased;
                next = lines.recv() => match next {
                    Some((stream, text)) => line(stream, text),
                    None => break running.exited().await,
                },
                exit = running.exited() => break exit,
            }
        };
        // Something it left behind may hold its outputs open; the program itself is over.
        reaper.finish().await.map_err(|error| failed(error.to_string()))?;
        while let Some((stream, text)) = lines.recv().await {
            line(stream, text);
        }
        exit.ok_or_else(|| failed("its reaper ended first".to_owned()))
    }

    /// Starts a program with these as its standard streams. It ends with the reaper at the latest.
    pub(crate) async fn start(
        &self,
        program: &Program,
        stdio: [OwnedFd; 3],
    ) -> Result<(Reaper, Running), RunError> {
        let failed = |reason: String| RunError { program: program.text(), reason };
        let folder = self.new_folder().map_err(|error| failed(error.to_string()))?;
        let reaper = Reaper::start(&self.reaper, &self.run, &folder);
        let reaper = reaper.map_err(|error| failed(error.to_string()))?;
        let order = program.order().ok_or_else(|| failed("it has no words".to_owned()))?;
        let running = reaper.spawn(order, stdio).await;
        let running = running.map_err(|error| failed(error.to_string()))?;
        Ok((reaper, running))
    }

    /// A folder below the run's own, gone at its end.
    pub(crate) fn new_folder(&self) -> io::Result<PathBuf> {
        let number = self.programs.fetch_add(1, Ordering::Relaxed);
        let folder = self.folder.join(format!("program-{number}"));
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }
}

impl Program {
    /// The command as a person would type it.
    pub(crate) fn text(&self) -> String {
        self.words.join(" ")
    }

    fn order(&self) -> Option<SpawnOrder> {
        let (program, args) = self.words.split_first()?;
        Some(SpawnOrder {
            program: program.clone(),
            args: args.to_vec(),
            env: self.env.clone(),
            cwd: self.folder.to_string_lossy().into_owned(),
            groups: Vec::new(),
        })
    }
}

/// Nothing as standard input, and pipes that are read as the other two.
fn stdio(outputs: Outputs, sender: mpsc::Sender<(Stream, String)>) -> io::Result<[OwnedFd; 3]> {
    let input = OwnedFd::from(File::open("/dev/null")?);
    let (out, out_writer) = io::pipe()?;
    let error_writer = match outputs {
        Outputs::Merged => out_writer.try_clone()?,
        Outputs::Apart => {
            let (error, error_writer) = io::pipe()?;
            read_lines(error, Stream::Error, sender.clone())?;
            error_writer
        }
    };
    read_lines(out, Stream::Out, sender)?;
    Ok([input, out_writer.into(), error_writer.into()])
}

/// Reads a pipe line by line on a thread of its own; the thread ends with the pipe or its listener.
pub(crate) fn read_lines(
    pipe: PipeReader,
    stream: Stream,
    sender: mpsc::Sender<(Stream, String)>,
) -> io::Result<()> {
    let read = move || {
        let mut reader = BufReader::new(pipe);
        let mut bytes = Vec::new();
        while matches!((&mut reader).take(LINE_LEN_MAX).read_until(b'\n', &mut bytes), Ok(1..)) {
            let text = String::from_utf8_lossy(&bytes);
            let text = text.trim_end_matches(['\n', '\r']).to_owned();
            bytes.clear();
            if sender.blocking_send((stream, text)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("lines".to_owned()).spawn(read).map(drop)
}
