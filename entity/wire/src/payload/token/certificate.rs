//! Votes, and what they make of an order.

use entity_crypto::signing::{PublicKey, Signature, labelled};

use super::{Digest, MEMBERS_MAX, SignedOrder, exact, key, list, signature};
use crate::json::{FieldError, Fields, Object, Problem, Value};

/// The bytes that a member signs to vote for the order of a digest.
///
/// Source: `docs/protocol/1.1.md#vote`.
pub fn vote_bytes(digest: &Digest) -> Vec<u8> {
    labelled("peer-v1.1-vote", digest.as_bytes())
}

/// The vote of a member for an order that is named elsewhere; not verified here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberVote {
    /// Who votes.
    pub member: PublicKey,
    /// The signature that it is said to have made.
    pub signature: Signature,
}

impl MemberVote {
    fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["member", "signature"])?;
        let fields = Fields::new(object);
        Ok(Self { member: key(fields, "member")?, signature: signature(fields)? })
    }

    fn to_object(self) -> Object {
        Object::new()
            .with("member", self.member.to_hex())
            .with("signature", self.signature.to_base64())
    }
}

/// Votes for one order: of distinct members, ascending, at most [`MEMBERS_MAX`]. Not verified here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Votes(Vec<MemberVote>);

impl Votes {
    /// No votes.
    pub const NONE: Self = Self(Vec::new());

    /// Adds a vote, and says whether it was new: a second vote of the same member is not taken, nor one beyond
    /// [`MEMBERS_MAX`].
    pub fn add(&mut self, vote: MemberVote) -> bool {
        match self.0.binary_search_by(|held| held.member.cmp(&vote.member)) {
            Err(position) if self.0.len() < MEMBERS_MAX => {
                self.0.insert(position, vote);
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// The signature of a member, if its vote is there.
    pub fn of(&self, member: &PublicKey) -> Option<&Signature> {
        let position = self.0.binary_search_by(|held| held.member.cmp(member)).ok()?;
        self.0.get(position).map(|vote| &vote.signature)
    }

    /// The votes, ascending by member.
    pub fn iter(&self) -> std::slice::Iter<'_, MemberVote> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the field `votes`.
    ///
    /// # Errors
    ///
    /// The field is absent, no list of votes, too long, or its members are not distinct and ascending.
    pub fn from_fields(fields: Fields<'_>) -> Result<Self, FieldError> {
        let votes = list(fields, "votes", MEMBERS_MAX, MemberVote::from_object)?;
        if votes.windows(2).all(|pair| pair[0].member < pair[1].member) {
            Ok(Self(votes))
        } else {
            Err(Problem::Invalid { expected: "distinct members, ascending" }.of("votes"))
        }
    }

    /// Writes the list.
    pub fn to_value(&self) -> Value {
        Value::Array(self.0.iter().map(|vote| Value::from(vote.to_object())).collect())
    }
}

impl<'a> IntoIterator for &'a Votes {
    type Item = &'a MemberVote;
    type IntoIter = std::slice::Iter<'a, MemberVote>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// An order, its owner's signature and votes for it; not verified here. Its identity is the digest of the order.
///
/// Source: `docs/protocol/1.1.md#certificate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The order and its owner's signature.
    pub signed: SignedOrder,
    /// The votes.
    pub votes: Votes,
}

impl Certificate {
    /// The digest of the order.
    pub fn digest(&self) -> Digest {
        self.signed.order.digest()
    }

    /// Reads a certificate.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["order", "signature", "votes"])?;
        let fields = Fields::new(object);
        Ok(Self { signed: SignedOrder::from_fields(fields)?, votes: Votes::from_fields(fields)? })
    }

    /// Writes the certificate.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("order", self.signed.order.to_object())
            .with("signature", self.signed.signature.to_base64())
            .with("votes", self.votes.to_value())
    }
}
