//! `entity peers`: whom the running node knows.

use clap::Args;
use serde::Deserialize;

use super::console::{Failed, say};
use super::options::DataDir;
use crate::admin::{AskError, ask};

/// Show whom the running node knows
///
/// Asks the node that runs in the data directory, through its admin socket.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  entity peers\n  entity peers --data-dir ./a --json")]
pub(super) struct PeersArgs {
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
}

pub(super) fn run(args: PeersArgs) -> Result<(), Failed> {
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
        "{:names$}  {:addresses$}  trust      proved  health     key",
        "peer", "address"
    ));
    for line in &listing.peers {
        let health = if line.healthy { "healthy" } else { "unhealthy" };
        let (proved, key) =
            (line.proved.as_deref().unwrap_or("-"), line.key.as_deref().unwrap_or("-"));
        say(format_args!(
            "{:names$}  {:addresses$}  {:9}  {proved:6}  {health:9}  {key}",
            line.name, line.address, line.trust
        ));
    }
    Ok(())
}
