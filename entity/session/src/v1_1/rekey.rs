//! `rekey` and `rekey_ack`: new keys for a session whose keys have carried enough (`docs/protocol/1.1.md#rekey`).

use entity_crypto::agreement::{AgreementKey, EphemeralSecret, LowOrderPoint};
use entity_crypto::entropy::Entropy;
use entity_crypto::transcript::Transcript;
use entity_wire::canonical;
use entity_wire::id::Generation;
use entity_wire::json::Object;
use entity_wire::payload::rekey::Rekey;

use super::key_schedule::SessionKeys;
use super::secrets::Secret;

const LABEL: &str = "peer-v1.1-rekey";

/// A `rekey` that this side, the handshake's initiator, has sent.
#[derive(Debug)]
pub(super) struct Asked {
    base: Generation,
    ephemeral: EphemeralSecret,
    body: Rekey,
}

/// A `rekey` that this side, the handshake's responder, has answered.
#[derive(Debug)]
pub(super) struct Answered {
    base: Generation,
    body: Rekey,
    ack: Rekey,
}

impl Asked {
    /// Draws the initiator's half for generation `next`, to be said under `base`.
    pub(super) fn new(base: Generation, next: Generation, entropy: &mut Entropy) -> Self {
        let ephemeral = EphemeralSecret::from_bytes(entropy.bytes());
        let body = Rekey { generation: next, ephemeral_public_key: ephemeral.public_key() };
        Self { base, ephemeral, body }
    }

    /// The body of `rekey`, the same each time it is sent.
    pub(super) fn body(&self) -> Object {
        self.body.to_object()
    }

    /// The generation under which it is said, and answered.
    pub(super) const fn base(&self) -> Generation {
        self.base
    }

    /// The generation that it is to make.
    pub(super) const fn next(&self) -> Generation {
        self.body.generation
    }

    /// Takes the answer: the keys and the secret of the new generation.
    ///
    /// # Errors
    ///
    /// [`LowOrderPoint`] if the peer's ephemeral key makes the agreement a known one.
    pub(super) fn conclude(
        self,
        ack: &Rekey,
        base: &Secret,
    ) -> Result<(SessionKeys, Secret), LowOrderPoint> {
        let transcript = digest(&self.body, ack);
        let halves = (self.ephemeral, &ack.ephemeral_public_key);
        SessionKeys::renew(base, halves, self.body.generation, &transcript)
    }
}

impl Answered {
    /// Answers `body`, which came under the generation of `base`.
    ///
    /// # Errors
    ///
    /// [`LowOrderPoint`] if the peer's ephemeral key makes the agreement a known one.
    pub(super) fn new(
        body: Rekey,
        base: &Secret,
        entropy: &mut Entropy,
    ) -> Result<(Self, SessionKeys, Secret), LowOrderPoint> {
        let ephemeral = EphemeralSecret::from_bytes(entropy.bytes());
        let generation = body.generation;
        let ack = Rekey { generation, ephemeral_public_key: ephemeral.public_key() };
        let transcript = digest(&body, &ack);
        let halves = (ephemeral, &body.ephemeral_public_key);
        let (keys, secret) = SessionKeys::renew(base, halves, generation, &transcript)?;
        Ok((Self { base: base.generation(), body, ack }, keys, secret))
    }

    /// Whether a body is the one that was answered.
    pub(super) fn is_of(&self, body: &Rekey) -> bool {
        self.body == *body
    }

    /// The body of `rekey_ack`, the same each time it is sent.
    pub(super) fn ack(&self) -> Object {
        self.ack.to_object()
    }

    /// The generation under which it was said.
    pub(super) const fn base(&self) -> Generation {
        self.base
    }
}

/// Refuses a half with which every agreement comes to a known secret.
///
/// # Errors
///
/// [`LowOrderPoint`].
pub(super) fn look_at_key(peer: &AgreementKey) -> Result<(), LowOrderPoint> {
    // A point of low order gives zero with every scalar, so any scalar will do.
    EphemeralSecret::from_bytes([0x40; 32]).agree(peer).map(drop)
}

fn digest(body: &Rekey, ack: &Rekey) -> [u8; 32] {
    let mut transcript = Transcript::new(LABEL);
    transcript.push(&canonical::object_to_vec(&body.to_object()));
    transcript.push(&canonical::object_to_vec(&ack.to_object()));
    transcript.digest()
}
