//! The methods `token.*` that need time or what is stored: payments, histories, certificates.

use std::time::Duration;

use entity_contract::token::{account, key_of, ledger, payment};
use entity_contract::token_shapes as shapes;
use entity_crypto::signing::PublicKey;
use entity_ledger::record::{CERTIFICATE, EVIDENCE, HISTORY, history_key, history_prefix};
use entity_ledger::{HistoryEntry, Ledger};
use entity_peer::command::{Command, CommandResult};
use entity_peer::tokens::{Paid, Payment, TokenCommand, TokenResult, Until};
use entity_wire::payload::token::{Digest, TokenName};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::RpcError;
use super::methods::{Outcome, Service, parameter, read, result, unknown};
use super::params::NoParams;

/// How long a payment may take before it is answered as pending: less than an operator's command waits for its answer.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Most entries in one answer of `token.history` or `token.statement`; with proofs it fits a line of the contract.
const ENTRIES_MAX: usize = 400;

/// Most pieces of evidence in one answer of `token.audit`.
const EVIDENCE_MAX: usize = 100;

/// The most that one answer of `token.statement` holds of certificates, in bytes: so it fits a line of the contract.
const PROOFS_LEN_MAX: usize = 512 * 1024;

impl Service {
    /// Does one request of this family.
    pub(super) async fn token(&self, method: &str, params: Option<&RawValue>) -> Outcome {
        match method {
            "token.audit" => self.token_audit(params).await,
            "token.history" => self.token_history(params).await,
            "token.statement" => self.token_statement(params).await,
            "token.certificate" => self.token_certificate(params).await,
            _ => match payment(method, params) {
                Some(payment) => self.pay(payment?).await,
                None => Err(unknown(method)),
            },
        }
    }

    /// Pays, and answers after [`WAIT_MAX`] at the latest how far the payment is.
    async fn pay(&self, mut payment: Payment) -> Outcome {
        let until = payment.until;
        if payment.id.is_none() {
            // Only a payment that has a name can be asked for again.
            payment.until = Until::Kept;
        }
        let first = tokio::time::timeout(WAIT_MAX, self.paid(payment.clone())).await;
        let paid = match (first, payment.id) {
            (Ok(paid), Some(_)) => paid?,
            (Ok(paid), None) => {
                let paid = paid?;
                let named = Payment { id: Some(paid.id), until, ..payment };
                let second = tokio::time::timeout(WAIT_MAX, self.paid(named)).await;
                second.unwrap_or(Ok(paid))?
            }
            // The order goes on by itself.
            (Err(_), Some(_)) => {
                let asked = self.paid(Payment { until: Until::Kept, ..payment });
                tokio::time::timeout(STATE_WAIT_MAX, asked).await.map_err(|_| not_begun())??
            }
            (Err(_), None) => return Err(not_begun()),
        };
        result(&shapes::Paid::from(paid))
    }

    async fn paid(&self, payment: Payment) -> Result<Paid, RpcError> {
        match self.token_command(TokenCommand::Pay(payment)).await? {
            TokenResult::Paid(paid) => Ok(paid),
            other @ (TokenResult::Opened(_) | TokenResult::Account(_)) => Err(unexpected(&other)),
        }
    }

    async fn token_audit(&self, params: Option<&RawValue>) -> Outcome {
        read::<NoParams>(params)?;
        self.node.settled().await?;
        let mut audit = self.ledger(shapes::Audit::of)?;
        let evidence = self.node.scan(EVIDENCE, b"", None, EVIDENCE_MAX).await.map_err(damaged)?;
        audit.evidence = evidence.iter().filter_map(shapes::Evidence::of).collect();
        result(&audit)
    }

    async fn token_history(&self, params: Option<&RawValue>) -> Outcome {
        let HistoryParams { of, token, after, limit } = read(params)?;
        self.node.settled().await?;
        let (account, token) = self.account(of.as_deref(), token.as_deref())?;
        let (entries, next) = self
            .entries(&account, &token, after.unwrap_or(0), limit.unwrap_or(ENTRIES_MAX))
            .await?;
        let entries = entries.iter().map(shapes::Entry::of).collect();
        result(&shapes::History { entries, next })
    }

    async fn token_statement(&self, params: Option<&RawValue>) -> Outcome {
        let StatementParams { of, token, proof, after, limit } = read(params)?;
        self.node.settled().await?;
        let (account, token) = self.account(of.as_deref(), token.as_deref())?;
        let statement = self.ledger(|ledger| shapes::Statement::of(ledger, &account, &token))?;
        let mut statement = statement.ok_or_else(|| lost(&token))?;
        let (entries, mut next) = self
            .entries(&account, &token, after.unwrap_or(0), limit.unwrap_or(ENTRIES_MAX))
            .await?;
        let (mut len, last) = (0, entries.last().map(|entry| entry.position));
        for entry in entries {
            let certificate = if proof.unwrap_or(false) {
                let key = self.ledger(|ledger| ledger.certificate_key_of(&entry))?;
                let certificate = self.certificate(&key).await?;
                Some(certificate.ok_or_else(|| lost(&entry.digest))?)
            } else {
                None
            };
            len += certificate.as_ref().map_or(0, |certificate| certificate.get().len());
            let shape = shapes::Entry::of(&entry);
            statement.entries.push(shapes::StatementEntry { entry: shape, certificate });
            if len > PROOFS_LEN_MAX && last != Some(entry.position) {
                next = Some(entry.position);
                break;
            }
        }
        statement.next = next;
        result(&statement)
    }

    async fn token_certificate(&self, params: Option<&RawValue>) -> Outcome {
        let DigestParams { digest } = read(params)?;
        self.node.settled().await?;
        let digest: Digest = parameter("digest", &digest)?;
        let (genesis, key) =
            self.ledger(|ledger| (shapes::genesis(ledger), ledger.certificate_key(&digest)))?;
        let key = key.ok_or_else(|| {
            RpcError::refused("INVALID_STATE", "find a certificate of this digest")
        })?;
        let certificate = self.certificate(&key).await?.ok_or_else(|| lost(&digest))?;
        result(&shapes::Receipt { certificate, genesis })
    }

    async fn token_command(&self, command: TokenCommand) -> Result<TokenResult, RpcError> {
        let done = self.node.command(Command::Token(command)).await?;
        let CommandResult::Token(result) = done else {
            return Err(super::methods::unexpected(&done));
        };
        Ok(result)
    }

    /// Looks at the ledger.
    fn ledger<T>(&self, look: impl FnOnce(&Ledger) -> T) -> Result<T, RpcError> {
        self.node.look(|peer, _| ledger(peer).map(look))
    }

    /// The account and token that are meant: the identity's where none is named, the only one of the ledger.
    fn account(
        &self,
        of: Option<&str>,
        token: Option<&str>,
    ) -> Result<(PublicKey, TokenName), RpcError> {
        let of = key_of("of", of)?;
        let token = token.map(|name| parameter::<TokenName>("token", name)).transpose()?;
        self.node.look(|peer, _| account(peer, of.as_ref(), token.as_ref()))
    }
    /// The entries of an account above a position, and where to go on, if there may be more.
    async fn entries(
        &self,
        account: &PublicKey,
        token: &TokenName,
        after: u64,
        limit: usize,
    ) -> Result<(Vec<HistoryEntry>, Option<u64>), RpcError> {
        let limit = limit.clamp(1, ENTRIES_MAX);
        let prefix = history_prefix(account, token);
        let after = history_key(account, token, after);
        let records =
            self.node.scan(HISTORY, &prefix, Some(&after), limit).await.map_err(damaged)?;
        let is_full = records.len() == limit;
        let entries: Result<Vec<_>, _> =
            records.into_iter().map(HistoryEntry::from_record).collect();
        let entries = entries.map_err(damaged)?;
        let next = entries.last().filter(|_| is_full).map(|entry| entry.position);
        Ok((entries, next))
    }

    /// The applied certificate under this key, as it was kept.
    async fn certificate(&self, key: &[u8]) -> Result<Option<Box<RawValue>>, RpcError> {
        let records = self.node.scan(CERTIFICATE, key, None, 1).await.map_err(damaged)?;
        // The digest of an older one may begin like a number.
        let record = records.into_iter().next().filter(|record| record.key == key);
        let text = record.map(|record| String::from_utf8(record.value));
        let raw = text.map(|text| text.map_err(damaged).map(RawValue::from_string)).transpose()?;
        raw.transpose().map_err(damaged)
    }
}

/// How long a payment may take to say how far it is.
const STATE_WAIT_MAX: Duration = Duration::from_secs(1);

fn not_begun() -> RpcError {
    RpcError::refused(
        "SERVICE_UNAVAILABLE",
        "begin the payment: the members have not said what they know of the account; ask again with the same id",
    )
}

fn damaged(error: impl ToString) -> RpcError {
    RpcError::new(RpcError::INTERNAL_ERROR, format!("the store is damaged: {}", error.to_string()))
}

fn lost(what: &impl std::fmt::Display) -> RpcError {
    damaged(format!("{what} is missing"))
}

fn unexpected(other: &TokenResult) -> RpcError {
    RpcError::new(RpcError::INTERNAL_ERROR, format!("the ledger answered with {other:?}"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryParams {
    of: Option<String>,
    token: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementParams {
    of: Option<String>,
    token: Option<String>,
    proof: Option<bool>,
    after: Option<u64>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestParams {
    digest: String,
}
