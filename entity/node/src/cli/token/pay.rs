//! `entity token issue`, `transfer`, `burn`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::super::console::{Failed, say};
use super::names::Names;
use super::table::grouped;
use super::{Asked, Node, write};

/// Put tokens into circulation, from the issuer's account
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token issue entity-a 10000\n  entity token issue KEY 10000 --token AGT --json"
)]
pub(super) struct IssueArgs {
    /// Who gets them: 64 hex digits, a peer the node knows, or `me`
    to: String,
    /// How many base units
    amount: String,
    #[command(flatten)]
    payment: Payment,
}

/// Pay somebody
///
/// Waits until the payment is certified and applied here, half a minute at most; a payment that is pending then goes on by itself.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token transfer entity-b 250\n  entity token transfer KEY 250 --memo rent --receipt rent.json\n  entity token transfer entity-b 250 --from me#3 --id 7c9e6679-7425-40de-944b-e07fc1f90ae7\n  entity token transfer entity-b 250 --no-wait --json"
)]
pub(super) struct TransferArgs {
    /// Who gets it: 64 hex digits, a peer the node knows, or an own account like `me#1`
    to: String,
    /// How many base units
    amount: String,
    /// The own account that pays: `me`, `me#INDEX` or its key
    #[arg(long, value_name = "ACCOUNT", default_value = "me")]
    from: String,
    /// A text for both sides, signed with the payment
    #[arg(long, value_name = "TEXT")]
    memo: Option<String>,
    /// How long the committee may take to begin
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u64>,
    /// Answer as soon as the order is kept
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    payment: Payment,
}

/// Take tokens out of circulation: pay them back to their issuer
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token burn 100\n  entity token burn 100 --token AGT --json"
)]
pub(super) struct BurnArgs {
    /// How many base units
    amount: String,
    #[command(flatten)]
    payment: Payment,
}

#[derive(Debug, Args)]
struct Payment {
    /// Which token [default: the only one of the ledger]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Name of the payment, a UUID of your choice: the same one is never paid twice
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    /// Write the certificate, which anybody can verify without a node, to this file
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    #[command(flatten)]
    asked: Asked,
}

#[derive(Deserialize)]
struct Paid {
    id: String,
    digest: String,
    state: String,
}

pub(super) fn issue(args: IssueArgs) -> Result<(), Failed> {
    let IssueArgs { to, amount, payment } = args;
    let node = payment.asked.clone().node();
    let key = Names::of(&node)?.key(&to)?;
    let params = json!({"to": key, "amount": amount, "token": payment.token, "id": payment.id});
    pay(&node, "token.issue", &params, &payment, &format!("issued {} to {to}", grouped(&amount)))
}

pub(super) fn transfer(args: TransferArgs) -> Result<(), Failed> {
    let TransferArgs { to, amount, from, memo, expires_in, no_wait, payment } = args;
    let node = payment.asked.clone().node();
    let names = Names::of(&node)?;
    let params = json!({
        "to": names.key(&to)?, "from": names.key(&from)?, "amount": amount, "token": payment.token, "id": payment.id,
        "memo": memo, "expires_in_s": expires_in, "wait": !no_wait,
    });
    pay(&node, "token.transfer", &params, &payment, &format!("paid {} to {to}", grouped(&amount)))
}

pub(super) fn burn(args: BurnArgs) -> Result<(), Failed> {
    let BurnArgs { amount, payment } = args;
    let node = payment.asked.clone().node();
    let params = json!({"amount": amount, "token": payment.token, "id": payment.id});
    pay(&node, "token.burn", &params, &payment, &format!("burned {}", grouped(&amount)))
}

fn pay(
    node: &Node,
    method: &str,
    params: &serde_json::Value,
    payment: &Payment,
    done: &str,
) -> Result<(), Failed> {
    let answer = node.ask(method, params)?;
    let Paid { id, digest, state } = super::read(&answer)?;
    if node.json {
        say(&answer);
    } else if state == "applied" {
        say(format_args!("{done}, certified"));
        say(format_args!("payment      {id}"));
        say(format_args!("certificate  {digest}"));
    } else {
        say("the payment is pending: the committee has not certified it yet");
        say(format_args!("payment      {id}"));
        say("It goes on by itself as members answer: `entity token pending` shows who is missing.");
    }
    match &payment.receipt {
        Some(file) if state == "applied" => receipt(node, &digest, file),
        Some(file) if !node.json => {
            say(format_args!(
                "There is no certificate yet; once there is: `entity token certificate {digest} --output {}`",
                file.display()
            ));
            Ok(())
        }
        Some(_) | None => Ok(()),
    }
}

/// Writes a certificate with the genesis it is to be checked against.
pub(super) fn receipt(node: &Node, digest: &str, file: &Path) -> Result<(), Failed> {
    let certificate = node.ask("token.certificate", &json!({"digest": digest}))?;
    write(file, certificate.get())?;
    if !node.json && file != Path::new("-") {
        say(format_args!("receipt      {}", file.display()));
    }
    Ok(())
}
