//! The one place that prints.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use handfast_report::book::Book;
use handfast_report::console::{Cells, Console};
use handfast_report::github::disarmed;
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::{clipped, tame, time};
use handfast_report::{matrix, summary, table};
use handfast_runner::sink::{EventSink, Progress};
use handfast_scenario::{ExitCode, Recorded};

use crate::around::{Around, Moving, Screen};
use crate::error::CommandError;

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Error,
}

impl Stream {
    /// Writes text; a reader that is gone (`handfast list | head`) is not an error.
    pub(crate) fn print(self, text: &str) {
        let written = match self {
            Self::Out => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
            Self::Error => io::stderr().lock().write_all(text.as_bytes()),
        };
        written.unwrap_or_default();
    }
}

impl Screen {
    /// Text as this screen can take it: for a GitHub job nothing in it is a command.
    fn shown(self, text: String) -> String {
        if self.is_job { disarmed(&text) } else { text }
    }
}

/// Prints what the parser of the command line has to say: help and version are no errors.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    error.print().unwrap_or_default();
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Passed }
}

/// Prints why a command ended early.
pub(crate) fn failed(error: &CommandError, around: &Around) -> ExitCode {
    let theme = match around.error.palette {
        Palette::Coloured => miette::GraphicalTheme::unicode(),
        Palette::Plain => miette::GraphicalTheme::unicode_nocolor(),
    };
    let mut text = String::new();
    let handler =
        miette::GraphicalReportHandler::new_themed(theme).with_width(100).with_links(false);
    match handler.render_report(&mut text, error.report.as_ref()) {
        Ok(()) => {}
        Err(_) => text = format!("{}\n", error.report),
    }
    Stream::Error.print(&around.error.shown(text));
    error.code
}

/// Shows a run to a person.
#[derive(Debug)]
pub(crate) struct ConsoleSink {
    console: Console,
    stream: Stream,
    screen: Screen,
    building: Option<Building>,
    /// How far something is that takes its time.
    passing: Option<String>,
    /// Passing lines that are on the screen below the lasting ones.
    drawn: usize,
    now_us: u64,
    last_words: Vec<String>,
}

/// A command that builds something.
#[derive(Debug)]
struct Building {
    what: String,
    began_us: u64,
    line: String,
}

/// Lines that move at most: a screen must keep room for what lasts.
const LIVE_LINES_MAX: usize = 8;

impl ConsoleSink {
    /// A console on a stream; `last_words` are lines to print before the closing one.
    pub(crate) fn new(stream: Stream, screen: Screen, last_words: Vec<String>) -> Self {
        let cells = match screen.moving {
            Moving::Redrawn => Cells::Drawn,
            Moving::Lasting => Cells::Listed,
        };
        let console = Console::new(screen.palette, cells);
        Self {
            console,
            stream,
            screen,
            building: None,
            passing: None,
            drawn: 0,
            now_us: 0,
            last_words,
        }
    }

    fn last(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut all = self.erase();
        all.push_str(text);
        self.stream.print(&self.screen.shown(all));
    }

    /// The codes that take the passing lines away.
    fn erase(&mut self) -> String {
        let drawn = std::mem::take(&mut self.drawn);
        if drawn == 0 { String::new() } else { format!("\u{1b}[{drawn}A\u{1b}[J") }
    }

    fn draw(&mut self) {
        let columns = columns().saturating_sub(1);
        // A grid takes the screen; what lasts scrolls above it.
        let is_grid = !self.console.book().grid().is_empty();
        let lines_max = if is_grid { rows().saturating_sub(3) } else { LIVE_LINES_MAX };
        let mut lines = self.console.live(self.now_us, columns, lines_max);
        if let Some(building) = &self.building {
            let elapsed = time(self.now_us.saturating_sub(building.began_us));
            let line = format!("building {} {elapsed}  {}", building.what, building.line.trim());
            lines.push(clipped(&tame(&line), columns));
        }
        lines.extend(self.passing.iter().map(|line| clipped(line, columns)));
        let mut text = self.erase();
        for line in &lines {
            let line =
                if is_grid { line.clone() } else { self.screen.palette.paint(Ink::Faint, line) };
            text.push_str(&line);
            text.push('\n');
        }
        self.drawn = lines.len();
        if !text.is_empty() {
            self.stream.print(&text);
        }
    }
}

impl EventSink for ConsoleSink {
    fn event(&mut self, recorded: &Recorded) {
        let text = self.console.read(recorded);
        self.last(&text);
    }

    fn progress(&mut self, progress: &Progress) {
        let palette = self.screen.palette;
        match progress {
            Progress::Building { what, command } => {
                let (what, line) = (what.clone(), String::new());
                self.last(&format!(
                    "building {what}: {}\n",
                    palette.paint(Ink::Faint, tame(command))
                ));
                self.building = Some(Building { what, began_us: self.now_us, line });
            }
            Progress::BuildLine { line, .. } => {
                if let Some(building) = &mut self.building {
                    building.line.clone_from(line);
                }
            }
            Progress::Built { what, duration_us } => {
                self.building = None;
                self.last(&format!("built {what} in {}\n", time(*duration_us)));
            }
            Progress::BuildFailed { reason, last_lines, .. } => {
                self.building = None;
                let mut text = format!("\n{}\n", palette.paint(Ink::Bad, tame(reason)));
                for line in last_lines {
                    // Writing to a text cannot fail.
                    writeln!(text, "    {}", tame(line)).unwrap_or_default();
                }
                text.push('\n');
                self.last(&text);
            }
            Progress::Passing { line } => self.passing = Some(tame(line)),
            Progress::Note { text } => {
                self.last(&format!("{}\n", palette.paint(Ink::Doubtful, tame(text))));
            }
        }
    }

    fn tick(&mut self, now_us: u64) {
        // Ticks come with every event; ten drawings a second are enough.
        let due = now_us / 100_000 != self.now_us / 100_000;
        self.now_us = now_us;
        if due && self.screen.moving == Moving::Redrawn {
            self.draw();
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        let mut text = self.last_words.join("\n");
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&table::closing_line(self.console.book()));
        text.push('\n');
        self.last(&text);
        Ok(())
    }
}

/// Shows only progress, for a command that makes no run.
#[derive(Debug)]
pub(crate) struct ProgressSink {
    inner: ConsoleSink,
}

impl ProgressSink {
    /// On standard error: standard output belongs to the command's result.
    pub(crate) fn new(screen: Screen) -> Self {
        Self { inner: ConsoleSink::new(Stream::Error, screen, Vec::new()) }
    }
}

impl EventSink for ProgressSink {
    fn event(&mut self, _recorded: &Recorded) {}

    fn progress(&mut self, progress: &Progress) {
        self.inner.progress(progress);
    }

    fn tick(&mut self, now_us: u64) {
        self.inner.tick(now_us);
    }

    fn finish(&mut self) -> io::Result<()> {
        let text = self.inner.erase();
        Stream::Error.print(&text);
        Ok(())
    }
}

/// Prints the summary of a run as JSON on standard output, once the run is over.
#[derive(Debug, Default)]
pub(crate) struct JsonSink {
    book: Book,
}

impl EventSink for JsonSink {
    fn event(&mut self, recorded: &Recorded) {
        self.book.read(recorded);
    }

    fn finish(&mut self) -> io::Result<()> {
        let text = serde_json::to_string_pretty(&summary::summary(&self.book))?;
        Stream::Out.print(&json(&text));
        Ok(())
    }
}

/// Prints the matrix of a run on standard output, once the run is over.
#[derive(Debug)]
pub(crate) struct MatrixSink {
    book: Book,
    form: MatrixForm,
}

/// The form in which a matrix is printed for a program or a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatrixForm {
    /// One JSON object.
    Json,
    /// A table in Markdown.
    Markdown,
}

impl MatrixSink {
    /// One that has heard nothing.
    pub(crate) fn new(form: MatrixForm) -> Self {
        Self { book: Book::new(), form }
    }
}

impl EventSink for MatrixSink {
    fn event(&mut self, recorded: &Recorded) {
        self.book.read(recorded);
    }

    fn finish(&mut self) -> io::Result<()> {
        let text = match self.form {
            MatrixForm::Json => {
                json(&serde_json::to_string_pretty(&matrix::json::summary(&self.book))?)
            }
            MatrixForm::Markdown => matrix::markdown::markdown(self.book.grid()),
        };
        Stream::Out.print(&text);
        Ok(())
    }
}

/// JSON as it is printed: the same value, in which a GitHub job finds no `##[`, which can only stand in a string.
fn json(text: &str) -> String {
    text.replace("##[", "##\\u005b") + "\n"
}

/// How many lines the terminal has.
fn rows() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    let size = size.or_else(|_| rustix::termios::tcgetwinsize(io::stdout()));
    size.map_or(24, |size| usize::from(size.ws_row)).max(10)
}

/// How many characters a line of the terminal holds.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(io::stderr());
    let size = size.or_else(|_| rustix::termios::tcgetwinsize(io::stdout()));
    size.map_or(80, |size| usize::from(size.ws_col)).max(20)
}
