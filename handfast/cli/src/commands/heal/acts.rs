//! `handfast heal acts`

use std::fs;
use std::io;

use handfast_heal::ledger::{self, Summary};
use handfast_runner::project::FILE;
use handfast_runner::record::{HEALINGS, Records};
use handfast_scenario::ExitCode;

use crate::around::Around;
use crate::commands::selection::load;
use crate::console::Stream;
use crate::error::CommandError;

/// Show what was done about the failures of a run
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  handfast heal acts\n  handfast heal acts 20261123-09\n  handfast heal acts last --json"
)]
pub(super) struct Args {
    /// The run: an id, the beginning of one, or `last`
    #[arg(value_name = "RUN", default_value = "last")]
    run: String,
    /// Print the lines of the ledger as JSON
    #[arg(long)]
    json: bool,
}

/// Carries out the command.
pub(super) fn run(args: &Args, around: &Around) -> Result<ExitCode, CommandError> {
    let loaded = load(around)?;
    let records = Records::of(&loaded.root);
    let run = records.find(&args.run).map_err(CommandError::usage)?;
    let path = records.folder_of(&run).join(HEALINGS);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => ledger::head_line(),
        Err(error) => return Err(CommandError::infra(&error, "the ledger cannot be read")),
    };
    let shown = path.strip_prefix(&loaded.root).unwrap_or(&path).display().to_string();
    let entries = ledger::read(&shown, &text).map_err(|error| {
        CommandError::usage_text(error, format!("the project is that of {FILE}"))
    })?;
    let text = if args.json {
        let entries: Vec<_> = entries.iter().map(ledger::Entry::to_value).collect();
        format!("{:#}\n", serde_json::Value::from(entries))
    } else if entries.is_empty() {
        format!("run {run}: nothing failed, and nothing was done\n")
    } else {
        format!("run {run}\n{}", Summary::of(&run, &entries))
    };
    Stream::Out.print(&text);
    Ok(ExitCode::Passed)
}
