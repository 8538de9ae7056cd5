//! `entity token balance`, `accounts`, `pending`, `history`, `certificate`.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::super::console::{Failed, printable, say};
use super::names::{Names, short};
use super::pay::receipt;
use super::table::{Side, Table, grouped};
use super::{Asked, write};

/// Show what an account has
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token balance\n  entity token balance entity-b --token AGT\n  entity token balance me#3 --json"
)]
pub(super) struct BalanceArgs {
    /// Whose: `me`, `me#INDEX`, a peer the node knows, or 64 hex digits
    #[arg(default_value = "me")]
    of: String,
    /// Which token [default: the only one of the ledger]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    #[command(flatten)]
    asked: Asked,
}

/// Show the accounts of this node; with an index, make one
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token accounts\n  entity token accounts 3        account number 3, derived from the identity\n  entity token accounts --json"
)]
pub(super) struct AccountsArgs {
    /// Number of an account to use from now on
    index: Option<u32>,
    #[command(flatten)]
    asked: Asked,
}

/// Show payments that are not certified, or not known to everybody yet
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  entity token pending\n  entity token pending --json")]
pub(super) struct PendingArgs {
    #[command(flatten)]
    asked: Asked,
}

/// Show what an account received and paid, oldest first
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token history\n  entity token history --after 100 --limit 20\n  entity token history entity-b --json"
)]
pub(super) struct HistoryArgs {
    /// Whose: `me`, `me#INDEX`, a peer the node knows, or 64 hex digits
    #[arg(default_value = "me")]
    of: String,
    /// Which token [default: the only one of the ledger]
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Leave out entries up to this position
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: u64,
    /// How many entries at most
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    limit: u64,
    #[command(flatten)]
    asked: Asked,
}

/// Write the certificate of a payment, which anybody can verify without a node
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token certificate DIGEST\n  entity token certificate DIGEST --output receipt.json\n  entity token certificate DIGEST | entity token verify -"
)]
pub(super) struct CertificateArgs {
    /// Its digest, as `entity token history` and `transfer` show it
    digest: String,
    /// Where to write it [default: standard output]
    #[arg(long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    #[command(flatten)]
    asked: Asked,
}

#[expect(clippy::struct_field_names, reason = "the contract names them so")]
#[derive(Deserialize)]
struct Balance {
    account: String,
    token: String,
    balance: String,
    pending: Vec<PendingOrder>,
}

#[derive(Deserialize)]
struct PendingOrder {
    id: String,
    to: String,
    amount: String,
}

#[derive(Deserialize)]
struct Accounts {
    accounts: Vec<Account>,
}

#[derive(Deserialize)]
struct Account {
    index: u32,
    key: String,
    balances: Vec<AccountBalance>,
}

#[derive(Deserialize)]
struct AccountBalance {
    token: String,
    balance: String,
}

#[derive(Deserialize)]
struct Pending {
    pending: Vec<PendingPayment>,
}

#[derive(Deserialize)]
struct PendingPayment {
    id: String,
    from: String,
    to: String,
    amount: String,
    token: String,
    state: String,
    votes: u64,
    quorum: u64,
    missing: Vec<String>,
}

#[derive(Deserialize)]
struct History {
    entries: Vec<Entry>,
    next: Option<u64>,
}

/// One line of an account.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub(super) position: u64,
    pub(super) digest: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) amount: String,
    pub(super) memo: Option<String>,
}

pub(super) fn balance(args: BalanceArgs) -> Result<(), Failed> {
    let node = args.asked.node();
    let names = Names::of(&node)?;
    let params = json!({"of": names.key(&args.of)?, "token": args.token});
    let Some(balance) = node.shown::<Balance>("token.balance", &params)? else { return Ok(()) };
    say(format_args!("account  {}", balance.account));
    say(format_args!("balance  {} {}", grouped(&balance.balance), balance.token));
    for PendingOrder { id, to, amount } in &balance.pending {
        say(format_args!("pending  {} to {} (payment {id})", grouped(amount), names.show(to)));
    }
    Ok(())
}

pub(super) fn accounts(args: AccountsArgs) -> Result<(), Failed> {
    let node = args.asked.node();
    if let Some(index) = args.index {
        node.ask("token.account", &json!({"index": index}))?;
    }
    let Some(Accounts { accounts }) = node.shown("token.accounts", &json!({}))? else {
        return Ok(());
    };
    let mut table = Table::new(&[
        ("account", Side::Left),
        ("balance", Side::Right),
        ("token", Side::Left),
        ("key", Side::Left),
    ]);
    for Account { index, key, balances } in accounts {
        let name = if index == 0 { "me".to_owned() } else { format!("me#{index}") };
        if balances.is_empty() {
            table.row([name.clone(), "-".to_owned(), "-".to_owned(), key.clone()]);
        }
        for AccountBalance { token, balance } in balances {
            table.row([name.clone(), grouped(&balance), token, key.clone()]);
        }
    }
    table.say();
    Ok(())
}

pub(super) fn pending(args: PendingArgs) -> Result<(), Failed> {
    let node = args.asked.node();
    let Some(Pending { pending }) = node.shown("token.pending", &json!({}))? else { return Ok(()) };
    if pending.is_empty() {
        say("nothing is pending: every payment is certified and known to everybody it concerns");
        return Ok(());
    }
    let names = Names::of(&node)?;
    let mut table = Table::new(&[
        ("payment", Side::Left),
        ("from", Side::Left),
        ("to", Side::Left),
        ("amount", Side::Right),
        ("token", Side::Left),
        ("votes", Side::Left),
        ("state", Side::Left),
        ("waiting for", Side::Left),
    ]);
    for payment in pending {
        let missing: Vec<_> = payment.missing.iter().map(|key| names.show(key)).collect();
        table.row([
            payment.id,
            names.show(&payment.from),
            names.show(&payment.to),
            grouped(&payment.amount),
            payment.token,
            format!("{} of {}", payment.votes, payment.quorum),
            payment.state,
            missing.join(", "),
        ]);
    }
    table.say();
    Ok(())
}

pub(super) fn history(args: HistoryArgs) -> Result<(), Failed> {
    let node = args.asked.node();
    let names = Names::of(&node)?;
    let of = names.key(&args.of)?;
    let params = json!({"of": of, "token": args.token, "after": args.after, "limit": args.limit});
    let Some(History { entries, next }) = node.shown("token.history", &params)? else {
        return Ok(());
    };
    if entries.is_empty() {
        say("no payments");
        return Ok(());
    }
    say_entries(&entries, &of, &names, None);
    if let Some(next) = next {
        say(format_args!("there may be more: --after {next}"));
    }
    Ok(())
}

/// The lines of an account, seen from `account`; with what it had after each where the last of them left `balance`.
pub(super) fn say_entries(entries: &[Entry], account: &str, names: &Names, balance: Option<i128>) {
    let mut columns = vec![
        ("#", Side::Right),
        ("", Side::Left),
        ("who", Side::Left),
        ("amount", Side::Right),
        ("certificate", Side::Left),
        ("memo", Side::Left),
    ];
    let balances = balance.map(|balance| balances(entries, account, balance));
    if balances.is_some() {
        columns.insert(4, ("balance", Side::Right));
    }
    let mut table = Table::new(&columns);
    for (at, entry) in entries.iter().enumerate() {
        let (way, who) =
            if entry.from == account { ("to", &entry.to) } else { ("from", &entry.from) };
        let sign = if entry.from == account { "-" } else { "+" };
        let mut cells = vec![
            entry.position.to_string(),
            way.to_owned(),
            names.show(who),
            format!("{sign}{}", grouped(&entry.amount)),
            short(&entry.digest),
            printable(entry.memo.as_deref().unwrap_or_default()),
        ];
        if let Some(balance) = balances.as_ref().and_then(|balances| balances.get(at)) {
            cells.insert(4, grouped(&balance.to_string()));
        }
        table.row(cells);
    }
    table.say();
}

/// What an account had after each entry, from what it had after the last.
fn balances(entries: &[Entry], account: &str, last: i128) -> Vec<i128> {
    let mut balances = Vec::with_capacity(entries.len());
    let mut after = last;
    for entry in entries.iter().rev() {
        balances.push(after);
        let amount = entry.amount.parse::<i128>().unwrap_or(0);
        // Amounts are bounded, their sum over a whole account is not; a table that wraps misleads nobody who verifies.
        after = if entry.from == account {
            after.wrapping_add(amount)
        } else {
            after.wrapping_sub(amount)
        };
    }
    balances.reverse();
    balances
}

pub(super) fn certificate(args: CertificateArgs) -> Result<(), Failed> {
    let node = args.asked.node();
    if args.output.as_os_str() == "-" {
        let certificate = node.ask("token.certificate", &json!({"digest": args.digest}))?;
        return write(&args.output, certificate.get());
    }
    receipt(&node, &args.digest, &args.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balances_lead_to_the_last() {
        let entry = |position, from: &str, amount: &str| Entry {
            position,
            digest: String::new(),
            from: from.to_owned(),
            to: "other".to_owned(),
            amount: amount.to_owned(),
            memo: None,
        };
        let entries = [entry(1, "x", "100"), entry(2, "me", "30"), entry(3, "x", "5")];
        assert_eq!(balances(&entries, "me", 75), [100, 70, 75]);
        assert_eq!(balances(&[], "me", 75), []);
    }
}
