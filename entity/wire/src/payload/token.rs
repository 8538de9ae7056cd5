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

use super::{exact, key, list, signature};

/// Most members of a committee.
pub const MEMBERS_MAX: usize = 64;

/// Most tokens of a ledger.
pub const TOKENS_MAX: usize = 64;

/// Most certificates that one `vote_request` carries.
pub const CERTIFICATES_MAX: usize = 32;

#[cfg(test)]
mod tests;
