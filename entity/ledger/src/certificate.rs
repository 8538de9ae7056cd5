//! Signatures of orders and certificates: checked here, and only here.
//!
//! Nothing in this file needs the ledger's state, so a caller may check outside its lock. What was checked is a
//! [`Verified`] value, and only such values get any further.

use std::ops::Deref;

use entity_crypto::signing::PublicKey;
use entity_flaw::{Flaw, planted};
use entity_wire::payload::token::{Certificate, Digest, MemberVote, SignedOrder, TokenCode, Votes};

use crate::rules::Rules;

/// A value whose signatures hold. Only the functions of this module make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// The value.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The value, without the proof.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Signatures of one order that were verified earlier, so that they are not verified again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The owner's signature.
    pub(crate) order: Option<SignedOrder>,
    /// Votes of members.
    pub(crate) votes: Votes,
}

/// Why something is no certificate of this ledger. Whoever presents it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCertificate {
    /// The order could not be voted for by anybody.
    #[error("{}", .0.message())]
    Order(TokenCode),
    /// There are fewer votes than the quorum.
    #[error("{found} votes where {quorum} are needed")]
    TooFewVotes {
        /// How many there are.
        found: usize,
        /// How many it takes.
        quorum: usize,
    },
    /// A vote is of nobody in the committee.
    #[error("a vote of {0}, who is no member")]
    NotMember(PublicKey),
    /// The signature of a vote does not hold.
    #[error("a vote of {0} whose signature does not hold")]
    InvalidVote(PublicKey),
}

impl InvalidCertificate {
    /// The code of the contract: a token code, or `INVALID_SIGNATURE` where it is the votes that do not hold.
    pub fn code(self) -> &'static str {
        match self {
            Self::Order(code) => code.as_str(),
            Self::TooFewVotes { .. } | Self::NotMember(_) | Self::InvalidVote(_) => {
                "INVALID_SIGNATURE"
            }
        }
    }
}

/// Checks the signature of an order, its ledger, its epoch and its token, in this order.
///
/// # Errors
///
/// `NOT_OWNER`, `WRONG_EPOCH` or `UNKNOWN_TOKEN`.
pub fn verify_order(
    rules: &Rules,
    signed: SignedOrder,
    known: &Known,
) -> Result<Verified<SignedOrder>, TokenCode> {
    let terms = signed.order.terms();
    if known.order.as_ref() != Some(&signed) && !rules.is_owners(&signed) {
        return Err(TokenCode::NotOwner);
    }
    if terms.ledger != rules.ledger() || terms.epoch != rules.epoch() {
        return Err(TokenCode::WrongEpoch);
    }
    if rules.token(&terms.token).is_none() {
        return Err(TokenCode::UnknownToken);
    }
    Ok(Verified(signed))
}

/// Checks that a vote is a member's and that its signature holds.
pub fn vote_holds(rules: &Rules, digest: &Digest, vote: &MemberVote, known: &Known) -> bool {
    rules.committee().contains(&vote.member)
        && (known.votes.of(&vote.member) == Some(&vote.signature) || rules.holds(digest, vote))
}

/// Checks a certificate: its order, that there is a quorum of votes, and that each of them is a member's and holds.
///
/// # Errors
///
/// [`InvalidCertificate`].
pub fn verify_certificate(
    rules: &Rules,
    certificate: Certificate,
    known: &Known,
) -> Result<Verified<Certificate>, InvalidCertificate> {
    let quorum = quorum(rules);
    let Certificate { signed, votes } = certificate;
    if votes.len() < quorum {
        return Err(InvalidCertificate::TooFewVotes { found: votes.len(), quorum });
    }
    if let Some(vote) = votes.iter().find(|vote| !rules.committee().contains(&vote.member)) {
        return Err(InvalidCertificate::NotMember(vote.member));
    }
    let digest = signed.order.digest();
    let signed = verify_order(rules, signed, known).map_err(InvalidCertificate::Order)?;
    match votes.iter().find(|vote| !vote_holds(rules, &digest, vote, known)) {
        Some(vote) => Err(InvalidCertificate::InvalidVote(vote.member)),
        None => Ok(Verified(Certificate { signed: signed.0, votes })),
    }
}

/// Makes a certificate of an order and votes that were each verified, once they are a quorum.
pub(crate) fn assemble(
    rules: &Rules,
    signed: &Verified<SignedOrder>,
    votes: &Votes,
) -> Option<Verified<Certificate>> {
    (votes.len() >= quorum(rules))
        .then(|| Verified(Certificate { signed: signed.0.clone(), votes: votes.clone() }))
}

fn quorum(rules: &Rules) -> usize {
    if planted(Flaw::AppliesWithoutQuorum) { 1 } else { rules.committee().quorum() }
}

/// Takes what this node itself has verified, or signed, and then kept: damage on disk is found when it is read.
pub(crate) fn trusted<T>(value: T) -> Verified<T> {
    Verified(value)
}
