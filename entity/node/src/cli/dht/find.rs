//! `entity dht find`.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::Asked;
use crate::cli::console::{Failed, printable, say};

/// Find where an entity is, or who is able to do something
#[derive(Debug, Args)]
#[command(
    after_help = "Whom you named yourself is known without a question; then come bootstrap contacts, then the table.\nA name in the table is a hint, which anybody can sign: add a peer under a key that you know.\n\nExamples:\n  entity dht find entity-b\n  entity dht find entity-b --key KEY --json\n  entity dht find --capability text.count"
)]
pub(super) struct FindArgs {
    /// The id of an entity
    #[arg(required_unless_present = "capability", conflicts_with = "capability")]
    id: Option<String>,
    /// Something that an entity is able to do
    #[arg(long)]
    capability: Option<String>,
    /// The key that the entity must have, 64 hex digits
    #[arg(long, value_name = "KEY", conflicts_with = "capability")]
    key: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Serialize)]
struct Params<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    capability: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

#[derive(Deserialize)]
struct Found {
    ways: Vec<Way>,
}

#[derive(Deserialize)]
struct Way {
    id: String,
    key: String,
    address: String,
    source: String,
    capabilities: Option<Vec<String>>,
    expires_at: Option<String>,
}

pub(super) fn run(args: FindArgs) -> Result<(), Failed> {
    let params = Params {
        id: args.id.as_deref(),
        capability: args.capability.as_deref(),
        key: args.key.as_deref(),
    };
    let shown = args.asked.shown(("dht.find", &params), "looking in the table")?;
    let Some(Found { ways }) = shown else { return Ok(()) };
    if ways.is_empty() {
        say(
            "nobody; who is not named has to run with `--dht` and be reachable from the same table",
        );
    }
    for way in ways {
        say(format_args!(
            "{} at {}, key {} ({})",
            printable(&way.id),
            printable(&way.address),
            printable(&way.key),
            way.source
        ));
        if let Some(able) = way.capabilities.filter(|able| !able.is_empty()) {
            say(format_args!("    able to do {}", printable(&able.join(", "))));
        }
        if let Some(expires_at) = way.expires_at {
            say(format_args!("    until {}", printable(&expires_at)));
        }
    }
    Ok(())
}
