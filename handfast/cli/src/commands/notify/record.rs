//! `handfast notify record`

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use handfast_notify::clock::unix_us;
use handfast_notify::outbox::write::When;
use handfast_notify::rules::Rules;
use handfast_notify::watch::{Brief, News, Watch};
use handfast_scenario::event::read_record;
use handfast_scenario::{ExitCode, Recorded, RunEvent, duration};

use super::super::telling::subject;
use super::{Told, say_all, unreadable, unusable};
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Tell what a recorded run found; telling it again changes nothing
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder of the run's record
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// What the run is news of
    #[arg(long, value_name = "SUBJECT")]
    subject: String,
    /// Address of the run in CI
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// For how long it is tried
    #[arg(long, value_name = "TIME", default_value = "1min", value_parser = duration::parse)]
    within: Duration,
}

pub(super) fn run(args: &Args, project: &Told, around: &Around) -> Result<ExitCode, CommandError> {
    let events = read(&args.folder)?;
    let Some(RunEvent::RunStarted { run, command, started_unix_us, .. }) =
        events.first().map(|recorded| &recorded.event)
    else {
        let error = std::io::Error::other("it does not begin with run_started");
        return Err(unreadable(&args.folder, &error));
    };
    let brief = Brief {
        project: project.config.project.clone(),
        subject: subject(&args.subject)?,
        run: run.clone(),
        command: command.clone(),
        link: args.link.clone().or_else(|| around.link.clone()),
        record: args.folder.display().to_string(),
        started_unix_us: *started_unix_us,
    };
    let settings = &project.config.settings;
    let mut watch = Watch::new(brief);
    let begun = watch.clone();
    let mut news = News::Died;
    for recorded in &events {
        if watch.hear(recorded, settings) == Some(News::Ended) {
            news = News::Ended;
        }
    }
    let mut outbox = project.outbox()?;
    if !outbox.begin(&begun, unix_us()).map_err(|error| unusable(&error))? {
        Stream::Out.print(&format!("{run} is told already\n"));
    }
    let told = outbox.apply(&watch, &news, &Rules::of(settings), When::now(unix_us()));
    say_all(&told.map_err(|error| unusable(&error))?);
    project.deliver(args.within)
}

/// The events of a record; a last line that is not whole is left out, as a killed run leaves it.
pub(super) fn read(folder: &Path) -> Result<Vec<Recorded>, CommandError> {
    let path = folder.join("events.jsonl");
    let text = fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?;
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    read_record(whole).map_err(|error| unreadable(&path, &error))
}
