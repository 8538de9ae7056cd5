//! `entity token verify`: checks a receipt or a statement without a node.

use std::io;
use std::path::PathBuf;

use clap::Args;
use entity_crypto::signing::PublicKey;
use entity_ledger::{STATEMENT_LEN_MAX, StatementCheck, StatementError};
use entity_wire::json::{Fields, Object, RULES_1_1, Rules, Value, parse};
use entity_wire::payload::token::{Balance, Certificate, Genesis, LedgerId, TokenName};
use serde_json::json;

use super::super::console::{Failed, Kind, printable, say, say_json};
use super::names::short;
use super::read_file;
use super::table::grouped;

/// Check a receipt or a statement, on any machine, without a node
///
/// Every signature is verified: those of the owners and those of the committee that the file's genesis names. Whether that is the
/// committee you trust, the name of the ledger says: compare it, or give it with --ledger. Ends with code 1 where anything does not hold.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  entity token verify rent.json\n  entity token verify statement.json --ledger LEDGER\n  entity token verify - --json < statement.json"
)]
pub(super) struct VerifyArgs {
    /// The file: a receipt, or a statement with proofs; - for standard input
    file: PathBuf,
    /// Accept only this ledger
    #[arg(long, value_name = "LEDGER")]
    ledger: Option<LedgerId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Why a file proves nothing.
#[derive(Debug, thiserror::Error)]
enum Invalid {
    #[error("read the file: {0}")]
    Unreadable(String),
    #[error("trust the ledger {found}: {wanted} was asked for")]
    OtherLedger { found: LedgerId, wanted: LedgerId },
    #[error("verify the file: {0}")]
    DoesNotHold(String),
}

pub(super) fn run(args: VerifyArgs) -> Result<(), Failed> {
    let text = read_file(&args.file)?;
    let verdict = verify(&text, args.ledger);
    if args.json {
        say_json(&match &verdict {
            Ok(Verdict { kind, ledger, .. }) => {
                json!({"valid": true, "kind": kind, "ledger": ledger.to_string()})
            }
            Err(error) => json!({"valid": false, "reason": error.to_string()}),
        });
    }
    match verdict {
        Ok(_) if args.json => {}
        Ok(verdict) => verdict.lines.iter().for_each(say),
        Err(error) => {
            let help = match &error {
                Invalid::Unreadable(_) => {
                    "give a file that `entity token certificate`, `transfer --receipt` or `statement --proof` has written"
                }
                Invalid::OtherLedger { .. } => {
                    "the file may be genuine and about another ledger: see whose committee it names"
                }
                Invalid::DoesNotHold(_) => {
                    "do not believe it: it was changed, cut, or made by somebody without the committee"
                }
            };
            return Err(Failed::new(Kind::Refused, io::Error::other(error), Some(help.to_owned())));
        }
    }
    Ok(())
}

/// What holds.
struct Verdict {
    kind: &'static str,
    ledger: LedgerId,
    lines: Vec<String>,
}

fn verify(text: &str, wanted: Option<LedgerId>) -> Result<Verdict, Invalid> {
    let rules = Rules { len_max: STATEMENT_LEN_MAX, ..RULES_1_1 };
    let value = parse(text.trim_end().as_bytes(), &rules).map_err(unreadable)?;
    let object = value.into_object().map_err(|_| unreadable("no JSON object"))?;
    let genesis = Fields::new(&object).object("genesis").map_err(unreadable)?;
    let genesis = Genesis::from_object(genesis).map_err(unreadable)?;
    let found = genesis.ledger();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != found) {
        return Err(Invalid::OtherLedger { found, wanted });
    }
    if object.contains_key("entries") {
        statement(&object, genesis)
    } else {
        receipt(&object, genesis)
    }
}

fn receipt(object: &Object, genesis: Genesis) -> Result<Verdict, Invalid> {
    let ledger = genesis.ledger();
    let certificate = Fields::new(object).object("certificate").map_err(unreadable)?;
    let certificate = Certificate::from_object(certificate).map_err(unreadable)?;
    let members = genesis.committee().len();
    let rules = entity_ledger::Rules::new(genesis);
    let known = entity_ledger::certificate::Known::default();
    let votes = certificate.votes.len();
    let certificate = entity_ledger::certificate::verify_certificate(&rules, certificate, &known)
        .map_err(|error| Invalid::DoesNotHold(error.to_string()))?;
    let terms = certificate.signed.order.terms();
    let mut lines = vec![
        "the certificate holds".to_owned(),
        format!("ledger       {ledger}"),
        format!("payment      {}", terms.transfer_id),
        format!("certificate  {}", certificate.digest()),
        format!("from         {}", terms.from),
        format!("to           {}", terms.to),
        format!("amount       {} {}", grouped(&terms.amount.to_string()), terms.token),
        format!("order        number {} of its account", terms.sequence.get()),
        format!(
            "votes        {votes} of {members} members, {} are needed",
            rules.committee().quorum()
        ),
    ];
    if let Some(memo) = &terms.memo {
        lines.push(format!("memo         {}", printable(memo.as_str())));
    }
    Ok(Verdict { kind: "certificate", ledger, lines })
}

fn statement(object: &Object, genesis: Genesis) -> Result<Verdict, Invalid> {
    let fields = Fields::new(object);
    let (ledger, members) = (genesis.ledger(), genesis.committee().len());
    let said: LedgerId = fields.parsed("ledger", "64 hex digits").map_err(unreadable)?;
    if said != ledger {
        return Err(Invalid::DoesNotHold("its genesis is that of another ledger".to_owned()));
    }
    let account = fields.read("account", "a key", |text| PublicKey::from_hex(text).ok());
    let account = account.map_err(unreadable)?;
    let token: TokenName = fields.parsed("token", "the name of a token").map_err(unreadable)?;
    let balance: Balance = fields.parsed("balance", "a decimal integer").map_err(unreadable)?;
    let entries = fields.array("entries").map_err(unreadable)?;
    let does_not_hold = |error: StatementError| {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            text = format!("{text}: {cause}");
        }
        Invalid::DoesNotHold(text)
    };
    let mut check = StatementCheck::new(genesis, account, token.clone()).map_err(does_not_hold)?;
    let mut own = 0;
    for entry in entries {
        let entry = entry.as_object().ok_or_else(|| unreadable("an entry is no object"))?;
        let certificate = certificate_of(entry)?;
        if !matches(entry, &certificate) {
            let digest = short(&certificate.digest().to_string());
            let text = format!("an entry says something else than its certificate {digest}");
            return Err(Invalid::DoesNotHold(text));
        }
        own += usize::from(certificate.signed.order.terms().from == account);
        check.take(certificate).map_err(does_not_hold)?;
    }
    let found = check.balance();
    if found != balance {
        return Err(does_not_hold(StatementError::Balance { said: balance, found }));
    }
    let lines = vec![
        "the statement holds".to_owned(),
        format!("ledger   {ledger}, a committee of {members}"),
        format!("account  {account}"),
        format!("balance  {} {token}", grouped(&balance.to_string())),
        format!("{} payments, each with a certificate", entries.len()),
        match own {
            0 => "It shows no order of the account itself; it may leave out any.".to_owned(),
            own => format!(
                "It shows the account's own orders 1 to {own} without a gap; it may leave out newer ones, and payments to the account."
            ),
        },
    ];
    Ok(Verdict { kind: "statement", ledger, lines })
}

fn certificate_of(entry: &Object) -> Result<Certificate, Invalid> {
    let certificate = Fields::new(entry)
        .object("certificate")
        .map_err(|_| unreadable("it has no certificates; make it with --proof"))?;
    Certificate::from_object(certificate).map_err(unreadable)
}

/// What people read is what was certified.
fn matches(entry: &Object, certificate: &Certificate) -> bool {
    let terms = certificate.signed.order.terms();
    let text = |field: &str| entry.get(field).and_then(Value::as_str);
    let sequence = entry.get("sequence").and_then(Value::as_integer);
    text("id") == Some(&terms.transfer_id.to_string())
        && text("digest") == Some(&certificate.digest().to_string())
        && text("from") == Some(&terms.from.to_hex())
        && text("to") == Some(&terms.to.to_hex())
        && text("amount") == Some(&terms.amount.to_string())
        && sequence.and_then(entity_wire::json::Integer::as_u64) == Some(terms.sequence.get())
        && text("memo") == terms.memo.as_ref().map(entity_wire::payload::token::Memo::as_str)
}

fn unreadable(error: impl ToString) -> Invalid {
    Invalid::Unreadable(error.to_string())
}
