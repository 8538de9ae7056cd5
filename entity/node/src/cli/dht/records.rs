//! `entity dht put`, `entity dht get`.

use std::io;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Asked;
use crate::cli::console::{Failed, Kind, printable, say};

/// Sign a record and store it at the nodes nearest to its name
#[derive(Debug, Args)]
#[command(
    after_help = "A record of the same name and owner with a higher version takes the place of this one; one that lives for a second withdraws it.\n\nExamples:\n  entity dht put capability text.count '{\"price\":\"3\"}'\n  entity dht put capability text.count '{}' --ttl 1"
)]
pub(super) struct PutArgs {
    /// What it is about
    kind: KindWord,
    /// The id of an entity, or a capability
    name: String,
    /// What it says: a JSON object, at most 8 KiB with everything around it
    #[arg(value_name = "JSON")]
    value: String,
    /// For how many seconds, at most 86400 [default: 7200]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
    /// Its place among your records of this name [default: the time in microseconds]
    #[arg(long, value_name = "NUMBER")]
    version: Option<u64>,
    #[command(flatten)]
    asked: Asked,
}

/// Look up the records of a name
#[derive(Debug, Args)]
#[command(
    after_help = "Anybody can sign a record for any name: trust those whose owner's key you know.\n\nExamples:\n  entity dht get capability text.count\n  entity dht get entity entity-b --owner KEY --json"
)]
pub(super) struct GetArgs {
    /// What it is about
    kind: KindWord,
    /// The id of an entity, or a capability
    name: String,
    /// Only the record of the owner of this key, 64 hex digits
    #[arg(long, value_name = "KEY")]
    owner: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// What a record is about.
#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum KindWord {
    /// An entity, by its id
    Entity,
    /// Whoever has a capability
    Capability,
}

pub(super) fn put(args: PutArgs) -> Result<(), Failed> {
    #[derive(Serialize)]
    struct Params<'a> {
        kind: KindWord,
        name: &'a str,
        value: Box<RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        ttl_s: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<u64>,
    }
    #[derive(Deserialize)]
    struct Put {
        version: u64,
        expires_at: String,
        stored: usize,
        refused: usize,
    }
    let value = serde_json::from_str(&args.value).map_err(|error| {
        let help = "write a JSON object, for example '{\"price\":\"3\"}'".to_owned();
        Failed::new(Kind::Usage, io::Error::other(format!("read JSON: {error}")), Some(help))
    })?;
    let (kind, name, ttl_s, version) = (args.kind, args.name.as_str(), args.ttl, args.version);
    let params = Params { kind, name, value, ttl_s, version };
    let shown = args.asked.shown(("dht.put", &params), "storing the record")?;
    let Some(Put { version, expires_at, stored, refused }) = shown else { return Ok(()) };
    say(format_args!("version {version} is stored at {stored} nodes until {expires_at}"));
    match (stored, refused) {
        (0, _) => {
            say("nobody took it: a higher version of yours is there already, or they have no room");
        }
        (_, 0) => {}
        (_, refused) => say(format_args!("{refused} more did not take it, or did not answer")),
    }
    Ok(())
}

pub(super) fn get(args: GetArgs) -> Result<(), Failed> {
    #[derive(Serialize)]
    struct Params<'a> {
        kind: KindWord,
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<&'a str>,
    }
    #[derive(Deserialize)]
    struct Got {
        records: Vec<Record>,
        questions: usize,
    }
    #[derive(Deserialize)]
    struct Record {
        owner: String,
        value: Box<RawValue>,
        version: u64,
        expires_at: String,
    }
    let params = Params { kind: args.kind, name: &args.name, owner: args.owner.as_deref() };
    let shown = args.asked.shown(("dht.get", &params), "looking it up")?;
    let Some(Got { records, questions }) = shown else { return Ok(()) };
    if records.is_empty() {
        say(format_args!("no record of that name; {questions} nodes were asked"));
    }
    for Record { owner, value, version, expires_at } in records {
        say(format_args!("owner    {}", printable(&owner)));
        say(format_args!("value    {}", printable(value.get())));
        say(format_args!("version  {version}, until {expires_at}"));
    }
    Ok(())
}
