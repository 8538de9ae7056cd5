//! Whether the books balance.

use std::collections::BTreeMap;

use entity_crypto::signing::PublicKey;
use entity_wire::payload::token::{
    Amount, Balance, Digest, Epoch, LedgerId, OrderSequence, TokenName, TransferId,
};

use crate::apply::State;
use crate::issuance::Supply;

/// What an audit finds.
///
/// Source: `docs/protocol/1.1.md#audit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The ledger.
    pub ledger: LedgerId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Each token.
    pub tokens: Vec<TokenAudit>,
    /// Orders that this node has signed or voted for and that are not certified as far as it knows. They move nothing.
    pub pending: Vec<PendingOrder>,
    /// How many accounts are frozen, each for evidence of equivocation.
    pub evidence: usize,
}

/// What an audit finds of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAudit {
    /// The token.
    pub token: TokenName,
    /// How much there can be.
    pub cap: Amount,
    /// What has left the issuer's account, modulo 2^128, and what has returned to it.
    pub supply: Supply,
    /// What the issuer holds.
    pub issuer_balance: Balance,
    /// What all accounts hold together; `None` where that is beyond 128 bits.
    pub sum: Option<Balance>,
    /// How many accounts hold it or have held it.
    pub accounts: usize,
}

/// An order that is not certified as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingOrder {
    /// The transfer.
    pub id: TransferId,
    /// The order.
    pub digest: Digest,
    /// The token.
    pub token: TokenName,
    /// Who pays.
    pub from: PublicKey,
    /// Who is paid.
    pub to: PublicKey,
    /// How much.
    pub amount: Amount,
    /// Its sequence.
    pub sequence: OrderSequence,
}

impl Audit {
    /// Whether every token holds.
    pub fn holds(&self) -> bool {
        self.tokens.iter().all(TokenAudit::holds)
    }
}

impl TokenAudit {
    /// Whether all balances sum to the cap, and issued - burned = cap - the issuer's balance.
    pub fn holds(&self) -> bool {
        self.sum == Some(Balance::from(self.cap))
            && self.supply.agrees(self.cap, self.issuer_balance)
    }
}

/// Looks at every account.
pub(crate) fn tokens(state: &State) -> Vec<TokenAudit> {
    let mut sums: BTreeMap<_, (Sum, usize)> = BTreeMap::new();
    for account in state.accounts() {
        let (sum, count) = sums.entry(account.key.token).or_default();
        sum.add(account.balance);
        *count += 1;
    }
    let rules = state.rules();
    let audit = |(index, genesis): (_, &entity_wire::payload::token::TokenGenesis)| {
        let (sum, accounts) = sums.remove(&index).unwrap_or_default();
        let issuer = crate::account::AccountKey { owner: genesis.issuer, token: index };
        TokenAudit {
            token: genesis.token.clone(),
            cap: genesis.cap,
            supply: state.supply(index),
            issuer_balance: state.balance(&issuer),
            sum: sum.total(),
            accounts,
        }
    };
    rules.tokens().zip(rules.genesis().tokens()).map(audit).collect()
}

/// A sum of balances in 192 bits: with negative ones among them, parts of it may pass 128.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    low: u128,
    high: i64,
}

impl Sum {
    fn add(&mut self, balance: Balance) {
        let units = balance.units();
        let (low, carries) = self.low.overflowing_add(units.cast_unsigned());
        self.low = low;
        // Of a negative number in two's complement the upper part is -1.
        self.high += i64::from(carries) - i64::from(units < 0);
    }

    fn total(self) -> Option<Balance> {
        let units = self.low.cast_signed();
        let fits = self.high == if units < 0 { -1 } else { 0 };
        fits.then(|| Balance::new(units))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_may_pass_128_bits_on_their_way() {
        let total = |balances: &[i128]| {
            let mut sum = Sum::default();
            for balance in balances {
                sum.add(Balance::new(*balance));
            }
            sum.total().map(Balance::units)
        };
        assert_eq!(total(&[]), Some(0));
        assert_eq!(total(&[5, -7]), Some(-2));
        assert_eq!(total(&[i128::MAX, i128::MAX, -i128::MAX]), Some(i128::MAX));
        assert_eq!(total(&[i128::MIN, i128::MIN, i128::MAX, i128::MAX, 2]), Some(0));
        assert_eq!(total(&[i128::MIN, -1, 1]), Some(i128::MIN));
        assert_eq!(total(&[i128::MAX, 1]), None);
        assert_eq!(total(&[i128::MIN, -1]), None);
    }
}
