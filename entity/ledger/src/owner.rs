//! An owner's orders: from the signature to the certificate.
//!
//! An account has one order under way at a time. It is kept before it is sent, and it is sent until it is certified; a
//! slot is never signed for twice.
//!
//! Source: `docs/protocol/1.1.md#ordering`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use entity_crypto::derivation::sha256;
use entity_crypto::encoding::hex_encode;
use entity_crypto::signing::PublicKey;
use entity_wire::payload::token::{
    AccountState, Amount, Balance, Certificate, Digest, Memo, OrderSequence, SignedOrder, Terms,
    TokenCode, TokenName, TransferId, Votes,
};
use entity_wire::time::Timestamp;

use crate::account::AccountKey;
use crate::certificate::Verified;
use crate::output::TransferRequest;
use crate::presenting::Presenting;
use crate::record::Writing;
use crate::timers::Timers;

/// How long an owner waits for the last members to say how they see its account, where those that answered agree.
///
/// Source: `docs/protocol/1.1.md#asking-before-signing`.
pub const QUERY_PATIENCE: Duration = Duration::from_secs(10);

/// Most certificates that an own account remembers of those that paid it, to show to members that have not seen them.
pub const RECENT_MAX: usize = 16;

/// Everything that only the owner of accounts has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Owner {
    /// The keys of this node.
    pub(crate) keys: BTreeSet<PublicKey>,
    /// The accounts that may sign, and whether this node has seen all of their transfers.
    pub(crate) ready: BTreeMap<AccountKey, Seen>,
    pub(crate) queries: BTreeMap<AccountKey, Query>,
    pub(crate) pending: BTreeMap<AccountKey, Pending>,
    /// Which account a pending order belongs to.
    pub(crate) by_digest: BTreeMap<Digest, AccountKey>,
    /// What was asked for under a transfer id and is applied.
    pub(crate) sent: HashMap<(AccountKey, TransferId), Sent>,
    pub(crate) presenting: Presenting,
    /// The newest certificates that paid an own account.
    pub(crate) recent: BTreeMap<AccountKey, VecDeque<Certificate>>,
    pub(crate) timers: Timers,
}

/// How much of an own account this node has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Every transfer.
    All,
    /// Only what came after it lost its state: only members know the balance.
    Part,
}

/// An own order that is not certified yet.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) signed: Verified<SignedOrder>,
    pub(crate) receiver: Option<PublicKey>,
    /// Valid votes.
    pub(crate) votes: Votes,
    /// Members that will not vote, and why.
    pub(crate) refused: BTreeMap<PublicKey, TokenCode>,
    /// Members that were shown certificates since the last repetition.
    pub(crate) helped: BTreeSet<PublicKey>,
    /// How many votes each member was shown last.
    pub(crate) shown: BTreeMap<PublicKey, usize>,
}

/// A question to all members for the state of an own account.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) since: Timestamp,
    /// What to do then.
    pub(crate) request: TransferRequest,
    pub(crate) answers: BTreeMap<PublicKey, Answer>,
}

/// What a member says.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) next: OrderSequence,
    pub(crate) balance: Balance,
    pub(crate) pending: Option<(Verified<SignedOrder>, Votes)>,
}

/// An own transfer that is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) digest: Digest,
    pub(crate) sequence: OrderSequence,
    pub(crate) content: Content,
}

/// What makes two requests of one transfer id the same: hashed, because it is remembered for every own transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content([u8; 16]);

/// What the answers of the members come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Conclusion {
    /// Too few have answered, or they do not agree.
    Wait,
    /// This is the next free slot.
    Free(OrderSequence),
    /// The slot holds this order, which is to be completed first.
    Taken(OrderSequence, Box<(Verified<SignedOrder>, Votes)>),
}

impl Content {
    pub(crate) fn of_request(request: &TransferRequest) -> Self {
        Self::new(&request.to, &request.token, request.amount, request.memo.as_ref())
    }

    pub(crate) fn of_terms(terms: &Terms) -> Self {
        Self::new(&terms.to, &terms.token, terms.amount, terms.memo.as_ref())
    }

    fn new(to: &PublicKey, token: &TokenName, amount: Amount, memo: Option<&Memo>) -> Self {
        let text = Writing::with_room(192).plain("amount", &amount.to_string());
        let text = match memo {
            Some(memo) => text.text("memo", memo.as_str()),
            None => text,
        };
        let text = text.plain("to", &to.to_hex()).plain("token", token.as_str());
        let digest = sha256(&text.end());
        let mut content = [0; 16];
        content.copy_from_slice(&digest[..16]);
        Self(content)
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl Sent {
    /// Adds its fields to a record.
    pub(crate) fn write(self, record: Writing) -> Writing {
        record
            .plain("content", &hex_encode(&self.content.0))
            .plain("digest", &self.digest.to_string())
            .number("sequence", self.sequence.get())
    }
}

impl Pending {
    pub(crate) fn new(signed: Verified<SignedOrder>, receiver: Option<PublicKey>) -> Self {
        Self {
            signed,
            receiver,
            votes: Votes::NONE,
            refused: BTreeMap::new(),
            helped: BTreeSet::new(),
            shown: BTreeMap::new(),
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.signed.order.digest()
    }

    pub(crate) fn terms(&self) -> &Terms {
        self.signed.order.terms()
    }
}

impl Query {
    /// What the answers come to, in a committee of `size` members of which `faults` may lie.
    ///
    /// With every answer there, the next slot is the (f + 1)-th highest that was named: an honest member has named it or a
    /// higher one, and no certificate exists beyond it, since at least f + 1 honest members would have voted for that. An
    /// order that any of them holds from `known` on, the first slot of which this node has not seen the certificate, up to
    /// that slot may be certified, and members may wait for its certificate, so it is completed. What one holds beyond it
    /// is completed when its turn comes: it was signed once, and no other may be.
    ///
    /// With only a quorum of answers there, all of them have to name the same slot and no order: had anything been
    /// certified, one honest member of that quorum would know.
    pub(crate) fn conclude(
        &self,
        (size, faults): (usize, usize),
        known: OrderSequence,
        now: Timestamp,
    ) -> Conclusion {
        let mut named: Vec<OrderSequence> =
            self.answers.values().map(|answer| answer.next).collect();
        named.sort_unstable_by(|a, b| b.cmp(a));
        let Some(next) = named.get(faults).copied() else { return Conclusion::Wait };
        if self.answers.len() < size {
            let agreed = named.iter().all(|named| *named == next)
                && self.answers.values().all(|answer| answer.pending.is_none());
            let patient = now < self.since.plus(QUERY_PATIENCE);
            let enough = self.answers.len() >= size - faults && agreed && !patient;
            return if enough { Conclusion::Free(next) } else { Conclusion::Wait };
        }
        let orders = self.answers.values().filter_map(|answer| answer.pending.as_ref());
        let slot = |signed: &SignedOrder| signed.order.terms().sequence;
        let open = orders.filter(|(signed, _)| (known..=next.max(known)).contains(&slot(signed)));
        let taken = open.max_by_key(|(signed, _)| {
            let digest = signed.order.digest();
            (Reverse(slot(signed)), self.voters(&digest), digest)
        });
        let Some((signed, _)) = taken else { return Conclusion::Free(next) };
        let votes = self.votes(&signed.order.digest());
        Conclusion::Taken(next, Box::new((signed.clone(), votes)))
    }

    /// Whether an order that a member has shown can never be certified: of the members in `refused` so many have named a
    /// later slot that one of them is honest, so it has applied another order there.
    pub(crate) fn is_hopeless<'a>(
        &self,
        refused: impl IntoIterator<Item = &'a PublicKey>,
        slot: OrderSequence,
        faults: usize,
    ) -> bool {
        let is_beyond = |member: &&PublicKey| {
            self.answers.get(*member).is_some_and(|answer| answer.next > slot)
        };
        refused.into_iter().filter(is_beyond).count() > faults
    }

    /// Forgets an order that members have shown.
    pub(crate) fn forget(&mut self, digest: &Digest) {
        let is_it =
            |(signed, _): &mut (Verified<SignedOrder>, Votes)| signed.order.digest() == *digest;
        for answer in self.answers.values_mut() {
            answer.pending.take_if(is_it);
        }
    }

    /// The balance that an honest member has named, or less.
    pub(crate) fn balance(&self, faults: usize) -> Option<Balance> {
        let mut named: Vec<Balance> = self.answers.values().map(|answer| answer.balance).collect();
        named.sort_unstable_by(|a, b| b.cmp(a));
        named.get(faults).copied()
    }

    fn voters(&self, digest: &Digest) -> usize {
        self.votes(digest).len()
    }

    /// All votes for an order that members have shown.
    fn votes(&self, digest: &Digest) -> Votes {
        let mut all = Votes::NONE;
        let orders = self.answers.values().filter_map(|answer| answer.pending.as_ref());
        for (_, votes) in orders.filter(|(signed, _)| signed.order.digest() == *digest) {
            for vote in votes {
                all.add(*vote);
            }
        }
        all
    }
}

impl Answer {
    pub(crate) fn new(
        state: &AccountState,
        pending: Option<(Verified<SignedOrder>, Votes)>,
    ) -> Self {
        Self { next: state.next_sequence, balance: state.balance, pending }
    }
}
