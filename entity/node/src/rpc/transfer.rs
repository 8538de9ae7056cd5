//! `transfer.*`: transfers as the contract shows them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use entity_crypto::derivation::sha256;
use entity_crypto::encoding::{base64_decode_strict, hex_encode};
use entity_peer::command::{Command, CommandResult, Source, Transfer};
use entity_peer::output::TransferView;
use entity_wire::code::ErrorCode;
use entity_wire::payload::chunk::TransferName;
use serde::{Deserialize, Serialize};

use super::RpcError;
use super::methods::{Outcome, Service, empty, parameter, result, unexpected};
use crate::files::describe;

/// Most transfers in one answer of `transfer.list`.
pub(super) const TRANSFERS_ANSWER_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferSendParams {
    to: String,
    path: Option<PathBuf>,
    data: Option<String>,
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferListParams {
    id: Option<String>,
    #[serde(default)]
    after: usize,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferCancelParams {
    id: String,
}

/// One transfer in `transfer.list`, and the events `transfer.*`.
#[derive(Debug, Serialize)]
pub(super) struct TransferShape {
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

impl Service {
    /// The file is read once for its digest before anything is said about it.
    pub(super) async fn transfer_send(&self, params: TransferSendParams) -> Outcome {
        let to = parameter("to", &params.to)?;
        let name = params.name.as_deref();
        let name = name.map(|name| parameter::<TransferName>("name", name)).transpose()?;
        let transfer = match (params.path, params.data) {
            (Some(path), None) => {
                let found = name_of(&path);
                let described = tokio::task::spawn_blocking(move || describe(&path)).await;
                let described = described
                    .map_err(std::io::Error::other)
                    .flatten()
                    .map_err(|error| RpcError::params(format!("path: {error}")))?;
                let source =
                    Source::File { path: described.path, modified_us: described.modified_us };
                let (total_size, sha256) = (described.total_size, described.sha256);
                Transfer { to, name: name.or(found), source, total_size, sha256 }
            }
            (None, Some(data)) => {
                let data = base64_decode_strict(&data)
                    .map_err(|error| RpcError::params(format!("data: {error}")))?;
                let (total_size, sha256) = (data.len() as u64, sha256(&data));
                let source = Source::Memory(Arc::new(data));
                Transfer { to, name, source, total_size, sha256 }
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(RpcError::params("give `path` or `data`"));
            }
        };
        let done = self.node.command(Command::Transfer(transfer)).await?;
        let CommandResult::Transfer(id) = done else { return Err(unexpected(&done)) };
        result(&BTreeMap::from([("id", id.to_string())]))
    }

    pub(super) async fn transfer_list(&self, params: TransferListParams) -> Outcome {
        // What is shown must not be taken back by a crash.
        self.node.settled().await?;
        let limit = params.limit.unwrap_or(TRANSFERS_ANSWER_MAX).min(TRANSFERS_ANSWER_MAX);
        let transfers: Vec<TransferShape> = self.node.look(|peer, _| {
            let wanted = peer
                .transfers()
                .filter(|view| params.id.as_ref().is_none_or(|id| *id == view.id.to_string()));
            wanted.skip(params.after).take(limit).map(|view| TransferShape::from(&view)).collect()
        });
        let next = params.after + transfers.len();
        result(&Listed { transfers, next })
    }

    pub(super) async fn transfer_cancel(&self, params: TransferCancelParams) -> Outcome {
        let id = parameter("id", &params.id)?;
        self.node.command(Command::CancelTransfer { id }).await?;
        empty()
    }
}

/// The last part of a path, where it can be the name of a transfer.
fn name_of(path: &std::path::Path) -> Option<TransferName> {
    path.file_name()?.to_str()?.parse().ok()
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
