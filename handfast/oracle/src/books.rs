//! Ledgers as a history shows them: what was paid, and what was seen of balances.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::calls::{self, Asked};
use crate::history::History;

/// Everything that a history says of ledgers.
#[derive(Debug)]
pub(crate) struct Books {
    /// The tokens that ledgers were opened with.
    pub(crate) tokens: Vec<Token>,
    /// The payments that may have had an effect, each once, in the order they were first asked for.
    pub(crate) payments: Vec<Payment>,
    /// What was seen of balances, in the order it was asked for.
    pub(crate) looks: Vec<Look>,
}

/// A token, all of which its issuer has at first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) cap: i128,
}

/// A payment that a role was asked for, once or again under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payment {
    /// Who was asked.
    pub(crate) role: String,
    /// Its name, where one is known.
    pub(crate) id: Option<String>,
    pub(crate) token: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) amount: i128,
    /// The number of the event by which it was first asked for.
    pub(crate) began: usize,
    /// The number of the event by which the role said that it is applied.
    pub(crate) applied: Option<usize>,
    /// Its place among the payments of its account.
    pub(crate) sequence: Option<u64>,
}

/// What a role showed of balances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) role: String,
    pub(crate) token: String,
    pub(crate) began: usize,
    pub(crate) ended: usize,
    /// Accounts and what they had, all at one moment.
    pub(crate) balances: Vec<(String, i128)>,
    /// The place of the next payment of the account, where it was shown.
    pub(crate) next_sequence: Option<u64>,
}

/// The methods that move tokens.
pub(crate) const PAYMENTS: [&str; 3] = ["token.transfer", "token.issue", "token.burn"];

impl Books {
    /// Reads what a history says.
    ///
    /// # Errors
    ///
    /// The reason why nothing can be said: no ledger was opened, two ledgers do not fit together, or an answer makes no sense.
    pub(crate) fn read(history: &History<'_>) -> Result<Self, String> {
        let calls = calls::all(history);
        let mut books = Self { tokens: tokens(&calls)?, payments: Vec::new(), looks: Vec::new() };
        let keys = history.keys();
        let key = |role: &str| keys.get(role).map(|key| (*key).to_owned());
        for call in &calls {
            if PAYMENTS.contains(&call.method) && !call.had_no_effect() {
                let payment = books.payment(call, key(call.role))?;
                books.note(payment)?;
            } else if let Some(look) = books.look(call, key(call.role))? {
                books.looks.push(look);
            }
        }
        Ok(books)
    }

    /// The token of this name, or the only one.
    fn token(&self, name: &Value) -> Result<&Token, String> {
        let named = |token: &&Token| name.as_str().is_none_or(|name| name == token.name);
        let mut meant = self.tokens.iter().filter(named);
        match (meant.next(), meant.next()) {
            (Some(token), None) => Ok(token),
            (Some(_), Some(_)) => Err("a payment without the name of its token".to_owned()),
            (None, _) => Err(format!("no ledger was opened with the token {name}")),
        }
    }

    fn payment(&self, call: &Asked<'_>, own: Option<String>) -> Result<Payment, String> {
        let token = self.token(&call.params["token"])?;
        let text = |name: &str| call.params[name].as_str().map(str::to_owned);
        let unknown = |what: &str| format!("{} of {} does not say {what}", call.method, call.role);
        let owner = text("from").or(own).ok_or_else(|| unknown("who pays"))?;
        let issuer = token.issuer.clone();
        let (from, to) = match call.method {
            "token.issue" => (Some(issuer), text("to")),
            "token.burn" => (Some(owner), Some(issuer)),
            _ => (Some(owner), text("to")),
        };
        let done = call.done();
        let answer = |name: &str| done.map_or(&Value::Null, |(_, result)| &result[name]);
        let id = text("id").or_else(|| answer("id").as_str().map(str::to_owned));
        let is_applied = answer("state") == "applied";
        Ok(Payment {
            role: call.role.to_owned(),
            id,
            token: token.name.clone(),
            from: from.ok_or_else(|| unknown("who pays"))?,
            to: to.ok_or_else(|| unknown("who is paid"))?,
            amount: amount(&call.params["amount"]).ok_or_else(|| unknown("how much"))?,
            began: call.began,
            applied: done.filter(|_| is_applied).map(|(at, _)| at),
            sequence: answer("sequence").as_u64(),
        })
    }

    /// Adds a payment, or what more is known of one that was asked for under the same name before.
    fn note(&mut self, payment: Payment) -> Result<(), String> {
        let same = |other: &&mut Payment| {
            payment.id.is_some() && (&other.id, &other.role) == (&payment.id, &payment.role)
        };
        let Some(earlier) = self.payments.iter_mut().find(same) else {
            self.payments.push(payment);
            return Ok(());
        };
        let content =
            |one: &Payment| (one.token.clone(), one.from.clone(), one.to.clone(), one.amount);
        if content(earlier) != content(&payment) {
            let id = payment.id.unwrap_or_default();
            return Err(format!("{} took two payments under the name {id}", payment.role));
        }
        earlier.applied = earlier.applied.or(payment.applied);
        earlier.sequence = earlier.sequence.or(payment.sequence);
        Ok(())
    }

    fn look(&self, call: &Asked<'_>, own: Option<String>) -> Result<Option<Look>, String> {
        let Some((ended, result)) = call.done() else { return Ok(None) };
        let look = |token: &str, balances, next_sequence| Look {
            role: call.role.to_owned(),
            token: token.to_owned(),
            began: call.began,
            ended,
            balances,
            next_sequence,
        };
        let strange = || format!("{} of {} answered {result}", call.method, call.role);
        match call.method {
            "token.balance" => {
                let token = self.token(&result["token"])?;
                let account = result["account"].as_str().map(str::to_owned);
                let account = account.or(own).ok_or_else(strange)?;
                let balance = amount(&result["balance"]).ok_or_else(strange)?;
                let next = result["next_sequence"].as_u64();
                Ok(Some(look(&token.name, vec![(account, balance)], next)))
            }
            "token.audit" => {
                // One token after the other: each is looked at by itself.
                let [only] = self.tokens.as_slice() else { return Ok(None) };
                let mut shown = result["tokens"].as_array().into_iter().flatten();
                let shown = shown.rfind(|token| token["token"] == only.name.as_str());
                let Some(shown) = shown else { return Ok(None) };
                let balance = amount(&shown["issuer_balance"]).ok_or_else(strange)?;
                Ok(Some(look(&only.name, vec![(only.issuer.clone(), balance)], None)))
            }
            _ => Ok(None),
        }
    }
}

/// An amount as the contract writes it: digits in a text.
pub(crate) fn amount(value: &Value) -> Option<i128> {
    value.as_str()?.parse().ok()
}

fn tokens(calls: &[Asked<'_>]) -> Result<Vec<Token>, String> {
    let mut tokens: BTreeMap<String, Token> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.method == "token.open" && call.done().is_some()) {
        for token in call.params["genesis"]["tokens"].as_array().into_iter().flatten() {
            let read = || {
                Some(Token {
                    name: token["token"].as_str()?.to_owned(),
                    issuer: token["issuer"].as_str()?.to_owned(),
                    cap: amount(&token["cap"])?,
                })
            };
            let read = read().ok_or_else(|| format!("the token {token} makes no sense"))?;
            let known = tokens.entry(read.name.clone()).or_insert_with(|| read.clone());
            if *known != read {
                return Err(format!("two ledgers with different tokens {}", read.name));
            }
        }
    }
    if tokens.is_empty() {
        return Err("no ledger was opened, so that nothing is known of payments".to_owned());
    }
    Ok(tokens.into_values().collect())
}
