//! `transfer.send`: its file is looked at first.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use entity_crypto::derivation::sha256;
use entity_crypto::encoding::base64_decode_strict;
use entity_peer::command::{Command, CommandResult, Source, Transfer};
use entity_wire::payload::chunk::TransferName;
use serde::Deserialize;

use super::RpcError;
use super::methods::{Outcome, Service, parameter, result, unexpected};
use crate::files::describe;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferSendParams {
    to: String,
    path: Option<PathBuf>,
    data: Option<String>,
    name: Option<String>,
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
}

/// The last part of a path, where it can be the name of a transfer.
fn name_of(path: &std::path::Path) -> Option<TransferName> {
    path.file_name()?.to_str()?.parse().ok()
}
