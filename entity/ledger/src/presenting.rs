//! Certificates on their way to those who have to apply them.

use std::collections::{BTreeMap, BTreeSet};

use entity_crypto::signing::PublicKey;
use entity_wire::payload::token::{Certificate, Digest};

use crate::account::AccountKey;
use crate::record::{self, Writing};

/// Most own certificates that wait for receipts. When they are so many, the oldest that a quorum and the receiver have
/// applied is presented no more; where there is none, no order begins.
pub const PRESENTED_MAX: usize = 4_096;

/// Most certificates that are under way to one peer at a time.
pub const WINDOW: usize = 256;

/// A certificate and who has not applied it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presentation {
    pub(crate) certificate: Certificate,
    pub(crate) account: AccountKey,
    /// Who is paid by it, if known: it stays until that peer has applied it.
    pub(crate) receiver: Option<PublicKey>,
    pub(crate) waiting: BTreeSet<PublicKey>,
}

/// All of them, in the order in which they were made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Presenting {
    presentations: BTreeMap<u64, Presentation>,
    numbers: BTreeMap<Digest, u64>,
    peers: BTreeMap<PublicKey, Queue>,
    last: u64,
}

/// What one peer has not applied yet.
#[derive(Clone, Debug, Default)]
struct Queue {
    waiting: BTreeSet<u64>,
    /// Those that were sent, or that the peer is expected to have applied on its own.
    sent: BTreeSet<u64>,
}

impl Presentation {
    /// As it is kept.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        let certificate = record::certificate_text(&self.certificate);
        let room = certificate.len() + 128 + 68 * self.waiting.len();
        let text = Writing::with_room(room).json("certificate", &certificate);
        let text = match &self.receiver {
            Some(receiver) => text.plain("receiver", &receiver.to_hex()),
            None => text,
        };
        text.keys("waiting", &self.waiting).end()
    }
}

impl Presenting {
    pub(crate) fn len(&self) -> usize {
        self.presentations.len()
    }

    /// All certificates, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Presentation> {
        self.presentations.values()
    }

    pub(crate) fn add(&mut self, presentation: Presentation) -> u64 {
        self.last += 1;
        self.restore(self.last, presentation);
        self.last
    }

    pub(crate) fn restore(&mut self, number: u64, presentation: Presentation) {
        for peer in &presentation.waiting {
            self.peers.entry(*peer).or_default().waiting.insert(number);
        }
        self.numbers.insert(presentation.certificate.digest(), number);
        self.presentations.insert(number, presentation);
        self.last = self.last.max(number);
    }

    /// Counts a certificate as sent to a peer that will have it without.
    pub(crate) fn expect(&mut self, peer: &PublicKey, number: u64) {
        if let Some(queue) = self.peers.get_mut(peer) {
            queue.sent.insert(number);
        }
    }

    /// The certificates to send to a peer now: those in the window that were not sent yet.
    pub(crate) fn next_for(&mut self, peer: &PublicKey) -> Vec<Certificate> {
        let Some(queue) = self.peers.get_mut(peer) else { return Vec::new() };
        let room = WINDOW.saturating_sub(queue.sent.len());
        let next: Vec<u64> = queue.waiting.difference(&queue.sent).take(room).copied().collect();
        queue.sent.extend(&next);
        self.certificates(&next)
    }

    /// The certificates to send to a peer again: all in the window.
    pub(crate) fn again_for(&mut self, peer: &PublicKey) -> Vec<Certificate> {
        if let Some(queue) = self.peers.get_mut(peer) {
            queue.sent.clear();
        }
        self.next_for(peer)
    }

    /// The certificates of one account that a peer has not applied yet, oldest first.
    pub(crate) fn of_account(
        &self,
        peer: &PublicKey,
        account: &AccountKey,
        count_max: usize,
    ) -> Vec<Certificate> {
        let numbers = self.peers.get(peer).into_iter().flat_map(|queue| &queue.waiting);
        let held = numbers.filter_map(|number| self.presentations.get(number));
        let held = held.filter(|held| held.account == *account);
        held.take(count_max).map(|held| held.certificate.clone()).collect()
    }

    /// Whether something waits for a peer.
    pub(crate) fn waits_for(&self, peer: &PublicKey) -> bool {
        self.peers.contains_key(peer)
    }

    pub(crate) fn peers(&self) -> impl Iterator<Item = &PublicKey> {
        self.peers.keys()
    }

    /// A peer has applied a certificate: the presentation, and its number if nobody else has to apply it.
    pub(crate) fn receipt(
        &mut self,
        peer: &PublicKey,
        digest: &Digest,
    ) -> Option<(Certificate, Option<u64>)> {
        let number = *self.numbers.get(digest)?;
        let held = self.presentations.get_mut(&number)?;
        if !held.waiting.remove(peer) {
            return None;
        }
        let certificate = held.certificate.clone();
        let is_done = held.waiting.is_empty();
        self.forget(peer, number);
        if is_done {
            self.remove(number);
        }
        Some((certificate, is_done.then_some(number)))
    }

    /// Drops the oldest certificate for which nobody waits but at most `faults` members, and says its number.
    pub(crate) fn drop_oldest(
        &mut self,
        is_member: impl Fn(&PublicKey) -> bool,
        faults: usize,
    ) -> Option<u64> {
        let is_safe = |held: &Presentation| {
            held.waiting.len() <= faults
                && held.waiting.iter().all(|peer| is_member(peer) && held.receiver != Some(*peer))
        };
        let oldest = self.presentations.iter().find(|(_, held)| is_safe(held));
        let number = oldest.map(|(number, _)| *number)?;
        self.remove(number);
        Some(number)
    }

    fn remove(&mut self, number: u64) {
        let Some(held) = self.presentations.remove(&number) else { return };
        self.numbers.remove(&held.certificate.digest());
        for peer in &held.waiting {
            self.forget(peer, number);
        }
    }

    fn forget(&mut self, peer: &PublicKey, number: u64) {
        if let Some(queue) = self.peers.get_mut(peer) {
            queue.waiting.remove(&number);
            queue.sent.remove(&number);
            if queue.waiting.is_empty() {
                self.peers.remove(peer);
            }
        }
    }

    fn certificates(&self, numbers: &[u64]) -> Vec<Certificate> {
        let held = numbers.iter().filter_map(|number| self.presentations.get(number));
        held.map(|held| held.certificate.clone()).collect()
    }
}

#[cfg(test)]
mod tests;
