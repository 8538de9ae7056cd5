//! What an owner signs.

use std::sync::Arc;

use entity_crypto::derivation::sha256;
use entity_crypto::signing::{PublicKey, Signature, labelled};

use super::{
    Amount, Digest, Epoch, LedgerId, Memo, OrderSequence, TokenName, TransferId, exact, key,
    signature,
};
use crate::canonical;
use crate::json::{FieldError, Fields, Object, Problem};
use crate::time::Timestamp;

/// The terms of an order: who pays whom how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The ledger.
    pub ledger: LedgerId,
    /// The epoch of its committee.
    pub epoch: Epoch,
    /// The owner's name for the transfer.
    pub transfer_id: TransferId,
    /// The token.
    pub token: TokenName,
    /// The account that pays, which is its owner's key.
    pub from: PublicKey,
    /// The account that is paid; another one.
    pub to: PublicKey,
    /// How much.
    pub amount: Amount,
    /// The place of the order among those of (`from`, `token`).
    pub sequence: OrderSequence,
    /// Until when a member may give its first vote.
    pub expires_at: Timestamp,
    /// What the owner writes to it.
    pub memo: Option<Memo>,
}

/// An order: [`Terms`] with their canonical text and digest. Clones share it.
///
/// Source: `docs/protocol/1.1.md#order`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order(Arc<Written>);

#[derive(Debug, PartialEq, Eq)]
struct Written {
    terms: Terms,
    canonical: Box<[u8]>,
    digest: Digest,
}

/// Terms that no order can have. It is our caller's fault, or the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an order of an account to itself")]
pub struct TermsError;

impl Order {
    /// The order of these terms.
    ///
    /// # Errors
    ///
    /// [`TermsError`] where `from` is `to`.
    pub fn new(terms: Terms) -> Result<Self, TermsError> {
        if terms.from == terms.to {
            return Err(TermsError);
        }
        let canonical = canonical::object_to_vec(&terms_object(&terms));
        Ok(Self::written(terms, canonical))
    }

    fn written(terms: Terms, canonical: Vec<u8>) -> Self {
        let (digest, canonical) = (digest_of(&canonical), canonical.into_boxed_slice());
        Self(Arc::new(Written { terms, canonical, digest }))
    }

    /// The terms.
    pub fn terms(&self) -> &Terms {
        &self.0.terms
    }

    /// The canonical JSON of the order: what [`Order::to_object`] is written as, at no cost.
    pub fn canonical(&self) -> &[u8] {
        &self.0.canonical
    }

    /// The digest D of the order.
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// The bytes that the owner signs.
    ///
    /// Source: `docs/protocol/1.1.md#order-signature`.
    pub fn signed_bytes(&self) -> Vec<u8> {
        labelled("peer-v1.1-order-signature", self.0.digest.as_bytes())
    }

    /// Reads an order: exactly its fields.
    ///
    /// # Errors
    ///
    /// A field is absent, unknown or not what it should be; of several the amount is named first only where nothing
    /// else is wrong, so that an error that names `amount` means `AMOUNT_INVALID` and nothing else.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        exact(object, &FIELDS)?;
        let fields = Fields::new(object);
        let memo = || {
            let text = fields.short_text("memo", Memo::LEN_MAX)?;
            Memo::new(text).ok_or(Problem::TooLong { max: Memo::LEN_MAX }.of("memo"))
        };
        let from = key(fields, "from")?;
        let to = key(fields, "to")?;
        if from == to {
            return Err(Problem::Invalid { expected: "an account other than from" }.of("to"));
        }
        let epoch = Epoch::new(fields.unsigned("epoch")?);
        let sequence = OrderSequence::new(fields.unsigned("sequence")?);
        let terms = Terms {
            ledger: fields.parsed("ledger", "64 lower-case hex digits")?,
            epoch: epoch.ok_or(Problem::Invalid { expected: "0 to 2^53 - 1" }.of("epoch"))?,
            transfer_id: fields.parsed("transfer_id", "a lower-case UUID")?,
            token: fields.parsed("token", "1 to 32 of A-Z a-z 0-9 . _ -")?,
            from,
            to,
            sequence: sequence
                .ok_or(Problem::Invalid { expected: "1 to 2^53 - 1" }.of("sequence"))?,
            expires_at: fields.read("expires_at", "a time of 32 characters", |text| {
                Timestamp::from_iso_strict(text).ok()
            })?,
            memo: object.contains_key("memo").then(memo).transpose()?,
            amount: fields.parsed("amount", "a decimal integer from 1 to 2^127 - 1")?,
        };
        // Every text form is the only one of its value, so these are also the terms written again.
        Ok(Self::written(terms, canonical::object_to_vec(object)))
    }

    /// Writes the order.
    pub fn to_object(&self) -> Object {
        terms_object(&self.0.terms)
    }

    /// The digest that an order has or would have, were its fields what they should be: with it a refusal can name an
    /// order that cannot be read.
    pub fn digest_of(object: &Object) -> Digest {
        digest_of(&canonical::object_to_vec(object))
    }
}

/// The fields of an order, sorted.
const FIELDS: [&str; 10] = [
    "amount",
    "epoch",
    "expires_at",
    "from",
    "ledger",
    "memo",
    "sequence",
    "to",
    "token",
    "transfer_id",
];

fn digest_of(canonical: &[u8]) -> Digest {
    Digest::from_bytes(sha256(&labelled("peer-v1.1-order", canonical)))
}

fn terms_object(terms: &Terms) -> Object {
    let object = Object::new()
        .with("amount", terms.amount.to_string())
        .with("epoch", terms.epoch.get())
        .with("expires_at", terms.expires_at.to_string())
        .with("from", terms.from.to_hex())
        .with("ledger", terms.ledger.to_string());
    let object = match &terms.memo {
        Some(memo) => object.with("memo", memo.as_str()),
        None => object,
    };
    object
        .with("sequence", terms.sequence.get())
        .with("to", terms.to.to_hex())
        .with("token", terms.token.as_str())
        .with("transfer_id", terms.transfer_id.to_string())
}

/// An order with a signature, which is not verified here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedOrder {
    /// The order.
    pub order: Order,
    /// The signature that its owner is said to have made.
    pub signature: Signature,
}

impl SignedOrder {
    /// Reads the fields `order` and `signature` of an object that may have more.
    ///
    /// # Errors
    ///
    /// A field is absent or not what it should be.
    pub fn from_fields(fields: Fields<'_>) -> Result<Self, FieldError> {
        Ok(Self {
            order: Order::from_object(fields.object("order")?)?,
            signature: signature(fields)?,
        })
    }
}
