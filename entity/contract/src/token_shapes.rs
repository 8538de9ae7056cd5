//! How tokens look in answers and events of the contract.

use entity_crypto::signing::PublicKey;
use entity_journal::Record;
use entity_ledger::{
    HistoryEntry, InvalidCertificate, Ledger, Movement, PendingOrder, Stage, TokenAudit, UnderWay,
};
use entity_peer::Peer;
use entity_peer::tokens::{self, TokenEvent};
use entity_wire::json::{FieldError, Object};
use entity_wire::payload::token::{Certificate, Memo, TokenName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::events::notice;
use crate::shapes::raw_object;

#[derive(Debug, Serialize)]
pub(crate) struct Opened {
    pub(crate) ledger: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Account {
    pub(crate) key: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct Accounts {
    accounts: Vec<OwnAccount>,
}

#[derive(Debug, Serialize)]
struct OwnAccount {
    index: u32,
    key: String,
    balances: Vec<OwnBalance>,
}

#[derive(Debug, Serialize)]
struct OwnBalance {
    token: String,
    balance: String,
}

impl Accounts {
    pub(crate) fn of(peer: &Peer) -> Self {
        let ledger = peer.ledger();
        let balances = |key: &PublicKey| {
            let of = |ledger: &Ledger| {
                let tokens = ledger.genesis().tokens().iter();
                let balance = |token: &TokenName| {
                    let balance = ledger.account(key, token)?.balance.to_string();
                    Some(OwnBalance { token: token.to_string(), balance })
                };
                tokens.filter_map(|token| balance(&token.token)).collect()
            };
            ledger.map(of).unwrap_or_default()
        };
        let account = |(index, key): (u32, PublicKey)| OwnAccount {
            index,
            key: key.to_hex(),
            balances: balances(&key),
        };
        Self { accounts: peer.accounts().map(account).collect() }
    }
}

/// The answer to a payment: how far it is.
#[derive(Debug, Serialize)]
pub struct Paid {
    id: String,
    digest: String,
    sequence: u64,
    state: &'static str,
}

impl From<tokens::Paid> for Paid {
    fn from(paid: tokens::Paid) -> Self {
        Self {
            id: paid.id.to_string(),
            digest: paid.digest.to_string(),
            sequence: paid.sequence.get(),
            state: if paid.is_applied { "applied" } else { "pending" },
        }
    }
}

/// What `token.history` gives.
#[derive(Debug, Serialize)]
pub struct History {
    /// The entries, the oldest first.
    pub entries: Vec<Entry>,
    /// After which position there may be more.
    pub next: Option<u64>,
}

/// One applied payment as an account sees it.
#[derive(Debug, Serialize)]
pub struct Entry {
    position: u64,
    id: String,
    digest: String,
    from: String,
    to: String,
    amount: String,
    sequence: u64,
    memo: Option<String>,
}

impl Entry {
    /// An entry as the store has it.
    pub fn of(entry: &HistoryEntry) -> Self {
        Self {
            position: entry.position,
            id: entry.id.to_string(),
            digest: entry.digest.to_string(),
            from: entry.from.to_hex(),
            to: entry.to.to_hex(),
            amount: entry.amount.to_string(),
            sequence: entry.sequence.get(),
            memo: entry.memo.as_ref().map(|memo| memo.as_str().to_owned()),
        }
    }
}

/// What an account has.
#[expect(clippy::struct_field_names, reason = "the contract names them so")]
#[derive(Debug, Serialize)]
pub(crate) struct Balance {
    account: String,
    token: String,
    balance: String,
    next_sequence: u64,
    frozen: bool,
    pending: Vec<Pending>,
}

/// An order that is not certified as far as this node knows.
#[derive(Debug, Serialize)]
pub struct Pending {
    id: String,
    digest: String,
    token: String,
    from: String,
    to: String,
    amount: String,
    sequence: u64,
}

impl Balance {
    /// Nothing for a token that the ledger has not.
    pub(crate) fn of(ledger: &Ledger, account: &PublicKey, token: &TokenName) -> Option<Self> {
        let view = ledger.account(account, token)?;
        Some(Self {
            account: account.to_hex(),
            token: token.to_string(),
            balance: view.balance.to_string(),
            next_sequence: view.next_sequence.get(),
            frozen: view.frozen,
            pending: view.pending.iter().map(Pending::of).collect(),
        })
    }
}

impl Pending {
    fn of(order: &PendingOrder) -> Self {
        Self {
            id: order.id.to_string(),
            digest: order.digest.to_string(),
            token: order.token.to_string(),
            from: order.from.to_hex(),
            to: order.to.to_hex(),
            amount: order.amount.to_string(),
            sequence: order.sequence.get(),
        }
    }
}

/// Own payments that somebody still has to do something for.
#[derive(Debug, Serialize)]
pub(crate) struct Unfinished {
    pending: Vec<UnfinishedPayment>,
}

#[derive(Debug, Serialize)]
struct UnfinishedPayment {
    #[serde(flatten)]
    order: Pending,
    state: &'static str,
    votes: usize,
    quorum: usize,
    missing: Vec<String>,
}

impl Unfinished {
    pub(crate) fn of(ledger: &Ledger) -> Self {
        let quorum = ledger.rules().committee().quorum();
        let payment = |payment: UnderWay| UnfinishedPayment {
            order: Pending::of(&payment.order),
            state: match payment.stage {
                Stage::Voting => "voting",
                Stage::Telling => "telling",
            },
            votes: payment.votes,
            quorum,
            missing: payment.missing.iter().map(PublicKey::to_hex).collect(),
        };
        Self { pending: ledger.under_way().map(payment).collect() }
    }
}

/// Whether the sums hold.
#[derive(Debug, Serialize)]
pub struct Audit {
    ledger: String,
    epoch: u64,
    is_member: bool,
    tokens: Vec<AuditedToken>,
    pending: Vec<Pending>,
    /// What is kept against owners who signed two orders for one place; left empty by [`Audit::of`].
    pub evidence: Vec<Evidence>,
}

#[derive(Debug, Serialize)]
struct AuditedToken {
    token: String,
    cap: String,
    issued: String,
    burned: String,
    issuer_balance: String,
    sum: Option<String>,
    accounts: usize,
    holds: bool,
}

/// Two orders of one owner for one place: with their signatures anybody can check them.
#[derive(Debug, Serialize)]
pub struct Evidence {
    from: String,
    token: String,
    sequence: u64,
    #[serde(flatten)]
    orders: TwoOrders,
}

/// Each is `{order, signature}`, as it was kept.
#[derive(Debug, Serialize, Deserialize)]
struct TwoOrders {
    first: Box<RawValue>,
    second: Box<RawValue>,
}

impl Audit {
    /// The sums of a ledger.
    pub fn of(ledger: &Ledger) -> Self {
        let audit = ledger.audit();
        let token = |token: &TokenAudit| AuditedToken {
            token: token.token.to_string(),
            cap: token.cap.to_string(),
            issued: token.supply.issued.to_string(),
            burned: token.supply.burned.to_string(),
            issuer_balance: token.issuer_balance.to_string(),
            sum: token.sum.map(|sum| sum.to_string()),
            accounts: token.accounts,
            holds: token.holds(),
        };
        Self {
            ledger: audit.ledger.to_string(),
            epoch: audit.epoch.get(),
            is_member: ledger.is_committee_member(),
            tokens: audit.tokens.iter().map(token).collect(),
            pending: audit.pending.iter().map(Pending::of).collect(),
            evidence: Vec::new(),
        }
    }
}

impl Evidence {
    /// Reads a record: account, token and place from its key.
    pub fn of(record: &Record) -> Option<Self> {
        let key = std::str::from_utf8(&record.key).ok()?;
        let mut parts = key.splitn(3, '/');
        let (from, token, place) = (parts.next()?, parts.next()?, parts.next()?);
        let sequence = u64::from_str_radix(place, 16).ok()?;
        let orders = serde_json::from_slice(&record.value).ok()?;
        Some(Self { from: from.to_owned(), token: token.to_owned(), sequence, orders })
    }
}

/// The history of an account with what it adds up to.
#[derive(Debug, Serialize)]
pub struct Statement {
    ledger: String,
    genesis: Box<RawValue>,
    epoch: u64,
    account: String,
    token: String,
    balance: String,
    next_sequence: u64,
    /// Its entries, left empty by [`Statement::of`].
    pub entries: Vec<StatementEntry>,
    /// After which position there may be more.
    pub next: Option<u64>,
}

/// An entry of a statement.
#[derive(Debug, Serialize)]
pub struct StatementEntry {
    /// The entry.
    #[serde(flatten)]
    pub entry: Entry,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// What proves it, where that was asked for.
    pub certificate: Option<Box<RawValue>>,
}

impl Statement {
    /// A statement without its entries; nothing for a token that the ledger has not.
    pub fn of(ledger: &Ledger, account: &PublicKey, token: &TokenName) -> Option<Self> {
        let view = ledger.account(account, token)?;
        Some(Self {
            ledger: ledger.id().to_string(),
            genesis: genesis(ledger),
            epoch: ledger.epoch().get(),
            account: account.to_hex(),
            token: token.to_string(),
            balance: view.balance.to_string(),
            next_sequence: view.next_sequence.get(),
            entries: Vec::new(),
            next: None,
        })
    }
}

/// What `token.certificate` gives: enough to check a payment without a node.
#[derive(Debug, Serialize)]
pub struct Receipt {
    /// The certificate as it was kept.
    pub certificate: Box<RawValue>,
    /// The genesis of its ledger.
    pub genesis: Box<RawValue>,
}

/// The genesis of a ledger.
pub fn genesis(ledger: &Ledger) -> Box<RawValue> {
    raw_object(&ledger.genesis().to_object())
}

/// Whether a certificate holds.
#[derive(Debug, Serialize)]
pub(crate) struct Verdict {
    valid: bool,
    digest: Option<String>,
    code: Option<&'static str>,
}

impl Verdict {
    pub(crate) fn of(ledger: &Ledger, certificate: &Object) -> Self {
        let read: Result<Certificate, FieldError> = Certificate::from_object(certificate);
        let Ok(certificate) = read else {
            return Self { valid: false, digest: None, code: Some("INVALID_MESSAGE") };
        };
        let digest = Some(certificate.digest().to_string());
        let code = ledger.verify(certificate).err().map(InvalidCertificate::code);
        Self { valid: code.is_none(), digest, code }
    }
}

/// The line of an event of the ledger; nothing for an event that the contract does not have.
pub(crate) fn event_line(event: &TokenEvent, n: u64) -> Option<String> {
    Some(match event {
        TokenEvent::VoteRequested { peer, id, digest, from } => {
            let requested = VoteRequested {
                peer,
                id: id.to_string(),
                digest: digest.to_string(),
                from: from.to_hex(),
            };
            notice("token.vote_requested", n, &requested)
        }
        TokenEvent::Applied(movement) => notice("token.applied", n, &Moved::of(movement)),
        TokenEvent::Received(movement) => notice("token.received", n, &Moved::of(movement)),
        TokenEvent::Refused { id, digest, code } => {
            let digest = digest.map(|digest| digest.to_string());
            notice("token.refused", n, &Refused { id: id.to_string(), digest, code: code.as_str() })
        }
        TokenEvent::Receipt { id, digest, peer } => {
            let receipt = AppliedBy { id: id.to_string(), digest: digest.to_string(), peer };
            notice("token.receipt", n, &receipt)
        }
        TokenEvent::Equivocation { from, token, sequence } => {
            let found = Equivocation {
                from: from.to_hex(),
                token: token.as_str(),
                sequence: sequence.get(),
            };
            notice("token.equivocation", n, &found)
        }
        TokenEvent::CommitteeBroken { .. } => return None,
    })
}

#[derive(Debug, Serialize)]
struct VoteRequested<'a> {
    peer: &'a str,
    id: String,
    digest: String,
    from: String,
}

#[derive(Debug, Serialize)]
struct Moved<'a> {
    id: String,
    digest: String,
    token: &'a str,
    from: String,
    to: String,
    amount: String,
    sequence: u64,
    memo: Option<&'a str>,
}

impl<'a> Moved<'a> {
    fn of(movement: &'a Movement) -> Self {
        Self {
            id: movement.id.to_string(),
            digest: movement.digest.to_string(),
            token: movement.token.as_str(),
            from: movement.from.to_hex(),
            to: movement.to.to_hex(),
            amount: movement.amount.to_string(),
            sequence: movement.sequence.get(),
            memo: movement.memo.as_ref().map(Memo::as_str),
        }
    }
}

#[derive(Debug, Serialize)]
struct Refused {
    id: String,
    digest: Option<String>,
    code: &'static str,
}

#[derive(Debug, Serialize)]
struct AppliedBy<'a> {
    id: String,
    digest: String,
    peer: &'a str,
}

#[derive(Debug, Serialize)]
struct Equivocation<'a> {
    from: String,
    token: &'a str,
    sequence: u64,
}

#[cfg(test)]
mod tests;
