//! The side that opens a 1.0 handshake, one type a state.

use entity_crypto::agreement::EphemeralSecret;
use entity_crypto::entropy::Entropy;
use entity_crypto::signing::PublicKey;
use entity_wire::id::SessionId;
use entity_wire::payload::handshake_1_0::{
    Challenge, Handshake, HandshakeAck, HandshakeConfirm, Sealing,
};
use entity_wire::time::Timestamp;
use thiserror::Error;

use super::established::Established;
use super::sealing::SealedSession;

/// What we put into a `handshake`.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Our key.
    pub public_key: PublicKey,
    /// The versions we say we speak.
    pub supported_versions: Vec<String>,
    /// Whether we offer session sealing.
    pub sealing: bool,
}

/// We have sent `handshake` and wait for its acknowledgement.
#[derive(Debug)]
pub struct AwaitingAck {
    id: String,
    challenge: Challenge,
    ephemeral: Option<EphemeralSecret>,
    created_at: Timestamp,
}

/// Whether an acknowledgement must show that its sender holds the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeRule {
    /// It must (`docs/protocol/1.0.md#profile-hardened`).
    Required,
    /// A missing `challenge_response` passes, as it does with the earlier peer (`docs/protocol/1.0.md#profile-compat`).
    Optional,
}

/// Why an acknowledgement ends the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum AckRefusal {
    /// Carrier: the session it names in what is signed is another than that of the envelope, which is not signed.
    #[error("it acknowledges another session")]
    OtherSession,
    /// Peer: the challenge is not answered, or not with this key.
    #[error("the challenge was not met")]
    Challenge,
    /// Peer: the key it names is not the one that signed.
    #[error("another key than the known one is named")]
    OtherKey,
}

impl AwaitingAck {
    /// Opens a handshake: makes the state and the payload to send.
    pub fn open(offer: Offer, entropy: &mut Entropy, now: Timestamp) -> (Self, Handshake) {
        let id = SessionId::from_random(entropy.bytes()).to_string();
        let challenge = Challenge::from_bytes(&entropy.bytes());
        let ephemeral = offer.sealing.then(|| EphemeralSecret::from_bytes(entropy.bytes()));
        let sealing = ephemeral.as_ref().map(|ephemeral| Sealing {
            session_id: SessionId::from_random(entropy.bytes()).to_string(),
            ephemeral_key: ephemeral.public_key(),
        });
        let payload = Handshake {
            session_id: id.clone(),
            challenge: challenge.clone(),
            public_key: offer.public_key,
            supported_versions: offer.supported_versions,
            capabilities: Handshake::CAPABILITIES.map(str::to_owned).to_vec(),
            sealing,
        };
        (Self { id, challenge, ephemeral, created_at: now }, payload)
    }

    /// Returns the session's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns when the handshake was opened.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// Takes the acknowledgement that `key` signed, and makes the payload that confirms.
    ///
    /// `wall` is the time to stamp. Where the other side names a public key of low order, or no key, the session goes
    /// without sealing.
    ///
    /// # Errors
    ///
    /// [`AckRefusal`]. The handshake is spent: a second answer cannot be tried on it.
    pub fn on_ack(
        self,
        ack: &HandshakeAck,
        key: &PublicKey,
        rule: ChallengeRule,
        (now, wall): (Timestamp, Timestamp),
    ) -> Result<(Confirming, HandshakeConfirm), AckRefusal> {
        if ack.session_id.as_deref().is_some_and(|named| named != self.id) {
            return Err(AckRefusal::OtherSession);
        }
        match (&ack.challenge_response, rule) {
            (Some(answer), _) if self.challenge.is_answered_by(answer, key) => {}
            (None, ChallengeRule::Optional) => {}
            (Some(_), _) | (None, ChallengeRule::Required) => return Err(AckRefusal::Challenge),
        }
        if ack.public_key != *key {
            return Err(AckRefusal::OtherKey);
        }
        let sealing = self.agree(ack, now);
        let confirm = HandshakeConfirm { session_id: Some(self.id.clone()), timestamp: Some(wall) };
        let session = Established::new(self.id, self.created_at, sealing);
        Ok((Confirming { session }, confirm))
    }

    fn agree(&self, ack: &HandshakeAck, now: Timestamp) -> Option<SealedSession> {
        let (own, agreed) = (self.ephemeral.as_ref()?, ack.sealing.as_ref()?);
        SealedSession::agree(agreed.session_id.clone(), own, &agreed.ephemeral_key, now).ok()
    }
}

/// We have sent `handshake_confirm`; the session is established when that is answered 200.
///
/// The other side may be faster than that answer: what it sends in the session is taken already.
#[derive(Debug)]
pub struct Confirming {
    /// The session to be.
    pub session: Established,
}

impl Confirming {
    /// Takes the answer 200 to `handshake_confirm`.
    pub fn on_confirmed(self) -> Established {
        self.session
    }
}
