//! An owner presents its certificates until everybody whom they concern has applied them.
//!
//! Source: `docs/protocol/1.1.md#ordering`.

use std::collections::BTreeSet;

use entity_crypto::signing::PublicKey;
use entity_wire::payload::token::{Certificate, Digest, TokenMessage, TokenTransfer};
use entity_wire::time::Timestamp;

use super::Ledger;
use crate::account::AccountKey;
use crate::output::Event;
use crate::owner::Pending;
use crate::presenting::{PRESENTED_MAX, Presentation};
use crate::record;
use crate::timers::Task;

impl Ledger {
    pub(super) fn start_presenting(
        &mut self,
        account: AccountKey,
        certificate: Certificate,
        waiting: BTreeSet<PublicKey>,
        pending: &Pending,
        now: Timestamp,
    ) {
        let quorum = self.rules.committee().quorum();
        // Whoever was shown all votes but its own, and then voted, has made the certificate itself.
        let has_it = |peer: &PublicKey| {
            pending.shown.get(peer).is_some_and(|shown| shown + 1 >= quorum)
                && certificate.votes.of(peer).is_some()
        };
        let expected: Vec<PublicKey> =
            waiting.iter().filter(|peer| has_it(peer)).copied().collect();
        let presentation =
            Presentation { certificate, account, receiver: pending.receiver, waiting };
        let (value, waiting) = (presentation.to_text(), presentation.waiting.clone());
        let number = self.owner.presenting.add(presentation);
        self.put(record::PRESENTED, format!("{number:016x}"), value);
        for peer in &expected {
            self.owner.presenting.expect(peer, number);
        }
        for peer in waiting {
            let next = self.owner.presenting.next_for(&peer);
            self.present(&peer, next);
            self.owner.timers.start(Task::Present(peer), now);
        }
        self.make_room();
    }

    /// Keeps room for the certificate of another order where nobody loses by it.
    fn make_room(&mut self) {
        let committee = self.rules.committee().clone();
        while self.owner.presenting.len() >= PRESENTED_MAX {
            let is_member = |peer: &PublicKey| committee.contains(peer);
            let dropped = self.owner.presenting.drop_oldest(is_member, committee.faults());
            let Some(number) = dropped else { return };
            self.delete(record::PRESENTED, format!("{number:016x}"));
        }
    }

    pub(super) fn present(&mut self, peer: &PublicKey, certificates: Vec<Certificate>) {
        for certificate in certificates {
            self.send(peer, TokenMessage::Transfer(TokenTransfer { certificate }));
        }
    }

    pub(super) fn handle_receipt(&mut self, from: &PublicKey, digest: &Digest, now: Timestamp) {
        let Some((certificate, done)) = self.owner.presenting.receipt(from, digest) else { return };
        if let Some(number) = done {
            self.delete(record::PRESENTED, format!("{number:016x}"));
        }
        let id = certificate.signed.order.terms().transfer_id;
        self.tell(Event::Receipt { id, digest: *digest, peer: *from });
        if self.owner.presenting.waits_for(from) {
            let next = self.owner.presenting.next_for(from);
            self.present(from, next);
            self.owner.timers.start(Task::Present(*from), now);
        } else {
            self.owner.timers.stop(Task::Present(*from));
        }
    }
}
