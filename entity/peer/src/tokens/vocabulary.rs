//! What the owner of a peer can ask of the tokens, and what it answers.

use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_ledger::Movement;
use entity_wire::code::ErrorCode;
use entity_wire::payload::token::{
    Amount, Digest, Genesis, LedgerId, Memo, OrderSequence, TokenCode, TokenName, TransferId,
};

/// One thing to do with tokens.
#[derive(Debug, Clone)]
pub enum TokenCommand {
    /// Takes part in a ledger. The same one again is fine, another one is refused.
    Open {
        /// What it is made of.
        genesis: Genesis,
    },
    /// Takes an account of this identity into use.
    TakeAccount {
        /// Its number, below [`super::ACCOUNTS_MAX`].
        index: u32,
    },
    /// Pays.
    Pay(Payment),
}

/// A payment of an own account.
#[derive(Debug, Clone)]
pub struct Payment {
    /// Its name, which is never paid twice; `None` makes one up.
    pub id: Option<TransferId>,
    /// The token; `None` for the only one of the ledger.
    pub token: Option<TokenName>,
    /// Between whom.
    pub way: Way,
    /// How much.
    pub amount: Amount,
    /// What is written to it.
    pub memo: Option<Memo>,
    /// How long from now members may begin to vote.
    pub expires_in: Duration,
    /// When the command ends.
    pub until: Until,
}

/// Between whom a payment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From an own account to anybody.
    Transfer {
        /// The own account; `None` for the identity's.
        from: Option<PublicKey>,
        /// Who is paid.
        to: PublicKey,
    },
    /// From the issuer's account, which is to be an own one.
    Issue {
        /// Who is paid.
        to: PublicKey,
    },
    /// From an own account to the issuer's.
    Burn {
        /// The own account; `None` for the identity's.
        from: Option<PublicKey>,
    },
}

/// When the command of a payment ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// As soon as its order is signed and kept: it goes on by itself.
    Kept,
    /// Once it is certified and applied here.
    Applied,
}

/// How a command ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenResult {
    /// The ledger is open.
    Opened(LedgerId),
    /// The key of an account.
    Account(PublicKey),
    /// How far a payment is.
    Paid(Paid),
}

/// How far a payment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paid {
    /// Its name.
    pub id: TransferId,
    /// Its order.
    pub digest: Digest,
    /// The sequence of the order in its account.
    pub sequence: OrderSequence,
    /// Whether it is certified and applied here.
    pub is_applied: bool,
}

/// Something that happened in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenEvent {
    /// A member of a ledger's committee, which is us, was asked for its vote; this comes before the vote leaves.
    VoteRequested {
        /// Who asks: a peer, or a key that no peer has.
        peer: String,
        /// The payment.
        id: TransferId,
        /// Its order.
        digest: Digest,
        /// The account that pays.
        from: PublicKey,
    },
    /// A certified payment has moved balances here.
    Applied(Movement),
    /// The same, to an account of ours; comes after it.
    Received(Movement),
    /// A payment of ours has failed for good.
    Refused {
        /// The payment.
        id: TransferId,
        /// Its order, unless none was signed.
        digest: Option<Digest>,
        /// Why.
        code: TokenCode,
    },
    /// A member or the receiver has applied a payment of ours.
    Receipt {
        /// The payment.
        id: TransferId,
        /// Its order.
        digest: Digest,
        /// Who: a peer, or a key that no peer has.
        peer: String,
    },
    /// An owner has signed two orders for one slot of its account.
    Equivocation {
        /// The account.
        from: PublicKey,
        /// Its token.
        token: TokenName,
        /// The slot.
        sequence: OrderSequence,
    },
    /// A certificate contradicts another one: more members lie than the committee bears.
    CommitteeBroken {
        /// The certificate, which was not applied.
        digest: Digest,
    },
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Caller: this node takes part in no ledger.
    #[error("take part in a ledger: none is open")]
    NoLedger,
    /// Caller: a node takes part in one ledger.
    #[error("open another ledger than {ledger}")]
    OtherLedger {
        /// The one that is open.
        ledger: LedgerId,
    },
    /// Caller: there is no such account.
    #[error("have an account with a number from {} on", super::ACCOUNTS_MAX)]
    NoSuchAccount,
    /// Caller: the ledger has several tokens.
    #[error("choose a token: the ledger has several")]
    WhichToken,
    /// Caller: payer and payee are the same account.
    #[error("pay an account from itself")]
    SameAccount,
    /// Ours: a named limit is reached.
    #[error("queue the payment: {limit} is reached")]
    Overloaded {
        /// The limit.
        limit: &'static str,
    },
    /// The committee refuses, or this node knows that it would.
    #[error("pay: {}", code.message())]
    Refused {
        /// Why.
        code: TokenCode,
    },
}

impl TokenError {
    /// The code that names the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoLedger | Self::OtherLedger { .. } => ErrorCode::InvalidState.as_str(),
            Self::NoSuchAccount | Self::WhichToken | Self::SameAccount => {
                ErrorCode::InvalidMessage.as_str()
            }
            Self::Overloaded { .. } => ErrorCode::ServiceUnavailable.as_str(),
            Self::Refused { code } => code.as_str(),
        }
    }
}
