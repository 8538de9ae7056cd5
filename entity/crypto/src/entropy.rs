//! The seeded generator of a peer.

use std::fmt;
use std::hint;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use zeroize::Zeroize;

/// Yields every random byte of a peer: nonces, ids, ephemeral keys, challenges.
///
/// It is `ChaCha20` keyed with the seed, so it is as secret and as unpredictable as the seed, and a
/// peer with the same seed makes the same choices. The caller owes a seed from the operating system
/// outside of tests. Wiped on drop; not `Clone`, because two copies would yield the same keys.
pub struct Entropy(ChaCha20Rng);

impl Entropy {
    /// Starts the generator.
    pub fn from_seed(mut seed: [u8; ENTROPY_SEED_LEN]) -> Self {
        let generator = ChaCha20Rng::from_seed(seed);
        seed.zeroize();
        Self(generator)
    }

    /// Fills a buffer with random bytes.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        self.0.fill_bytes(buffer);
    }

    /// Returns `N` random bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// Returns a random UUID: 16 bytes in network order with the version 4 and variant bits set.
    ///
    /// *Source*: RFC 9562 section 5.4.
    pub fn uuid_v4(&mut self) -> [u8; 16] {
        let mut uuid: [u8; 16] = self.bytes();
        uuid[6] = uuid[6] & 0x0f | 0x40;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        uuid
    }
}

impl Drop for Entropy {
    fn drop(&mut self) {
        // The generator's crate does not wipe itself. Overwriting it and then claiming to look at
        // it keeps the compiler from dropping the write.
        self.0 = ChaCha20Rng::from_seed([0; ENTROPY_SEED_LEN]);
        hint::black_box(&self.0);
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Entropy(..)")
    }
}

/// Bytes of a seed: one `ChaCha20` key.
pub const ENTROPY_SEED_LEN: usize = 32;

#[cfg(test)]
mod tests;
