//! The transcript of a handshake (`docs/protocol/1.1.md#transcript`).

use entity_crypto::derivation::DIGEST_LEN;
use entity_crypto::transcript::Transcript;

const LABEL: &str = "peer-v1.1-transcript";

/// `T_n`, or `T'_n` with the challenge signature left out: what both sides have seen so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TranscriptDigest([u8; DIGEST_LEN]);

impl TranscriptDigest {
    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; DIGEST_LEN] {
        &self.0
    }

    /// The 64 lower-case hex digits of steps 5 and 6.
    pub fn to_hex(self) -> String {
        entity_crypto::encoding::hex_encode(&self.0)
    }
}

/// Everything that was sent and accepted in a handshake, in order.
#[derive(Clone)]
pub(super) struct HandshakeTranscript(Transcript);

impl HandshakeTranscript {
    /// Starts a transcript that holds no message.
    pub(super) fn new() -> Self {
        Self(Transcript::new(LABEL))
    }

    /// Appends `C(m)`, the canonical envelope without its signature.
    pub(super) fn push(&mut self, signed_bytes: &[u8]) {
        self.0.push(signed_bytes);
    }

    /// `T_n` over the messages so far.
    pub(super) fn digest(&self) -> TranscriptDigest {
        TranscriptDigest(self.0.digest())
    }

    /// The digest as if `signed_bytes` came next, for a message that is not complete yet.
    pub(super) fn digest_with(&self, signed_bytes: &[u8]) -> TranscriptDigest {
        let mut ahead = self.clone();
        ahead.push(signed_bytes);
        ahead.digest()
    }
}

impl std::fmt::Debug for HandshakeTranscript {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("HandshakeTranscript(..)")
    }
}
