//! What the contract shows of messages that are kept until the other side has them.

use entity_peer::PeerName;
use entity_peer::view::KeptView;
use serde::{Deserialize, Serialize};

use super::methods::{Outcome, Service, parameter, result};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutboxListParams {
    to: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

/// Most messages in one answer of `outbox.list`.
const OUTBOX_ANSWER_MAX: usize = 1_000;

/// The result of a durable `message.send`.
#[derive(Serialize)]
pub(super) struct KeptReceipt {
    pub(super) id: String,
    pub(super) queued: bool,
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

impl Service {
    pub(super) async fn outbox_list(&self, params: OutboxListParams) -> Outcome {
        let to = params.to.as_deref().map(|to| parameter::<PeerName>("to", to)).transpose()?;
        let limit = params.limit.unwrap_or(OUTBOX_ANSWER_MAX).min(OUTBOX_ANSWER_MAX);
        self.node.settled().await?;
        let outbox = self.node.look(|peer, _| {
            let is_asked_for = |view: &KeptView| to.as_ref().is_none_or(|to| view.to == *to);
            let all = peer.kept().filter(is_asked_for).map(KeptShape::from);
            let mut size = 0;
            let counted = all.inspect(|_| size += 1);
            let mut is_past = params.after.is_none();
            let mut messages = Vec::new();
            for kept in counted {
                if is_past && messages.len() < limit {
                    messages.push(kept);
                } else if params.after.as_deref() == Some(kept.id.as_str()) {
                    is_past = true;
                }
            }
            Outbox { messages, size }
        });
        result(&outbox)
    }
}
