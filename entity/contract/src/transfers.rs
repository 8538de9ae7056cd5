//! Transfers as the contract shows them.

use entity_crypto::encoding::hex_encode;
use entity_peer::Peer;
use entity_peer::command::Command;
use entity_peer::output::TransferView;
use entity_wire::code::ErrorCode;
use serde::{Deserialize, Serialize};

use crate::RpcError;
use crate::methods::{Outcome, parameter, result};

/// Most transfers in one answer of `transfer.list`.
pub(crate) const TRANSFERS_ANSWER_MAX: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferListParams {
    id: Option<String>,
    #[serde(default)]
    after: usize,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferCancelParams {
    id: String,
}

/// One transfer in `transfer.list`, and the events `transfer.*`.
#[derive(Debug, Serialize)]
pub(crate) struct TransferShape {
    id: String,
    peer: String,
    direction: &'static str,
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    size: u64,
    received: u64,
    state: &'static str,
    sha256: String,
    path: Option<String>,
    code: Option<&'static str>,
    reason: Option<&'static str>,
}

#[derive(Serialize)]
struct Listed {
    transfers: Vec<TransferShape>,
    next: usize,
}

impl TransferListParams {
    pub(crate) fn show(&self, peer: &Peer) -> Outcome {
        let limit = self.limit.unwrap_or(TRANSFERS_ANSWER_MAX).min(TRANSFERS_ANSWER_MAX);
        let wanted = peer
            .transfers()
            .filter(|view| self.id.as_ref().is_none_or(|id| *id == view.id.to_string()));
        let transfers: Vec<TransferShape> =
            wanted.skip(self.after).take(limit).map(|view| TransferShape::from(&view)).collect();
        let next = self.after + transfers.len();
        result(&Listed { transfers, next })
    }
}

impl TransferCancelParams {
    pub(crate) fn command(self) -> Result<Command, RpcError> {
        Ok(Command::CancelTransfer { id: parameter("id", &self.id)? })
    }
}

impl From<&TransferView> for TransferShape {
    fn from(view: &TransferView) -> Self {
        let reason = view.standing.reason();
        Self {
            id: view.id.to_string(),
            peer: view.peer.to_string(),
            direction: view.direction.as_str(),
            kind: view.kind.clone(),
            name: view.name.as_ref().map(ToString::to_string),
            size: view.total_size,
            received: view.received,
            state: view.standing.as_str(),
            sha256: hex_encode(&view.sha256),
            path: view.path.clone(),
            code: reason.map(|_| ErrorCode::ChunkError.as_str()),
            reason: reason.map(entity_wire::payload::chunk::BreakReason::as_str),
        }
    }
}
