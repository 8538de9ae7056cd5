//! What a ledger keeps, and in which form.
//!
//! | space | key | value |
//! |---|---|---|
//! | `token.ledger` | `genesis` | the genesis |
//! | `token.account` | account | balance, next sequence, number of history entries, whether frozen |
//! | `token.supply` | token | issued and burned |
//! | `token.applied` | account `/` transfer id | digest: what makes a transfer happen once; number of the certificate |
//! | `token.lock` | account | the order that this member has voted for, and its vote |
//! | `token.own` | account | an own account whose state every member was asked for |
//! | `token.pending` | account | an own order that is not certified yet |
//! | `token.presented` | number | an own certificate and who has not applied it yet |
//! | `token.certificate` | number | an applied certificate (archive) |
//! | `token.history` | account `/` position | an applied transfer as one account sees it (archive) |
//! | `token.evidence` | account `/` sequence | two orders of one owner for one slot (archive) |
//!
//! An account in a key is the owner's key in hex, `/`, the token. Numbers in keys are 16 hex digits, so that their order
//! is that of the numbers. Values are canonical JSON.
//!
//! Certificates are numbered as they are applied, so that new ones lie behind each other in the store. Stores of before have
//! some under their digests instead, and no number of them in `token.applied`; these stay where they are.

use entity_crypto::signing::{PublicKey, Signature};
use entity_journal::{Record, Space};
use entity_wire::canonical;
use entity_wire::json::{self, Fields, Object, RULES_1_1, Value};
use entity_wire::payload::token::{Certificate, Digest, SignedOrder, TokenName, TransferId, Votes};

use crate::apply::CertificateNumber;

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
/// Applied certificates by number: [`crate::Ledger::certificate_key`].
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

/// The key of an applied certificate in [`CERTIFICATE`]; one without a number was kept under its digest.
pub(crate) fn certificate_key(number: Option<CertificateNumber>, digest: &Digest) -> Vec<u8> {
    match number {
        Some(CertificateNumber(number)) => format!("{number:016x}").into_bytes(),
        None => digest.to_string().into_bytes(),
    }
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
    [&account.to_hex(), "/", token.as_str()].concat()
}

pub(crate) fn applied_key(account: &str, id: &TransferId) -> String {
    [account, "/", &id.to_string()].concat()
}

pub(crate) fn numbered(name: &str, number: u64) -> String {
    format!("{name}/{number:016x}")
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

/// A canonical object that is written field by field, in the order of their names, with no tree of it: what is kept of each
/// transfer is written so.
pub(crate) struct Writing(Vec<u8>);

impl Writing {
    /// An object that will take about so many bytes.
    pub(crate) fn with_room(len_bytes: usize) -> Self {
        let mut out = Vec::with_capacity(len_bytes);
        out.push(b'{');
        Self(out)
    }

    /// A field with a text of letters, digits and signs that need no escape.
    pub(crate) fn plain(mut self, field: &str, text: &str) -> Self {
        debug_assert!(is_plain(text), "{text:?}");
        self.name(field);
        self.quoted(text);
        self
    }

    /// A field with any text.
    pub(crate) fn text(self, field: &str, text: &str) -> Self {
        self.json(field, &canonical::text_to_vec(text))
    }

    /// A field with a number.
    pub(crate) fn number(self, field: &str, number: u64) -> Self {
        self.json(field, number.to_string().as_bytes())
    }

    /// A field that is true or false.
    pub(crate) fn flag(self, field: &str, flag: bool) -> Self {
        self.json(field, if flag { b"true" } else { b"false" })
    }

    /// A field with a value in its canonical form.
    pub(crate) fn json(mut self, field: &str, canonical: &[u8]) -> Self {
        self.name(field);
        self.0.extend_from_slice(canonical);
        self
    }

    /// The fields of a signed order.
    pub(crate) fn signed(self, signed: &SignedOrder) -> Self {
        let order = self.json("order", signed.order.canonical());
        order.plain("signature", &signed.signature.to_base64())
    }

    /// The field with votes.
    pub(crate) fn votes(mut self, votes: &Votes) -> Self {
        self.name("votes");
        self.0.push(b'[');
        for (place, vote) in votes.iter().enumerate() {
            if place > 0 {
                self.0.push(b',');
            }
            self.0.extend_from_slice(b"{\"member\":");
            self.quoted(&vote.member.to_hex());
            self.0.extend_from_slice(b",\"signature\":");
            self.quoted(&vote.signature.to_base64());
            self.0.push(b'}');
        }
        self.0.push(b']');
        self
    }

    /// A field with a list of keys.
    pub(crate) fn keys<'a>(
        mut self,
        field: &str,
        keys: impl IntoIterator<Item = &'a PublicKey>,
    ) -> Self {
        self.name(field);
        self.0.push(b'[');
        for (place, key) in keys.into_iter().enumerate() {
            if place > 0 {
                self.0.push(b',');
            }
            self.quoted(&key.to_hex());
        }
        self.0.push(b']');
        self
    }

    /// The object.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn name(&mut self, field: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        self.quoted(field);
        self.0.push(b':');
    }

    fn quoted(&mut self, plain: &str) {
        self.0.push(b'"');
        self.0.extend_from_slice(plain.as_bytes());
        self.0.push(b'"');
    }
}

/// Whether a text is written as it is.
fn is_plain(text: &str) -> bool {
    let needs_none = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    text.as_bytes().iter().all(needs_none)
}

/// A certificate as it is kept: what [`Certificate::to_object`] is written as.
pub(crate) fn certificate_text(certificate: &Certificate) -> Vec<u8> {
    let room = certificate.signed.order.canonical().len() + 192 + 192 * certificate.votes.len();
    Writing::with_room(room).signed(&certificate.signed).votes(&certificate.votes).end()
}

pub(crate) fn keys_of(value: &Value) -> Option<Vec<PublicKey>> {
    let key = |key: &Value| PublicKey::from_hex(key.as_str()?).ok();
    value.as_array()?.iter().map(key).collect()
}

pub(crate) fn signature_of(fields: Fields<'_>, field: &'static str) -> Option<Signature> {
    Signature::from_base64(fields.text(field).ok()?).ok()
}

#[cfg(test)]
mod tests;
