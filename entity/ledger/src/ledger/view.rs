//! Looking without changing anything.

use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_wire::payload::token::{
    Balance, Certificate, Digest, Epoch, Genesis, LedgerId, OrderSequence, SignedOrder, TokenName,
    TransferId,
};

use super::Ledger;
use crate::account::AccountKey;
use crate::audit::{self, Audit, PendingOrder};
use crate::certificate::{InvalidCertificate, Known, verify_certificate};
use crate::record;
use crate::rules::Rules;
use crate::statement::HistoryEntry;

/// An account as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// What it holds.
    pub balance: Balance,
    /// The sequence of its next order.
    pub next_sequence: OrderSequence,
    /// How many entries its history has.
    pub entries: u64,
    /// Whether no member here votes for it any more.
    pub frozen: bool,
    /// Its order that is not certified, as far as this node knows one: its own, or the one it has voted for.
    pub pending: Option<PendingOrder>,
}

impl Ledger {
    /// What the ledger is made of.
    pub fn genesis(&self) -> &Genesis {
        self.rules.genesis()
    }

    /// The name of the ledger.
    pub fn id(&self) -> LedgerId {
        self.rules.ledger()
    }

    /// Its epoch.
    pub fn epoch(&self) -> Epoch {
        self.rules.epoch()
    }

    /// What signatures are checked against, to do so elsewhere.
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// Whether this node is in the committee.
    pub fn is_committee_member(&self) -> bool {
        self.is_member()
    }

    /// Whether a key is one of this node's accounts.
    pub fn is_own(&self, account: &PublicKey) -> bool {
        self.owner.keys.contains(account)
    }

    /// An account; `None` for a token that the ledger has not.
    pub fn account(&self, owner: &PublicKey, token: &TokenName) -> Option<AccountView> {
        let key = AccountKey { owner: *owner, token: self.rules.token(token)? };
        let account = self.state.account(&key);
        Some(AccountView {
            balance: self.state.balance(&key),
            next_sequence: self.state.next(&key),
            entries: account.map_or(0, |account| account.entries),
            frozen: account.is_some_and(|account| account.frozen),
            pending: self.pending_of(&key).map(pending_order),
        })
    }

    /// The digest of the applied transfer of this id, if there is one.
    pub fn applied(&self, from: &PublicKey, id: &TransferId) -> Option<Digest> {
        self.state.applied(from, id)
    }

    /// The key in [`record::CERTIFICATE`] of the applied certificate of this digest, if there is one: looks at every applied
    /// transfer.
    pub fn certificate_key(&self, digest: &Digest) -> Option<Vec<u8>> {
        let number = self.state.find_certificate(digest)?;
        Some(record::certificate_key(number, digest))
    }

    /// The key in [`record::CERTIFICATE`] of the certificate of a line of history: a look-up.
    pub fn certificate_key_of(&self, entry: &HistoryEntry) -> Vec<u8> {
        let HistoryEntry { from, id, digest, .. } = entry;
        record::certificate_key(self.state.certificate_number(from, id, digest), digest)
    }

    /// Orders that this node has signed or voted for and that are not certified as far as it knows.
    pub fn pending(&self) -> impl Iterator<Item = PendingOrder> {
        let own = self.owner.pending.values().map(|pending| pending.signed.get());
        let locked = self.locks.iter().filter(|(key, _)| !self.owner.pending.contains_key(key));
        own.chain(locked.map(|(_, lock)| &lock.signed)).map(pending_order)
    }

    /// How many certificates wait for a receipt.
    pub fn presented_count(&self) -> usize {
        self.owner.presenting.len()
    }

    /// How many certificates wait for those before them.
    pub fn held_count(&self) -> usize {
        self.held.len()
    }

    /// Whether the books balance. Looks at every account.
    ///
    /// Source: `docs/protocol/1.1.md#audit`.
    pub fn audit(&self) -> Audit {
        Audit {
            ledger: self.id(),
            epoch: self.epoch(),
            tokens: audit::tokens(&self.state),
            pending: self.pending().collect(),
            evidence: self.state.accounts().filter(|account| account.frozen).count(),
        }
    }

    /// Whether a certificate holds in this ledger. Costs its signatures.
    ///
    /// # Errors
    ///
    /// [`InvalidCertificate`].
    pub fn verify(&self, certificate: Certificate) -> Result<(), InvalidCertificate> {
        verify_certificate(&self.rules, certificate, &Known::default()).map(drop)
    }

    fn pending_of(&self, key: &AccountKey) -> Option<&SignedOrder> {
        let own = self.owner.pending.get(key).map(|pending| pending.signed.get());
        own.or_else(|| self.locks.get(key).map(|lock| &lock.signed))
    }
}

pub(super) fn pending_order(signed: &SignedOrder) -> PendingOrder {
    let terms = signed.order.terms();
    PendingOrder {
        id: terms.transfer_id,
        digest: signed.order.digest(),
        token: terms.token.clone(),
        from: terms.from,
        to: terms.to,
        amount: terms.amount,
        sequence: terms.sequence,
    }
}
