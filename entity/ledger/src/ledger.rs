//! The machine: messages and requests in, messages, events and writes out.

mod askers;
mod members;
mod owners;
mod presenters;
mod restore;
mod under_way;
mod view;

pub use under_way::{Stage, UnderWay};
pub use view::AccountView;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_journal::{Space, Write};
use entity_wire::canonical;
use entity_wire::json::Object;
use entity_wire::payload::token::{
    Certificate, Digest, Genesis, SignedOrder, TokenMessage, TokenReceipt,
};
use entity_wire::time::Timestamp;

use crate::account::AccountKey;
use crate::apply::{Outcome, State};
use crate::certificate::{Known, Verified};
use crate::check::{Check, Checked, Content, Presented, Work};
use crate::hold::Held;
use crate::member::Locks;
use crate::output::{Event, Keys, Movement, Output};
use crate::owner::{Content as Sameness, Owner, RECENT_MAX, Sent};
use crate::record::{self, Writing};
use crate::rules::{Rules, TokenIndex};
use crate::statement::HistoryEntry;

/// One node's part in a ledger: member of the committee or not, owner of some accounts.
///
/// After each input the caller takes [`Ledger::take_writes`], keeps them, and then does what [`Ledger::poll_output`] says.
/// Nothing may leave before the writes of its input are durable.
#[derive(Debug)]
pub struct Ledger {
    identity: PublicKey,
    rules: Arc<Rules>,
    state: State,
    held: Held,
    locks: Locks,
    owner: Owner,
    changed_supplies: BTreeSet<TokenIndex>,
    outputs: VecDeque<Output>,
    writes: Vec<Write>,
}

impl Ledger {
    /// Opens a ledger for the first time. `identity` is the key of this node, which is also its first account.
    pub fn open(genesis: Genesis, identity: PublicKey) -> Self {
        let mut ledger = Self::empty(genesis, identity);
        let genesis = canonical::object_to_vec(&ledger.rules.genesis().to_object());
        ledger.put(record::LEDGER, "genesis", genesis);
        ledger
    }

    fn empty(genesis: Genesis, identity: PublicKey) -> Self {
        let rules = Arc::new(Rules::new(genesis));
        let in_sequence = rules.committee().contains(&identity);
        let mut owner = Owner::default();
        owner.keys.insert(identity);
        Self {
            identity,
            state: State::new(Arc::clone(&rules), in_sequence),
            rules,
            held: Held::default(),
            locks: Locks::default(),
            owner,
            changed_supplies: BTreeSet::new(),
            outputs: VecDeque::new(),
            writes: Vec::new(),
        }
    }

    /// Takes a key of this node as the owner of accounts. It is not kept: say it again after a restart.
    pub fn add_account(&mut self, key: PublicKey) {
        self.owner.keys.insert(key);
    }

    /// Handles a message of the peer whose identity is `from`: [`Ledger::admit`], [`Check::run`] and
    /// [`Ledger::handle_checked`] in one.
    pub fn handle_message(
        &mut self,
        from: &PublicKey,
        message: TokenMessage,
        keys: &dyn Keys,
        now: Timestamp,
    ) {
        let checked = self.admit(from, message).run();
        self.handle_checked(checked, keys, now);
    }

    /// Looks up what is known of a message already. Changes nothing.
    pub fn admit(&self, from: &PublicKey, message: TokenMessage) -> Check {
        let work = match message {
            TokenMessage::VoteRequest(mut request) => {
                let certificates = std::mem::take(&mut request.certificates);
                let certificates = certificates.into_iter().map(|held| self.presented(held));
                let known = self.known(&request.signed);
                if self.is_member() {
                    Work::Request(Box::new(request), known, certificates.collect())
                } else {
                    Work::Done(Content::Nothing)
                }
            }
            // A vote of somebody else than the sender is as good; one for no pending order is good for nothing.
            TokenMessage::Vote(vote) if self.owner.by_digest.contains_key(&vote.digest) => {
                Work::Vote(vote)
            }
            TokenMessage::Vote(_) => Work::Done(Content::Nothing),
            TokenMessage::VoteRefusal(refusal) => Work::Done(Content::Refusal(refusal)),
            TokenMessage::Transfer(transfer) => {
                Work::Certificate(self.presented(transfer.certificate))
            }
            TokenMessage::Receipt(receipt) => Work::Done(Content::Receipt(receipt.digest)),
            TokenMessage::AccountQuery(query) => Work::Done(Content::Query(query)),
            TokenMessage::AccountState(state) => Work::State(Box::new(state)),
        };
        Check { rules: Arc::clone(&self.rules), from: *from, work }
    }

    /// Handles a checked message.
    pub fn handle_checked(&mut self, checked: Checked, keys: &dyn Keys, now: Timestamp) {
        let Checked { from, content } = checked;
        match content {
            Content::Request(request) => self.handle_request(&from, *request, keys, now),
            Content::Vote(vote) => self.handle_vote(&vote, keys, now),
            Content::Refusal(refusal) => self.handle_refusal(&from, refusal, keys, now),
            Content::Certificate(presented) => self.handle_presented(&from, presented, keys, now),
            Content::Receipt(digest) => self.handle_receipt(&from, &digest, now),
            Content::Query(query) => self.handle_query(&from, &query),
            Content::State(state, pending) => {
                self.handle_state(&from, &state, pending, keys, now);
            }
            Content::Nothing => {}
        }
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// What the last input wants kept.
    pub fn take_writes(&mut self) -> Vec<Write> {
        for account in self.state.take_changed() {
            let name = self.name(&account.key);
            let value = Writing::with_room(112)
                .plain("balance", &account.balance.to_string())
                .number("entries", account.entries)
                .flag("frozen", account.frozen)
                .number("next_sequence", account.next.get());
            let value = match account.overruled {
                Some(slot) => value.number("overruled", slot.get()),
                None => value,
            };
            self.put(record::ACCOUNT, name, value.end());
        }
        for token in std::mem::take(&mut self.changed_supplies) {
            let supply = self.state.supply(token);
            let value = Writing::with_room(96)
                .plain("burned", &supply.burned.to_string())
                .plain("issued", &supply.issued.to_string());
            let name = self.rules.genesis().tokens()[usize::from(token.0)].token.to_string();
            self.put(record::SUPPLY, name, value.end());
        }
        std::mem::take(&mut self.writes)
    }

    fn is_member(&self) -> bool {
        self.rules.committee().contains(&self.identity)
    }

    /// A certificate on its way in, with what is known of its signatures.
    fn presented(&self, certificate: Certificate) -> Presented {
        let terms = certificate.signed.order.terms();
        let digest = certificate.digest();
        let token = self.rules.token(&terms.token);
        let is_applied = token.is_some_and(|token| {
            let account = AccountKey { owner: terms.from, token };
            self.state.is_applied(&account, &terms.transfer_id, &digest)
        });
        if is_applied {
            return Presented::Applied(digest);
        }
        let known = self.known(&certificate.signed);
        Presented::Unchecked(Box::new((certificate, known)))
    }

    /// What this node has verified of an order, or signed itself.
    fn known(&self, signed: &SignedOrder) -> Known {
        let mut known = Known::default();
        let terms = signed.order.terms();
        let Some(token) = self.rules.token(&terms.token) else { return known };
        let account = AccountKey { owner: terms.from, token };
        if let Some(pending) = self.owner.pending.get(&account)
            && *pending.signed.get() == *signed
        {
            known.order = Some(signed.clone());
            known.votes = pending.votes.clone();
        }
        if let Some(lock) = self.locks.get(&account)
            && lock.signed == *signed
        {
            known.order = Some(signed.clone());
            known.votes.add(lock.member_vote(self.identity));
        }
        known
    }

    fn handle_presented(
        &mut self,
        from: &PublicKey,
        presented: Presented,
        keys: &dyn Keys,
        now: Timestamp,
    ) {
        match presented {
            Presented::Applied(digest) => self.send_receipt(from, digest),
            Presented::Verified(certificate) => {
                let digest = certificate.digest();
                if self.take_certificate(*certificate, now) {
                    self.send_receipt(from, digest);
                }
                self.continue_queries(keys, now);
            }
            Presented::Unchecked(..) | Presented::Invalid => {}
        }
    }

    /// Applies a certificate and those that were held back for it; says whether it is applied now.
    fn take_certificate(&mut self, certificate: Verified<Certificate>, now: Timestamp) -> bool {
        let mut next = Some(certificate);
        let mut is_applied = None;
        while let Some(certificate) = next.take() {
            let outcome = self.state.apply(&certificate);
            is_applied.get_or_insert(matches!(outcome, Outcome::Applied | Outcome::AlreadyApplied));
            let Some(account) = self.payer(&certificate) else { break };
            match outcome {
                Outcome::Applied => {
                    self.note_applied(account, &certificate, now);
                    next = self.held.take(account, self.state.next(&account));
                }
                Outcome::AlreadyApplied => {}
                Outcome::TooEarly => self.held.add(account, certificate),
                Outcome::Impossible => {
                    let digest = certificate.digest();
                    self.tell(Event::CommitteeBroken { digest });
                }
            }
        }
        is_applied.unwrap_or(false)
    }

    fn payer(&self, certificate: &Certificate) -> Option<AccountKey> {
        let terms = certificate.signed.order.terms();
        let token = self.rules.token(&terms.token)?;
        Some(AccountKey { owner: terms.from, token })
    }

    /// Everything that follows from balances having moved.
    fn note_applied(
        &mut self,
        payer: AccountKey,
        certificate: &Verified<Certificate>,
        now: Timestamp,
    ) {
        let signed = &certificate.signed;
        let terms = signed.order.terms();
        let payee = AccountKey { owner: terms.to, token: payer.token };
        let issuer = self.rules.genesis().tokens()[usize::from(payer.token.0)].issuer;
        if terms.from == issuer || terms.to == issuer {
            self.changed_supplies.insert(payer.token);
        }
        self.keep_applied(payer, payee, certificate);
        if let Some(lock) = self.locks.remove(&payer) {
            self.delete(record::LOCK, self.name(&payer));
            if lock.signed.order.digest() != certificate.digest() {
                self.state.overrule(payer, terms.sequence);
                self.note_equivocation(payer, &lock.signed, signed);
            }
        }
        if self.owner.keys.contains(&terms.to) {
            let recent = self.owner.recent.entry(payee).or_default();
            recent.push_back(certificate.get().clone());
            if recent.len() > RECENT_MAX {
                recent.pop_front();
            }
        }
        self.tell(Event::Applied(Movement::of(signed)));
        self.end_pending(payer, certificate, now);
    }

    /// Keeps an applied certificate, both sides' history, and the transfer id.
    fn keep_applied(
        &mut self,
        payer: AccountKey,
        payee: AccountKey,
        certificate: &Verified<Certificate>,
    ) {
        let terms = certificate.signed.order.terms();
        let digest = certificate.digest();
        let number = self.state.last_certificate();
        let value = Writing::with_room(192).number("certificate", number.0);
        let value = if self.owner.keys.contains(&terms.from) {
            let content = Sameness::of_terms(terms);
            let sent = Sent { digest, sequence: terms.sequence, content };
            self.owner.sent.insert((payer, terms.transfer_id), sent);
            sent.write(value)
        } else {
            value.plain("digest", &digest.to_string())
        };
        let name = self.name(&payer);
        self.put(record::APPLIED, record::applied_key(&name, &terms.transfer_id), value.end());
        let key = record::certificate_key(Some(number), &digest);
        self.put(record::CERTIFICATE, key, record::certificate_text(certificate));
        let entry = HistoryEntry::text(&certificate.signed);
        for account in [payer, payee] {
            let position = self.state.account(&account).map_or(0, |account| account.entries);
            let key = record::numbered(&self.name(&account), position);
            self.put(record::HISTORY, key, entry.clone());
        }
    }

    fn note_equivocation(
        &mut self,
        account: AccountKey,
        first: &SignedOrder,
        second: &SignedOrder,
    ) {
        let terms = first.order.terms();
        let key = record::numbered(&self.name(&account), terms.sequence.get());
        let value = Object::new()
            .with("first", record::signed_object(first))
            .with("second", record::signed_object(second));
        self.put(record::EVIDENCE, key, canonical::object_to_vec(&value));
        self.state.freeze(account);
        let (token, sequence) = (terms.token.clone(), terms.sequence);
        self.tell(Event::Equivocation { from: account.owner, token, sequence });
    }

    fn send_receipt(&mut self, to: &PublicKey, digest: Digest) {
        self.send(to, TokenMessage::Receipt(TokenReceipt { digest }));
    }

    fn send(&mut self, to: &PublicKey, message: TokenMessage) {
        self.outputs.push_back(Output::Send { to: *to, message: Box::new(message) });
    }

    fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn put(&mut self, space: Space, key: impl Into<Vec<u8>>, value: Vec<u8>) {
        self.writes.push(Write::put(space, key, value));
    }

    fn delete(&mut self, space: Space, key: impl Into<Vec<u8>>) {
        self.writes.push(Write::delete(space, key));
    }

    /// The name of an account in keys of records.
    fn name(&self, account: &AccountKey) -> String {
        let token = &self.rules.genesis().tokens()[usize::from(account.token.0)].token;
        record::account_name(&account.owner, token)
    }
}
