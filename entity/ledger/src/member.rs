//! A member's votes.
//!
//! A member votes once for each slot, ever. What it has voted for stays locked until a certificate takes the slot: no
//! time unlocks it, and no owner.
//!
//! Source: `docs/protocol/1.1.md#voting`.

use std::collections::BTreeMap;

use entity_crypto::signing::{PublicKey, Signature};
use entity_flaw::{Flaw, planted};
use entity_wire::payload::token::{MemberVote, SignedOrder, TokenCode};
use entity_wire::time::Timestamp;

use crate::account::AccountKey;
use crate::apply::State;
use crate::certificate::Verified;
use crate::record::Writing;

/// The order that a member has voted for, and its vote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    pub(crate) signed: SignedOrder,
    pub(crate) vote: Signature,
}

/// The locks of a member: at most one an account, because only an account's next order is voted for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locks {
    locks: BTreeMap<AccountKey, Lock>,
}

/// What a member makes of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It votes, for the first time.
    First,
    /// It has voted for this very order, or the order is applied: the same vote again.
    Again,
    /// It does not vote.
    Refuse(TokenCode),
    /// It does not vote, and the two orders prove that the owner has signed both for one slot.
    Equivocation(Box<Lock>),
}

impl Lock {
    pub(crate) fn member_vote(&self, member: PublicKey) -> MemberVote {
        MemberVote { member, signature: self.vote }
    }

    /// As it is kept.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        let room = self.signed.order.canonical().len() + 256;
        let text = Writing::with_room(room).signed(&self.signed);
        text.plain("vote", &self.vote.to_base64()).end()
    }
}

impl Locks {
    pub(crate) fn get(&self, account: &AccountKey) -> Option<&Lock> {
        self.locks.get(account)
    }

    pub(crate) fn set(&mut self, account: AccountKey, lock: Lock) {
        self.locks.insert(account, lock);
    }

    pub(crate) fn remove(&mut self, account: &AccountKey) -> Option<Lock> {
        self.locks.remove(account)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&AccountKey, &Lock)> {
        self.locks.iter()
    }

    /// Judges an order whose signature, ledger, epoch and token are verified. `others` is how many valid votes of other
    /// members it came with.
    ///
    /// The codes come in the order of [`TokenCode::ALL`]. What is refused for a reason of its own is no evidence: only an
    /// order that would have been voted for, had the slot been free, is.
    pub(crate) fn judge(
        &self,
        state: &State,
        signed: &Verified<SignedOrder>,
        others: usize,
        now: Timestamp,
    ) -> Judgement {
        let terms = signed.order.terms();
        let digest = signed.order.digest();
        let Some(token) = state.rules().token(&terms.token) else {
            return Judgement::Refuse(TokenCode::UnknownToken);
        };
        let account = AccountKey { owner: terms.from, token };
        let lock = self.locks.get(&account);
        let applied = state.applied(&terms.from, &terms.transfer_id);
        let overruled = state.account(&account).and_then(|account| account.overruled);
        if applied == Some(digest) && overruled == Some(terms.sequence) {
            // What was certified for the slot is not what this member has voted for; a second vote would make it a liar.
            return Judgement::Refuse(TokenCode::AccountFrozen);
        }
        if applied == Some(digest) || lock.is_some_and(|lock| lock.signed.order.digest() == digest)
        {
            return Judgement::Again;
        }
        if applied.is_some() {
            return Judgement::Refuse(TokenCode::DuplicateWithOtherContent);
        }
        // One of f + 1 others is honest: it voted in time.
        let in_time = now <= terms.expires_at || others > state.rules().committee().faults();
        if !in_time {
            return Judgement::Refuse(TokenCode::Expired);
        }
        if state.account(&account).is_some_and(|account| account.frozen) {
            return Judgement::Refuse(TokenCode::AccountFrozen);
        }
        if terms.sequence != state.next(&account) {
            return Judgement::Refuse(TokenCode::WrongSequence);
        }
        if let Some(lock) = lock {
            return Judgement::Equivocation(Box::new(lock.clone()));
        }
        if !state.balance(&account).covers(terms.amount) && !planted(Flaw::IgnoresOverdraft) {
            let issuer = state.rules().genesis().tokens()[usize::from(token.0)].issuer;
            let is_issuer = terms.from == issuer;
            return Judgement::Refuse(if is_issuer {
                TokenCode::CapExceeded
            } else {
                TokenCode::InsufficientFunds
            });
        }
        Judgement::First
    }
}
