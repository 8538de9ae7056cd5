//! An owner: signs, and collects votes until there is a certificate.

use std::collections::BTreeSet;

use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_wire::payload::token::{
    Amount, CERTIFICATES_MAX, Certificate, Order, OrderSequence, SignedOrder, Terms, TokenCode,
    TokenMessage, TransferId, Vote, VoteRefusal, VoteRequest, Votes,
};
use entity_wire::time::Timestamp;

use super::Ledger;
use crate::account::AccountKey;
use crate::certificate::{Verified, assemble, trusted};
use crate::output::{Event, Keys, Submitted, TransferError, TransferRequest};
use crate::owner::{Content, Pending, Seen};
use crate::presenting::PRESENTED_MAX;
use crate::record::{self, Writing};
use crate::timers::Task;

impl Ledger {
    /// Begins a transfer, or says how far the one of this id is.
    ///
    /// # Errors
    ///
    /// [`TransferError`]: nothing was signed, kept or sent.
    ///
    /// Source: `docs/protocol/1.1.md#ordering`.
    pub fn handle_transfer(
        &mut self,
        request: TransferRequest,
        keys: &dyn Keys,
        now: Timestamp,
    ) -> Result<Submitted, TransferError> {
        if !self.owner.keys.contains(&request.from) {
            return Err(TransferError::NotOwn);
        }
        if request.from == request.to {
            return Err(TransferError::SameAccount);
        }
        let token = self.rules.token(&request.token);
        let token = token.ok_or(TransferError::Refused(TokenCode::UnknownToken))?;
        let account = AccountKey { owner: request.from, token };
        if let Some(submitted) = self.begun(&account, &request)? {
            return Ok(submitted);
        }
        self.may_begin(&account, &request, now)?;
        let is_sole_member = self.is_member() && self.rules.committee().size() == 1;
        if is_sole_member || self.may_sign_unasked(&account, request.amount) {
            return self.sign(account, &request, keys, now);
        }
        self.ask_members(account, request, keys, now);
        Ok(Submitted::Asking)
    }

    /// What waits for a peer is sent to it now: a session with it is ready.
    pub fn handle_reachable(&mut self, peer: &PublicKey, now: Timestamp) {
        if self.owner.presenting.waits_for(peer) && !planted(Flaw::ShowsCertificatesOnce) {
            let again = self.owner.presenting.again_for(peer);
            self.present(peer, again);
            self.owner.timers.start(Task::Present(*peer), now);
        }
        if !self.rules.committee().contains(peer) {
            return;
        }
        let accounts: Vec<AccountKey> = self.owner.pending.keys().copied().collect();
        for account in accounts {
            if planted(Flaw::AsksForVotesOnce) {
                break;
            }
            self.ask_vote(account, peer, true);
            self.owner.timers.start(Task::Votes(account), now);
        }
        let accounts: Vec<AccountKey> = self.owner.queries.keys().copied().collect();
        for account in accounts {
            self.ask_state(account, peer);
        }
    }

    /// When something is to be repeated.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.owner.timers.next()
    }

    /// Repeats what is due.
    pub fn handle_deadline(&mut self, keys: &dyn Keys, now: Timestamp) {
        for task in self.owner.timers.due(now) {
            self.owner.timers.back_off(task, now);
            match task {
                Task::Votes(_) if planted(Flaw::AsksForVotesOnce) => {}
                Task::Present(_) if planted(Flaw::ShowsCertificatesOnce) => {}
                Task::Votes(account) => {
                    if let Some(pending) = self.owner.pending.get_mut(&account) {
                        pending.helped.clear();
                    }
                    self.ask_votes(account, true);
                }
                Task::Query(account) => {
                    for member in self.other_members() {
                        self.ask_state(account, &member);
                    }
                    self.continue_query(account, keys, now);
                }
                Task::Present(peer) => {
                    let again = self.owner.presenting.again_for(&peer);
                    self.present(&peer, again);
                }
            }
        }
    }

    /// Whether the transfer of this id was begun before.
    pub(super) fn begun(
        &self,
        account: &AccountKey,
        request: &TransferRequest,
    ) -> Result<Option<Submitted>, TransferError> {
        let content = Content::of_request(request);
        let other = TransferError::Refused(TokenCode::DuplicateWithOtherContent);
        let same = |found: Content, so_far: Submitted| {
            if found == content { Ok(Some(so_far)) } else { Err(other) }
        };
        if let Some(sent) = self.owner.sent.get(&(*account, request.id)) {
            let (digest, sequence) = (sent.digest, sent.sequence);
            return same(sent.content, Submitted::Applied { digest, sequence });
        }
        // Under another token, or by another node with the same key: then it is another transfer, or nobody here knows.
        if self.state.applied(&request.from, &request.id).is_some() {
            return Err(other);
        }
        if self.is_under_way_elsewhere(account, &request.id) {
            return Err(other);
        }
        if let Some(pending) = self.owner.pending.get(account) {
            let terms = pending.terms();
            if terms.transfer_id != request.id {
                return Err(TransferError::Busy { id: terms.transfer_id });
            }
            return same(Content::of_terms(terms), submitted(pending));
        }
        if let Some(query) = self.owner.queries.get(account) {
            if query.request.id != request.id {
                return Err(TransferError::Busy { id: query.request.id });
            }
            return same(Content::of_request(&query.request), Submitted::Asking);
        }
        Ok(None)
    }

    /// Whether members need not be asked first. Who has seen a part of its transfers only has at least what it has seen.
    fn may_sign_unasked(&self, account: &AccountKey, amount: Amount) -> bool {
        match self.owner.ready.get(account) {
            Some(Seen::All) => true,
            Some(Seen::Part) => self.state.balance(account).covers(amount),
            None => false,
        }
    }

    /// The code for an amount that an account has not.
    pub(super) fn shortage(&self, account: &AccountKey) -> TokenCode {
        let issuer = self.rules.genesis().tokens()[usize::from(account.token.0)].issuer;
        if account.owner == issuer { TokenCode::CapExceeded } else { TokenCode::InsufficientFunds }
    }

    /// Whether an order of this id is under way for the same owner under another token.
    fn is_under_way_elsewhere(&self, account: &AccountKey, id: &TransferId) -> bool {
        let of_owner = AccountKey::all_of(account.owner);
        let pending = self.owner.pending.range(of_owner.clone());
        let pending = pending.map(|(key, pending)| (key, pending.terms().transfer_id));
        let queries = self.owner.queries.range(of_owner);
        let queries = queries.map(|(key, query)| (key, query.request.id));
        pending.chain(queries).any(|(key, found)| key != account && found == *id)
    }

    /// Whether anything is known here for which the committee would refuse the order.
    pub(super) fn may_begin(
        &self,
        account: &AccountKey,
        request: &TransferRequest,
        now: Timestamp,
    ) -> Result<(), TransferError> {
        if now > request.expires_at {
            return Err(TransferError::Refused(TokenCode::Expired));
        }
        if self.state.account(account).is_some_and(|account| account.frozen) {
            return Err(TransferError::Refused(TokenCode::AccountFrozen));
        }
        // Whoever is no member may have missed what others have paid.
        let sees_all = self.is_member() || self.owner.ready.get(account) == Some(&Seen::All);
        if sees_all
            && !planted(Flaw::IgnoresOverdraft)
            && !self.state.balance(account).covers(request.amount)
        {
            return Err(TransferError::Refused(self.shortage(account)));
        }
        if self.owner.presenting.len() >= PRESENTED_MAX {
            return Err(TransferError::TooManyPresented);
        }
        Ok(())
    }

    /// Signs the order of a request for the next slot, keeps it and asks for votes.
    pub(super) fn sign(
        &mut self,
        account: AccountKey,
        request: &TransferRequest,
        keys: &dyn Keys,
        now: Timestamp,
    ) -> Result<Submitted, TransferError> {
        // A vote of this member for an order that this owner does not remember: the slot is taken.
        if let Some(lock) = self.locks.get(&account) {
            let id = lock.signed.order.terms().transfer_id;
            let (signed, mut votes) = (trusted(lock.signed.clone()), Votes::NONE);
            votes.add(lock.member_vote(self.identity));
            self.pursue(account, Pending { votes, ..Pending::new(signed, None) }, keys, now);
            return Err(TransferError::Busy { id });
        }
        let sequence = self.state.next(&account);
        let order = Order::new(self.terms(request, sequence));
        let order = order.map_err(|_| TransferError::SameAccount)?;
        let signature = keys.sign(&request.from, &order.signed_bytes());
        let signature = signature.ok_or(TransferError::NotOwn)?;
        let (digest, sequence) = (order.digest(), order.terms().sequence);
        let signed = trusted(SignedOrder { order, signature });
        let mut pending = Pending::new(signed, request.receiver);
        if self.is_member() {
            let vote = self.vote(&pending.signed, 0, keys, now).map_err(TransferError::Refused)?;
            pending.votes.add(vote);
        }
        self.tell(Event::Signed { id: request.id, digest, from: request.from, sequence });
        self.pursue(account, pending, keys, now);
        Ok(self
            .owner
            .pending
            .get(&account)
            .map_or(Submitted::Applied { digest, sequence }, submitted))
    }

    fn terms(&self, request: &TransferRequest, sequence: OrderSequence) -> Terms {
        Terms {
            ledger: self.rules.ledger(),
            epoch: self.rules.epoch(),
            transfer_id: request.id,
            token: request.token.clone(),
            from: request.from,
            to: request.to,
            amount: request.amount,
            sequence,
            expires_at: request.expires_at,
            memo: request.memo.clone(),
        }
    }

    /// Keeps an own order and asks for votes until it is certified.
    pub(super) fn pursue(
        &mut self,
        account: AccountKey,
        pending: Pending,
        keys: &dyn Keys,
        now: Timestamp,
    ) {
        let value = Writing::with_room(pending.signed.order.canonical().len() + 256);
        // Before the signature comes the receiver: fields stand in the order of their names.
        let value = value.json("order", pending.signed.order.canonical());
        let value = match &pending.receiver {
            Some(receiver) => value.plain("receiver", &receiver.to_hex()),
            None => value,
        };
        let value = value.plain("signature", &pending.signed.signature.to_base64());
        self.put(record::PENDING, self.name(&account), value.end());
        self.owner.by_digest.insert(pending.digest(), account);
        self.owner.pending.insert(account, pending);
        if !self.certify(account, keys, now) {
            self.ask_votes(account, false);
            self.owner.timers.start(Task::Votes(account), now);
        }
    }

    pub(super) fn other_members(&self) -> Vec<PublicKey> {
        self.rules.committee().others(&self.identity).copied().collect()
    }

    fn ask_votes(&mut self, account: AccountKey, helps: bool) {
        for member in self.other_members() {
            self.ask_vote(account, &member, helps);
        }
    }

    /// Asks one member for its vote; `helps` shows it certificates that it may not have seen.
    fn ask_vote(&mut self, account: AccountKey, member: &PublicKey, helps: bool) {
        let certificates = if helps { self.help_for(&account, member) } else { Vec::new() };
        let Some(pending) = self.owner.pending.get_mut(&account) else { return };
        if pending.votes.of(member).is_some() {
            return;
        }
        pending.shown.insert(*member, pending.votes.len());
        let request = VoteRequest {
            signed: pending.signed.get().clone(),
            votes: pending.votes.clone(),
            certificates,
        };
        self.send(member, TokenMessage::VoteRequest(request));
    }

    /// Certificates for a member that is behind: earlier ones of the account, and those that paid it.
    fn help_for(&self, account: &AccountKey, member: &PublicKey) -> Vec<Certificate> {
        let half = CERTIFICATES_MAX / 2;
        let mut help = self.owner.presenting.of_account(member, account, half);
        let recent = self.owner.recent.get(account);
        help.extend(recent.into_iter().flatten().take(half).cloned());
        help
    }

    pub(super) fn handle_vote(&mut self, vote: &Vote, keys: &dyn Keys, now: Timestamp) {
        let Some(account) = self.owner.by_digest.get(&vote.digest).copied() else { return };
        let Some(pending) = self.owner.pending.get_mut(&account) else { return };
        pending.refused.remove(&vote.member);
        pending.votes.add(vote.of_member());
        self.certify(account, keys, now);
    }

    /// Makes and applies the certificate of a pending order, if it has its votes.
    fn certify(&mut self, account: AccountKey, keys: &dyn Keys, now: Timestamp) -> bool {
        let Some(pending) = self.owner.pending.get(&account) else { return false };
        let Some(certificate) = assemble(&self.rules, &pending.signed, &pending.votes) else {
            return false;
        };
        let is_applied = self.take_certificate(certificate, now);
        self.continue_queries(keys, now);
        is_applied
    }

    pub(super) fn handle_refusal(
        &mut self,
        from: &PublicKey,
        refusal: VoteRefusal,
        keys: &dyn Keys,
        now: Timestamp,
    ) {
        let VoteRefusal { digest, code } = refusal;
        let Some(account) = self.owner.by_digest.get(&digest).copied() else { return };
        let is_member = self.rules.committee().contains(from);
        let Some(pending) = self.owner.pending.get_mut(&account) else { return };
        if !is_member || pending.votes.of(from).is_some() {
            return;
        }
        let id = pending.terms().transfer_id;
        pending.refused.insert(*from, code);
        let is_first = pending.helped.insert(*from);
        self.tell(Event::VoteRefused { id, digest, member: *from, code });
        if self.is_hopeless(&account) {
            self.drop_found(account, keys, now);
        } else if code.is_final() {
            self.give_up(account, code, keys, now);
        } else if is_first && !self.help_for(&account, from).is_empty() {
            self.ask_vote(account, from, true);
        }
    }

    /// Gives an order up once *every* member has refused it for good.
    ///
    /// At most f of them lie, so at most f can vote for it later, and f votes open no way around the honest refusals: it
    /// can never be certified, and its slot is free. With one refusal fewer it might be, and the slot stays taken.
    fn give_up(&mut self, account: AccountKey, code: TokenCode, keys: &dyn Keys, now: Timestamp) {
        let Some(pending) = self.owner.pending.get(&account) else { return };
        let refused = pending.refused.values().filter(|code| code.is_final()).count();
        if refused < self.rules.committee().size() {
            return;
        }
        let (id, digest) = (pending.terms().transfer_id, Some(pending.digest()));
        self.forget_pending(account);
        self.tell(Event::Refused { id, digest, from: account.owner, code });
        self.continue_queries(keys, now);
    }

    pub(super) fn forget_pending(&mut self, account: AccountKey) -> Option<Pending> {
        let pending = self.owner.pending.remove(&account)?;
        self.owner.by_digest.remove(&pending.digest());
        self.owner.timers.stop(Task::Votes(account));
        self.delete(record::PENDING, self.name(&account));
        Some(pending)
    }

    /// A certificate took a slot of an own account: the order that was pending there is done.
    pub(super) fn end_pending(
        &mut self,
        account: AccountKey,
        certificate: &Verified<Certificate>,
        now: Timestamp,
    ) {
        let digest = certificate.digest();
        let taken = certificate.signed.order.terms().sequence;
        let is_over = |pending: &Pending| pending.terms().sequence <= taken;
        if !self.owner.pending.get(&account).is_some_and(is_over) {
            return;
        }
        let Some(pending) = self.forget_pending(account) else { return };
        if pending.digest() != digest {
            let (id, code) = (pending.terms().transfer_id, TokenCode::WrongSequence);
            let digest = Some(pending.digest());
            self.tell(Event::Refused { id, digest, from: account.owner, code });
            return;
        }
        let mut waiting: BTreeSet<PublicKey> = self.other_members().into_iter().collect();
        waiting.extend(pending.receiver.filter(|receiver| *receiver != self.identity));
        if waiting.is_empty() {
            return;
        }
        self.start_presenting(account, certificate.get().clone(), waiting, &pending, now);
    }
}

fn submitted(pending: &Pending) -> Submitted {
    Submitted::Pending { digest: pending.digest(), sequence: pending.terms().sequence }
}
