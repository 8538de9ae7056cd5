//! `entity token statement`: what an account has, and why.

use std::io;
use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;

use super::super::console::{Failed, Kind, say};
use super::look::{Entry, say_entries};
use super::names::Names;
use super::table::grouped;
use super::{Asked, Node, read, write};

/// Show what an account has and every payment that it follows from
///
/// With --proof every payment comes with its certificate: `entity token verify` checks such a file without a node.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token statement\n  entity token statement entity-b --json\n  entity token statement --proof --output statement.json\n  entity token statement --proof --json | entity token verify -"
)]
pub(super) struct StatementArgs {
    /// Whose: `me`, `me#INDEX`, a peer the node knows, or 64 hex digits
    #[arg(default_value = "me")]
    of: String,
    /// Which token [default: the only one of the ledger]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// With the certificate of every payment
    #[arg(long)]
    proof: bool,
    /// Write it as JSON to this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
}

/// A statement as the node gives it, part by part, and as it is written to a file. What is not looked at stays as it is.
#[derive(Debug, Serialize, Deserialize)]
struct Statement {
    ledger: String,
    genesis: Box<RawValue>,
    epoch: u64,
    account: String,
    token: String,
    balance: String,
    next_sequence: u64,
    entries: Vec<Box<RawValue>>,
    #[serde(skip_serializing)]
    next: Option<u64>,
}

/// Parts of a statement are asked for again where a payment came between them; beyond that the account is too busy.
const ATTEMPTS_MAX: u32 = 5;

pub(super) fn run(args: StatementArgs) -> Result<(), Failed> {
    let node = args.asked.node();
    let names = Names::of(&node)?;
    let of = names.key(&args.of)?;
    let statement = whole(&node, &of, args.token.as_deref(), args.proof)?;
    let text = || {
        serde_json::to_string(&statement).map_err(|error| {
            Failed::new(Kind::System, io::Error::other(format!("write a statement: {error}")), None)
        })
    };
    if let Some(file) = &args.output {
        write(file, &text()?)?;
        if !node.json {
            say(format_args!(
                "statement of {} payments written to {}",
                statement.entries.len(),
                file.display()
            ));
        }
        return Ok(());
    }
    if node.json {
        say(text()?);
        return Ok(());
    }
    show(&statement, &names, args.proof)
}

/// Asks for all parts, until no payment came between them.
fn whole(node: &Node, of: &str, token: Option<&str>, proof: bool) -> Result<Statement, Failed> {
    let part = |after: u64| {
        let params = json!({"of": of, "token": token, "proof": proof, "after": after});
        node.read::<Statement>("token.statement", &params)
    };
    for _ in 0..ATTEMPTS_MAX {
        let mut statement = part(0)?;
        let mut is_whole = true;
        while let Some(after) = statement.next {
            let more = part(after)?;
            is_whole &=
                more.balance == statement.balance && more.next_sequence == statement.next_sequence;
            statement.entries.extend(more.entries);
            statement.next = more.next;
        }
        if is_whole {
            return Ok(statement);
        }
    }
    let text = io::Error::other("take a statement: payments keep coming in between");
    Err(Failed::new(Kind::Refused, text, Some("try again in a quieter moment".to_owned())))
}

fn show(statement: &Statement, names: &Names, proof: bool) -> Result<(), Failed> {
    say(format_args!("ledger   {}", statement.ledger));
    say(format_args!("account  {} ({})", statement.account, names.show(&statement.account)));
    say(format_args!("balance  {} {}", grouped(&statement.balance), statement.token));
    if statement.entries.is_empty() {
        say("no payments");
        return Ok(());
    }
    say("");
    let entries: Result<Vec<Entry>, _> =
        statement.entries.iter().map(|entry| read(entry)).collect();
    let entries = entries?;
    say_entries(&entries, &statement.account, names, statement.balance.parse().ok());
    let total = |is_in: fn(&Entry, &str) -> bool| -> i128 {
        let amounts = entries.iter().filter(|entry| is_in(entry, &statement.account));
        amounts.filter_map(|entry| entry.amount.parse::<i128>().ok()).sum()
    };
    let received = total(|entry, account| entry.to == account);
    let paid = total(|entry, account| entry.from == account);
    say("");
    say(format_args!(
        "received {} and paid {} in {} payments",
        grouped(&received.to_string()),
        grouped(&paid.to_string()),
        entries.len()
    ));
    if proof {
        say(
            "Each payment has a certificate; write them to a file with --output, or see them with --json.",
        );
    }
    Ok(())
}
