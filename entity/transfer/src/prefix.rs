//! Hashing a whole whose chunks come in any order.

use entity_crypto::derivation::RunningSha256;
use entity_wire::payload::chunk::{Cut, Digest};

use crate::chunk_set::ChunkSet;

/// The SHA-256 of a whole, taken while it grows.
///
/// A digest can only be taken in order. A chunk that continues the hashed beginning is hashed from memory, as it is
/// written; one that comes early is only noted, and read back once the beginning has reached it. So in the usual order
/// nothing is ever read back, and in any order each byte is hashed once. After a restart the beginning is hashed anew.
#[derive(Debug, Clone)]
pub struct PrefixDigest {
    cut: Cut,
    running: RunningSha256,
    /// All below are hashed.
    next: u32,
    early: ChunkSet,
}

impl PrefixDigest {
    /// Starts with nothing.
    pub fn new(cut: Cut) -> Self {
        let early = ChunkSet::new(cut.total_chunks());
        Self { cut, running: RunningSha256::new(), next: 0, early }
    }

    /// Takes a chunk that was written just now.
    pub fn written(&mut self, index: u32, data: &[u8]) {
        if index == self.next {
            self.running.update(data);
            self.next += 1;
        } else if index > self.next {
            self.early.insert(index);
        }
    }

    /// Which chunk to read back and give to [`Self::written`], where it begins and how many bytes it has: one that
    /// came early and is next.
    pub fn wanted(&self) -> Option<(u32, u64, u32)> {
        if self.early.contains(self.next) { self.next_chunk() } else { None }
    }

    /// The chunk after the hashed beginning, whether or not this has heard of it; `None` once everything is hashed.
    pub fn next_chunk(&self) -> Option<(u32, u64, u32)> {
        self.cut.chunk(self.next).map(|(begin, len)| (self.next, begin, len))
    }

    /// The digest of the whole; `None` while something is missing.
    pub fn digest(&self) -> Option<Digest> {
        (self.next == self.cut.total_chunks()).then(|| self.running.digest())
    }
}

#[cfg(test)]
mod tests {
    use entity_crypto::derivation::sha256;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_has_the_digest_of_nothing() {
        let digest = PrefixDigest::new(Cut::new(0, 1_024).unwrap());
        assert_eq!(digest.digest(), Some(sha256(b"")));
    }

    #[test]
    fn in_order_nothing_is_read_back() {
        let mut digest = PrefixDigest::new(Cut::new(2_048, 1_024).unwrap());
        digest.written(0, &[1; 1_024]);
        assert_eq!(digest.wanted(), None);
        assert_eq!(digest.digest(), None);
        digest.written(1, &[2; 1_024]);
        assert_eq!(digest.wanted(), None);
        assert_eq!(digest.digest(), Some(sha256(&[[1; 1_024], [2; 1_024]].concat())));
    }

    proptest! {
        #[test]
        fn the_order_of_chunks_does_not_matter(
            order in Just((0_u32..20).collect::<Vec<_>>()).prop_shuffle(),
            twice in proptest::collection::vec(0_u32..20, 0..10),
            last in 1_u32..=1_024,
        ) {
            let total = 19 * 1_024 + last;
            let data: Vec<u8> = (0..total).map(|byte| (byte % 251) as u8).collect();
            let cut = Cut::new(u64::from(total), 1_024).unwrap();
            let slice = |index: u32| {
                let (begin, len) = cut.chunk(index).unwrap();
                let begin = usize::try_from(begin).unwrap();
                &data[begin..begin + len as usize]
            };
            let mut digest = PrefixDigest::new(cut);
            let mut read_back = 0;
            for index in order.iter().chain(&twice).copied() {
                digest.written(index, slice(index));
                while let Some((index, begin, len)) = digest.wanted() {
                    prop_assert_eq!(cut.chunk(index), Some((begin, len)));
                    digest.written(index, slice(index));
                    read_back += 1;
                }
            }
            prop_assert!(read_back < 20);
            prop_assert_eq!(digest.digest(), Some(sha256(&data)));
        }
    }
}
