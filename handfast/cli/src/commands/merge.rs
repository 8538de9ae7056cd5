//! `handfast merge`

use std::path::{Path, PathBuf};

use handfast_history::RunRow;
use handfast_lab::Clock;
use handfast_runner::merge::{self, FindError, Judgement, Merged};
use handfast_runner::record::{RecordSink, Records};
use handfast_runner::sink::EventSink;
use handfast_scenario::ExitCode;

use super::run::last_words;
use super::selection::load;
use super::session::new_id;
use super::telling::{NotifyArgs, Telling};
use crate::around::{Around, Moving, Screen};
use crate::console::{ConsoleSink, JsonSink, Stream, failed};
use crate::error::CommandError;
use crate::github::GithubSink;

/// Make one record of those of all shards, with the exit code of the whole
///
/// Takes folders that are records or have records in them, such as the artifacts that a CI system has downloaded side by side, and leaves one record
/// in .handfast/runs/ with all reports. A shard that is missing, there twice, killed or of another partition is named and ends it with exit code 3 (or 1,
/// if the product failed); everything that is there is merged and shown all the same. What the shards found goes into this machine's history, so that the
/// next partition knows how long everything takes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Records, or folders with records in them
    #[arg(value_name = "FOLDER", required = true)]
    folders: Vec<PathBuf>,
    /// Print the summary as JSON on standard output, everything else on standard error
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    notify: NotifyArgs,
}

const EXAMPLES: &str = "\
Examples:
  handfast merge shards/                       all records below this folder
  handfast merge shard-1 shard-2 shard-3
  handfast merge shards/ --json > summary.json
  handfast replay last --html report.html      the merged record is one like any other";

/// Carries out the command.
pub(crate) fn run(args: Args, around: &Around) -> Result<ExitCode, CommandError> {
    args.notify.tell(around, |telling| work(&args, around, telling))
}

fn work(args: &Args, around: &Around, telling: &Telling) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let judgement = merge::judge(find(&args.folders, around)?);
    let clock = Clock::start();
    let id = new_id(clock)?;
    let records = Records::of(&loaded.root);
    let folder = records.folder_of(&id);
    let shown = folder.strip_prefix(&loaded.root).unwrap_or(&folder).display().to_string();
    let head = RunRow {
        run: id,
        started_unix_us: merge::started_unix_us(&judgement),
        handfast: env!("CARGO_PKG_VERSION").to_owned(),
        command: around.command.clone(),
        seed: judgement.parts().first().map_or(0, |part| part.part.seed),
        record: shown.clone(),
    };
    let unrecorded = |error: std::io::Error| {
        CommandError::infra(&error, "the merged record could not be written")
    };
    let record = RecordSink::create(&folder).map_err(unrecorded)?;
    let mut sinks = sinks(args, around, &loaded.root, &shown);
    sinks.insert(0, Box::new(record));
    let settings = loaded.project.notify.as_ref();
    telling.begin(around, &loaded.root, &loaded.project.name, settings, (&head.run, clock))?;
    // Last, because its end waits until what the others say is told.
    sinks.extend(telling.sink());
    let merged = merge::weave(&judgement, &head, |recorded| {
        for sink in &mut sinks {
            sink.event(recorded);
        }
    });
    let merged =
        merged.map_err(|error| CommandError::infra(&error, "the records could not be merged"))?;
    // Each is tried, whatever became of the others.
    let mut kept = Ok(());
    for sink in &mut sinks {
        kept = kept.and(sink.finish().map_err(unrecorded));
    }
    kept = kept.and(remember(&loaded.root, &judgement, &head, &merged, clock));
    // Only now: what was merged may be among the oldest.
    kept = kept.and(records.make_room().map_err(unrecorded));
    match kept {
        // That the product failed is what the whole has found, and stays so.
        Err(error) if merged.exit == ExitCode::ProductFailure => {
            failed(&error, around);
            Ok(merged.exit)
        }
        kept => kept.map(|()| merged.exit),
    }
}

fn remember(
    root: &Path,
    judgement: &Judgement,
    head: &RunRow,
    merged: &Merged,
    clock: Clock,
) -> Result<(), CommandError> {
    let open = || handfast_history::History::open(&root.join(".handfast"));
    merge::remember(open, judgement, head, merged, clock.started_unix_us())
        .map_err(|error| CommandError::infra(&error, "the history could not be written"))
}

fn find(folders: &[PathBuf], around: &Around) -> Result<Vec<merge::Found>, CommandError> {
    let named: Vec<PathBuf> = folders.iter().map(|folder| around.folder.join(folder)).collect();
    let mut found = merge::find(&named).map_err(|error| match &error {
        FindError::Folder { source, .. } => CommandError::usage_text(
            format!("{error}: {source}"),
            "name the folders of records, or the folder in which CI has put them",
        ),
        FindError::TooMany { .. } => {
            CommandError::usage_text(error, "name a folder with nothing but records in it")
        }
    })?;
    for record in &mut found {
        let below = record.shown.strip_prefix(&around.folder.display().to_string());
        let below = below.map(|below| below.trim_start_matches('/'));
        record.shown = below.filter(|below| !below.is_empty()).unwrap_or(&record.shown).to_owned();
    }
    if found.is_empty() {
        let error = std::io::Error::other(
            "a record is a folder with events.jsonl; did the shards keep theirs, .handfast/runs?",
        );
        return Err(CommandError::infra(&error, "there is no record in these folders"));
    }
    Ok(found)
}

fn sinks(args: &Args, around: &Around, root: &Path, record: &str) -> Vec<Box<dyn EventSink>> {
    let (stream, screen) =
        if args.json { (Stream::Error, around.error) } else { (Stream::Out, around.out) };
    // Nothing moves in a run that is over.
    let screen = Screen { moving: Moving::Lasting, ..screen };
    let last_words = vec![last_words(record)];
    let mut sinks: Vec<Box<dyn EventSink>> =
        vec![Box::new(ConsoleSink::new(stream, screen, last_words))];
    if args.json {
        sinks.push(Box::new(JsonSink::default()));
    }
    if let Some(github) = GithubSink::of_job(around, root, stream) {
        sinks.push(Box::new(github));
    }
    sinks
}
