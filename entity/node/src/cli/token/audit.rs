//! `entity token audit`: whether the sums hold.

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::super::console::{Failed, Kind, say};
use super::Asked;
use super::names::Names;
use super::table::{Side, Table, grouped};

/// Add everything up: all balances make the cap, and what was issued less what was burned is in circulation
///
/// Ends with code 1 where a sum does not hold. Payments that are not certified count nowhere; they are listed apart.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  entity token audit\n  entity token audit --json")]
pub(super) struct AuditArgs {
    #[command(flatten)]
    asked: Asked,
}

#[derive(Deserialize)]
struct Audit {
    ledger: String,
    epoch: u64,
    is_member: bool,
    tokens: Vec<Token>,
    pending: Vec<Pending>,
    evidence: Vec<Evidence>,
}

#[expect(clippy::struct_field_names, reason = "the contract names them so")]
#[derive(Deserialize)]
struct Token {
    token: String,
    cap: String,
    issued: String,
    burned: String,
    issuer_balance: String,
    sum: String,
    holds: bool,
}

#[derive(Deserialize)]
struct Pending {
    from: String,
    to: String,
    token: String,
    amount: String,
    sequence: u64,
}

#[derive(Deserialize)]
struct Evidence {
    from: String,
    token: String,
    sequence: u64,
}

pub(super) fn run(args: AuditArgs) -> Result<(), Failed> {
    let node = args.asked.node();
    let answer = node.ask("token.audit", &json!({}))?;
    let audit: Audit = super::read(&answer)?;
    if node.json {
        say(&answer);
    } else {
        show(&audit, &Names::of(&node)?);
    }
    if audit.tokens.iter().all(|token| token.holds) {
        return Ok(());
    }
    let help = "this node's ledger contradicts itself: keep its data directory as it is, and compare `entity token statement --proof` of other members";
    Err(Failed::new(
        Kind::Refused,
        std::io::Error::other("make the sums hold"),
        Some(help.to_owned()),
    ))
}

fn show(audit: &Audit, names: &Names) {
    say(format_args!("ledger  {}", audit.ledger));
    say(format_args!("epoch   {}", audit.epoch));
    if !audit.is_member {
        say(
            "this node is no member of the committee: it sees its own payments alone, so its sums are partial",
        );
    }
    say("");
    let mut table = Table::new(&[
        ("token", Side::Left),
        ("cap", Side::Right),
        ("issued", Side::Right),
        ("burned", Side::Right),
        ("circulating", Side::Right),
        ("issuer has", Side::Right),
        ("all balances", Side::Right),
        ("", Side::Left),
    ]);
    for token in &audit.tokens {
        let circulating = match (token.issued.parse::<i128>(), token.burned.parse::<i128>()) {
            (Ok(issued), Ok(burned)) => (issued - burned).to_string(),
            _ => "-".to_owned(),
        };
        table.row([
            token.token.clone(),
            grouped(&token.cap),
            grouped(&token.issued),
            grouped(&token.burned),
            grouped(&circulating),
            grouped(&token.issuer_balance),
            grouped(&token.sum),
            if token.holds { "holds" } else { "DOES NOT HOLD" }.to_owned(),
        ]);
    }
    table.say();
    say("");
    if audit.pending.is_empty() {
        say("pending   none");
    }
    for order in &audit.pending {
        let (from, to) = (names.show(&order.from), names.show(&order.to));
        let (amount, token) = (grouped(&order.amount), &order.token);
        say(format_args!(
            "pending   {from} pays {to} {amount} {token}, slot {}: voted for, no certificate seen",
            order.sequence
        ));
    }
    if audit.evidence.is_empty() {
        say("evidence  none");
    }
    for found in &audit.evidence {
        let from = names.show(&found.from);
        say(format_args!(
            "evidence  {from} signed two orders for slot {} of {}: its account may stay frozen",
            found.sequence, found.token
        ));
    }
}
