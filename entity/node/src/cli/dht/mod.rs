//! `entity dht`: the distributed hash table and the registry over it, through the running node.
//!
//! | file | verbs |
//! |---|---|
//! | `records.rs` | `put`, `get` |
//! | `find.rs` | `find` |
//! | `table.rs` | `table`, `leave` |

mod find;
mod records;
mod table;

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::console::{Failed, Kind, say};
use super::options::DataDir;
use super::terminal::while_saying;
use crate::admin::{self, AskError};

/// Find entities by id or capability, store and read records
///
/// The nodes that run with `--dht` are a distributed hash table together: records lie at those nodes whose ids are nearest to
/// their names, signed by their owners. Each node announces its own id, address and capabilities there.
/// Asks the node that runs in the data directory, through its admin socket.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct DhtArgs {
    #[command(subcommand)]
    action: Action,
}

const AFTER_HELP: &str = "\
Examples:
  entity run --dht --bootstrap id=entity-c,address=http://192.0.2.3:8003,key=KEY
  entity dht table                               whom the node knows in the table
  entity dht find entity-b                       where an entity is
  entity dht find --capability text.count        who is able to do something
  entity dht put capability text.count '{\"price\":\"3\"}' --ttl 600
  entity dht get capability text.count --json
  entity dht leave                               hand everything over before a longer absence";

#[derive(Debug, Subcommand)]
enum Action {
    Put(records::PutArgs),
    Get(records::GetArgs),
    Find(find::FindArgs),
    Table(table::TableArgs),
    Leave(table::LeaveArgs),
}

pub(super) fn run(args: DhtArgs) -> Result<(), Failed> {
    match args.action {
        Action::Put(args) => records::put(args),
        Action::Get(args) => records::get(args),
        Action::Find(args) => find::run(args),
        Action::Table(args) => table::run(args),
        Action::Leave(args) => table::leave(args),
    }
}

/// Which node is asked, and how its answer is shown.
#[derive(Debug, Clone, Args)]
struct Asked {
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Asked {
    /// Asks, tells a waiting person what for, and prints the answer as it is for `--json`; else gives it back for people.
    fn shown<T: DeserializeOwned>(
        self,
        (method, params): (&str, &impl Serialize),
        waiting_for: &str,
    ) -> Result<Option<T>, Failed> {
        let data_dir: PathBuf = self.data_dir.resolve();
        let answer = while_saying(waiting_for, || admin::ask(&data_dir, method, params));
        let answer: Box<RawValue> = answer.map_err(refused)?;
        if self.json {
            say(&answer);
            return Ok(None);
        }
        let read = serde_json::from_str(answer.get());
        read.map(Some).map_err(|error| AskError::Broken(io::Error::other(error)).into())
    }
}

/// A node that does not take part is told how it would.
fn refused(error: AskError) -> Failed {
    match &error {
        AskError::Refused { message, code: Some(code), .. } if code == "INVALID_STATE" => {
            let text = message.trim_start_matches("failed to ").to_owned();
            let help = "start the node with `entity run --dht`, or write `enabled = true` under [dht] in its entity.toml";
            Failed::new(Kind::Refused, io::Error::other(text), Some(help.to_owned()))
        }
        AskError::Refused { .. } | AskError::NoNode { .. } | AskError::Broken(_) => error.into(),
    }
}
