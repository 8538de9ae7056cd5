//! `entity send`: one message from the running node.

use clap::{Args, ValueEnum};
use serde::Deserialize;

use super::console::{Failed, Kind, say};
use super::options::DataDir;
use crate::admin::{AskError, ask};

/// Send one message from the running node and wait for its answer
///
/// Asks the node that runs in the data directory, through its admin socket; a session is opened first where there is none.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity send entity-b\n  entity send entity-b --body '{\"text\":\"hello\"}' --seal require\n  entity send entity-b --type status --json\n  entity send entity-b --durable --body '{\"text\":\"arrives in any case\"}'"
)]
pub(super) struct SendArgs {
    /// The id of a peer the node knows
    to: String,
    /// The type of the message
    #[arg(long = "type", value_name = "TYPE", default_value = "message")]
    kind: String,
    /// The payload, a JSON object
    #[arg(long, value_name = "JSON", default_value = "{}")]
    body: String,
    /// Whether the payload travels sealed
    #[arg(long, value_enum, default_value = "auto")]
    seal: Seal,
    /// Keep the message and send it until the other side has it, across restarts of both; do not wait for that
    #[arg(long)]
    durable: bool,
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Seal {
    /// Where the session can
    Auto,
    /// In the clear
    Never,
    /// Or not at all
    Require,
}

#[derive(Deserialize)]
struct Receipt {
    session: String,
    sequence: u64,
    version: String,
    sealed: bool,
}

#[derive(Deserialize)]
struct Kept {
    id: String,
}

pub(super) fn run(args: SendArgs) -> Result<(), Failed> {
    let body: Box<serde_json::value::RawValue> =
        serde_json::from_str(&args.body).map_err(|error| {
            let help = "write a JSON object, for example --body '{\"text\":\"hello\"}'".to_owned();
            Failed::new(
                Kind::Usage,
                std::io::Error::other(format!("read --body: {error}")),
                Some(help),
            )
        })?;
    let seal = match args.seal {
        Seal::Auto => "auto",
        Seal::Never => "never",
        Seal::Require => "require",
    };
    let durable = args.durable;
    let params = SendParams { to: &args.to, kind: &args.kind, body: &body, seal, durable };
    let receipt = ask(&args.data_dir.resolve(), "message.send", &params)?;
    if args.json {
        say(receipt);
        return Ok(());
    }
    if args.durable {
        let Kept { id } = serde_json::from_str(receipt.get())
            .map_err(|error| AskError::Broken(std::io::Error::other(error)))?;
        say(format_args!(
            "kept for {} as {id}; `entity outbox` shows it until it is acknowledged",
            args.to
        ));
        return Ok(());
    }
    let Receipt { session, sequence, version, sealed } = serde_json::from_str(receipt.get())
        .map_err(|error| AskError::Broken(std::io::Error::other(error)))?;
    let sealed = if sealed { "sealed" } else { "signed" };
    say(format_args!(
        "accepted by {}: {sealed}, protocol {version}, sequence {sequence} of session {session}",
        args.to
    ));
    Ok(())
}

#[derive(serde::Serialize)]
struct SendParams<'a> {
    to: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    body: &'a serde_json::value::RawValue,
    seal: &'a str,
    durable: bool,
}
