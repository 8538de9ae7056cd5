//! `handfast replay`

use std::path::PathBuf;

use handfast_report::book::Book;
use handfast_report::html::HtmlReport;
use handfast_report::{ctrf, junit};
use handfast_runner::project::Loaded;
use handfast_runner::record::Records;
use handfast_runner::sink::{self, EventSink};
use handfast_scenario::{ExitCode, Recorded, RunEvent};

use super::selection::load;
use crate::around::{Around, Moving, Screen};
use crate::console::{ConsoleSink, JsonSink, Stream};
use crate::error::CommandError;
use crate::github::GithubSink;

/// Show a recorded run once more
///
/// Feeds the events of the record into the same outputs as a live run and ends with its exit code.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The run: its id, the beginning of it, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    run: String,
    /// Print the summary as JSON on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
    /// Write a file in the form of `JUnit` here, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the run as one HTML page here, too
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the run in the Common Test Report Format here, too
    #[arg(long, value_name = "FILE")]
    ctrf: Option<PathBuf>,
    /// Say what a GitHub job is told: its page, on standard output where this is no job, and annotations
    #[arg(long, conflicts_with = "json")]
    github: bool,
}

const EXAMPLES: &str = "\
Examples:
  handfast replay                              the last run
  handfast replay 20261122-09 --html run.html  the run whose id begins so, as a page
  handfast replay last --ctrf ctrf.json --junit junit.xml
  handfast replay last --github > page.md      the page of a GitHub job";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded: Loaded = load(around)?;
    let events = Records::of(&loaded.root).read(&args.run).map_err(CommandError::usage)?;
    let is_taken = args.json || args.github;
    let (stream, screen) =
        if is_taken { (Stream::Error, around.error) } else { (Stream::Out, around.out) };
    // Nothing moves in a run that is over.
    let screen = Screen { moving: Moving::Lasting, ..screen };
    let mut sinks: Vec<Box<dyn EventSink>> =
        vec![Box::new(ConsoleSink::new(stream, screen, Vec::new()))];
    if args.json {
        sinks.push(Box::new(JsonSink::default()));
    }
    if let Some(path) = args.junit {
        sinks.push(Box::new(JUnitSink { path, book: Book::new() }));
    }
    if let Some(path) = args.html {
        sinks.push(Box::new(HtmlSink { path, report: HtmlReport::new() }));
    }
    if let Some(path) = args.ctrf {
        sinks.push(Box::new(CtrfSink { path, book: Book::new() }));
    }
    if args.github {
        sinks.push(Box::new(GithubSink::of_replay(around, &loaded.root)));
    }
    sink::replay(&events, &mut sinks)
        .map_err(|error| CommandError::infra(&error, "the outputs could not be written"))?;
    Ok(exit_of(&events))
}

/// A run that has no end was killed: what it would have ended with nobody knows.
fn exit_of(events: &[Recorded]) -> ExitCode {
    match events.last().map(|recorded| &recorded.event) {
        Some(RunEvent::RunEnded { exit, .. }) => *exit,
        Some(_) | None => ExitCode::Infrastructure,
    }
}

struct JUnitSink {
    path: PathBuf,
    book: Book,
}

impl EventSink for JUnitSink {
    fn event(&mut self, recorded: &Recorded) {
        self.book.read(recorded);
    }

    fn finish(&mut self) -> std::io::Result<()> {
        std::fs::write(&self.path, junit::junit(&self.book)?)
    }
}

struct CtrfSink {
    path: PathBuf,
    book: Book,
}

impl EventSink for CtrfSink {
    fn event(&mut self, recorded: &Recorded) {
        self.book.read(recorded);
    }

    fn finish(&mut self) -> std::io::Result<()> {
        std::fs::write(&self.path, ctrf::text(&self.book)?)
    }
}

struct HtmlSink {
    path: PathBuf,
    report: HtmlReport,
}

impl EventSink for HtmlSink {
    fn event(&mut self, recorded: &Recorded) {
        self.report.read(recorded);
    }

    fn finish(&mut self) -> std::io::Result<()> {
        std::fs::write(&self.path, self.report.render())
    }
}
