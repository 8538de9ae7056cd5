//! Messages that are kept until the other side has them, and small signals between peers, in the contract.

use entity_peer::command::Command;
use entity_peer::view::{ErrorView, KeptView};
use entity_peer::{Peer, PeerName};
use entity_wire::payload::error::ErrorReport;
use serde::{Deserialize, Serialize};

use crate::RpcError;
use crate::methods::{Outcome, parameter, result};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutboxListParams {
    to: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WakeParams {
    to: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorNotifyParams {
    to: String,
    code: String,
    message: String,
    original: Option<String>,
}

/// Most messages in one answer of `outbox.list`.
const OUTBOX_ANSWER_MAX: usize = 1_000;

/// The result of a durable `message.send`.
#[derive(Serialize)]
pub(crate) struct KeptReceipt {
    pub(crate) id: String,
    pub(crate) queued: bool,
}

#[derive(Serialize)]
struct Outbox {
    messages: Vec<KeptShape>,
    size: usize,
}

#[derive(Serialize)]
struct KeptShape {
    id: String,
    to: String,
    #[serde(rename = "type")]
    kind: String,
    state: &'static str,
    attempts: u32,
}

impl From<KeptView> for KeptShape {
    fn from(view: KeptView) -> Self {
        Self {
            id: view.id.to_string(),
            to: view.to.to_string(),
            kind: view.kind.as_str().to_owned(),
            state: view.state.as_str(),
            attempts: view.attempts,
        }
    }
}

#[derive(Serialize)]
struct Errors {
    errors: Vec<ErrorShape>,
}

#[derive(Serialize)]
struct ErrorShape {
    index: u64,
    from: String,
    code: String,
    message: String,
    original: Option<String>,
    received_at: String,
}

impl From<&ErrorView> for ErrorShape {
    fn from(view: &ErrorView) -> Self {
        Self {
            index: view.index,
            from: view.from.to_string(),
            code: view.code.clone(),
            message: view.message.clone(),
            original: view.original.clone(),
            received_at: view.received_at.to_string(),
        }
    }
}

impl WakeParams {
    pub(crate) fn command(self) -> Result<Command, RpcError> {
        Ok(Command::Wake { to: parameter("to", &self.to)?, reason: self.reason })
    }
}

impl ErrorNotifyParams {
    pub(crate) fn command(self) -> Result<Command, RpcError> {
        let to = parameter("to", &self.to)?;
        let Self { code, message, original, .. } = self;
        let report = ErrorReport { code, message, original_message_id: original };
        Ok(Command::NotifyError { to, report })
    }
}

/// What `error.list` shows.
pub(crate) fn errors(peer: &Peer) -> Outcome {
    result(&Errors { errors: peer.errors().map(ErrorShape::from).collect() })
}

impl OutboxListParams {
    pub(crate) fn show(&self, peer: &Peer) -> Outcome {
        let to = self.to.as_deref().map(|to| parameter::<PeerName>("to", to)).transpose()?;
        let limit = self.limit.unwrap_or(OUTBOX_ANSWER_MAX).min(OUTBOX_ANSWER_MAX);
        let is_asked_for = |view: &KeptView| to.as_ref().is_none_or(|to| view.to == *to);
        let all = peer.kept().filter(is_asked_for).map(KeptShape::from);
        let mut size = 0;
        let counted = all.inspect(|_| size += 1);
        let mut is_past = self.after.is_none();
        let mut messages = Vec::new();
        for kept in counted {
            if is_past && messages.len() < limit {
                messages.push(kept);
            } else if self.after.as_deref() == Some(kept.id.as_str()) {
                is_past = true;
            }
        }
        result(&Outbox { messages, size })
    }
}
