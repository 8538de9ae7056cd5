//! The only place where balances move.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_wire::payload::token::{Balance, Certificate, Digest, OrderSequence, TransferId};

use crate::account::{Account, AccountIndex, AccountKey, Accounts};
use crate::certificate::Verified;
use crate::issuance::Supply;
use crate::rules::{Rules, TokenIndex};

/// What all certificates so far have made of the accounts.
///
/// For each applied transfer it remembers 64 bytes, which with the room of a growing table is between 74 and 148 bytes of
/// memory; for each account about 140.
#[derive(Clone, Debug)]
pub struct State {
    rules: Arc<Rules>,
    /// Whether orders of an account are applied in sequence: so at members, which see all of them. Whoever only receives
    /// sees some.
    in_sequence: bool,
    accounts: Accounts,
    applied: HashMap<(AccountIndex, TransferId), Applied>,
    /// The number of the certificate that was applied last.
    last: CertificateNumber,
    supplies: Vec<Supply>,
}

/// The place of an applied certificate among those that this node keeps: 1, 2, 3 and so on, in the order in which they were
/// applied; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CertificateNumber(pub(crate) u64);

/// What is remembered of an applied transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Applied {
    digest: Digest,
    /// `None` where it was kept before certificates had numbers.
    number: Option<NonZeroU64>,
}

/// What became of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Balances have moved.
    Applied,
    /// It was applied before; nothing has changed.
    AlreadyApplied,
    /// Orders before it are missing; nothing has changed.
    TooEarly,
    /// Another certificate took its slot, or no balance can hold what it moves: more than f members lie. Nothing has
    /// changed.
    Impossible,
}

impl State {
    /// The state at the genesis: every issuer holds the cap.
    pub fn new(rules: Arc<Rules>, in_sequence: bool) -> Self {
        let mut accounts = Accounts::default();
        for (token, genesis) in rules.tokens().zip(rules.genesis().tokens()) {
            let issuer = accounts.find_or_open(AccountKey { owner: genesis.issuer, token });
            accounts.get_mut(issuer).balance = Balance::from(genesis.cap);
        }
        let supplies = vec![Supply::default(); rules.genesis().tokens().len()];
        Self {
            rules,
            in_sequence,
            accounts,
            applied: HashMap::new(),
            last: CertificateNumber::default(),
            supplies,
        }
    }

    /// Applies a certificate.
    ///
    /// It is never refused for funds: its voters saw them, and a state that has not may pass through a negative balance.
    ///
    /// Source: `docs/protocol/1.1.md#applying-certificates`.
    pub fn apply(&mut self, certificate: &Verified<Certificate>) -> Outcome {
        let order = &certificate.signed.order;
        let terms = order.terms();
        let Some(token) = self.rules.token(&terms.token) else { return Outcome::Impossible };
        let from = AccountKey { owner: terms.from, token };
        if self.is_applied(&from, &terms.transfer_id, &order.digest()) {
            return Outcome::AlreadyApplied;
        }
        let next = self.next(&from);
        if self.in_sequence && terms.sequence != next {
            let is_later = terms.sequence > next;
            return if is_later { Outcome::TooEarly } else { Outcome::Impossible };
        }
        // Only what is certified opens an account.
        let payer = self.accounts.find_or_open(from);
        let payee = self.accounts.find_or_open(AccountKey { owner: terms.to, token });
        let less = self.accounts.get(payer).balance.minus(terms.amount);
        let mut more = self.accounts.get(payee).balance.plus(terms.amount);
        if planted(Flaw::CreditsTwice) {
            more = more.and_then(|more| more.plus(terms.amount));
        }
        let (Some(less), Some(more)) = (less, more) else { return Outcome::Impossible };
        let account = self.accounts.get_mut(payer);
        account.balance = less;
        account.next = next.max(terms.sequence.next());
        account.entries += 1;
        let account = self.accounts.get_mut(payee);
        account.balance = more;
        account.entries += 1;
        self.last.0 += 1;
        let applied = Applied { digest: order.digest(), number: NonZeroU64::new(self.last.0) };
        self.applied.insert((payer, terms.transfer_id), applied);
        let issuer = self.rules.genesis().tokens()[usize::from(token.0)].issuer;
        let supply = &mut self.supplies[usize::from(token.0)];
        if terms.from == issuer {
            supply.issue(terms.amount);
        } else if terms.to == issuer {
            supply.burn(terms.amount);
        }
        Outcome::Applied
    }

    /// The digest of the applied order of (`from`, any token) with this transfer id.
    pub(crate) fn applied(&self, from: &PublicKey, id: &TransferId) -> Option<Digest> {
        self.rules.tokens().find_map(|token| {
            let account = self.accounts.find(&AccountKey { owner: *from, token })?;
            self.applied.get(&(account, *id)).map(|applied| applied.digest)
        })
    }

    /// The number of the certificate that was applied last.
    pub(crate) fn last_certificate(&self) -> CertificateNumber {
        self.last
    }

    /// The number of an applied certificate: a look-up. `None` where nothing of this digest is applied, or it was before
    /// certificates had numbers.
    pub(crate) fn certificate_number(
        &self,
        from: &PublicKey,
        id: &TransferId,
        digest: &Digest,
    ) -> Option<CertificateNumber> {
        let number = self.rules.tokens().find_map(|token| {
            let account = self.accounts.find(&AccountKey { owner: *from, token })?;
            self.applied.get(&(account, *id)).filter(|applied| applied.digest == *digest)?.number
        });
        number.map(|number| CertificateNumber(number.get()))
    }

    /// The same where only the digest is known: looks at every applied transfer. `None` where none has it.
    #[expect(clippy::option_option, reason = "not applied, and applied without a number, differ")]
    #[expect(
        clippy::disallowed_methods,
        reason = "one digest is that of one order: no order of them matters"
    )]
    pub(crate) fn find_certificate(&self, digest: &Digest) -> Option<Option<CertificateNumber>> {
        let found = self.applied.values().find(|applied| applied.digest == *digest)?;
        Some(found.number.map(|number| CertificateNumber(number.get())))
    }

    /// Whether a certificate was applied: a look-up, without any signature.
    pub(crate) fn is_applied(&self, key: &AccountKey, id: &TransferId, digest: &Digest) -> bool {
        let account = self.accounts.find(key);
        account
            .and_then(|account| self.applied.get(&(account, *id)))
            .is_some_and(|applied| applied.digest == *digest)
    }

    pub(crate) fn account(&self, key: &AccountKey) -> Option<&Account> {
        self.accounts.find(key).map(|index| self.accounts.get(index))
    }

    /// The sequence that an account's next order has.
    pub(crate) fn next(&self, key: &AccountKey) -> OrderSequence {
        self.account(key).map_or(OrderSequence::FIRST, |account| account.next)
    }

    pub(crate) fn balance(&self, key: &AccountKey) -> Balance {
        self.account(key).map_or(Balance::ZERO, |account| account.balance)
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter()
    }

    pub(crate) fn supply(&self, token: TokenIndex) -> Supply {
        self.supplies[usize::from(token.0)]
    }

    pub(crate) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    pub(crate) fn freeze(&mut self, key: AccountKey) {
        let index = self.accounts.find_or_open(key);
        self.accounts.get_mut(index).frozen = true;
    }

    /// Remembers that this member has voted for another order of a slot than the one that was certified.
    pub(crate) fn overrule(&mut self, key: AccountKey, slot: OrderSequence) {
        let index = self.accounts.find_or_open(key);
        self.accounts.get_mut(index).overruled = Some(slot);
    }

    /// Passes over slots that orders took which this node has forgotten.
    pub(crate) fn advance(&mut self, key: AccountKey, next: OrderSequence) {
        let index = self.accounts.find_or_open(key);
        let account = self.accounts.get_mut(index);
        account.next = account.next.max(next);
    }

    /// The accounts that have changed since this was last called.
    pub(crate) fn take_changed(&mut self) -> Vec<Account> {
        let dirty = self.accounts.take_dirty();
        dirty.into_iter().map(|index| self.accounts.get(index).clone()).collect()
    }

    /// Takes the accounts as they are for kept.
    pub(crate) fn forget_changes(&mut self) {
        drop(self.accounts.take_dirty());
    }

    pub(crate) fn restore_account(&mut self, key: AccountKey, fill: impl FnOnce(&mut Account)) {
        let index = self.accounts.find_or_open(key);
        fill(self.accounts.get_mut(index));
    }

    pub(crate) fn restore_applied(
        &mut self,
        key: AccountKey,
        id: TransferId,
        (digest, number): (Digest, Option<NonZeroU64>),
    ) {
        let index = self.accounts.find_or_open(key);
        self.applied.insert((index, id), Applied { digest, number });
        self.last.0 = self.last.0.max(number.map_or(0, NonZeroU64::get));
    }

    pub(crate) fn restore_supply(&mut self, token: TokenIndex, supply: Supply) {
        self.supplies[usize::from(token.0)] = supply;
    }
}
