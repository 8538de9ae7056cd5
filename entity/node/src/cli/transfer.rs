//! `entity transfer`: files between the running node and its peers.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::sleep;

use super::console::{Failed, Kind, printable, say};
use super::options::{DataDir, run_to_end};
use crate::admin::{AskError, ask};

/// Send files to peers, and see what comes and goes
///
/// Asks the node that runs in the data directory, through its admin socket. The node sends: a transfer goes on when this
/// command ends, when the connection breaks, and when either node is restarted. Received files are in `incoming` of the data
/// directory.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity transfer send holiday.tar --to entity-b\n  entity transfer send report.pdf --to entity-b --name 'report of may' --detach\n  entity transfer list\n  entity transfer cancel 6b7c3e0e-6a9f-4a38-9f62-6d3c1c1c1c1c"
)]
pub(super) struct TransferArgs {
    #[command(subcommand)]
    command: TransferCommand,
}

#[derive(Debug, Subcommand)]
enum TransferCommand {
    /// Send a file and wait until the peer has it, durably
    ///
    /// Ctrl-C ends the waiting, not the transfer. The file has to stay as it is until it is sent.
    Send(SendArgs),
    /// Show transfers of both directions: ended ones first, then open ones
    List(ListArgs),
    /// End an open transfer of either direction; the other side hears so
    Cancel(CancelArgs),
}

#[derive(Debug, Args)]
struct SendArgs {
    /// The file
    file: PathBuf,
    /// The id of a peer the node knows
    #[arg(long, value_name = "PEER")]
    to: String,
    /// What to call it there [default: the name of the file]
    #[arg(long)]
    name: Option<String>,
    /// Do not wait for its end
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CancelArgs {
    /// The id of the transfer
    id: String,
    #[command(flatten)]
    data_dir: DataDir,
}

/// A transfer as the node shows it.
#[derive(Debug, Deserialize)]
struct Line {
    id: String,
    peer: String,
    direction: String,
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    size: u64,
    received: u64,
    state: String,
    path: Option<String>,
    reason: Option<String>,
}

pub(super) fn run(args: TransferArgs) -> Result<(), Failed> {
    match args.command {
        TransferCommand::Send(args) => send(args),
        TransferCommand::List(args) => list(args),
        TransferCommand::Cancel(args) => cancel(args),
    }
}

fn send(args: SendArgs) -> Result<(), Failed> {
    #[derive(Deserialize)]
    struct Begun {
        id: String,
    }
    let unusable = |error: io::Error| {
        let text = format!("send {}: {error}", args.file.display());
        Failed::new(Kind::Usage, io::Error::other(text), None)
    };
    // The node has another working directory.
    let path = std::fs::canonicalize(&args.file).map_err(unusable)?;
    if !std::fs::metadata(&path).map_err(unusable)?.is_file() {
        return Err(unusable(io::Error::other("it is no regular file")));
    }
    let data_dir = args.data_dir.clone().resolve();
    let mut params = serde_json::json!({ "to": args.to, "path": path });
    if let Some(name) = &args.name {
        params["name"] = name.as_str().into();
    }
    let begun = ask(&data_dir, "transfer.send", &params)?;
    let Begun { id } = read(&begun)?;
    if args.detach {
        if args.json {
            say(begun);
        } else {
            say(format_args!("sending to {} as {id}; `entity transfer list` shows it", args.to));
        }
        return Ok(());
    }
    run_to_end(watch(data_dir, id, args.json))?
}

/// Waits for the end of a transfer and shows how far it is.
async fn watch(data_dir: PathBuf, id: String, json: bool) -> Result<(), Failed> {
    let ended = tokio::select! {
        ended = watch_to_end(&data_dir, &id, json) => ended?,
        _ = tokio::signal::ctrl_c() => {
            if io::stderr().is_terminal() {
                eprintln_quietly("");
            }
            let text = format!(
                "the node goes on sending {id}; `entity transfer list` shows it, `entity transfer cancel {id}` ends it"
            );
            eprintln_quietly(&text);
            return Ok(());
        }
    };
    let line: Line = read(&ended)?;
    if json {
        say(&ended);
    }
    match (&*line.state, line.reason) {
        ("done", _) if json => Ok(()),
        ("done", _) => {
            say(format_args!("{} has all {} bytes, durably", line.peer, line.size));
            Ok(())
        }
        (_, reason) => {
            let reason = reason.unwrap_or_default();
            let text = format!("send it to {}: {reason}", line.peer);
            let help = Some(help_for(&reason).to_owned());
            Err(Failed::new(Kind::Refused, io::Error::other(text), help))
        }
    }
}

async fn watch_to_end(data_dir: &Path, id: &str, json: bool) -> Result<Box<RawValue>, Failed> {
    let shows = !json && io::stderr().is_terminal();
    loop {
        let shown = transfers(data_dir, &serde_json::json!({ "id": id }));
        if shows && shown.is_err() {
            // The error gets a line of its own, below the bar.
            eprintln_quietly("");
        }
        let shown = shown?.pop();
        let Some(shown) = shown else {
            let error = io::Error::other(format!("follow {id}: the node no longer knows it"));
            return Err(Failed::new(Kind::Refused, error, None));
        };
        let line: Line = read(&shown)?;
        if shows {
            // Back to the start of the line, and the rest of it cleared.
            drop(write!(io::stderr(), "\r\x1b[K{}", bar(line.received, line.size)));
        }
        if line.state != "open" {
            if shows {
                eprintln_quietly("");
            }
            return Ok(shown);
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// How often the node is asked: what the bar shows changes with every chunk, and no event tells of those. Guessed: smooth for
/// the eye, nothing for the node.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

fn list(args: ListArgs) -> Result<(), Failed> {
    let data_dir = args.data_dir.resolve();
    let mut all: Vec<Box<RawValue>> = Vec::new();
    loop {
        let page = transfers(&data_dir, &serde_json::json!({ "after": all.len() }))?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if args.json {
        say(serde_json::json!({ "transfers": all }));
        return Ok(());
    }
    if all.is_empty() {
        say("no transfers; send a file with `entity transfer send FILE --to PEER`");
    }
    for shown in &all {
        let line: Line = read(shown)?;
        let way = if line.direction == "outgoing" { "to" } else { "from" };
        // Both are a peer's words.
        let name = printable(&line.name.unwrap_or(line.kind));
        say(format_args!(
            "{}  {:6}  {}  {way} {}: {name}",
            line.id,
            line.state,
            bar(line.received, line.size),
            line.peer
        ));
        if let Some(path) = line.path {
            say(format_args!("    {path}"));
        }
        if let Some(reason) = line.reason {
            say(format_args!("    because {reason}: {}", help_for(&reason)));
        }
    }
    Ok(())
}

fn cancel(args: CancelArgs) -> Result<(), Failed> {
    let params = serde_json::json!({ "id": args.id });
    ask(&args.data_dir.resolve(), "transfer.cancel", &params)?;
    say(format_args!("transfer {} is cancelled; the other side hears so", args.id));
    Ok(())
}

fn transfers(data_dir: &Path, params: &serde_json::Value) -> Result<Vec<Box<RawValue>>, Failed> {
    #[derive(Deserialize)]
    struct Page {
        transfers: Vec<Box<RawValue>>,
    }
    let page: Page = read(&ask(data_dir, "transfer.list", params)?)?;
    Ok(page.transfers)
}

fn read<'a, T: Deserialize<'a>>(answer: &'a RawValue) -> Result<T, Failed> {
    let read = serde_json::from_str(answer.get());
    Ok(read.map_err(|error| AskError::Broken(io::Error::other(error)))?)
}

/// How far it is, in 30 characters of bar and numbers.
fn bar(received: u64, size: u64) -> String {
    let permille = (received.min(size) * 1_000).checked_div(size).unwrap_or(1_000);
    let full = usize::try_from(permille * WIDTH / 1_000).unwrap_or(0);
    let rest = usize::try_from(WIDTH).unwrap_or(0) - full;
    format!(
        "[{}{}] {:3}.{} % of {}",
        "#".repeat(full),
        ".".repeat(rest),
        permille / 10,
        permille % 10,
        size_text(size)
    )
}

const WIDTH: u64 = 30;

fn size_text(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..10_485_760 => format!("{} KiB", bytes >> 10),
        _ => format!("{} MiB", bytes >> 20),
    }
}

/// What a person can do about it.
fn help_for(reason: &str) -> &'static str {
    match reason {
        "too_large" => "it is larger than the peer takes",
        "overloaded" => "the peer has too much under way with this node",
        "unknown" => "the peer forgot it again and again; send it anew",
        "mismatch" => "what arrived is not what was promised; did the file change meanwhile?",
        "cancelled" => "somebody withdrew it",
        "expired" => "nothing got through for half an hour; is the peer there?",
        "storage" => "one of the two nodes cannot read or write it",
        _ => "the peer does not take it; does it speak protocol 1.1?",
    }
}

fn eprintln_quietly(line: &str) {
    // There is nobody left to tell when standard error is closed.
    drop(writeln!(io::stderr(), "{line}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_says_how_far_it_is() {
        assert_eq!(bar(0, 100), "[..............................]   0.0 % of 100 B");
        assert_eq!(bar(50 << 20, 100 << 20), "[###############...............]  50.0 % of 100 MiB");
        assert_eq!(bar(999_999, 1_000_000), "[#############################.]  99.9 % of 976 KiB");
        assert_eq!(bar(0, 0), "[##############################] 100.0 % of 0 B");
    }
}
