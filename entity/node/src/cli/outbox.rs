//! `entity outbox`: the durable messages that nobody has acknowledged yet.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::console::{Failed, say};
use super::options::DataDir;
use crate::admin::{AskError, ask};

/// Show the durable messages that wait until the other side has them
///
/// Asks the node that runs in the data directory, through its admin socket.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity outbox\n  entity outbox --to entity-b --json\n\nStates:\n  waiting  not tried since the node was started\n  sent     sent, and sent again until it is acknowledged"
)]
pub(super) struct OutboxArgs {
    /// For this peer alone
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Show those after the message with this id
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Params<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a str>,
}

#[derive(Deserialize)]
struct Listing {
    messages: Vec<Line>,
    size: usize,
}

#[derive(Deserialize)]
struct Line {
    id: String,
    to: String,
    #[serde(rename = "type")]
    kind: String,
    state: String,
    attempts: u32,
}

pub(super) fn run(args: OutboxArgs) -> Result<(), Failed> {
    let params = Params { to: args.to.as_deref(), after: args.after.as_deref() };
    let listing = ask(&args.data_dir.resolve(), "outbox.list", &params)?;
    if args.json {
        say(listing);
        return Ok(());
    }
    let Listing { messages, size } = serde_json::from_str(listing.get())
        .map_err(|error| AskError::Broken(std::io::Error::other(error)))?;
    if messages.is_empty() {
        say("nothing waits");
        return Ok(());
    }
    let width = messages.iter().map(|line| line.to.len()).max().unwrap_or(0).max("to".len());
    say(format_args!("{:36}  {:width$}  state    attempts  type", "id", "to"));
    for Line { id, to, kind, state, attempts } in &messages {
        say(format_args!("{id:36}  {to:width$}  {state:7}  {attempts:8}  {kind}"));
    }
    if messages.len() < size {
        say(format_args!("{} of {size}; go on with --after", messages.len()));
    }
    Ok(())
}
