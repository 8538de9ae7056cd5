//! Accounts: a key and a token, what it holds, and which order comes next.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use entity_crypto::signing::PublicKey;
use entity_wire::payload::token::{Balance, OrderSequence};

use crate::rules::TokenIndex;

/// An account by its place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountIndex(u32);

/// The name of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AccountKey {
    pub(crate) owner: PublicKey,
    pub(crate) token: TokenIndex,
}

impl AccountKey {
    /// The accounts of an owner, under whatever token.
    pub(crate) fn all_of(owner: PublicKey) -> RangeInclusive<Self> {
        let of = |token| Self { owner, token: TokenIndex(token) };
        of(u16::MIN)..=of(u16::MAX)
    }
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) key: AccountKey,
    pub(crate) balance: Balance,
    /// The sequence of the order that is applied next.
    pub(crate) next: OrderSequence,
    /// How many transfers have touched the account: the position of the newest in its history.
    pub(crate) entries: u64,
    /// Whether its owner has signed two orders for one slot.
    pub(crate) frozen: bool,
    /// The slot for which this member has voted for another order than the one that was certified. There is one at most:
    /// from then on the account is frozen here.
    pub(crate) overruled: Option<OrderSequence>,
    /// Whether it has changed since it was last kept.
    dirty: bool,
}

/// All accounts that anything has touched.
///
/// They are as many as certified transfers have made: their number is bounded by what the committee lets happen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    list: Vec<Account>,
    index: HashMap<AccountKey, u32>,
    dirty: Vec<AccountIndex>,
}

impl Account {
    fn new(key: AccountKey) -> Self {
        let next = OrderSequence::FIRST;
        let (balance, entries) = (Balance::ZERO, 0);
        Self { key, balance, next, entries, frozen: false, overruled: None, dirty: false }
    }
}

impl Accounts {
    pub(crate) fn find(&self, key: &AccountKey) -> Option<AccountIndex> {
        self.index.get(key).copied().map(AccountIndex)
    }

    /// The account of a key, made where there is none.
    pub(crate) fn find_or_open(&mut self, key: AccountKey) -> AccountIndex {
        if let Some(found) = self.find(&key) {
            return found;
        }
        let place = u32::try_from(self.list.len()).expect("fewer than 2^32 accounts fit in memory");
        self.index.insert(key, place);
        self.list.push(Account::new(key));
        AccountIndex(place)
    }

    pub(crate) fn get(&self, index: AccountIndex) -> &Account {
        &self.list[index.0 as usize]
    }

    /// An account to change; it will be kept again.
    pub(crate) fn get_mut(&mut self, index: AccountIndex) -> &mut Account {
        let account = &mut self.list[index.0 as usize];
        if !account.dirty {
            account.dirty = true;
            self.dirty.push(index);
        }
        account
    }

    /// The accounts in the order in which they came to be.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.list.iter()
    }

    /// The accounts that have changed since this was last called.
    pub(crate) fn take_dirty(&mut self) -> Vec<AccountIndex> {
        let dirty = std::mem::take(&mut self.dirty);
        for index in &dirty {
            self.list[index.0 as usize].dirty = false;
        }
        dirty
    }
}
