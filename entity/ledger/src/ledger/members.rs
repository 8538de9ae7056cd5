//! A member: votes, and says how it sees an account.

use entity_crypto::signing::PublicKey;
use entity_wire::payload::token::{
    AccountQuery, AccountState, MemberVote, SignedOrder, TokenCode, TokenMessage, Vote,
    VoteRefusal, Votes, vote_bytes,
};
use entity_wire::time::Timestamp;

use super::Ledger;
use crate::account::AccountKey;
use crate::certificate::{Verified, assemble};
use crate::check::Request;
use crate::member::{Judgement, Lock};
use crate::output::{Event, Keys};
use crate::record;

impl Ledger {
    /// Answers a `vote_request`: applies the certificates it carries, then votes or says why not.
    ///
    /// Where the own vote makes the quorum full, the certificate is made and applied at once, and a receipt follows the
    /// vote: the owner need not present it here.
    ///
    /// Source: `docs/protocol/1.1.md#voting`.
    pub(super) fn handle_request(
        &mut self,
        from: &PublicKey,
        request: Request,
        keys: &dyn Keys,
        now: Timestamp,
    ) {
        for presented in request.certificates {
            self.handle_presented(from, presented, keys, now);
        }
        let digest = request.digest;
        let signed = match request.order {
            Ok(signed) => signed,
            Err(code) => return self.send_refusal(from, VoteRefusal { digest, code }),
        };
        let terms = signed.order.terms();
        let (id, owner) = (terms.transfer_id, terms.from);
        let others = self.rules.committee().others(&self.identity);
        let others = others.filter(|member| request.votes.of(member).is_some()).count();
        match self.vote(&signed, others, keys, now) {
            Ok(vote) => {
                self.tell(Event::VoteRequested { peer: *from, id, digest, from: owner });
                let MemberVote { member, signature } = vote;
                self.send(from, TokenMessage::Vote(Vote { digest, member, signature }));
                let mut votes = request.votes;
                votes.add(vote);
                let is_applied = match assemble(&self.rules, &signed, &votes) {
                    Some(certificate) => self.take_certificate(certificate, now),
                    None => self.state.applied(&owner, &id) == Some(digest),
                };
                if is_applied {
                    self.send_receipt(from, digest);
                    self.continue_queries(keys, now);
                }
            }
            Err(code) => self.send_refusal(from, VoteRefusal { digest, code }),
        }
    }

    /// Votes for an order, or says why not.
    pub(super) fn vote(
        &mut self,
        signed: &Verified<SignedOrder>,
        others: usize,
        keys: &dyn Keys,
        now: Timestamp,
    ) -> Result<MemberVote, TokenCode> {
        let terms = signed.order.terms();
        let digest = signed.order.digest();
        let token = self.rules.token(&terms.token).ok_or(TokenCode::UnknownToken)?;
        let account = AccountKey { owner: terms.from, token };
        let judgement = self.locks.judge(&self.state, signed, others, now);
        if let Judgement::Refuse(code) = judgement {
            return Err(code);
        }
        if let Judgement::Equivocation(lock) = judgement {
            self.note_equivocation(account, &lock.signed, signed);
            return Err(TokenCode::AccountFrozen);
        }
        // Ed25519 signs the same bytes the same way, so this is also the vote that was given before.
        let signature = keys
            .sign(&self.identity, &vote_bytes(&digest))
            .expect("a member's key is that of its identity");
        if judgement == Judgement::First {
            let lock = Lock { signed: signed.get().clone(), vote: signature };
            let value = lock.to_text();
            self.put(record::LOCK, self.name(&account), value);
            self.locks.set(account, lock);
        }
        Ok(MemberVote { member: self.identity, signature })
    }

    /// Answers an `account_query`.
    pub(super) fn handle_query(&mut self, from: &PublicKey, query: &AccountQuery) {
        if !self.is_member() {
            return;
        }
        if let Some(state) = self.account_state(query) {
            self.send(from, TokenMessage::AccountState(state));
        }
    }

    pub(super) fn account_state(&self, query: &AccountQuery) -> Option<AccountState> {
        let token = self.rules.token(&query.token)?;
        let account = AccountKey { owner: query.from, token };
        let pending = self.locks.get(&account).map(|lock| {
            let mut votes = Votes::NONE;
            votes.add(lock.member_vote(self.identity));
            (lock.signed.clone(), votes)
        });
        Some(AccountState {
            from: query.from,
            token: query.token.clone(),
            next_sequence: self.state.next(&account),
            balance: self.state.balance(&account),
            pending,
        })
    }

    fn send_refusal(&mut self, to: &PublicKey, refusal: VoteRefusal) {
        self.send(to, TokenMessage::VoteRefusal(refusal));
    }
}
