//! The accounts of this identity.
//!
//! Account 0 is the identity key; further ones are derived from it and used once somebody has asked for them. Space
//! `token.key`: under the number of the account, `{"key"}`.
//!
//! Source: docs/protocol/1.1.md#account-keys

use std::collections::BTreeMap;
use std::sync::OnceLock;

use entity_crypto::signing::{PublicKey, Signature, SigningKey};
use entity_journal::{Record, Space, Stored};
use entity_ledger::Keys;
use entity_wire::json::Object;

use crate::core::Core;
use crate::record::{self, damaged};
use crate::restore::RestoreError;

/// Accounts of one identity. Guessed: four times what the largest wallet we measure with has.
pub const ACCOUNTS_MAX: u32 = 1_024;

pub(crate) const SPACE: Space = Space::state("token.key");

/// The accounts in use.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    by_index: BTreeMap<u32, Account>,
    by_key: BTreeMap<PublicKey, u32>,
}

#[derive(Debug)]
struct Account {
    key: PublicKey,
    /// What it signs with, derived when it first signs; the identity's own key is elsewhere.
    signer: OnceLock<SigningKey>,
}

impl Accounts {
    /// Starts with the accounts that were in use; the identity always is.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(super) fn restore(identity: PublicKey, stored: &mut Stored) -> Result<Self, RestoreError> {
        let mut accounts = Self::default();
        accounts.insert(0, identity);
        for record in stored.take(SPACE) {
            let (index, key) = read(&record)?;
            accounts.insert(index, key);
        }
        Ok(accounts)
    }

    /// Takes an account into use and returns its key; `None` from [`ACCOUNTS_MAX`] on.
    pub(super) fn take(&mut self, core: &mut Core, index: u32) -> Option<PublicKey> {
        if let Some(account) = self.by_index.get(&index) {
            return Some(account.key);
        }
        if index >= ACCOUNTS_MAX {
            return None;
        }
        let key = core.key.account(index).public_key();
        self.insert(index, key);
        let object = Object::new().with("key", key.to_hex());
        core.persist(record::put(SPACE, record::key_of_number(index.into()), &object));
        Some(key)
    }

    /// Whether an account is ours.
    pub(super) fn contains(&self, key: &PublicKey) -> bool {
        self.by_key.contains_key(key)
    }

    /// The accounts in use, by number.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, PublicKey)> {
        self.by_index.iter().map(|(index, account)| (*index, account.key))
    }

    fn insert(&mut self, index: u32, key: PublicKey) {
        self.by_index.insert(index, Account { key, signer: OnceLock::new() });
        self.by_key.insert(key, index);
    }
}

fn read(stored: &Record) -> Result<(u32, PublicKey), RestoreError> {
    let number = record::number_of_key(SPACE, stored)?;
    let index = u32::try_from(number).ok().filter(|index| (1..ACCOUNTS_MAX).contains(index));
    let index = index.ok_or_else(|| damaged(SPACE, stored, "there is no such account"))?;
    let key = record::read(SPACE, stored, &["key"], |fields| {
        fields.read("key", "an Ed25519 public key", |text| PublicKey::from_hex(text).ok())
    })?;
    Ok((index, key))
}

/// Signs for our accounts.
pub(super) struct Signers<'a> {
    /// What account 0 signs with.
    pub(super) identity: &'a SigningKey,
    /// The accounts.
    pub(super) accounts: &'a Accounts,
}

impl Keys for Signers<'_> {
    fn sign(&self, account: &PublicKey, bytes: &[u8]) -> Option<Signature> {
        let index = *self.accounts.by_key.get(account)?;
        if index == 0 {
            return Some(self.identity.sign(bytes));
        }
        let account = self.accounts.by_index.get(&index)?;
        Some(account.signer.get_or_init(|| self.identity.account(index)).sign(bytes))
    }
}
