//! `entity dht table`, `entity dht leave`.

use clap::Args;
use serde::Deserialize;

use super::Asked;
use crate::cli::console::{Failed, printable, say};

/// Show whom the node knows in the table, and what it stores
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  entity dht table\n  entity dht table --json")]
pub(super) struct TableArgs {
    #[command(flatten)]
    asked: Asked,
}

/// Hand the records to the nodes nearest to them and leave the table, until the next start
#[derive(Debug, Args)]
#[command(
    after_help = "Takes half a minute at most. The node goes on without the table.\n\nExamples:\n  entity dht leave\n  entity dht leave --data-dir ./a --json"
)]
pub(super) struct LeaveArgs {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Deserialize)]
struct Table {
    node: String,
    state: String,
    contacts: Vec<Contact>,
    buckets: Vec<Bucket>,
    slots: usize,
    bytes: usize,
}

#[derive(Deserialize)]
struct Contact {
    id: String,
    address: String,
    node: String,
    heard_at: String,
    good: bool,
}

#[derive(Deserialize)]
struct Bucket {
    waiting: usize,
}

pub(super) fn run(args: TableArgs) -> Result<(), Failed> {
    let shown = args.asked.shown(("dht.table", &serde_json::json!({})), "asking the node")?;
    let Some(Table { node, state, contacts, buckets, slots, bytes }) = shown else { return Ok(()) };
    let waiting: usize = buckets.iter().map(|bucket| bucket.waiting).sum();
    say(format_args!("node      {node} ({state})"));
    say(format_args!("stores    {slots} slots, {bytes} bytes of records"));
    say(format_args!(
        "contacts  {} in {} buckets, {waiting} wait for a place",
        contacts.len(),
        buckets.len()
    ));
    if contacts.is_empty() {
        say(
            "nobody yet: name somebody with `entity run --dht --bootstrap id=..,address=..,key=..`",
        );
        return Ok(());
    }
    let width = |of: fn(&Contact) -> &str, title: &str| {
        contacts.iter().map(|held| of(held).chars().count()).chain([title.len()]).max().unwrap_or(0)
    };
    let (ids, addresses) =
        (width(|held| &held.id, "entity"), width(|held| &held.address, "address"));
    say(format_args!(
        "\n{:ids$}  {:addresses$}  answers  heard                             node",
        "entity", "address"
    ));
    for held in &contacts {
        let answers = if held.good { "yes" } else { "no" };
        let node: String = held.node.chars().take(12).collect();
        say(format_args!(
            "{:ids$}  {:addresses$}  {answers:7}  {:32}  {node}",
            printable(&held.id),
            printable(&held.address),
            held.heard_at
        ));
    }
    Ok(())
}

pub(super) fn leave(args: LeaveArgs) -> Result<(), Failed> {
    #[derive(Deserialize)]
    struct Left {}
    let params = serde_json::json!({});
    let shown =
        args.asked.shown(("dht.leave", &params), "handing the records over, 30 s at most")?;
    if let Some(Left {}) = shown {
        say(
            "left the table; what was stored here was handed to the nodes nearest to it, as far as they took it within 30 s. The next start joins again",
        );
    }
    Ok(())
}
