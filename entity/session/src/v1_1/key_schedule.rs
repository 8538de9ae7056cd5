//! From two ephemeral keys and a transcript to directional traffic keys and the secret that the next ones are bound to
//! (`docs/protocol/1.1.md#key-schedule`, `docs/protocol/1.1.md#resumption`).

use std::fmt;

use entity_crypto::agreement::{AgreementKey, EphemeralSecret, LowOrderPoint};
use entity_crypto::derivation::Prk;
use entity_crypto::sealing::SealingKey;
use entity_wire::id::Generation;
use zeroize::Zeroize as _;

use super::channel::{ReceiveChannel, SEALED_STEP_SEQUENCE, SendChannel};
use super::secrets::Secret;
use super::state::Role;
use super::transcript::TranscriptDigest;

const KEYS_INFO: &[u8] = b"peer-v1.1-session-key";
const RESUMPTION_INFO: &[u8] = b"peer-v1.1-resumption";

/// The traffic keys come out of a key schedule that is salted with the transcript, so two sides that saw
/// different handshakes have different keys.
#[derive(Debug)]
pub struct TranscriptBound(());

/// The traffic keys of one generation, not yet tied to a side.
pub(super) struct SessionKeys {
    generation: Generation,
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
    ) -> Result<(Self, Secret, TranscriptBound), LowOrderPoint> {
        let shared = own.agree(peer)?;
        let prk = Prk::extract(second_transcript.as_bytes(), shared.as_bytes());
        let (keys, secret) = expand(&prk, Generation::ZERO, &[]);
        Ok((keys, secret, TranscriptBound(())))
    }

    /// Agrees with the peer's ephemeral key for generation `next`, bound to the secret of an earlier generation and to
    /// what both sides said.
    ///
    /// # Errors
    ///
    /// [`LowOrderPoint`] if the peer's key would make the agreement a known one.
    pub(super) fn renew(
        base: &Secret,
        (own, peer): (EphemeralSecret, &AgreementKey),
        next: Generation,
        transcript: &[u8; 32],
    ) -> Result<(Self, Secret), LowOrderPoint> {
        let shared = own.agree(peer)?;
        let prk = Prk::extract(base.as_bytes(), shared.as_bytes());
        Ok(expand(&prk, next, transcript))
    }

    /// Gives each direction its key, for the life of the session.
    ///
    /// In generation 0 both directions start at the sealed step: the two numbers before it went to unsealed steps.
    pub(super) fn into_channels(self, own_role: Role) -> (SendChannel, ReceiveChannel) {
        let (send, receive) = match own_role {
            Role::Initiator => (self.initiator_to_responder, self.responder_to_initiator),
            Role::Responder => (self.responder_to_initiator, self.initiator_to_responder),
        };
        let first = if self.generation == Generation::ZERO { SEALED_STEP_SEQUENCE } else { 0 };
        (
            SendChannel::new(send, self.generation, first),
            ReceiveChannel::new(receive, self.generation, first),
        )
    }
}

/// `Keys` and `R` of one generation.
fn expand(prk: &Prk, generation: Generation, transcript: &[u8]) -> (SessionKeys, Secret) {
    let keys = prk.expand_array::<64>(&[KEYS_INFO, transcript].concat());
    let secret = prk.expand_array::<32>(&[RESUMPTION_INFO, transcript].concat());
    let (first, second) = keys.split_at(32);
    let keys = SessionKeys {
        generation,
        initiator_to_responder: sealing_key(first),
        responder_to_initiator: sealing_key(second),
    };
    (keys, Secret::new(generation, secret))
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
