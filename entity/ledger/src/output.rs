//! What a ledger wants done, and what it tells.

use entity_crypto::signing::{PublicKey, Signature};
use entity_wire::payload::token::{
    Amount, Digest, Memo, OrderSequence, SignedOrder, TokenCode, TokenMessage, TokenName,
    TransferId,
};
use entity_wire::time::Timestamp;

/// Signs for the accounts of this node. The ledger holds no secret.
pub trait Keys {
    /// The signature of an account over `bytes`; `None` where its key is not here.
    fn sign(&self, account: &PublicKey, bytes: &[u8]) -> Option<Signature>;
}

/// What an owner asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferRequest {
    /// The name of the transfer: the same one again changes nothing.
    pub id: TransferId,
    /// The token.
    pub token: TokenName,
    /// The paying account, one of this node's.
    pub from: PublicKey,
    /// The paid account.
    pub to: PublicKey,
    /// How much.
    pub amount: Amount,
    /// Until when members may begin to vote.
    pub expires_at: Timestamp,
    /// What is written to it.
    pub memo: Option<Memo>,
    /// The identity of the peer that the certificate is presented to besides the committee: `to` itself where that is
    /// the identity of a known peer, `None` where nobody is known to own it.
    pub receiver: Option<PublicKey>,
}

/// How far a transfer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The members are being asked for the state of the account; nothing is signed or kept yet. [`Event::Signed`],
    /// [`Event::Refused`] or [`Event::NotBegun`] follows, or [`Event::Applied`] where a member shows its very order.
    /// A refusal is not kept: the same request asks the members again, who may see more by then.
    Asking,
    /// Its order is signed and kept, and votes are being collected.
    Pending {
        /// The order.
        digest: Digest,
        /// Its sequence.
        sequence: OrderSequence,
    },
    /// It is applied here.
    Applied {
        /// The order.
        digest: Digest,
        /// Its sequence.
        sequence: OrderSequence,
    },
}

/// Why a transfer did not begin. Nothing was signed, kept or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// The committee would refuse it, or this member of it does.
    #[error("{}", .0.message())]
    Refused(TokenCode),
    /// The paying account is none of this node's.
    #[error("an order of an account whose key is not here")]
    NotOwn,
    /// Payer and payee are the same account.
    #[error("an order of an account to itself")]
    SameAccount,
    /// The account has another order under way.
    #[error("the account has another order under way")]
    Busy {
        /// Which.
        id: TransferId,
    },
    /// Too many certificates wait for a receipt.
    #[error("too many certificates wait for a receipt")]
    TooManyPresented,
}

/// What is to be done, in order, after the writes of the same input are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message. It is repeated until it is answered, so it may get lost.
    Send {
        /// To the peer of this identity.
        to: PublicKey,
        /// What.
        message: Box<TokenMessage>,
    },
    /// Tell whoever listens.
    Event(Event),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member is about to vote: this comes before its vote.
    VoteRequested {
        /// Who asked.
        peer: PublicKey,
        /// The transfer.
        id: TransferId,
        /// The order.
        digest: Digest,
        /// The paying account.
        from: PublicKey,
    },
    /// An own order is signed and kept.
    Signed {
        /// The transfer.
        id: TransferId,
        /// The order.
        digest: Digest,
        /// The paying account.
        from: PublicKey,
        /// Its sequence.
        sequence: OrderSequence,
    },
    /// Balances have moved.
    Applied(Movement),
    /// A member has refused its vote for an own order; the order goes on.
    VoteRefused {
        /// The transfer.
        id: TransferId,
        /// The order.
        digest: Digest,
        /// The member.
        member: PublicKey,
        /// Why.
        code: TokenCode,
    },
    /// An own order has failed for good: every member has refused it for a reason that does not pass.
    Refused {
        /// The transfer.
        id: TransferId,
        /// The order, unless nothing was signed.
        digest: Option<Digest>,
        /// The paying account.
        from: PublicKey,
        /// Why.
        code: TokenCode,
    },
    /// A transfer for which the members were asked first did not begin; nothing was signed.
    NotBegun {
        /// The transfer.
        id: TransferId,
        /// The paying account.
        from: PublicKey,
        /// Why.
        error: TransferError,
    },
    /// A member or the receiver has applied the certificate of an own order.
    Receipt {
        /// The transfer.
        id: TransferId,
        /// The order.
        digest: Digest,
        /// Who.
        peer: PublicKey,
    },
    /// An owner has signed two orders for one slot; the evidence is kept, and the account frozen here.
    Equivocation {
        /// The account.
        from: PublicKey,
        /// Its token.
        token: TokenName,
        /// The slot.
        sequence: OrderSequence,
    },
    /// Two certificates exist for one slot, or one exceeds what a balance can hold: more than f members lie. The second
    /// one is not applied.
    CommitteeBroken {
        /// The certificate that was not applied.
        digest: Digest,
    },
}

/// An applied transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The transfer.
    pub id: TransferId,
    /// The order.
    pub digest: Digest,
    /// The token.
    pub token: TokenName,
    /// The account that paid.
    pub from: PublicKey,
    /// The account that was paid.
    pub to: PublicKey,
    /// How much.
    pub amount: Amount,
    /// The sequence of the order.
    pub sequence: OrderSequence,
    /// What the owner wrote to it.
    pub memo: Option<Memo>,
}

impl Movement {
    pub(crate) fn of(signed: &SignedOrder) -> Self {
        let terms = signed.order.terms();
        Self {
            id: terms.transfer_id,
            digest: signed.order.digest(),
            token: terms.token.clone(),
            from: terms.from,
            to: terms.to,
            amount: terms.amount,
            sequence: terms.sequence,
            memo: terms.memo.clone(),
        }
    }
}
