//! Commands that wait: for the end of an order, or for their turn.

use std::collections::{BTreeMap, VecDeque};

use entity_crypto::signing::PublicKey;
use entity_ledger::TransferRequest;
use entity_wire::payload::token::{TokenName, TransferId};

use super::vocabulary::{TokenError, Until};
use crate::command::CommandId;

/// Payments of one account that wait for their turn. Guessed: what a person or a batch asks for at once.
pub const QUEUED_PER_ACCOUNT_MAX: usize = 256;

/// Commands that wait for a payment, over all accounts: four for each account that an identity can have.
pub const WAITING_MAX: usize = 4_096;

/// One command that waits for a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiter {
    pub(super) command: CommandId,
    pub(super) until: Until,
}

/// An account, as orders have them: a key and a token.
pub(super) type Account = (PublicKey, TokenName);

/// Everything that waits.
#[derive(Debug, Default)]
pub(super) struct Payments {
    /// For the end of an order that the ledger has.
    open: BTreeMap<(PublicKey, TransferId), Vec<Waiter>>,
    /// For its turn.
    queued: BTreeMap<Account, VecDeque<(TransferRequest, Waiter)>>,
    count: usize,
}

impl Payments {
    /// Says whether one more may wait.
    ///
    /// # Errors
    ///
    /// The limit that is reached.
    pub(super) fn has_room(&self) -> Result<(), TokenError> {
        if self.count < WAITING_MAX {
            Ok(())
        } else {
            Err(TokenError::Overloaded { limit: "payments waited for" })
        }
    }

    /// Lets a command wait for the end of an order.
    pub(super) fn wait(&mut self, from: PublicKey, id: TransferId, waiter: Waiter) {
        self.count += 1;
        self.open.entry((from, id)).or_default().push(waiter);
    }

    /// Takes the commands that wait for an order, all of them or those that wait for no more than `until`.
    pub(super) fn take(&mut self, from: PublicKey, id: TransferId, until: Until) -> Vec<Waiter> {
        let Some(waiters) = self.open.remove(&(from, id)) else { return Vec::new() };
        let (taken, left): (Vec<_>, Vec<_>) = waiters
            .into_iter()
            .partition(|waiter| until == Until::Applied || waiter.until == Until::Kept);
        self.count -= taken.len();
        if !left.is_empty() {
            self.open.insert((from, id), left);
        }
        taken
    }

    /// Lets a payment wait for its turn.
    ///
    /// # Errors
    ///
    /// Too many of the account do.
    pub(super) fn queue(
        &mut self,
        request: TransferRequest,
        waiter: Waiter,
    ) -> Result<(), TokenError> {
        let queue = self.queued.entry((request.from, request.token.clone())).or_default();
        if queue.len() >= QUEUED_PER_ACCOUNT_MAX {
            return Err(TokenError::Overloaded { limit: "payments of one account" });
        }
        queue.push_back((request, waiter));
        self.count += 1;
        Ok(())
    }

    /// Whether payments of an account wait for their turn.
    pub(super) fn is_queued(&self, account: &Account) -> bool {
        self.queued.contains_key(account)
    }

    /// The accounts of an owner of which payments wait for their turn.
    pub(super) fn queued_of(&self, owner: &PublicKey) -> Vec<Account> {
        let of_owner = |account: &&Account| account.0 == *owner;
        self.queued.keys().filter(of_owner).cloned().collect()
    }

    /// Takes the payment of an account whose turn is next.
    pub(super) fn next(&mut self, account: &Account) -> Option<(TransferRequest, Waiter)> {
        let queue = self.queued.get_mut(account)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.queued.remove(account);
        }
        self.count -= usize::from(next.is_some());
        next
    }

    /// Withdraws a command, and says whether it waited. An order that was begun goes on.
    pub(super) fn withdraw(&mut self, command: CommandId) -> bool {
        let before = self.count;
        self.open.retain(|_, waiters| {
            let count = waiters.len();
            waiters.retain(|waiter| waiter.command != command);
            self.count -= count - waiters.len();
            !waiters.is_empty()
        });
        self.queued.retain(|_, queue| {
            let count = queue.len();
            queue.retain(|(_, waiter)| waiter.command != command);
            self.count -= count - queue.len();
            !queue.is_empty()
        });
        self.count < before
    }
}
