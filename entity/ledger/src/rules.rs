//! What a ledger's genesis fixes for good.

use std::sync::Arc;

use entity_wire::payload::token::{
    Digest, Epoch, Genesis, LedgerId, MemberVote, SignedOrder, TokenName, vote_bytes,
};

use crate::committee::Committee;
use crate::payers::Payers;
use crate::voters::Voters;

/// The genesis with what follows from it. Shared, so that signatures can be checked without the ledger.
#[derive(Clone, Debug)]
pub struct Rules {
    genesis: Genesis,
    ledger: LedgerId,
    committee: Committee,
    voters: Arc<Voters>,
    payers: Arc<Payers>,
}

/// A token by its place in the genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TokenIndex(pub(crate) u16);

impl Rules {
    /// The rules of a genesis.
    pub fn new(genesis: Genesis) -> Self {
        let ledger = genesis.ledger();
        let committee = Committee::new(genesis.committee());
        let voters = Arc::new(Voters::of(&committee));
        Self { genesis, ledger, committee, voters, payers: Arc::default() }
    }

    /// The genesis.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The name of the ledger.
    pub fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// The epoch: the one of the genesis, as long as no committee is changed.
    pub fn epoch(&self) -> Epoch {
        Epoch::FIRST
    }

    /// The committee.
    pub fn committee(&self) -> &Committee {
        &self.committee
    }

    /// Whether a vote for the order of a digest is a member's and its signature holds.
    pub(crate) fn holds(&self, digest: &Digest, vote: &MemberVote) -> bool {
        let MemberVote { member, signature } = vote;
        self.committee.place(member).is_some_and(|place| {
            self.voters.verify((place, member), &vote_bytes(digest), signature).is_ok()
        })
    }

    /// Whether the signature of an order is its owner's.
    pub(crate) fn is_owners(&self, signed: &SignedOrder) -> bool {
        let owner = &signed.order.terms().from;
        self.payers.verify(owner, &signed.order.signed_bytes(), &signed.signature).is_ok()
    }

    pub(crate) fn token(&self, name: &TokenName) -> Option<TokenIndex> {
        let tokens = self.genesis.tokens();
        let position = tokens.binary_search_by(|token| token.token.cmp(name)).ok()?;
        u16::try_from(position).ok().map(TokenIndex)
    }

    pub(crate) fn tokens(&self) -> impl Iterator<Item = TokenIndex> + use<> {
        (0..u16::try_from(self.genesis.tokens().len()).unwrap_or(u16::MAX)).map(TokenIndex)
    }
}
