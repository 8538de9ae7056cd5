//! `file.*`: files for the transfers of a scenario, which are too large for a line of the contract. Test peers only.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use entity_crypto::derivation::{RunningSha256, sha256};
use entity_crypto::encoding::hex_encode;
use entity_crypto::entropy::Entropy;
use entity_wire::payload::chunk::Digest;
use serde::{Deserialize, Serialize};

use super::RpcError;
use super::methods::{Outcome, Service, ended, result};
use crate::files::describe;

/// The largest file that a test peer makes, in bytes: four times what a transfer takes.
const MADE_BYTES_MAX: u64 = 4 << 30;

/// Where they are made, below the data directory.
const DIRECTORY: &str = "made";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileMakeParams {
    name: String,
    size: u64,
    seed: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileDigestParams {
    path: PathBuf,
}

#[derive(Serialize)]
struct Made {
    path: String,
    sha256: String,
}

#[derive(Serialize)]
struct Digested {
    size: u64,
    sha256: String,
}

impl Service {
    /// Makes a file whose bytes follow from the seed; an earlier one of that name gives way.
    pub(super) async fn file_make(&self, params: FileMakeParams) -> Outcome {
        if !is_name(&params.name) {
            let text = "name: not 1 to 64 of A-Z a-z 0-9 . _ - that begin with no point";
            return Err(RpcError::params(text));
        }
        if params.size > MADE_BYTES_MAX {
            return Err(RpcError::params(format!("size: more than {MADE_BYTES_MAX}")));
        }
        let Some(data_dir) = self.data_dir.clone() else {
            return Err(RpcError::params("name: this peer has no folder of its own"));
        };
        let made = tokio::task::spawn_blocking(move || make(&data_dir, &params)).await;
        let (path, sha256) = ended(made)?.map_err(failed)?;
        result(&Made { path, sha256: hex_encode(&sha256) })
    }

    /// Reads a file for its digest: what arrived, not what was promised.
    pub(super) async fn file_digest(&self, params: FileDigestParams) -> Outcome {
        let read = tokio::task::spawn_blocking(move || describe(&params.path)).await;
        let found = ended(read)?.map_err(|error| RpcError::params(format!("path: {error}")))?;
        result(&Digested { size: found.total_size, sha256: hex_encode(&found.sha256) })
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn failed(error: io::Error) -> RpcError {
    RpcError::new(RpcError::INTERNAL_ERROR, format!("the file cannot be made: {error}"))
}

fn make(data_dir: &Path, params: &FileMakeParams) -> io::Result<(String, Digest)> {
    let directory = std::path::absolute(data_dir)?.join(DIRECTORY);
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    let path = directory.join(&params.name);
    let text = path.to_str().ok_or_else(|| io::Error::other("its path is no text"))?.to_owned();
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path)?;
    let mut entropy = Entropy::from_seed(sha256(format!("made {}", params.seed).as_bytes()));
    let mut digest = RunningSha256::new();
    let mut buffer = vec![0; BUFFER_LEN];
    let mut left = params.size;
    while left > 0 {
        let len = usize::try_from(left).unwrap_or(BUFFER_LEN).min(BUFFER_LEN);
        entropy.fill(&mut buffer[..len]);
        digest.update(&buffer[..len]);
        file.write_all(&buffer[..len])?;
        left -= len as u64;
    }
    Ok((text, digest.digest()))
}

const BUFFER_LEN: usize = 1 << 20;
