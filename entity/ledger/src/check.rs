//! The way in of a message: looked up under the ledger, checked without it, handled with it.
//!
//! `Ledger::admit` → [`Check::run`] → `Ledger::handle_checked`. Only the middle step costs signatures, and it needs no
//! lock.

use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_wire::payload::token::{
    AccountQuery, AccountState, Certificate, Digest, SignedOrder, TokenCode, Vote, VoteRefusal,
    VoteRequest, Votes,
};

use crate::certificate::{Known, Verified, verify_certificate, verify_order, vote_holds};
use crate::rules::Rules;

/// A message whose signatures are still to be checked.
#[derive(Debug)]
#[must_use = "a message is handled only after it was checked"]
pub struct Check {
    pub(crate) rules: Arc<Rules>,
    pub(crate) from: PublicKey,
    pub(crate) work: Work,
}

/// A message whose signatures were checked.
#[derive(Debug)]
#[must_use = "a checked message is to be handled"]
pub struct Checked {
    pub(crate) from: PublicKey,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Work {
    Request(Box<VoteRequest>, Known, Vec<Presented>),
    Vote(Vote),
    Certificate(Presented),
    State(Box<AccountState>),
    /// There is nothing to check.
    Done(Content),
}

/// A certificate on its way in.
#[derive(Debug)]
pub(crate) enum Presented {
    /// It is applied already: known by its digest, so that no signature matters.
    Applied(Digest),
    Unchecked(Box<(Certificate, Known)>),
    Verified(Box<Verified<Certificate>>),
    Invalid,
}

#[derive(Debug)]
pub(crate) enum Content {
    Request(Box<Request>),
    Vote(Vote),
    Refusal(VoteRefusal),
    Certificate(Presented),
    Receipt(Digest),
    Query(AccountQuery),
    State(Box<AccountState>, Option<(Verified<SignedOrder>, Votes)>),
    /// A message that is of no use here.
    Nothing,
}

/// A checked `vote_request`.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) digest: Digest,
    pub(crate) order: Result<Verified<SignedOrder>, TokenCode>,
    /// Those of the votes that hold.
    pub(crate) votes: Votes,
    pub(crate) certificates: Vec<Presented>,
}

impl Check {
    /// Checks the signatures that are not known to hold. It costs about 40 µs for each of them.
    pub fn run(self) -> Checked {
        let rules = &self.rules;
        let content = match self.work {
            Work::Done(content) => content,
            Work::Vote(vote) => {
                let holds = vote_holds(rules, &vote.digest, &vote.of_member(), &Known::default());
                if holds { Content::Vote(vote) } else { Content::Nothing }
            }
            Work::Certificate(presented) => Content::Certificate(presented.run(rules)),
            Work::Request(request, known, certificates) => {
                Content::Request(Box::new(run_request(rules, *request, &known, certificates)))
            }
            Work::State(state) => {
                let pending = state.pending.clone().and_then(|(signed, votes)| {
                    let verified = verify_order(rules, signed, &Known::default()).ok()?;
                    let digest = verified.order.digest();
                    Some((verified, valid(rules, &digest, &votes, &Known::default())))
                });
                Content::State(state, pending)
            }
        };
        Checked { from: self.from, content }
    }
}

impl Presented {
    fn run(self, rules: &Rules) -> Self {
        match self {
            Self::Unchecked(unchecked) => {
                let (certificate, known) = *unchecked;
                match verify_certificate(rules, certificate, &known) {
                    Ok(verified) => Self::Verified(Box::new(verified)),
                    // Whoever presents what is none learns nothing from it.
                    Err(_) => Self::Invalid,
                }
            }
            Self::Applied(_) | Self::Verified(_) | Self::Invalid => self,
        }
    }
}

fn run_request(
    rules: &Rules,
    request: VoteRequest,
    known: &Known,
    certificates: Vec<Presented>,
) -> Request {
    let digest = request.signed.order.digest();
    let order = verify_order(rules, request.signed, known);
    let mut votes = Votes::NONE;
    let mut checked = Vec::new();
    // Nothing more is done for somebody whose order is worth nothing, nor after the first certificate that is none.
    if order.is_ok() {
        votes = valid(rules, &digest, &request.votes, known);
        for presented in certificates {
            let presented = presented.run(rules);
            if matches!(presented, Presented::Invalid) {
                break;
            }
            checked.push(presented);
        }
    }
    Request { digest, order, votes, certificates: checked }
}

/// The votes before the first that does not hold.
fn valid(rules: &Rules, digest: &Digest, votes: &Votes, known: &Known) -> Votes {
    let mut valid = Votes::NONE;
    for vote in votes.iter().take_while(|vote| vote_holds(rules, digest, vote, known)) {
        valid.add(*vote);
    }
    valid
}
