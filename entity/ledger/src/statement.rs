//! The statement of an account, and its check by anybody who has the genesis.

use std::collections::BTreeSet;
use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_journal::Record;
use entity_wire::json::{
    self, FieldError, Fields, Object, Problem, RULES_1_1, Rules as JsonRules, Value,
};
use entity_wire::payload::token::{
    Amount, Balance, Certificate, Digest, Genesis, LedgerId, Memo, OrderSequence, SignedOrder,
    TokenName, TransferId,
};

use crate::certificate::{InvalidCertificate, Known, verify_certificate};
use crate::record::{HISTORY, Reading, RestoreError, Writing};
use crate::rules::Rules;

/// Longest statement that is read, in bytes: some 50,000 transfers with their certificates.
pub const STATEMENT_LEN_MAX: usize = 64 * 1024 * 1024;

/// One line of an account's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The place of the line: 1, 2, 3 and so on, in the order in which this node applied.
    pub position: u64,
    /// The transfer.
    pub id: TransferId,
    /// The order.
    pub digest: Digest,
    /// Who paid.
    pub from: PublicKey,
    /// Who was paid.
    pub to: PublicKey,
    /// How much.
    pub amount: Amount,
    /// The sequence of the order among those of `from`.
    pub sequence: OrderSequence,
    /// What the owner wrote to it.
    pub memo: Option<Memo>,
}

impl HistoryEntry {
    /// The value of the record of an order.
    pub(crate) fn text(signed: &SignedOrder) -> Vec<u8> {
        let terms = signed.order.terms();
        let text = Writing::with_room(448)
            .plain("amount", &terms.amount.to_string())
            .plain("digest", &signed.order.digest().to_string())
            .plain("from", &terms.from.to_hex());
        let text = match &terms.memo {
            Some(memo) => text.text("memo", memo.as_str()),
            None => text,
        };
        text.number("sequence", terms.sequence.get())
            .plain("to", &terms.to.to_hex())
            .plain("transfer_id", &terms.transfer_id.to_string())
            .end()
    }

    /// Reads a record of [`HISTORY`].
    ///
    /// # Errors
    ///
    /// [`RestoreError`] where it is damaged.
    pub fn from_record(record: Record) -> Result<Self, RestoreError> {
        let reading = Reading::new(HISTORY, record)?;
        let [_, _, position] = reading.key()?;
        let position = reading.need(u64::from_str_radix(position, 16).ok())?;
        reading.need(Self::from_object(position, reading.value()).ok())
    }

    fn from_object(position: u64, object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let key = |field| fields.read(field, "a public key", |text| PublicKey::from_hex(text).ok());
        let sequence = OrderSequence::new(fields.unsigned("sequence")?);
        Ok(Self {
            position,
            id: fields.parsed("transfer_id", "a lower-case UUID")?,
            digest: fields.parsed("digest", "64 lower-case hex digits")?,
            from: key("from")?,
            to: key("to")?,
            amount: fields.parsed("amount", "an amount")?,
            sequence: sequence.ok_or(Problem::Invalid { expected: "a sequence" }.of("sequence"))?,
            memo: fields.read_optional("memo", "a memo", Memo::new)?,
        })
    }
}

/// What an account holds, and the certificates from which that follows.
///
/// A statement leaves out no payment *of* the account, because their sequences have no gap, except the newest ones; it may
/// leave out payments *to* it. So it proves: with these certificates the account holds `balance`.
///
/// Source: `docs/protocol/1.1.md#statement`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The ledger.
    pub ledger: LedgerId,
    /// The account.
    pub account: PublicKey,
    /// Its token.
    pub token: TokenName,
    /// What it holds.
    pub balance: Balance,
    /// The applied certificates that touch it, in the order of its history.
    pub certificates: Vec<Certificate>,
}

impl Statement {
    /// Writes the statement.
    pub fn to_object(&self) -> Object {
        let certificates = self.certificates.iter().map(|held| Value::from(held.to_object()));
        Object::new()
            .with("account", self.account.to_hex())
            .with("balance", self.balance.to_string())
            .with("certificates", certificates.collect::<Vec<_>>())
            .with("ledger", self.ledger.to_string())
            .with("token", self.token.as_str())
    }

    /// Reads a statement.
    ///
    /// # Errors
    ///
    /// It is no JSON of at most [`STATEMENT_LEN_MAX`] bytes, or a field is not what it should be.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, StatementError> {
        let rules = JsonRules { len_max: STATEMENT_LEN_MAX, ..RULES_1_1 };
        let value = json::parse(bytes, &rules).map_err(|_| StatementError::NotJson)?;
        let object = value.into_object().map_err(|_| StatementError::NotJson)?;
        Self::from_object(&object).map_err(StatementError::Field)
    }

    fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let certificate = |item: &Value| {
            let expected = Problem::WrongType { expected: "a list of certificates" };
            Certificate::from_object(item.as_object().ok_or(expected.of("certificates"))?)
        };
        Ok(Self {
            ledger: fields.parsed("ledger", "64 lower-case hex digits")?,
            account: fields
                .read("account", "a public key", |text| PublicKey::from_hex(text).ok())?,
            token: fields.parsed("token", "the name of a token")?,
            balance: fields.parsed("balance", "a decimal integer of 128 bits")?,
            certificates: fields
                .array("certificates")?
                .iter()
                .map(certificate)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Why a statement proves nothing. Whoever made it is to blame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// It is no JSON object, or too long.
    #[error("read a statement")]
    NotJson,
    /// A field is not what it should be.
    #[error("read a statement")]
    Field(#[source] FieldError),
    /// It is about another ledger than the genesis makes, or about a token that the ledger has not.
    #[error("a statement of another ledger or of an unknown token")]
    OtherLedger,
    /// A certificate does not hold.
    #[error("certificate {digest} does not hold")]
    Certificate {
        /// Its order.
        digest: Digest,
        /// Why.
        #[source]
        invalid: InvalidCertificate,
    },
    /// A certificate moves nothing of the account.
    #[error("certificate {digest} is about another account")]
    OtherAccount {
        /// Its order.
        digest: Digest,
    },
    /// A certificate is listed twice.
    #[error("certificate {digest} is listed twice")]
    Duplicate {
        /// Its order.
        digest: Digest,
    },
    /// A payment of the account is missing, or they are out of order.
    #[error("order {found} of the account comes where {expected} belongs")]
    Gap {
        /// The sequence that is missing.
        expected: u64,
        /// The sequence that came.
        found: u64,
    },
    /// The certificates make another balance.
    #[error("the certificates make a balance of {found} and not {said}")]
    Balance {
        /// What the statement says.
        said: Balance,
        /// What follows from it.
        found: Balance,
    },
}

/// Checks a statement certificate by certificate, so that none has to be in memory longer than its turn.
#[derive(Debug)]
pub struct StatementCheck {
    rules: Arc<Rules>,
    account: PublicKey,
    token: TokenName,
    balance: Balance,
    next: OrderSequence,
    /// Certificates that paid the account: for those of its own the sequence says enough.
    received: BTreeSet<Digest>,
}

impl StatementCheck {
    /// Begins with what the account holds by the genesis.
    ///
    /// # Errors
    ///
    /// [`StatementError::OtherLedger`] for a token that the ledger has not.
    pub fn new(
        genesis: Genesis,
        account: PublicKey,
        token: TokenName,
    ) -> Result<Self, StatementError> {
        let tokens = genesis.tokens().iter();
        let issued = tokens.clone().find(|listed| listed.token == token);
        let issued = issued.ok_or(StatementError::OtherLedger)?;
        let balance =
            if issued.issuer == account { Balance::from(issued.cap) } else { Balance::ZERO };
        Ok(Self {
            rules: Arc::new(Rules::new(genesis)),
            account,
            token,
            balance,
            next: OrderSequence::FIRST,
            received: BTreeSet::new(),
        })
    }

    /// Takes the next certificate.
    ///
    /// # Errors
    ///
    /// [`StatementError`]; the check is over then.
    pub fn take(&mut self, certificate: Certificate) -> Result<(), StatementError> {
        let digest = certificate.digest();
        let verified = verify_certificate(&self.rules, certificate, &Known::default());
        let verified =
            verified.map_err(|invalid| StatementError::Certificate { digest, invalid })?;
        let terms = verified.signed.order.terms();
        let balance = if terms.token != self.token {
            return Err(StatementError::OtherAccount { digest });
        } else if terms.from == self.account {
            let (expected, found) = (self.next.get(), terms.sequence.get());
            if expected != found {
                return Err(StatementError::Gap { expected, found });
            }
            self.next = self.next.next();
            self.balance.minus(terms.amount)
        } else if terms.to == self.account {
            if !self.received.insert(digest) {
                return Err(StatementError::Duplicate { digest });
            }
            self.balance.plus(terms.amount)
        } else {
            return Err(StatementError::OtherAccount { digest });
        };
        // Beyond 128 bits no committee with at most f liars comes.
        let beyond =
            InvalidCertificate::Order(entity_wire::payload::token::TokenCode::InsufficientFunds);
        let beyond = StatementError::Certificate { digest, invalid: beyond };
        self.balance = balance.ok_or(beyond)?;
        Ok(())
    }

    /// What the account holds by the certificates so far.
    pub fn balance(&self) -> Balance {
        self.balance
    }
}

/// Checks a whole statement: that its balance follows from its certificates, and they from the genesis.
///
/// # Errors
///
/// [`StatementError`].
pub fn verify_statement(genesis: &Genesis, statement: &Statement) -> Result<(), StatementError> {
    if genesis.ledger() != statement.ledger {
        return Err(StatementError::OtherLedger);
    }
    let mut check =
        StatementCheck::new(genesis.clone(), statement.account, statement.token.clone())?;
    for certificate in &statement.certificates {
        check.take(certificate.clone())?;
    }
    let (said, found) = (statement.balance, check.balance());
    if said == found { Ok(()) } else { Err(StatementError::Balance { said, found }) }
}
