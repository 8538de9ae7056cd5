//! `entity peers`: whom the running node knows.

use clap::{Args, Subcommand};
use serde::Deserialize;

use super::console::{Failed, say};
use super::options::DataDir;
use crate::admin::{AskError, ask};

/// Show whom the running node knows, or forget one
///
/// Asks the node that runs in the data directory, through its admin socket.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity peers\n  entity peers --data-dir ./a --json\n  entity peers remove entity-b"
)]
pub(super) struct PeersArgs {
    #[command(subcommand)]
    command: Option<PeersCommand>,
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum PeersCommand {
    /// Forget a peer: its key, its sessions, and the messages that wait for it
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
struct RemoveArgs {
    /// The id of the peer
    name: String,
    #[command(flatten)]
    data_dir: DataDir,
}

#[derive(Deserialize)]
struct Listing {
    peers: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    name: String,
    address: String,
    key: Option<String>,
    trust: String,
    proved: Option<String>,
    healthy: bool,
    circuit: String,
}

pub(super) fn run(args: PeersArgs) -> Result<(), Failed> {
    if let Some(PeersCommand::Remove(RemoveArgs { name, data_dir })) = args.command {
        ask(&data_dir.resolve(), "peer.remove", &serde_json::json!({ "name": name }))?;
        say(format_args!(
            "{name} is forgotten; a configuration that names it brings it back at the next start"
        ));
        return Ok(());
    }
    let listing = ask(&args.data_dir.resolve(), "peer.list", &serde_json::json!({}))?;
    if args.json {
        say(listing);
        return Ok(());
    }
    let listing: Listing = serde_json::from_str(listing.get())
        .map_err(|error| AskError::Broken(std::io::Error::other(error)))?;
    if listing.peers.is_empty() {
        say("no peers; add one with `entity run --peer id=NAME,address=http://HOST:PORT,key=KEY`");
        return Ok(());
    }
    let width = |of: fn(&Line) -> &str, title: &str| {
        listing.peers.iter().map(|line| of(line).len()).chain([title.len()]).max().unwrap_or(0)
    };
    let (names, addresses) =
        (width(|line| &line.name, "peer"), width(|line| &line.address, "address"));
    say(format_args!(
        "{:names$}  {:addresses$}  trust      proved  health     circuit    key",
        "peer", "address"
    ));
    for line in &listing.peers {
        let health = if line.healthy { "healthy" } else { "unhealthy" };
        let circuit = &line.circuit;
        let (proved, key) =
            (line.proved.as_deref().unwrap_or("-"), line.key.as_deref().unwrap_or("-"));
        say(format_args!(
            "{:names$}  {:addresses$}  {:9}  {proved:6}  {health:9}  {circuit:9}  {key}",
            line.name, line.address, line.trust
        ));
    }
    Ok(())
}
