//! An owner without a record of an account asks the members before it signs.
//!
//! Source: `docs/protocol/1.1.md#asking-before-signing`.

use std::collections::BTreeMap;

use entity_crypto::signing::PublicKey;
use entity_wire::payload::token::{
    AccountQuery, AccountState, Balance, SignedOrder, TokenCode, TokenMessage, Votes,
};
use entity_wire::time::Timestamp;

use super::Ledger;
use crate::account::AccountKey;
use crate::certificate::{Verified, trusted};
use crate::output::{Event, Keys, Submitted, TransferError, TransferRequest};
use crate::owner::{Answer, Conclusion, Pending, Query, Seen};
use crate::record::{self, Writing};
use crate::timers::Task;

impl Ledger {
    /// Asks every member how it sees an own account, before anything is signed for it.
    ///
    /// Source: `docs/protocol/1.1.md#asking-before-signing`.
    pub(super) fn ask_members(
        &mut self,
        account: AccountKey,
        request: TransferRequest,
        keys: &dyn Keys,
        now: Timestamp,
    ) {
        let mut answers = BTreeMap::new();
        if self.is_member() {
            let query = AccountQuery { from: request.from, token: request.token.clone() };
            if let Some(state) = self.account_state(&query) {
                let pending = state.pending.clone();
                let pending = pending.map(|(signed, votes)| (trusted(signed), votes));
                answers.insert(self.identity, Answer::new(&state, pending));
            }
        }
        self.owner.queries.insert(account, Query { since: now, request, answers });
        self.owner.timers.start(Task::Query(account), now);
        for member in self.other_members() {
            self.ask_state(account, &member);
        }
        self.continue_query(account, keys, now);
    }

    pub(super) fn ask_state(&mut self, account: AccountKey, member: &PublicKey) {
        let Some(query) = self.owner.queries.get(&account) else { return };
        // What a member said before an order was completed is out of date, but the slots it named stay taken.
        if !query.answers.contains_key(member) {
            let token = query.request.token.clone();
            let message = AccountQuery { from: account.owner, token };
            self.send(member, TokenMessage::AccountQuery(message));
        }
    }

    pub(super) fn handle_state(
        &mut self,
        from: &PublicKey,
        state: &AccountState,
        pending: Option<(Verified<SignedOrder>, Votes)>,
        keys: &dyn Keys,
        now: Timestamp,
    ) {
        let Some(token) = self.rules.token(&state.token) else { return };
        let account = AccountKey { owner: state.from, token };
        if !self.rules.committee().contains(from) {
            return;
        }
        let Some(query) = self.owner.queries.get_mut(&account) else { return };
        query.answers.insert(*from, Answer::new(state, pending));
        self.continue_query(account, keys, now);
    }

    /// Goes on with all questions whose account has no order under way any more.
    pub(super) fn continue_queries(&mut self, keys: &dyn Keys, now: Timestamp) {
        let accounts: Vec<AccountKey> = self.owner.queries.keys().copied().collect();
        for account in accounts {
            self.continue_query(account, keys, now);
        }
    }

    pub(super) fn continue_query(&mut self, account: AccountKey, keys: &dyn Keys, now: Timestamp) {
        if self.owner.pending.contains_key(&account) {
            return;
        }
        let Some(query) = self.owner.queries.get(&account) else { return };
        let committee = self.rules.committee();
        let known = self.state.next(&account);
        let of = (committee.size(), committee.faults());
        let (next, taken) = match query.conclude(of, known, now) {
            Conclusion::Wait => return,
            Conclusion::Free(next) => (next, None),
            Conclusion::Taken(next, taken) => (next, Some(*taken)),
        };
        if next > known && self.is_member() {
            // A member that has forgotten certificates has forgotten votes as well: it must not sign.
            return self.end_query(account, TokenCode::WrongSequence);
        }
        let named = query.balance(committee.faults());
        let agrees = next <= known && named == Some(self.state.balance(&account));
        let seen = if agrees { Seen::All } else { Seen::Part };
        let seen = self.owner.ready.get(&account).copied().unwrap_or(seen);
        self.state.advance(account, next);
        if let Some((signed, votes)) = taken {
            let pending = Pending { votes, ..Pending::new(signed, None) };
            self.owner.ready.insert(account, seen);
            return self.pursue(account, pending, keys, now);
        }
        self.make_ready(account, seen);
        let Some(query) = self.owner.queries.remove(&account) else { return };
        self.owner.timers.stop(Task::Query(account));
        let request = query.request;
        let (id, from) = (request.id, request.from);
        match self.begin_after_query(account, &request, named, keys, now) {
            Ok(_) => {}
            Err(TransferError::Refused(code)) => {
                self.tell(Event::Refused { id, digest: None, from, code });
            }
            Err(error) => self.tell(Event::NotBegun { id, from, error }),
        }
    }

    fn begin_after_query(
        &mut self,
        account: AccountKey,
        request: &TransferRequest,
        named: Option<Balance>,
        keys: &dyn Keys,
        now: Timestamp,
    ) -> Result<Submitted, TransferError> {
        if let Some(submitted) = self.begun(&account, request)? {
            return Ok(submitted);
        }
        // More than members see would be pending until somebody pays the account, and it could pay nobody meanwhile.
        let covers = |balance: Balance| balance.covers(request.amount);
        if !covers(self.state.balance(&account)) && !named.is_some_and(covers) {
            return Err(TransferError::Refused(self.shortage(&account)));
        }
        self.may_begin(&account, request, now)?;
        self.sign(account, request, keys, now)
    }

    /// Whether the pending order of an account is one that a member has shown and that can never be certified.
    pub(super) fn is_hopeless(&self, account: &AccountKey) -> bool {
        let (Some(query), Some(pending)) =
            (self.owner.queries.get(account), self.owner.pending.get(account))
        else {
            return false;
        };
        let faults = self.rules.committee().faults();
        query.is_hopeless(pending.refused.keys(), pending.terms().sequence, faults)
    }

    /// Forgets an order that a member has shown and that can never be certified.
    pub(super) fn drop_found(&mut self, account: AccountKey, keys: &dyn Keys, now: Timestamp) {
        let Some(pending) = self.forget_pending(account) else { return };
        if let Some(query) = self.owner.queries.get_mut(&account) {
            query.forget(&pending.digest());
        }
        self.continue_query(account, keys, now);
    }

    fn make_ready(&mut self, account: AccountKey, seen: Seen) {
        self.owner.ready.insert(account, seen);
        let value = Writing::with_room(16).flag("part", seen == Seen::Part);
        self.put(record::OWN, self.name(&account), value.end());
    }

    fn end_query(&mut self, account: AccountKey, code: TokenCode) {
        let Some(query) = self.owner.queries.remove(&account) else { return };
        self.owner.timers.stop(Task::Query(account));
        let (id, from) = (query.request.id, query.request.from);
        self.tell(Event::Refused { id, digest: None, from, code });
    }
}
