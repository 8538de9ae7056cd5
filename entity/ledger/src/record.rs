//! What a ledger keeps, and in which form.
//!
//! | space | key | value |
//! |---|---|---|
//! | `token.ledger` | `genesis` | the genesis |
//! | `token.account` | account | balance, next sequence, number of history entries, whether frozen |
//! | `token.supply` | token | issued and burned |
//! | `token.applied` | account `/` transfer id | digest: what makes a transfer happen once |
//! | `token.lock` | account | the order that this member has voted for, and its vote |
//! | `token.own` | account | an own account whose state every member was asked for |
//! | `token.pending` | account | an own order that is not certified yet |
//! | `token.presented` | number | an own certificate and who has not applied it yet |
//! | `token.certificate` | digest | an applied certificate (archive) |
//! | `token.history` | account `/` position | an applied transfer as one account sees it (archive) |
//! | `token.evidence` | account `/` sequence | two orders of one owner for one slot (archive) |
//!
//! An account in a key is the owner's key in hex, `/`, the token. Numbers in keys are 16 hex digits, so that their order
//! is that of the numbers. Values are canonical JSON.

use entity_crypto::signing::{PublicKey, Signature};
use entity_journal::{Record, Space, Write};
use entity_wire::canonical;
use entity_wire::json::{self, Fields, Object, RULES_1_1, Value};
use entity_wire::payload::token::{Digest, SignedOrder, TokenName, TransferId};

/// The genesis.
pub const LEDGER: Space = Space::state("token.ledger");
/// Accounts.
pub const ACCOUNT: Space = Space::state("token.account");
/// What was issued and burned.
pub const SUPPLY: Space = Space::state("token.supply");
/// Transfer ids and digests of applied orders.
pub const APPLIED: Space = Space::state("token.applied");
/// What this member has voted for.
pub const LOCK: Space = Space::state("token.lock");
/// Own accounts that are ready to sign.
pub const OWN: Space = Space::state("token.own");
/// Own orders without a certificate.
pub const PENDING: Space = Space::state("token.pending");
/// Own certificates without all their receipts.
pub const PRESENTED: Space = Space::state("token.presented");
/// Applied certificates by digest: [`certificate_key`].
pub const CERTIFICATE: Space = Space::archive("token.certificate");
/// History by account and position: [`history_prefix`].
pub const HISTORY: Space = Space::archive("token.history");
/// Evidence of equivocation by account and sequence.
pub const EVIDENCE: Space = Space::archive("token.evidence");

/// A kept record that cannot be read: the store was changed by somebody else, or is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the record {key} of {space}")]
pub struct RestoreError {
    /// Its space.
    pub space: &'static str,
    /// Its key, as far as it is text.
    pub key: String,
}

/// The key of an applied certificate in [`CERTIFICATE`].
pub fn certificate_key(digest: &Digest) -> Vec<u8> {
    digest.to_string().into_bytes()
}

/// What the keys of an account's history begin with in [`HISTORY`]; entries come in the order of their positions.
pub fn history_prefix(account: &PublicKey, token: &TokenName) -> Vec<u8> {
    format!("{}/", account_name(account, token)).into_bytes()
}

/// The key of one entry of a history: for [`entity_journal::Journal::scan`], the key to go on after.
pub fn history_key(account: &PublicKey, token: &TokenName, position: u64) -> Vec<u8> {
    format!("{}/{position:016x}", account_name(account, token)).into_bytes()
}

pub(crate) fn account_name(account: &PublicKey, token: &TokenName) -> String {
    format!("{}/{}", account.to_hex(), token.as_str())
}

pub(crate) fn applied_key(account: &str, id: &TransferId) -> String {
    format!("{account}/{id}")
}

pub(crate) fn numbered(name: &str, number: u64) -> String {
    format!("{name}/{number:016x}")
}

pub(crate) fn put(space: Space, key: impl Into<Vec<u8>>, value: &Object) -> Write {
    Write::put(space, key, canonical::object_to_vec(value))
}

/// A record taken apart: whatever goes wrong with it names it.
pub(crate) struct Reading {
    space: &'static str,
    key: Vec<u8>,
    value: Object,
}

impl Reading {
    pub(crate) fn new(space: Space, record: Record) -> Result<Self, RestoreError> {
        let parsed = json::parse(&record.value, &RULES_1_1).ok();
        let value = parsed.and_then(|value| value.into_object().ok());
        let read = Self { space: space.name(), key: record.key, value: Object::new() };
        match value {
            // Only what was written here is read: the one form of the value, byte by byte.
            Some(value) if canonical::object_to_vec(&value) == record.value => {
                Ok(Self { value, ..read })
            }
            Some(_) | None => Err(read.damaged()),
        }
    }

    pub(crate) fn damaged(&self) -> RestoreError {
        RestoreError { space: self.space, key: String::from_utf8_lossy(&self.key).into_owned() }
    }

    /// The key, cut at each `/`.
    pub(crate) fn key<const N: usize>(&self) -> Result<[&str; N], RestoreError> {
        let text = std::str::from_utf8(&self.key).map_err(|_| self.damaged())?;
        let parts: Vec<&str> = text.split('/').collect();
        parts.try_into().map_err(|_| self.damaged())
    }

    pub(crate) fn value(&self) -> &Object {
        &self.value
    }

    pub(crate) fn fields(&self) -> Fields<'_> {
        Fields::new(&self.value)
    }

    /// Makes an error of this record out of whatever else there is.
    pub(crate) fn need<T>(&self, read: Option<T>) -> Result<T, RestoreError> {
        read.ok_or_else(|| self.damaged())
    }
}

/// The fields of a signed order, to add others to.
pub(crate) fn signed_object(signed: &SignedOrder) -> Object {
    Object::new()
        .with("order", signed.order.to_object())
        .with("signature", signed.signature.to_base64())
}

pub(crate) fn keys_value<'a>(keys: impl IntoIterator<Item = &'a PublicKey>) -> Value {
    Value::Array(keys.into_iter().map(|key| Value::from(key.to_hex())).collect())
}

pub(crate) fn keys_of(value: &Value) -> Option<Vec<PublicKey>> {
    let key = |key: &Value| PublicKey::from_hex(key.as_str()?).ok();
    value.as_array()?.iter().map(key).collect()
}

pub(crate) fn signature_of(fields: Fields<'_>, field: &'static str) -> Option<Signature> {
    Signature::from_base64(fields.text(field).ok()?).ok()
}
