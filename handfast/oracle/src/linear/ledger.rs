//! A ledger: payments move what is there, and nothing else moves.

use std::collections::{BTreeMap, BTreeSet};

use super::Copies;
use super::search::{Model, Operation};
use crate::books::{Books, Look, Payment, Token};

/// What is done to a ledger. Accounts are numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// So much goes from one account to another, which it has.
    Pay { from: usize, to: usize, amount: i128 },
    /// These have that.
    Show(Vec<(usize, i128)>),
}

/// Accounts between which tokens go.
pub(super) struct Accounts {
    begin: Vec<i128>,
}

impl Model for Accounts {
    type State = Vec<i128>;
    /// Whatever the order of the same payments, it leads to the same balances.
    type Mark = ();
    type Action = Action;

    fn begin(&self) -> Vec<i128> {
        self.begin.clone()
    }

    fn apply(&self, state: &Vec<i128>, action: &Action) -> Option<Vec<i128>> {
        match action {
            Action::Pay { from, to, amount } => {
                let mut state = state.clone();
                state[*from] = state[*from].checked_sub(*amount).filter(|left| *left >= 0)?;
                state[*to] = state[*to].checked_add(*amount)?;
                Some(state)
            }
            Action::Show(shown) => {
                let fits = shown.iter().all(|(account, balance)| state[*account] == *balance);
                fits.then(|| state.clone())
            }
        }
    }

    fn only_looks(&self, action: &Action) -> bool {
        matches!(action, Action::Show(_))
    }

    fn mark(&self, _: &Vec<i128>) {}
}

/// One object that knows nothing of the others: some accounts of one token in one copy of the books.
pub(super) struct Part {
    /// Where, in words.
    pub(super) title: String,
    pub(super) accounts: Accounts,
    pub(super) operations: Vec<Operation<Action>>,
}

/// Parts what a history says into objects that know nothing of each other.
///
/// # Errors
///
/// The reason why it shows nothing.
pub(super) fn parts(books: &Books, copies: Copies) -> Result<Vec<Part>, String> {
    let applied = books.payments.iter().filter(|payment| payment.applied.is_some()).count();
    if applied == 0 || books.looks.is_empty() {
        return Err(format!(
            "{applied} payments were applied and {} balances were looked at, which shows nothing of their order",
            books.looks.len()
        ));
    }
    let whose: Vec<Option<&str>> = match copies {
        Copies::One => vec![None],
        Copies::Each => {
            let roles: BTreeSet<&str> = books.looks.iter().map(|look| look.role.as_str()).collect();
            roles.into_iter().map(Some).collect()
        }
    };
    let mut parts = Vec::new();
    for whose in whose {
        for token in &books.tokens {
            parts.extend(parts_of(books, whose, token));
        }
    }
    Ok(parts)
}

/// The parts of one token in the copy of one role, or in the only copy.
fn parts_of(books: &Books, whose: Option<&str>, token: &Token) -> Vec<Part> {
    let payments: Vec<&Payment> =
        books.payments.iter().filter(|payment| payment.token == token.name).collect();
    let is_meant =
        |look: &&Look| look.token == token.name && whose.is_none_or(|whose| whose == look.role);
    let looks: Vec<&Look> = books.looks.iter().filter(is_meant).collect();
    let mut groups = Groups::default();
    for payment in &payments {
        groups.join(&payment.from, &payment.to);
    }
    for look in &looks {
        for (account, _) in &look.balances {
            groups.join(account, &look.balances[0].0);
        }
    }
    let parts = groups.all().into_iter().map(|members| {
        let number: BTreeMap<&str, usize> = members
            .iter()
            .enumerate()
            .map(|(number, account)| (account.as_str(), number))
            .collect();
        let begin = |account: &String| if *account == token.issuer { token.cap } else { 0 };
        let accounts = Accounts { begin: members.iter().map(begin).collect() };
        let paid = payments.iter().filter_map(|payment| paid(payment, &number, whose));
        let shown = looks.iter().filter_map(|look| shown(look, &number));
        let operations = paid.chain(shown).collect();
        let title = match whose {
            Some(role) => format!("the books of {role}"),
            None => "the books".to_owned(),
        };
        Part { title, accounts, operations }
    });
    parts.collect()
}

/// A payment as an operation on a copy of the books: those of others come into it at any time, or not yet.
fn paid(
    payment: &Payment,
    number: &BTreeMap<&str, usize>,
    whose: Option<&str>,
) -> Option<Operation<Action>> {
    let Payment { from, to, amount, began, .. } = payment;
    let own = whose.is_none_or(|whose| whose == payment.role);
    let action = Action::Pay {
        from: *number.get(from.as_str())?,
        to: *number.get(to.as_str())?,
        amount: *amount,
    };
    let title = format!("{} paid {amount} from {} to {}", payment.role, short(from), short(to));
    Some(Operation { began: *began, ended: payment.applied.filter(|_| own), action, title })
}

fn shown(look: &Look, number: &BTreeMap<&str, usize>) -> Option<Operation<Action>> {
    let balance =
        |(account, balance): &(String, i128)| Some((*number.get(account.as_str())?, *balance));
    let balances: Vec<(usize, i128)> = look.balances.iter().map(balance).collect::<Option<_>>()?;
    let texts: Vec<String> = look
        .balances
        .iter()
        .map(|(account, balance)| format!("{} with {balance}", short(account)))
        .collect();
    let title = format!("{} showed {}", look.role, texts.join(", "));
    Some(Operation {
        began: look.began,
        ended: Some(look.ended),
        action: Action::Show(balances),
        title,
    })
}

/// The beginning of a key, for people.
fn short(account: &str) -> &str {
    account.get(..8).unwrap_or(account)
}

/// Accounts that have to do with each other.
#[derive(Default)]
struct Groups {
    groups: Vec<BTreeSet<String>>,
}

impl Groups {
    fn join(&mut self, one: &str, other: &str) {
        let (mut joined, apart): (Vec<_>, Vec<_>) = std::mem::take(&mut self.groups)
            .into_iter()
            .partition(|group| group.contains(one) || group.contains(other));
        let mut group: BTreeSet<String> = joined.drain(..).flatten().collect();
        group.extend([one.to_owned(), other.to_owned()]);
        self.groups = apart;
        self.groups.push(group);
    }

    fn all(self) -> Vec<Vec<String>> {
        self.groups.into_iter().map(|group| group.into_iter().collect()).collect()
    }
}
