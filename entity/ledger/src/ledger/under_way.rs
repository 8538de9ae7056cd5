//! Own transfers for which somebody else still has to do something.

use entity_crypto::signing::PublicKey;

use super::Ledger;
use super::view::pending_order;
use crate::audit::PendingOrder;

/// An own transfer that is not certified yet, or not applied by everybody whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnderWay {
    /// Its order.
    pub order: PendingOrder,
    /// What it waits for.
    pub stage: Stage,
    /// How many members have voted for it.
    pub votes: usize,
    /// Who has not voted, or not applied it.
    pub missing: Vec<PublicKey>,
}

/// What an own transfer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Votes.
    Voting,
    /// Receipts.
    Telling,
}

impl Ledger {
    /// Own transfers for which somebody else still has to do something: those without a certificate, then those without
    /// all their receipts.
    pub fn under_way(&self) -> impl Iterator<Item = UnderWay> {
        let members = self.rules.genesis().committee();
        let voting = self.owner.pending.values().map(|pending| UnderWay {
            order: pending_order(pending.signed.get()),
            stage: Stage::Voting,
            votes: pending.votes.len(),
            missing: members
                .iter()
                .filter(|member| pending.votes.of(member).is_none())
                .copied()
                .collect(),
        });
        let telling = self.owner.presenting.iter().map(|held| UnderWay {
            order: pending_order(&held.certificate.signed),
            stage: Stage::Telling,
            votes: held.certificate.votes.len(),
            missing: held.waiting.iter().copied().collect(),
        });
        voting.chain(telling)
    }
}
