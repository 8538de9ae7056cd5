//! Certificates that came before those they follow.

use std::collections::BTreeMap;

use entity_wire::payload::token::{Certificate, OrderSequence};

use crate::account::AccountKey;
use crate::certificate::Verified;

/// Most certificates held back in all. One more is forgotten; whoever presented it presents it again.
///
/// Source: `docs/protocol/1.1.md#applying-certificates`.
pub const HELD_MAX: usize = 1_024;

/// Most certificates held back of one account.
pub const HELD_OF_ACCOUNT_MAX: usize = 64;

/// Certificates by account and sequence. They are not kept: only what is applied is, and only that gets a receipt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Held {
    certificates: BTreeMap<(AccountKey, OrderSequence), Verified<Certificate>>,
}

impl Held {
    /// Holds a certificate back, if there is room.
    pub(crate) fn add(&mut self, account: AccountKey, certificate: Verified<Certificate>) {
        let sequence = certificate.signed.order.terms().sequence;
        let first = (account, OrderSequence::FIRST);
        let of_account = self.certificates.range(first..).take_while(|(key, _)| key.0 == account);
        if self.certificates.len() < HELD_MAX && of_account.count() < HELD_OF_ACCOUNT_MAX {
            self.certificates.insert((account, sequence), certificate);
        }
    }

    /// Takes the certificate of one slot.
    pub(crate) fn take(
        &mut self,
        account: AccountKey,
        sequence: OrderSequence,
    ) -> Option<Verified<Certificate>> {
        self.certificates.remove(&(account, sequence))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.certificates.len()
    }
}
