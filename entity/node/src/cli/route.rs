//! `entity route`: which way messages take, and what is held against relays.

use clap::Args;
use serde::Deserialize;

use super::console::{Failed, printable, say};
use super::options::DataDir;
use crate::admin::{AskError, ask};

/// Show which layer a message to each peer takes now, and which relays are suspected
///
/// Asks the node that runs in the data directory, through its admin socket.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity route\n  entity route entity-b --json\n\nLayers:\n  http       by HTTP to its address\n  websocket  over a WebSocket, open or to be opened\n  relay      a relay hands it on\n  none       its address is for a layer that this node does not have\n\nWebSocket:\n  open         there is one\n  dialling     somebody connects\n  partitioned  it was open, and cannot be had back; new sessions wait for it\n  failing      it was never open\n  none         nobody wants one\n\nA relay is suspected for ten minutes, and asked last:\n  tampers       changes messages\n  drops         loses messages\n  impersonates  has not the key that was pinned"
)]
pub(super) struct RouteArgs {
    /// To this peer alone
    #[arg(value_name = "PEER")]
    peer: Option<String>,
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Listing {
    peers: Vec<Way>,
    relays: Vec<Relay>,
}

#[derive(Deserialize)]
struct Way {
    name: String,
    address: String,
    layer: String,
    relay: Option<String>,
    socket: String,
    dialled_by: Option<String>,
}

#[derive(Deserialize)]
struct Relay {
    address: String,
    registered: bool,
    suspected: Vec<String>,
    taken: u64,
    acknowledged: u64,
    outstanding: usize,
}

pub(super) fn run(args: RouteArgs) -> Result<(), Failed> {
    let params = match &args.peer {
        Some(peer) => serde_json::json!({ "peer": peer }),
        None => serde_json::json!({}),
    };
    let listing = ask(&args.data_dir.resolve(), "route.list", &params)?;
    if args.json {
        say(listing);
        return Ok(());
    }
    let Listing { peers, relays } = serde_json::from_str(listing.get())
        .map_err(|error| AskError::Broken(std::io::Error::other(error)))?;
    if peers.is_empty() {
        say("no peers; add one with `entity run --peer id=NAME,address=http://HOST:PORT,key=KEY`");
    } else {
        let names = peers.iter().map(|way| way.name.chars().count()).max().unwrap_or(0).max(4);
        say(format_args!("{:names$}  layer      WebSocket    dialled by  to", "peer"));
        for Way { name, address, layer, relay, socket, dialled_by } in &peers {
            let by = dialled_by.as_deref().unwrap_or("-");
            let to = match relay {
                Some(relay) => format!("{} by {}", printable(name), printable(relay)),
                None => printable(address),
            };
            let name = printable(name);
            say(format_args!("{name:names$}  {layer:9}  {socket:11}  {by:10}  {to}"));
        }
    }
    for Relay { address, registered, suspected, taken, acknowledged, outstanding } in &relays {
        let state = if *registered { "registered" } else { "not registered" };
        let watched = match *taken {
            0 => String::new(),
            taken => format!(
                "; durable messages: {taken} taken, {acknowledged} acknowledged, {outstanding} outstanding"
            ),
        };
        let held = match &suspected[..] {
            [] => String::new(),
            why => format!("; suspected: {}", why.join(", ")),
        };
        say(format_args!("relay {}: {state}{watched}{held}", printable(address)));
    }
    Ok(())
}
