//! What a store that belonged to one key becomes for the key that takes its place.
//!
//! | of the store | becomes |
//! |---|---|
//! | roster, inbox, tasks, transfers, what was seen, durable messages for others | the new key's |
//! | sessions, the numbers that messages had in them | gone: they were the old key's, and others open new ones |
//! | numbers of derived accounts | gone: the new key derives others |
//! | the ledger with its orders and certificates | stays; accounts belong to the old keys for ever, orders that are signed are completed |
//!
//! A key that sits in a committee cannot be followed: what it has voted for binds it, and nobody votes in its place.

use entity_crypto::signing::PublicKey;
use entity_journal::{Space, Stored, Write};
use entity_ledger::record::{LEDGER, OWN};
use entity_session::v1_1::record::SPACE as SESSIONS;
use entity_wire::json::{RULES_1_1, parse};
use entity_wire::payload::token::Genesis;
use thiserror::Error;

use crate::{durable, tokens};

/// Spaces whose records mean nothing without the key that they were written under.
const OF_THE_KEY: [Space; 4] = [SESSIONS, durable::PLACES, tokens::ACCOUNT_KEYS, OWN];

/// Why a store cannot go over to another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum InheritError {
    /// The key is a member of the committee.
    #[error(
        "the key before is a member of the committee of its ledger, and nobody votes in its place"
    )]
    Member,
    /// The genesis of its ledger cannot be read.
    #[error("the genesis of its ledger is damaged")]
    Damaged,
}

/// What has to be written so that what `stored` holds of the key `old` can be gone on with under another key.
///
/// The caller makes sure that `old` has handed over to that key.
///
/// # Errors
///
/// [`InheritError`].
pub fn inherit(stored: &Stored, old: &PublicKey) -> Result<Vec<Write>, InheritError> {
    for (_, value) in stored.records(LEDGER) {
        let object = parse(value, &RULES_1_1).ok().and_then(|value| value.into_object().ok());
        let genesis = object.and_then(|object| Genesis::from_object(&object).ok());
        if genesis.ok_or(InheritError::Damaged)?.committee().contains(old) {
            return Err(InheritError::Member);
        }
    }
    let bound = OF_THE_KEY
        .into_iter()
        .flat_map(|space| stored.records(space).map(move |(key, _)| Write::delete(space, key)));
    Ok(bound.collect())
}

#[cfg(test)]
mod tests;
