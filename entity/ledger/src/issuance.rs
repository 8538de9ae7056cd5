//! How much of a token there is.
//!
//! The issuer's account starts with the cap. What leaves it is issued, what returns to it is burned.

use entity_wire::payload::token::{Amount, Balance};

/// What was issued and burned of one token so far, counted modulo 2^128.
///
/// Both only grow: issuing and burning the same units again and again could pass any width. The difference is what
/// counts, and it is right modulo 2^128 in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Supply {
    /// What has left the issuer's account.
    pub issued: u128,
    /// What has returned to it.
    pub burned: u128,
}

impl Supply {
    pub(crate) fn issue(&mut self, amount: Amount) {
        self.issued = self.issued.wrapping_add(amount.units().unsigned_abs());
    }

    pub(crate) fn burn(&mut self, amount: Amount) {
        self.burned = self.burned.wrapping_add(amount.units().unsigned_abs());
    }

    /// Whether issued - burned = cap - the issuer's balance.
    ///
    /// Source: `docs/protocol/1.1.md#audit`.
    pub fn agrees(self, cap: Amount, issuer: Balance) -> bool {
        let difference = cap.units().wrapping_sub(issuer.units());
        self.issued.wrapping_sub(self.burned) == difference.cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_equation_holds_beyond_128_bits() {
        let cap = Amount::MAX;
        let mut supply = Supply::default();
        for _ in 0..5 {
            supply.issue(cap);
            assert!(supply.agrees(cap, Balance::ZERO));
            supply.burn(cap);
            assert!(supply.agrees(cap, Balance::from(cap)));
        }
        assert!(!supply.agrees(cap, Balance::ZERO));
    }
}
