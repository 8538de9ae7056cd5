//! The methods `token.*`: what a ledger does and shows.

use std::str::FromStr;
use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_ledger::Ledger;
use entity_peer::Peer;
use entity_peer::command::{Command, CommandError};
use entity_peer::tokens::{Payment, TokenCommand, TokenError, Until, Way};
use entity_wire::json::{Object, RULES_1_1, parse};
use entity_wire::payload::token::{Amount, Genesis, Memo, TokenCode, TokenName, TransferId};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::RpcError;
use crate::methods::{
    Answer, Look, Outcome, Request, ask, no_params, parameter, parse_params, result,
};
use crate::token_shapes as shapes;

/// How long members may take to begin to vote where the caller does not say. Guessed: an outage that people notice and mend
/// within a day.
const EXPIRES_IN: Duration = Duration::from_hours(24);

/// A look at a ledger.
#[derive(Debug)]
pub(crate) enum TokenLook {
    Accounts,
    Balance { of: Option<PublicKey>, token: Option<TokenName> },
    Pending,
    Audit,
    Verify(Box<Object>),
}

/// Says what a method asks for; nothing for one that needs a store (`token.history`), or time (a payment, see [`payment`]).
/// An audit is without evidence here: that is in the store.
pub(crate) fn read(method: &str, params: Option<&RawValue>) -> Option<Result<Request, RpcError>> {
    let look = |look| Request::Look(Look::at_tokens(look));
    Some(match method {
        "token.open" => open(params),
        "token.account" => parse_params(params).map(|AccountParams { index }| {
            ask(Command::Token(TokenCommand::TakeAccount { index }), Answer::Account)
        }),
        "token.accounts" => no_params(params).map(|()| look(TokenLook::Accounts)),
        "token.balance" => balance(params).map(look),
        "token.pending" => no_params(params).map(|()| look(TokenLook::Pending)),
        "token.audit" => no_params(params).map(|()| look(TokenLook::Audit)),
        "token.verify" => parse_params(params)
            .and_then(|VerifyParams { certificate }| object("certificate", &certificate))
            .map(|certificate| look(TokenLook::Verify(Box::new(certificate)))),
        _ => return None,
    })
}

impl TokenLook {
    pub(crate) fn show(&self, peer: &Peer) -> Outcome {
        match self {
            Self::Accounts => result(&shapes::Accounts::of(peer)),
            Self::Balance { of, token } => {
                let (account, token) = account(peer, of.as_ref(), token.as_ref())?;
                result(&shapes::Balance::of(ledger(peer)?, &account, &token))
            }
            Self::Pending => result(&shapes::Unfinished::of(ledger(peer)?)),
            Self::Audit => result(&shapes::Audit::of(ledger(peer)?)),
            Self::Verify(certificate) => result(&shapes::Verdict::of(ledger(peer)?, certificate)),
        }
    }
}

/// What `token.transfer`, `token.issue` or `token.burn` asks for; nothing for another method.
///
/// Whoever carries it out says after a while how far it is, instead of waiting for good.
pub fn payment(method: &str, params: Option<&RawValue>) -> Option<Result<Payment, RpcError>> {
    Some(match method {
        "token.transfer" => parse_params(params).and_then(transfer),
        "token.issue" => parse_params(params).and_then(|IssueParams { to, amount, id, token }| {
            let way = Way::Issue { to: key("to", &to)? };
            new_payment(way, &amount, id.as_deref(), token.as_deref())
        }),
        "token.burn" => parse_params(params).and_then(|BurnParams { amount, id, token, from }| {
            let way = Way::Burn { from: key_of("from", from.as_deref())? };
            new_payment(way, &amount, id.as_deref(), token.as_deref())
        }),
        _ => return None,
    })
}

/// The ledger of a peer.
///
/// # Errors
///
/// It keeps none.
pub fn ledger(peer: &Peer) -> Result<&Ledger, RpcError> {
    peer.ledger().ok_or_else(|| CommandError::Token(TokenError::NoLedger).into())
}

/// The account and token that are meant: the identity's where none is named, the only one of the ledger.
///
/// # Errors
///
/// The peer keeps no ledger, or none with such a token, or it is not said which.
pub fn account(
    peer: &Peer,
    of: Option<&PublicKey>,
    token: Option<&TokenName>,
) -> Result<(PublicKey, TokenName), RpcError> {
    let account = of.copied().unwrap_or_else(|| peer.public_key());
    let tokens = ledger(peer)?.genesis().tokens();
    let token = match token {
        Some(named) if tokens.iter().any(|token| token.token == *named) => Ok(named.clone()),
        Some(_) => Err(TokenError::Refused { code: TokenCode::UnknownToken }),
        None if tokens.len() > 1 => Err(TokenError::WhichToken),
        None => tokens.first().map(|token| token.token.clone()).ok_or(TokenError::WhichToken),
    };
    Ok((account, token.map_err(CommandError::Token)?))
}

/// Reads a key.
///
/// # Errors
///
/// [`RpcError::INVALID_PARAMS`] where it is none.
pub fn key(name: &str, text: &str) -> Result<PublicKey, RpcError> {
    PublicKey::from_hex(text).map_err(|error| RpcError::params(format!("{name}: {error}")))
}

/// The same, where it may be left out.
///
/// # Errors
///
/// As [`key`].
pub fn key_of(name: &str, text: Option<&str>) -> Result<Option<PublicKey>, RpcError> {
    text.map(|text| key(name, text)).transpose()
}

fn open(params: Option<&RawValue>) -> Result<Request, RpcError> {
    let OpenParams { genesis } = parse_params(params)?;
    let genesis = Genesis::from_object(&object("genesis", &genesis)?)
        .map_err(|error| RpcError::params(format!("genesis: {error}")))?;
    Ok(ask(Command::Token(TokenCommand::Open { genesis }), Answer::Opened))
}

fn balance(params: Option<&RawValue>) -> Result<TokenLook, RpcError> {
    let OfParams { of, token } = parse_params(params)?;
    let token = token.map(|name| parameter::<TokenName>("token", &name)).transpose()?;
    Ok(TokenLook::Balance { of: key_of("of", of.as_deref())?, token })
}

fn transfer(params: TransferParams) -> Result<Payment, RpcError> {
    let memo = |text: &str| {
        Memo::new(text)
            .ok_or_else(|| RpcError::params(format!("memo: longer than {} bytes", Memo::LEN_MAX)))
    };
    let way =
        Way::Transfer { from: key_of("from", params.from.as_deref())?, to: key("to", &params.to)? };
    Ok(Payment {
        memo: params.memo.as_deref().map(memo).transpose()?,
        expires_in: params.expires_in_s.map_or(EXPIRES_IN, Duration::from_secs),
        until: if params.wait.unwrap_or(true) { Until::Applied } else { Until::Kept },
        ..new_payment(way, &params.amount, params.id.as_deref(), params.token.as_deref())?
    })
}

fn new_payment(
    way: Way,
    amount: &str,
    id: Option<&str>,
    token: Option<&str>,
) -> Result<Payment, RpcError> {
    let amount = Amount::from_str(amount).map_err(|_| {
        RpcError::from(CommandError::Token(TokenError::Refused { code: TokenCode::AmountInvalid }))
    })?;
    Ok(Payment {
        id: id.map(|id| parameter::<TransferId>("id", id)).transpose()?,
        token: token.map(|name| parameter::<TokenName>("token", name)).transpose()?,
        way,
        amount,
        memo: None,
        expires_in: EXPIRES_IN,
        until: Until::Applied,
    })
}

/// An object of the wire, read as strictly as there.
fn object(name: &str, text: &RawValue) -> Result<Object, RpcError> {
    let value = parse(text.get().as_bytes(), &RULES_1_1)
        .map_err(|error| RpcError::params(format!("{name}: {error}")))?;
    value.into_object().map_err(|_| RpcError::params(format!("{name}: not an object")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenParams {
    genesis: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountParams {
    index: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransferParams {
    to: String,
    amount: String,
    id: Option<String>,
    token: Option<String>,
    from: Option<String>,
    memo: Option<String>,
    expires_in_s: Option<u64>,
    wait: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueParams {
    to: String,
    amount: String,
    id: Option<String>,
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BurnParams {
    amount: String,
    id: Option<String>,
    token: Option<String>,
    from: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfParams {
    of: Option<String>,
    token: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyParams {
    certificate: Box<RawValue>,
}
