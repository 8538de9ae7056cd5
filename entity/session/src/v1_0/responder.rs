//! The side that answers a 1.0 handshake, one type a state.

use std::time::Duration;

use entity_crypto::agreement::EphemeralSecret;
use entity_crypto::entropy::Entropy;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_wire::id::SessionId;
use entity_wire::payload::handshake_1_0::{Handshake, HandshakeAck, HandshakeConfirm, Sealing};
use entity_wire::time::Timestamp;
use thiserror::Error;

use super::established::Established;
use super::sealing::SealedSession;

/// How we answer a `handshake`.
#[derive(Debug)]
pub struct Terms<'a> {
    /// Our key.
    pub key: &'a SigningKey,
    /// The versions to name; `None` names none (`docs/protocol/1.1.md#downgrade-protection`).
    pub supported_versions: Option<Vec<String>>,
    /// Whether we accept session sealing.
    pub sealing: bool,
}

/// We have sent `handshake_ack` and wait for its confirmation.
#[derive(Debug)]
pub struct AwaitingConfirm {
    session: Established,
    created_at: Timestamp,
    key: PublicKey,
}

/// Why a `handshake` is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HandshakeRefusal {
    /// Peer: the key it names is not the one that signed.
    #[error("another key than the known one is named")]
    OtherKey,
}

/// Why a `handshake_confirm` does not establish the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConfirmRefusal {
    /// Carrier: the session it names in what is signed is another than that of the envelope, which is not signed.
    #[error("it confirms another session")]
    OtherSession,
    /// Peer: its clock is more than 60 s from ours.
    #[error("its timestamp is not within 60 s")]
    Time,
}

impl AwaitingConfirm {
    /// How far the time in `handshake_confirm` may be from ours (`docs/protocol/1.0.md#handshake-confirm`).
    pub const CLOCK_DISTANCE_MAX: Duration = Duration::from_mins(1);

    /// Answers a `handshake` that `signer` signed: makes the state and the payload to send.
    ///
    /// # Errors
    ///
    /// [`HandshakeRefusal`] for a key that is not the signer's: a 1.0 handshake never changes a stored key.
    pub fn answer(
        handshake: &Handshake,
        signer: &PublicKey,
        terms: Terms<'_>,
        entropy: &mut Entropy,
        now: Timestamp,
    ) -> Result<(Self, HandshakeAck), HandshakeRefusal> {
        if handshake.public_key != *signer {
            return Err(HandshakeRefusal::OtherKey);
        }
        let agreed = if terms.sealing { agree(handshake, entropy, now) } else { None };
        let (session_sealing, sealing) = agreed.unzip();
        let ack = HandshakeAck {
            session_id: Some(handshake.session_id.clone()),
            public_key: terms.key.public_key(),
            challenge_response: Some(handshake.challenge.answer(terms.key)),
            supported_versions: terms.supported_versions,
            sealing,
        };
        let session = Established::new(handshake.session_id.clone(), now, session_sealing);
        Ok((Self { session, created_at: now, key: *signer }, ack))
    }

    /// Returns the session's id.
    pub fn id(&self) -> &str {
        self.session.id()
    }

    /// Returns when the handshake was answered.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Returns the key that signed the handshake, and has to sign its confirmation.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Says whether a confirmation fits, without using the state up.
    ///
    /// # Errors
    ///
    /// [`ConfirmRefusal`].
    pub fn look(&self, confirm: &HandshakeConfirm, wall: Timestamp) -> Result<(), ConfirmRefusal> {
        if confirm.session_id.as_deref().is_some_and(|named| named != self.id()) {
            return Err(ConfirmRefusal::OtherSession);
        }
        let is_near = |time: Timestamp| time.distance(wall) <= Self::CLOCK_DISTANCE_MAX;
        if confirm.timestamp.is_some_and(|time| !is_near(time)) {
            return Err(ConfirmRefusal::Time);
        }
        Ok(())
    }

    /// Takes a confirmation that [`AwaitingConfirm::look`] found fitting.
    pub fn on_confirm(self) -> Established {
        self.session
    }
}

/// Makes the sealing key, where the other side offers one that can be used.
fn agree(
    handshake: &Handshake,
    entropy: &mut Entropy,
    now: Timestamp,
) -> Option<(SealedSession, Sealing)> {
    let offered = handshake.sealing.as_ref()?;
    let own = EphemeralSecret::from_bytes(entropy.bytes());
    let id = SessionId::from_random(entropy.bytes()).to_string();
    let sealed = SealedSession::agree(id.clone(), &own, &offered.ephemeral_key, now).ok()?;
    Some((sealed, Sealing { session_id: id, ephemeral_key: own.public_key() }))
}
