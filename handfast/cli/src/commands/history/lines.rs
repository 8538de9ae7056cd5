//! `handfast history export` and `handfast history import`

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

use handfast_history::export::ExportError;
use handfast_history::import::{ImportError, Imported};
use handfast_lab::clock::unix_us;
use handfast_scenario::ExitCode;
use serde_json::json;

use super::open;
use crate::around::Around;
use crate::console::Stream;
use crate::error::CommandError;

/// Write the whole history as JSON lines: to keep it, or to take it into that of another machine
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  handfast history export history.jsonl\n  handfast history export history.jsonl --json"
)]
pub(super) struct ExportArgs {
    /// The file; one that is there is replaced when all lines are written
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the number of rows as JSON
    #[arg(long)]
    json: bool,
}

/// Take in what `handfast history export` has written: all of a file, or nothing
///
/// What is there already is left as it is, so that the same file can come in twice. A row that says something else than the history, or something of
/// the future, is refused with its line.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  handfast history import history.jsonl\n  handfast history import history.jsonl --json"
)]
pub(super) struct ImportArgs {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print the numbers of rows as JSON
    #[arg(long)]
    json: bool,
}

/// Carries out the export.
pub(super) fn export(args: &ExportArgs, around: &Around) -> Result<ExitCode, CommandError> {
    let history = open(around)?;
    let file = around.folder.join(&args.file);
    let mut new = file.clone().into_os_string();
    new.push(".new");
    let new = PathBuf::from(new);
    let unwritten = |error: ExportError| {
        drop(fs::remove_file(&new));
        match error {
            ExportError::Write(error) => CommandError::usage_text(
                format!("{} cannot be written: {error}", args.file.display()),
                "name a file in a folder that is there and has room",
            ),
            error @ ExportError::History(_) => {
                CommandError::infra(&error, "the history cannot be exported")
            }
        }
    };
    let rows = File::create(&new)
        .map_err(ExportError::Write)
        .and_then(|out| history.export(BufWriter::new(out)))
        .map_err(unwritten)?;
    fs::rename(&new, &file).map_err(|error| unwritten(ExportError::Write(error)))?;
    Stream::Out.print(&if args.json {
        format!("{}\n", json!({ "rows": rows }))
    } else {
        format!("{rows} rows are in {}\n", args.file.display())
    });
    Ok(ExitCode::Passed)
}

/// Carries out the import.
pub(super) fn import(args: &ImportArgs, around: &Around) -> Result<ExitCode, CommandError> {
    let input = File::open(around.folder.join(&args.file)).map_err(|error| {
        let error = format!("{} cannot be read: {error}", args.file.display());
        CommandError::usage_text(error, "`handfast history export FILE` writes such a file")
    })?;
    let imported = open(around)?
        .import(BufReader::new(input), unix_us())
        .map_err(|error| refused(&args.file, &error))?;
    let Imported { added, known } = imported;
    Stream::Out.print(&if args.json {
        format!("{}\n", json!({ "added": added, "known": known }))
    } else {
        format!("{added} rows have come in, {known} were there\n")
    });
    Ok(ExitCode::Passed)
}

fn refused(file: &Path, error: &ImportError) -> CommandError {
    match error {
        ImportError::Line { .. } => CommandError::usage_text(
            format!("{}: {error}", file.display()),
            "nothing of the file has come in; `handfast history export FILE` writes one that does",
        ),
        ImportError::Read { .. } | ImportError::History(_) => {
            CommandError::infra(error, "nothing of the file has come in")
        }
    }
}
