//! The files that are sent.

use std::collections::BTreeMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use entity_crypto::derivation::RunningSha256;
use entity_peer::command::Source;
use entity_peer::output::{ReadFailure, ReadOutcome};
use entity_wire::payload::chunk::{Digest, Piece, TransferId};
use rustix::fs::OFlags;

use super::{flags, lock};

/// The files that are open for reading.
#[derive(Default)]
pub(super) struct Outgoing {
    files: Mutex<BTreeMap<TransferId, Arc<File>>>,
}

impl Outgoing {
    pub(super) fn read(
        &self,
        transfer: TransferId,
        source: &Source,
        total_size: u64,
        (begin, len): (u64, u32),
    ) -> ReadOutcome {
        let (path, modified_us) = match source {
            Source::Memory(bytes) => {
                let begin = usize::try_from(begin).map_err(|_| ReadFailure::Failed)?;
                let piece = bytes.get(begin..).and_then(|rest| rest.get(..len as usize));
                return piece.map(Piece::new).ok_or(ReadFailure::Failed);
            }
            Source::File { path, modified_us } => (path, *modified_us),
        };
        let file = self.open(transfer, path).map_err(|_| ReadFailure::Failed)?;
        let metadata = file.metadata().map_err(|_| ReadFailure::Failed)?;
        if !metadata.is_file() || metadata.len() != total_size || modified(&metadata) != modified_us
        {
            return Err(ReadFailure::Changed);
        }
        let mut piece = vec![0; len as usize];
        file.read_exact_at(&mut piece, begin).map_err(|_| ReadFailure::Failed)?;
        Ok(Piece::from(piece))
    }

    pub(super) fn close(&self, transfer: TransferId) {
        lock(&self.files).remove(&transfer);
    }

    fn open(&self, transfer: TransferId, path: &str) -> io::Result<Arc<File>> {
        if let Some(file) = lock(&self.files).get(&transfer) {
            return Ok(file.clone());
        }
        let file = Arc::new(open(Path::new(path))?);
        lock(&self.files).insert(transfer, file.clone());
        Ok(file)
    }
}

/// A file as it is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its absolute path.
    pub path: String,
    /// When it was last changed, in microseconds since the Unix epoch.
    pub modified_us: i64,
    /// Its bytes.
    pub total_size: u64,
    /// Their SHA-256.
    pub sha256: Digest,
}

/// Reads a file from its beginning to its end, without holding more of it than a buffer.
///
/// # Errors
///
/// It is no regular file, changes meanwhile, cannot be read, or its path is no text.
pub fn describe(path: &Path) -> io::Result<Described> {
    let path = std::path::absolute(path)?;
    let text = path.to_str().ok_or_else(|| io::Error::other("its path is no text"))?;
    let mut file = open(&path)?;
    let before = file.metadata()?;
    if !before.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut digest = RunningSha256::new();
    let mut buffer = vec![0; BUFFER_LEN];
    let mut total_size = 0;
    loop {
        let len = file.read(&mut buffer)?;
        if len == 0 {
            break;
        }
        digest.update(&buffer[..len]);
        total_size += len as u64;
    }
    let after = file.metadata()?;
    if modified(&before) != modified(&after) || after.len() != total_size {
        return Err(io::Error::other("it changes while it is read"));
    }
    let modified_us = modified(&after);
    Ok(Described { path: text.to_owned(), modified_us, total_size, sha256: digest.digest() })
}

/// Opens a file for reading; of a pipe nobody waits for the other end.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(flags(OFlags::NONBLOCK)).open(path)
}

const BUFFER_LEN: usize = 256 * 1024;

fn modified(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000).saturating_add(metadata.mtime_nsec() / 1_000)
}
