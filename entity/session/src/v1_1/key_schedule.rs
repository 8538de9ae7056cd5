//! From two ephemeral keys and a transcript to directional traffic keys (`docs/protocol/1.1.md#key-schedule`).

use std::fmt;

use entity_crypto::agreement::{AgreementKey, EphemeralSecret, LowOrderPoint};
use entity_crypto::derivation::Prk;
use entity_crypto::sealing::SealingKey;
use entity_wire::id::Generation;
use zeroize::Zeroize as _;

use super::channel::{ReceiveChannel, SEALED_STEP_SEQUENCE, SendChannel};
use super::state::Role;
use super::transcript::TranscriptDigest;

const KEYS_INFO: &[u8] = b"peer-v1.1-session-key";

/// The traffic keys come out of a key schedule that is salted with the transcript, so two sides that saw
/// different handshakes have different keys.
#[derive(Debug)]
pub struct TranscriptBound(());

/// The traffic keys of generation 0, not yet tied to a side.
pub(super) struct SessionKeys {
    initiator_to_responder: SealingKey,
    responder_to_initiator: SealingKey,
}

impl SessionKeys {
    /// Agrees with the peer's ephemeral key and binds the result to `T_2`.
    ///
    /// Takes the ephemeral secret by value: it is used once and wiped here.
    ///
    /// # Errors
    ///
    /// [`LowOrderPoint`] if the peer's key would make the secret a known one.
    pub(super) fn derive(
        own: EphemeralSecret,
        peer: &AgreementKey,
        second_transcript: TranscriptDigest,
    ) -> Result<(Self, TranscriptBound), LowOrderPoint> {
        let shared = own.agree(peer)?;
        let prk = Prk::extract(second_transcript.as_bytes(), shared.as_bytes());
        let keys = prk.expand_array::<64>(KEYS_INFO);
        let (first, second) = keys.split_at(32);
        let keys = Self {
            initiator_to_responder: sealing_key(first),
            responder_to_initiator: sealing_key(second),
        };
        Ok((keys, TranscriptBound(())))
    }

    /// Gives each direction its key, for the life of the session.
    ///
    /// Both directions start at the sealed step: the two numbers before it went to unsealed steps.
    pub(super) fn into_channels(self, own_role: Role) -> (SendChannel, ReceiveChannel) {
        let (send, receive) = match own_role {
            Role::Initiator => (self.initiator_to_responder, self.responder_to_initiator),
            Role::Responder => (self.responder_to_initiator, self.initiator_to_responder),
        };
        (
            SendChannel::new(send, Generation::ZERO, SEALED_STEP_SEQUENCE),
            ReceiveChannel::new(receive, Generation::ZERO, SEALED_STEP_SEQUENCE),
        )
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionKeys(..)")
    }
}

/// Copies 32 bytes of key material into a key and wipes the copy.
fn sealing_key(material: &[u8]) -> SealingKey {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(material);
    let key = SealingKey::new(bytes);
    bytes.zeroize();
    key
}
