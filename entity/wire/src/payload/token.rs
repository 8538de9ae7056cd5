//! The payloads of certified token transfers, and the objects that are signed in them.
//!
//! Unlike other payloads these are *exact*: an object with a field that its type does not name is refused, because
//! orders, votes and certificates are kept, shown to third parties and hashed.
//!
//! - [`amount`]: [`Amount`], [`Balance`]: integers in base units, as decimal text.
//! - [`name`]: [`LedgerId`], [`Digest`], [`TransferId`], [`TokenName`], [`Memo`], [`Epoch`], [`OrderSequence`].
//! - [`genesis`]: [`Genesis`], what a ledger is made of.
//! - [`order`]: [`Terms`], [`Order`], [`SignedOrder`].
//! - [`certificate`]: [`MemberVote`], [`Votes`], [`Certificate`].
//! - [`message`]: [`VoteRequest`], [`Vote`], [`VoteRefusal`], [`TokenTransfer`], [`TokenReceipt`], [`AccountQuery`],
//!   [`AccountState`].
//! - [`code`]: [`TokenCode`] and the precedence of its values.
//!
//! Source: `docs/protocol/1.1.md#tokens`.

pub mod amount;
pub mod certificate;
pub mod code;
pub mod genesis;
pub mod message;
pub mod name;
pub mod order;

pub use amount::{Amount, Balance};
pub use certificate::{Certificate, MemberVote, Votes, vote_bytes};
pub use code::TokenCode;
pub use genesis::{Genesis, GenesisError, TokenGenesis};
pub use message::{
    AccountQuery, AccountState, TokenMessage, TokenReceipt, TokenTransfer, Unreadable, Vote,
    VoteRefusal, VoteRequest,
};
pub use name::{Digest, Epoch, LedgerId, Memo, OrderSequence, TokenName, TransferId};
pub use order::{Order, SignedOrder, Terms, TermsError};

use entity_crypto::signing::{PublicKey, Signature};

use crate::json::{FieldError, Fields, Object, Problem, Value};

/// Most members of a committee.
pub const MEMBERS_MAX: usize = 64;

/// Most tokens of a ledger.
pub const TOKENS_MAX: usize = 64;

/// Most certificates that one `vote_request` carries.
pub const CERTIFICATES_MAX: usize = 32;

/// Refuses fields that a type does not name.
fn exact(object: &Object, named: &[&str]) -> Result<(), FieldError> {
    if object.iter().all(|(key, _)| named.contains(&key)) {
        Ok(())
    } else {
        Err(Problem::Invalid { expected: "an object with exactly the fields of its type" }.of("*"))
    }
}

fn key(fields: Fields<'_>, field: &'static str) -> Result<PublicKey, FieldError> {
    fields.read(field, "64 lower-case hex digits of an Ed25519 public key", |text| {
        PublicKey::from_hex(text).ok()
    })
}

fn signature(fields: Fields<'_>) -> Result<Signature, FieldError> {
    fields.read("signature", "base64 of 64 bytes", |text| Signature::from_base64(text).ok())
}

/// Reads a list of objects of at most `max` entries.
fn list<T>(
    fields: Fields<'_>,
    field: &'static str,
    max: usize,
    read: impl Fn(&Object) -> Result<T, FieldError>,
) -> Result<Vec<T>, FieldError> {
    let items = fields.array(field)?;
    if items.len() > max {
        return Err(Problem::TooLong { max }.of(field));
    }
    let one = |item: &Value| {
        let object = item.as_object();
        read(object.ok_or(Problem::WrongType { expected: "an array of objects" }.of(field))?)
    };
    items.iter().map(one).collect()
}

#[cfg(test)]
mod tests;
