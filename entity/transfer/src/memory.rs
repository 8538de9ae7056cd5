//! Files in memory: for tests, for simulation, and for a node without a directory.

use std::collections::BTreeMap;

use entity_crypto::derivation::sha256;
use entity_wire::payload::chunk::{Cut, Digest, Piece, TransferId};

use crate::vocabulary::{
    FinishOutcome, Io, IoOutcome, Keep, ReadFailure, ReadOutcome, Source, WriteOutcome,
};

/// Does every [`Io`] at once, in memory, within a bound.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    bytes_max: usize,
    /// By path, with the time of the last change.
    sources: BTreeMap<String, (i64, Vec<u8>)>,
    parts: BTreeMap<TransferId, Vec<u8>>,
    files: BTreeMap<TransferId, Vec<u8>>,
}

impl MemoryFiles {
    /// Makes files of at most `bytes_max` bytes in all, sources apart.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Puts a file there to be sent.
    pub fn add_source(&mut self, path: &str, modified_us: i64, bytes: Vec<u8>) {
        self.sources.insert(path.to_owned(), (modified_us, bytes));
    }

    /// A file that arrived.
    pub fn file(&self, transfer: TransferId) -> Option<&[u8]> {
        self.files.get(&transfer).map(Vec::as_slice)
    }

    /// Whether nothing is left of what is not whole.
    pub fn has_parts(&self) -> bool {
        !self.parts.is_empty()
    }

    /// Does it, and says how it ended where somebody wants to hear.
    pub fn run(&mut self, io: Io) -> Option<IoOutcome> {
        match io {
            Io::Read { transfer, source, total_size, index, begin, len } => {
                let outcome = self.read(&source, total_size, (begin, len));
                Some(IoOutcome::Read { transfer, index, outcome })
            }
            Io::Write { transfer, cut, index, body } => {
                let outcome = body.data().map_or(WriteOutcome::Corrupt, |data| {
                    self.write(transfer, (cut, index), &data)
                });
                Some(IoOutcome::Written { transfer, index, outcome })
            }
            Io::Sync { transfer } => Some(IoOutcome::Synced { transfer, is_durable: true }),
            Io::Finish { transfer, cut, sha256, keep } => {
                Some(self.finish(transfer, cut, sha256, &keep))
            }
            Io::Discard { transfer } => {
                self.discard(transfer);
                None
            }
            Io::Close { .. } => None,
        }
    }

    fn read(&self, source: &Source, total_size: u64, (begin, len): (u64, u32)) -> ReadOutcome {
        let bytes = match source {
            Source::Memory(bytes) => bytes.as_slice(),
            Source::File { path, modified_us } => {
                let (found_us, bytes) = self.sources.get(path).ok_or(ReadFailure::Failed)?;
                if found_us != modified_us {
                    return Err(ReadFailure::Changed);
                }
                bytes
            }
        };
        if bytes.len() as u64 != total_size {
            return Err(ReadFailure::Changed);
        }
        let begin = usize::try_from(begin).map_err(|_| ReadFailure::Failed)?;
        let piece = bytes.get(begin..).and_then(|rest| rest.get(..len as usize));
        piece.map(Piece::new).ok_or(ReadFailure::Failed)
    }

    /// Does an [`Io::Finish`].
    pub fn finish(
        &mut self,
        transfer: TransferId,
        cut: Cut,
        promised: Digest,
        keep: &Keep,
    ) -> IoOutcome {
        let part = self.parts.remove(&transfer).unwrap_or_default();
        let is_it = part.len() as u64 == cut.total_size() && sha256(&part) == promised;
        match keep {
            _ if !is_it => IoOutcome::Finished { transfer, outcome: FinishOutcome::Mismatch },
            Keep::Message { .. } => IoOutcome::Message { transfer, body: part },
            Keep::File { .. } => {
                self.files.insert(transfer, part);
                let outcome = FinishOutcome::Kept { path: None };
                IoOutcome::Finished { transfer, outcome }
            }
        }
    }

    /// Does an [`Io::Discard`].
    pub fn discard(&mut self, transfer: TransferId) {
        self.parts.remove(&transfer);
    }

    /// Puts an intact chunk in its place.
    pub fn write(
        &mut self,
        transfer: TransferId,
        (cut, index): (Cut, u32),
        data: &[u8],
    ) -> WriteOutcome {
        let used: usize = self.parts.values().chain(self.files.values()).map(Vec::len).sum();
        let Some((begin, len)) = cut.chunk(index) else { return WriteOutcome::Failed };
        let Ok(begin) = usize::try_from(begin) else { return WriteOutcome::Failed };
        let end = begin + len as usize;
        let part = self.parts.entry(transfer).or_default();
        let grows = end.saturating_sub(part.len());
        if data.len() != len as usize || used + grows > self.bytes_max {
            return WriteOutcome::Failed;
        }
        part.resize(part.len().max(end), 0);
        part[begin..end].copy_from_slice(data);
        WriteOutcome::Written
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::vocabulary::ChunkBody;

    fn id() -> TransferId {
        TransferId::from_random([1; 16])
    }

    fn cut(total_size: u64) -> Cut {
        Cut::new(total_size, 1_024).unwrap()
    }

    fn write(files: &mut MemoryFiles, cut: Cut, index: u32, data: &[u8]) -> WriteOutcome {
        let body = ChunkBody::from(Arc::new(Piece::new(data).into_object(id(), index)));
        match files.run(Io::Write { transfer: id(), cut, index, body }) {
            Some(IoOutcome::Written { outcome, .. }) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn no_more_is_held_than_the_bound() {
        let mut files = MemoryFiles::new(1_024);
        assert_eq!(write(&mut files, cut(2_048), 0, &[1; 1_024]), WriteOutcome::Written);
        assert_eq!(write(&mut files, cut(2_048), 0, &[2; 1_024]), WriteOutcome::Written);
        assert_eq!(write(&mut files, cut(2_048), 1, &[1; 1_024]), WriteOutcome::Failed);
    }

    #[test]
    fn what_is_not_what_it_was_is_not_read() {
        let mut files = MemoryFiles::default();
        files.add_source("/a", 7, b"abc".to_vec());
        let mut read = |modified_us, total_size| {
            let source = Source::File { path: "/a".to_owned(), modified_us };
            let (transfer, index, begin, len) = (id(), 0, 0, 3);
            match files.run(Io::Read { transfer, source, total_size, index, begin, len }) {
                Some(IoOutcome::Read { outcome, .. }) => outcome,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(read(7, 3), Ok(Piece::new(b"abc")));
        assert_eq!(read(8, 3), Err(ReadFailure::Changed));
        assert_eq!(read(7, 4), Err(ReadFailure::Changed));
    }

    #[test]
    fn a_whole_without_its_digest_is_nothing() {
        let mut files = MemoryFiles::new(10_000);
        for (promised, is_it) in [(sha256(b"abc"), true), (sha256(b"abd"), false)] {
            assert_eq!(write(&mut files, cut(3), 0, b"abc"), WriteOutcome::Written);
            let keep = Keep::File { name: None };
            let finish = Io::Finish { transfer: id(), cut: cut(3), sha256: promised, keep };
            let outcome = match files.run(finish) {
                Some(IoOutcome::Finished { outcome, .. }) => outcome,
                other => panic!("{other:?}"),
            };
            assert_eq!(outcome == FinishOutcome::Kept { path: None }, is_it);
            assert!(!files.has_parts());
        }
        assert_eq!(files.file(id()), Some(&b"abc"[..]));
    }
}
