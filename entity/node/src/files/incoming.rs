//! What is received: parts, and files once they are whole.
//!
//! ```text
//! DATA_DIR/incoming/.part-ID     what is there of an open transfer; the chunks in their places
//! DATA_DIR/incoming/ID-NAME      a file that is whole and durable
//! ```
//!
//! NAME is made of what the sender calls it and has nothing in it that means anything to a file system. A part becomes
//! a file by a second name, which never replaces one, after its bytes are durable and before anybody is told. The first
//! name goes when the end of the transfer is recorded; where both are there at the start, that was not recorded, and
//! the second one is taken back. So nothing but what a part itself became is ever touched, whatever ids a peer chooses.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use entity_flaw::{Flaw, planted};
use entity_peer::output::{
    ChunkBody, FinishOutcome, IoOutcome, Keep, MemoryFiles, PrefixDigest, WriteOutcome,
};
use entity_wire::payload::chunk::{Chunk, Cut, Digest, TransferId, TransferName};
use rustix::fs::OFlags;
use tracing::warn;

use super::{flags, lock};

/// The directory of what is received.
pub(super) enum Incoming {
    Directory {
        path: PathBuf,
        parts: Mutex<BTreeMap<TransferId, Arc<Mutex<Part>>>>,
    },
    /// There is none: messages only.
    Memory(Mutex<MemoryFiles>),
}

/// What is there of a transfer.
pub(super) struct Part {
    file: File,
    cut: Cut,
    digest: PrefixDigest,
}

/// What messages may take together in a node without a directory. Guessed: several of the largest.
const MEMORY_MAX: usize = 64 << 20;

impl Incoming {
    pub(super) fn new(data_dir: Option<&Path>, open: &[TransferId]) -> io::Result<Self> {
        let Some(data_dir) = data_dir else {
            return Ok(Self::Memory(Mutex::new(MemoryFiles::new(MEMORY_MAX))));
        };
        let path = std::path::absolute(data_dir)?.join(DIRECTORY);
        DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
        let wanted: Vec<PathBuf> = open.iter().map(|id| path.join(part_name(*id))).collect();
        for entry in fs::read_dir(&path)? {
            let found = entry?.path();
            let is_part = found.file_name().is_some_and(is_part_name);
            if is_part && !wanted.contains(&found) {
                fs::remove_file(&found)?;
            }
        }
        for id in open {
            take_back(&path, *id)?;
        }
        Ok(Self::Directory { path, parts: Mutex::new(BTreeMap::new()) })
    }

    #[cfg(test)]
    pub(super) fn open_parts(&self) -> usize {
        match self {
            Self::Directory { parts, .. } => lock(parts).len(),
            Self::Memory(_) => 0,
        }
    }

    /// Writes a chunk where it belongs; decodes it and checks its digest first where it came as text.
    pub(super) fn write(
        &self,
        transfer: TransferId,
        (cut, index): (Cut, u32),
        body: &ChunkBody,
    ) -> WriteOutcome {
        let Some(data) = data_of(body) else { return WriteOutcome::Corrupt };
        let written = match self {
            Self::Directory { path, parts } => part_of(path, parts, (transfer, cut))
                .and_then(|part| lock(&part).write(index, &data)),
            Self::Memory(files) => return lock(files).write(transfer, (cut, index), &data),
        };
        match written {
            Ok(()) => WriteOutcome::Written,
            Err(error) => {
                warn!(%transfer, %error, "a chunk cannot be written");
                WriteOutcome::Failed
            }
        }
    }

    /// Makes what was written durable.
    pub(super) fn sync(&self, transfer: TransferId) -> bool {
        let Self::Directory { parts, .. } = self else { return true };
        let part = lock(parts).get(&transfer).cloned();
        // Without the lock: chunks are written meanwhile, and nobody says of them that they are durable.
        let file = part.map(|part| lock(&part).file.try_clone());
        let synced = file.map_or(Ok(()), |file| file.and_then(|file| file.sync_data()));
        if let Err(error) = &synced {
            warn!(%transfer, %error, "a part cannot be made durable");
        }
        synced.is_ok()
    }

    /// Checks a whole and puts it where it belongs.
    pub(super) fn finish(
        &self,
        transfer: TransferId,
        cut: Cut,
        sha256: Digest,
        keep: &Keep,
    ) -> IoOutcome {
        let failed = || IoOutcome::Finished { transfer, outcome: FinishOutcome::Failed };
        let (path, parts) = match self {
            Self::Directory { path, parts } => (path, parts),
            Self::Memory(files) => {
                return match keep {
                    Keep::File { .. } => failed(),
                    Keep::Message { .. } => lock(files).finish(transfer, cut, sha256, keep),
                };
            }
        };
        let finished = part_of(path, parts, (transfer, cut))
            .and_then(|part| lock(&part).finish(path, transfer, (sha256, keep)));
        match finished {
            Ok(outcome) => outcome,
            Err(error) => {
                warn!(%transfer, %error, "a transfer cannot be finished");
                failed()
            }
        }
    }

    /// Removes what is there of a transfer.
    pub(super) fn discard(&self, transfer: TransferId) {
        match self {
            Self::Directory { path, parts } => {
                lock(parts).remove(&transfer);
                if let Err(error) = fs::remove_file(path.join(part_name(transfer)))
                    && error.kind() != io::ErrorKind::NotFound
                {
                    warn!(%transfer, %error, "a part cannot be removed");
                }
            }
            Self::Memory(files) => lock(files).discard(transfer),
        }
    }
}

/// The data of a chunk; `None` where it is not the one that its digest is of.
fn data_of(body: &ChunkBody) -> Option<Cow<'_, [u8]>> {
    match body {
        ChunkBody::Text(object) if planted(Flaw::SkipsChunkDigest) => {
            Chunk::from_object(object).ok().map(|chunk| Cow::Owned(chunk.data))
        }
        ChunkBody::Text(_) | ChunkBody::Bytes(_) => body.data(),
    }
}

/// The part of a transfer, opened where it is not open yet.
fn part_of(
    directory: &Path,
    parts: &Mutex<BTreeMap<TransferId, Arc<Mutex<Part>>>>,
    (transfer, cut): (TransferId, Cut),
) -> io::Result<Arc<Mutex<Part>>> {
    if let Some(part) = lock(parts).get(&transfer) {
        return Ok(part.clone());
    }
    let part = Arc::new(Mutex::new(Part::open(directory, transfer, cut)?));
    Ok(lock(parts).entry(transfer).or_insert(part).clone())
}

impl Part {
    fn open(directory: &Path, transfer: TransferId, cut: Cut) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        // Only a file of ours, never what somebody linked there.
        options.custom_flags(flags(OFlags::NOFOLLOW));
        let file = options.open(directory.join(part_name(transfer)))?;
        Ok(Self { file, cut, digest: PrefixDigest::new(cut) })
    }

    fn write(&mut self, index: u32, data: &[u8]) -> io::Result<()> {
        let (begin, len) = self.cut.chunk(index).ok_or(io::ErrorKind::InvalidInput)?;
        if data.len() != len as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if planted(Flaw::LosesLastChunk) && self.cut.chunk(index + 1).is_none() {
            return Ok(());
        }
        self.file.write_all_at(data, begin)?;
        self.digest.written(index, data);
        while let Some(early) = self.digest.wanted() {
            self.read_back(early)?;
        }
        Ok(())
    }

    fn finish(
        &mut self,
        directory: &Path,
        transfer: TransferId,
        (sha256, keep): (Digest, &Keep),
    ) -> io::Result<IoOutcome> {
        let finished = |outcome| Ok(IoOutcome::Finished { transfer, outcome });
        if self.file.metadata()?.len() != self.cut.total_size() {
            return finished(FinishOutcome::Mismatch);
        }
        // What was written before a restart.
        while let Some(next) = self.digest.next_chunk() {
            self.read_back(next)?;
        }
        let is_announced = self.digest.digest() == Some(sha256);
        if !is_announced && !planted(Flaw::SkipsChunkDigest) {
            return finished(FinishOutcome::Mismatch);
        }
        let name = match keep {
            Keep::Message { .. } => {
                let len = usize::try_from(self.cut.total_size()).map_err(io::Error::other)?;
                let mut body = vec![0; len];
                self.file.read_exact_at(&mut body, 0)?;
                return Ok(IoOutcome::Message { transfer, body });
            }
            Keep::File { name } => file_name(transfer, name.as_ref()),
        };
        self.file.sync_all()?;
        let (part, path) = (directory.join(part_name(transfer)), directory.join(name));
        fs::hard_link(part, &path)?;
        File::open(directory)?.sync_all()?;
        let path = path.to_str().map(str::to_owned);
        finished(FinishOutcome::Kept { path })
    }

    fn read_back(&mut self, (index, begin, len): (u32, u64, u32)) -> io::Result<()> {
        let mut data = vec![0; len as usize];
        self.file.read_exact_at(&mut data, begin)?;
        self.digest.written(index, &data);
        Ok(())
    }
}

const DIRECTORY: &str = "incoming";
const PART_PREFIX: &str = ".part-";

fn part_name(transfer: TransferId) -> String {
    format!("{PART_PREFIX}{transfer}")
}

fn is_part_name(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with(PART_PREFIX))
}

/// Takes back the second name of a part: a crash came before the record of it.
fn take_back(directory: &Path, transfer: TransferId) -> io::Result<()> {
    let part = match fs::symlink_metadata(directory.join(part_name(transfer))) {
        Ok(part) if part.nlink() > 1 => part,
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let prefix = format!("{transfer}-");
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix));
        let found = entry.metadata()?;
        if is_ours && (found.dev(), found.ino()) == (part.dev(), part.ino()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The name of a file: the id, and what is harmless of the name that its sender gave.
pub(super) fn file_name(transfer: TransferId, name: Option<&TransferName>) -> String {
    let is_harmless = |character: &char| {
        character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_')
    };
    let name = name.map_or("file", TransferName::as_str);
    let harmless = |character: char| if is_harmless(&character) { character } else { '_' };
    let name: String = name.chars().map(harmless).take(NAME_LEN_MAX).collect();
    format!("{transfer}-{name}")
}

/// Characters of a name that become part of the name of a file; file systems take 255 bytes in all.
const NAME_LEN_MAX: usize = 120;
