//! `entity token`: certified transfers of the running node, and proofs that can be checked without one.
//!
//! | file | verbs |
//! |---|---|
//! | `open.rs` | `open` |
//! | `pay.rs` | `issue`, `transfer`, `burn` |
//! | `look.rs` | `balance`, `accounts`, `pending`, `history`, `certificate` |
//! | `statement.rs` | `statement` |
//! | `audit.rs` | `audit` |
//! | `verify.rs` | `verify`, without a node |
//! | `names.rs`, `table.rs` | who a key is; how a table looks |

mod audit;
mod look;
mod names;
mod open;
mod pay;
mod statement;
mod table;
mod verify;

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::console::{Failed, Kind, say};
use super::options::DataDir;
use crate::admin::{self, AskError};

/// Move tokens, and see what moved
///
/// A transfer counts only with a certificate: the votes of enough members of the ledger's committee. Amounts are whole base units.
/// All verbs but `verify` ask the node that runs in the data directory, through its admin socket.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    action: Action,
}

const AFTER_HELP: &str = "\
Examples:
  entity token open genesis.json                 take part in a ledger; the file is the same everywhere
  entity token issue entity-a 10000              from the issuer's account
  entity token transfer entity-b 250 --memo rent
  entity token balance
  entity token statement --proof --output statement.json
  entity token verify statement.json             on any machine, without a node
  entity token audit

A genesis file:
  { \"committee\": [\"64 HEX\", \"64 HEX\"], \"tokens\": [ { \"token\": \"AGT\", \"issuer\": \"64 HEX\", \"cap\": \"1000000\" } ] }";

#[derive(Debug, Subcommand)]
enum Action {
    Open(open::OpenArgs),
    Issue(pay::IssueArgs),
    Transfer(pay::TransferArgs),
    Burn(pay::BurnArgs),
    Balance(look::BalanceArgs),
    Accounts(look::AccountsArgs),
    Pending(look::PendingArgs),
    History(look::HistoryArgs),
    Statement(statement::StatementArgs),
    Certificate(look::CertificateArgs),
    Audit(audit::AuditArgs),
    Verify(verify::VerifyArgs),
}

pub(super) fn run(args: TokenArgs) -> Result<(), Failed> {
    match args.action {
        Action::Open(args) => open::run(args),
        Action::Issue(args) => pay::issue(args),
        Action::Transfer(args) => pay::transfer(args),
        Action::Burn(args) => pay::burn(args),
        Action::Balance(args) => look::balance(args),
        Action::Accounts(args) => look::accounts(args),
        Action::Pending(args) => look::pending(args),
        Action::History(args) => look::history(args),
        Action::Statement(args) => statement::run(args),
        Action::Certificate(args) => look::certificate(args),
        Action::Audit(args) => audit::run(args),
        Action::Verify(args) => verify::run(args),
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
    fn node(self) -> Node {
        Node { data_dir: self.data_dir.resolve(), json: self.json }
    }
}

/// The running node, as asked by one command.
struct Node {
    data_dir: PathBuf,
    json: bool,
}

impl Node {
    fn ask(&self, method: &str, params: &impl Serialize) -> Result<Box<RawValue>, Failed> {
        admin::ask(&self.data_dir, method, params).map_err(refused)
    }

    fn read<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<T, Failed> {
        read(&self.ask(method, params)?)
    }

    /// Asks, and prints the answer as it is for `--json`; else gives it back for people.
    fn shown<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<Option<T>, Failed> {
        let answer = self.ask(method, params)?;
        if self.json {
            say(&answer);
            return Ok(None);
        }
        read(&answer).map(Some)
    }
}

fn read<T: DeserializeOwned>(answer: &RawValue) -> Result<T, Failed> {
    serde_json::from_str(answer.get())
        .map_err(|error| AskError::Broken(io::Error::other(error)).into())
}

/// Writes a file, or standard output for `-`.
fn write(path: &Path, text: &str) -> Result<(), Failed> {
    if path == Path::new("-") {
        say(text);
        return Ok(());
    }
    std::fs::write(path, format!("{text}\n")).map_err(|error| {
        let text = io::Error::other(format!("write {}: {error}", path.display()));
        Failed::new(Kind::System, text, Some("name a file that can be written".to_owned()))
    })
}

/// Reads a file, or standard input for `-`. No longer file is one of ours.
fn read_file(path: &Path) -> Result<String, Failed> {
    use std::io::Read as _;
    const FILE_LEN_MAX: u64 = 256 << 20;
    let failed = |error: io::Error| {
        let text = io::Error::other(format!("read {}: {error}", path.display()));
        Failed::new(
            Kind::Usage,
            text,
            Some("name an existing file, or - for standard input".to_owned()),
        )
    };
    let mut text = String::new();
    let len = if path == Path::new("-") {
        io::stdin().take(FILE_LEN_MAX).read_to_string(&mut text).map_err(failed)?
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(FILE_LEN_MAX).read_to_string(&mut text).map_err(failed)?
    };
    if len as u64 == FILE_LEN_MAX {
        return Err(failed(io::Error::other("the file is longer than 256 MiB")));
    }
    Ok(text)
}

/// A refusal of the ledger, with what to do about it.
fn refused(error: AskError) -> Failed {
    let AskError::Refused { code: Some(code), message, .. } = &error else {
        return error.into();
    };
    let Some(fix) = fix_of(code) else { return error.into() };
    let text = message.trim_start_matches("failed to ").to_owned();
    Failed::new(Kind::Refused, io::Error::other(text), Some(format!("the code is {code}; {fix}")))
}

fn fix_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "INSUFFICIENT_FUNDS" => "see what the account has with `entity token balance`",
        "CAP_EXCEEDED" => "see what is left under the cap with `entity token audit`",
        "AMOUNT_INVALID" => {
            "write whole base units without sign, point or leading zero, below 2^127"
        }
        "UNKNOWN_TOKEN" => {
            "see the tokens of the ledger with `entity token audit`, and name one with --token"
        }
        "NOT_OWNER" => "pay from an account of this node: `entity token accounts`",
        "DUPLICATE_WITH_OTHER_CONTENT" => {
            "that --id has paid something else; leave --id away to pay anew, or repeat the same payment exactly"
        }
        "EXPIRED" => "the committee did not vote in time; nothing moved, so pay again",
        "WRONG_SEQUENCE" => "another node uses this account as well; an account has one home",
        "ACCOUNT_FROZEN" => {
            "two orders were signed for one slot of this account; it stays frozen until the committee changes its epoch"
        }
        "WRONG_EPOCH" => "the committee has changed; open the ledger with its new members",
        "INVALID_STATE" => "take part in a ledger first: `entity token open genesis.json`",
        _ => return None,
    })
}
