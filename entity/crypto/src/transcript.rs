//! The running hash that binds the messages of a handshake.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};

use crate::derivation::DIGEST_LEN;

/// Hashes a label and then length-framed items: SHA-256(label 00 LP(item) LP(item) ...), LP(x) = u32 big-endian length || x.
///
/// A clone goes on independently, which is how a digest over "all but the last field" is taken.
///
/// *Source*: `docs/protocol/1.1.md#transcript`.
#[derive(Clone)]
pub struct Transcript(Context);

impl Transcript {
    /// Starts a transcript under a label.
    ///
    /// # Panics
    /// If the label contains a zero byte: what it frames could then be that of another label.
    pub fn new(label: &str) -> Self {
        assert!(!label.contains('\0'), "a label that could be mistaken");
        let mut context = Context::new(&SHA256);
        context.update(label.as_bytes());
        context.update(&[0]);
        Self(context)
    }

    /// Adds one item.
    ///
    /// # Panics
    /// If the item is 4 GiB or longer; messages are bounded far below.
    pub fn push(&mut self, item: &[u8]) {
        let length = u32::try_from(item.len()).expect("messages are far below 4 GiB");
        self.0.update(&length.to_be_bytes());
        self.0.update(item);
    }

    /// Returns the digest of what was pushed so far; the transcript can go on.
    pub fn digest(&self) -> [u8; DIGEST_LEN] {
        let mut digest = [0; DIGEST_LEN];
        digest.copy_from_slice(self.0.clone().finish().as_ref());
        digest
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Transcript(..)")
    }
}

#[cfg(test)]
mod tests;
