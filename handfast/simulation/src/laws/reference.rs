//! The reference for the ledger: what the books have to say, in a few lines.
//!
//! It believes whoever first tells of a payment, and lets every later one be measured by that: a payment is what its payer
//! was asked for, a slot of an account has one order, and tokens go from one account to another and nowhere else.

use std::collections::BTreeMap;

use entity_crypto::signing::PublicKey;
use entity_ledger::{Ledger, Movement};
use entity_wire::payload::token::{Balance, Digest, OrderSequence, TransferId};

use super::tokens::{CAP, token};
use crate::world::Broken;

/// The books as they have to be.
#[derive(Debug, Default)]
pub(super) struct Reference {
    asked: BTreeMap<TransferId, Asked>,
    /// What every account has gained or lost.
    gains: BTreeMap<PublicKey, i128>,
    moved: BTreeMap<TransferId, Digest>,
    slots: BTreeMap<(PublicKey, OrderSequence), Digest>,
}

/// A payment as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) from: PublicKey,
    pub(super) to: PublicKey,
    pub(super) units: u64,
}

impl Reference {
    /// Hears that a payment was asked for.
    pub(super) fn asked(&mut self, id: TransferId, asked: Asked) {
        self.asked.entry(id).or_insert(asked);
    }

    /// How many payments have moved something.
    pub(super) fn moved_count(&self) -> usize {
        self.moved.len()
    }

    /// Hears that a machine has applied a payment.
    pub(super) fn applied(&mut self, at: usize, movement: &Movement) -> Result<(), Broken> {
        let Movement { id, digest, from, to, amount, sequence, .. } = movement;
        // What liars pay, nobody was asked for.
        if token().as_ref() != Some(&movement.token) {
            return Ok(());
        }
        let asked = self.asked.get(id);
        let is_asked = asked.is_some_and(|asked| {
            (asked.from, asked.to, i128::from(asked.units)) == (*from, *to, amount.units())
        });
        if !is_asked {
            return Err(format!("machine {at} applied {movement:?}, asked for was {asked:?}"));
        }
        let slot = self.slots.entry((*from, *sequence)).or_insert(*digest);
        if slot != digest {
            return Err(format!("machine {at} applied {digest} where another one applied {slot}"));
        }
        if self.moved.insert(*id, *digest).is_none() {
            *self.gains.entry(*from).or_default() -= amount.units();
            *self.gains.entry(*to).or_default() += amount.units();
        }
        Ok(())
    }

    /// Compares the books of a member, or the accounts of `owners` in it, with what they have to be.
    pub(super) fn judge<'a>(
        &self,
        at: usize,
        ledger: &Ledger,
        owners: impl IntoIterator<Item = &'a PublicKey>,
    ) -> Result<(), Broken> {
        let Some(token) = token() else { return Ok(()) };
        for owner in owners {
            let gain = self.gains.get(owner).copied().unwrap_or_default();
            let is_issuer = ledger
                .genesis()
                .tokens()
                .iter()
                .any(|one| one.issuer == *owner && one.token == token);
            let expected = gain + if is_issuer { CAP.cast_signed() } else { 0 };
            let found = ledger.account(owner, &token).map_or(Balance::ZERO, |view| view.balance);
            if found.units() != expected || expected < 0 {
                return Err(format!(
                    "machine {at} says that {owner:?} has {}, the reference says {expected}",
                    found.units()
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use entity_crypto::signing::SigningKey;
    use entity_wire::payload::token::Amount;

    fn key(number: u8) -> PublicKey {
        SigningKey::from_seed([number; 32]).public_key()
    }

    fn movement(id: u8, units: i128, slot: u64) -> Movement {
        Movement {
            id: TransferId::from_bytes([id; 16]),
            digest: Digest::from_bytes([id; 32]),
            token: token().unwrap(),
            from: key(1),
            to: key(2),
            amount: Amount::new(units.cast_unsigned()).unwrap(),
            sequence: OrderSequence::new(slot).unwrap(),
            memo: None,
        }
    }

    fn reference() -> Reference {
        let mut reference = Reference::default();
        for id in [1, 2] {
            let asked = Asked { from: key(1), to: key(2), units: 5 };
            reference.asked(TransferId::from_bytes([id; 16]), asked);
        }
        reference
    }

    #[test]
    fn what_every_machine_applies_counts_once() {
        let mut reference = reference();
        for at in 0..3 {
            reference.applied(at, &movement(1, 5, 1)).unwrap();
        }
        assert_eq!(reference.gains, BTreeMap::from([(key(1), -5), (key(2), 5)]));
        assert_eq!(reference.moved_count(), 1);
    }

    #[test]
    fn more_than_was_asked_for_is_seen() {
        assert!(reference().applied(0, &movement(1, 6, 1)).is_err(), "another amount");
        assert!(reference().applied(0, &movement(3, 5, 1)).is_err(), "nobody asked");
    }

    #[test]
    fn two_orders_for_one_slot_are_seen() {
        let mut reference = reference();
        reference.applied(0, &movement(1, 5, 1)).unwrap();
        assert!(reference.applied(1, &movement(2, 5, 1)).is_err());
    }
}
