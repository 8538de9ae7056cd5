//! The messages between owners, members and receivers.

use entity_crypto::signing::{PublicKey, Signature};

use super::{
    Balance, CERTIFICATES_MAX, Certificate, Digest, MemberVote, OrderSequence, SignedOrder,
    TokenCode, TokenName, Votes, exact, key, list, signature,
};
use crate::json::{FieldError, Fields, Object, Problem, Value};
use crate::kind::MessageKind;

/// `vote_request`: asks a member for its vote.
///
/// Source: `docs/protocol/1.1.md#token-messages`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteRequest {
    /// The order and its owner's signature.
    pub signed: SignedOrder,
    /// Votes that others have given.
    pub votes: Votes,
    /// Certificates that the member applies first; at most [`CERTIFICATES_MAX`].
    pub certificates: Vec<Certificate>,
}

impl VoteRequest {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be. An error that names `amount` is the one of the order, unless
    /// [`VoteRequest::invalid_amount`] says `None`.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["order", "signature", "votes", "certificates"])?;
        let fields = Fields::new(object);
        Ok(Self {
            certificates: list(fields, "certificates", CERTIFICATES_MAX, Certificate::from_object)?,
            votes: Votes::from_fields(fields)?,
            signed: SignedOrder::from_fields(fields)?,
        })
    }

    /// The digest to refuse with `AMOUNT_INVALID`, where the only thing wrong with the payload is the amount of its order.
    pub fn invalid_amount(object: &Object) -> Option<Digest> {
        let order = object.get("order")?.as_object()?;
        let mended = order.clone().with("amount", "1");
        let is_invalid = super::Order::from_object(order).is_err();
        let mended = object.clone().with("order", mended);
        (is_invalid && order.contains_key("amount") && Self::from_object(&mended).is_ok())
            .then(|| super::Order::digest_of(order))
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let certificates = self.certificates.iter().map(|held| Value::from(held.to_object()));
        Object::new()
            .with("order", self.signed.order.to_object())
            .with("signature", self.signed.signature.to_base64())
            .with("votes", self.votes.to_value())
            .with("certificates", certificates.collect::<Vec<_>>())
    }
}

/// `vote`: a member's vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The order.
    pub digest: Digest,
    /// Who votes.
    pub member: PublicKey,
    /// The signature that it is said to have made.
    pub signature: Signature,
}

impl Vote {
    /// The vote without the name of its order.
    pub fn of_member(&self) -> MemberVote {
        MemberVote { member: self.member, signature: self.signature }
    }

    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["digest", "member", "signature"])?;
        let fields = Fields::new(object);
        Ok(Self {
            digest: digest(fields)?,
            member: key(fields, "member")?,
            signature: signature(fields)?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("digest", self.digest.to_string())
            .with("member", self.member.to_hex())
            .with("signature", self.signature.to_base64())
    }
}

/// `vote_refusal`: why a member does not vote. It is not signed: it binds nobody and proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteRefusal {
    /// The order.
    pub digest: Digest,
    /// Why.
    pub code: TokenCode,
}

impl VoteRefusal {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["digest", "code"])?;
        let fields = Fields::new(object);
        Ok(Self {
            digest: digest(fields)?,
            code: fields.read("code", "a token code", TokenCode::from_text)?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new().with("digest", self.digest.to_string()).with("code", self.code.as_str())
    }
}

/// `token_transfer` of protocol 1.1: presents a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenTransfer {
    /// The certificate.
    pub certificate: Certificate,
}

impl TokenTransfer {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["certificate"])?;
        let certificate = Fields::new(object).object("certificate")?;
        Ok(Self { certificate: Certificate::from_object(certificate)? })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new().with("certificate", self.certificate.to_object())
    }
}

/// `token_receipt`: a certificate was applied, durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenReceipt {
    /// Its order.
    pub digest: Digest,
}

impl TokenReceipt {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["digest"])?;
        Ok(Self { digest: digest(Fields::new(object))? })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new().with("digest", self.digest.to_string())
    }
}

/// `account_query`: asks a member how it sees an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountQuery {
    /// The account.
    pub from: PublicKey,
    /// Its token.
    pub token: TokenName,
}

impl AccountQuery {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["from", "token"])?;
        let fields = Fields::new(object);
        Ok(Self { from: key(fields, "from")?, token: token(fields)? })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new().with("from", self.from.to_hex()).with("token", self.token.as_str())
    }
}

/// `account_state`: how a member sees an account. It is not signed; only `pending` can be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountState {
    /// The account.
    pub from: PublicKey,
    /// Its token.
    pub token: TokenName,
    /// The sequence that the member would vote for.
    pub next_sequence: OrderSequence,
    /// What the account holds by the certificates that the member has applied.
    pub balance: Balance,
    /// The order of sequence `next_sequence` for which the member has voted, with its vote.
    pub pending: Option<(SignedOrder, Votes)>,
}

impl AccountState {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be; `pending` is an order of another account or sequence.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &["from", "token", "next_sequence", "balance", "pending"])?;
        let fields = Fields::new(object);
        let sequence = OrderSequence::new(fields.unsigned("next_sequence")?);
        let pending = |_: &Value| {
            let pending = fields.object("pending")?;
            exact(pending, &["order", "signature", "votes"])?;
            let fields = Fields::new(pending);
            Ok((SignedOrder::from_fields(fields)?, Votes::from_fields(fields)?))
        };
        let state = Self {
            from: key(fields, "from")?,
            token: token(fields)?,
            next_sequence: sequence
                .ok_or(Problem::Invalid { expected: "1 to 2^53 - 1" }.of("next_sequence"))?,
            balance: fields.parsed("balance", "a decimal integer of 128 bits")?,
            pending: object.get("pending").map(pending).transpose()?,
        };
        let fits = |(signed, _): &(SignedOrder, Votes)| {
            let terms = signed.order.terms();
            terms.from == state.from
                && terms.token == state.token
                && terms.sequence == state.next_sequence
        };
        if state.pending.as_ref().is_none_or(fits) {
            Ok(state)
        } else {
            Err(Problem::Invalid { expected: "the next order of the account" }.of("pending"))
        }
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let object = Object::new()
            .with("from", self.from.to_hex())
            .with("token", self.token.as_str())
            .with("next_sequence", self.next_sequence.get())
            .with("balance", self.balance.to_string());
        match &self.pending {
            None => object,
            Some((signed, votes)) => {
                let pending = Object::new()
                    .with("order", signed.order.to_object())
                    .with("signature", signed.signature.to_base64())
                    .with("votes", votes.to_value());
                object.with("pending", pending)
            }
        }
    }
}

fn digest(fields: Fields<'_>) -> Result<Digest, FieldError> {
    fields.parsed("digest", "64 lower-case hex digits")
}

fn token(fields: Fields<'_>) -> Result<TokenName, FieldError> {
    fields.parsed("token", "1 to 32 of A-Z a-z 0-9 . _ -")
}

/// A message of the token feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenMessage {
    /// `vote_request`.
    VoteRequest(VoteRequest),
    /// `vote`.
    Vote(Vote),
    /// `vote_refusal`.
    VoteRefusal(VoteRefusal),
    /// `token_transfer`.
    Transfer(TokenTransfer),
    /// `token_receipt`.
    Receipt(TokenReceipt),
    /// `account_query`.
    AccountQuery(AccountQuery),
    /// `account_state`.
    AccountState(AccountState),
}

/// A payload that is no message of the token feature. The peer is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read a message of the token feature")]
pub struct Unreadable {
    /// The refusal to answer with, where an order can be named by its digest and only its amount is wrong.
    pub refusal: Option<VoteRefusal>,
    /// What is wrong.
    #[source]
    pub error: FieldError,
}

impl TokenMessage {
    /// Reads the payload of a message; `None` for a kind that is none of the token feature.
    ///
    /// # Errors
    ///
    /// [`Unreadable`].
    pub fn from_object(kind: &MessageKind, object: &Object) -> Option<Result<Self, Unreadable>> {
        let read = if *kind == MessageKind::VoteRequest {
            VoteRequest::from_object(object).map(Self::VoteRequest)
        } else if *kind == MessageKind::Vote {
            Vote::from_object(object).map(Self::Vote)
        } else if *kind == MessageKind::VoteRefusal {
            VoteRefusal::from_object(object).map(Self::VoteRefusal)
        } else if *kind == MessageKind::TokenTransfer {
            TokenTransfer::from_object(object).map(Self::Transfer)
        } else if *kind == MessageKind::TokenReceipt {
            TokenReceipt::from_object(object).map(Self::Receipt)
        } else if *kind == MessageKind::AccountQuery {
            AccountQuery::from_object(object).map(Self::AccountQuery)
        } else if *kind == MessageKind::AccountState {
            AccountState::from_object(object).map(Self::AccountState)
        } else {
            return None;
        };
        Some(read.map_err(|error| {
            let digest = (*kind == MessageKind::VoteRequest)
                .then(|| VoteRequest::invalid_amount(object))
                .flatten();
            let refusal =
                digest.map(|digest| VoteRefusal { digest, code: TokenCode::AmountInvalid });
            Unreadable { refusal, error }
        }))
    }

    /// The kind of the message.
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::VoteRequest(_) => MessageKind::VoteRequest,
            Self::Vote(_) => MessageKind::Vote,
            Self::VoteRefusal(_) => MessageKind::VoteRefusal,
            Self::Transfer(_) => MessageKind::TokenTransfer,
            Self::Receipt(_) => MessageKind::TokenReceipt,
            Self::AccountQuery(_) => MessageKind::AccountQuery,
            Self::AccountState(_) => MessageKind::AccountState,
        }
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        match self {
            Self::VoteRequest(message) => message.to_object(),
            Self::Vote(message) => message.to_object(),
            Self::VoteRefusal(message) => message.to_object(),
            Self::Transfer(message) => message.to_object(),
            Self::Receipt(message) => message.to_object(),
            Self::AccountQuery(message) => message.to_object(),
            Self::AccountState(message) => message.to_object(),
        }
    }
}
