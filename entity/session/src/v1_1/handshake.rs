//! The handshake: six messages, one type for each state (`docs/protocol/1.1.md#handshake`).
//!
//! ```text
//! initiator                                   responder
//! open() ──────────── 1 handshake_init ─────► accept()
//! InitSent ◄───────── 2 handshake_init_ack ── AckSent
//! ResponseSent ────── 3 challenge_response ─► AckSent
//! ResponseSent ◄───── 4 session_established ─ EstablishedSent
//! ConfirmSent ─────── 5 session_confirm ────► EstablishedSent
//! ConfirmSent ◄────── 6 ready ─────────────── Session
//! Session
//! ```
//!
//! Every method that accepts a step takes `self`: the state before it is gone, whether the step was
//! accepted or ended the handshake. Timestamp, nonce, sequence number and rate were looked at before, and a
//! sealed step was opened ([`super::sessions`]); the methods here judge what the step says.

use std::time::Duration;

use entity_crypto::identity::PeerId;
use entity_wire::id::{Sequence, SessionId};
use entity_wire::payload::handshake_1_1::{Capabilities, REQUIRED_CAPABILITIES};
use entity_wire::payload::sealed::{Plaintext, Sealed};
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;
use entity_wire::version::Version;

use super::channel::ReceiveChannel;
use super::numbers::AckRefusal;
use super::refusal::{HandshakeError, Incompatibility, Lateness, Misbehaviour, Refusal};
use super::seal;
use super::transcript::{HandshakeTranscript, TranscriptDigest};

pub mod initiator;
pub mod responder;

/// How long a challenge may wait for its answer: 30 s; at exactly 30 s it is too late.
///
/// Specified by `docs/protocol/1.1.md#handshake-limits`.
pub const CHALLENGE_LIFETIME: Duration = Duration::from_secs(30);

/// How long a handshake may take: 60 s; at exactly 60 s it is too late.
///
/// Specified by `docs/protocol/1.1.md#handshake-limits`.
pub const HANDSHAKE_LIFETIME: Duration = Duration::from_mins(1);

/// What this node says about itself in a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What this node is capable of; holds at least [`REQUIRED_CAPABILITIES`].
    pub capabilities: Capabilities,
    /// The versions that are enabled on this node.
    pub supported_versions: Vec<Version>,
    /// Where this node takes answers, if it says so: an `http` URL.
    pub address: Option<String>,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            capabilities: Capabilities::new(REQUIRED_CAPABILITIES),
            supported_versions: vec![Version::V1_0, Version::V1_1],
            address: None,
        }
    }
}

/// The peer holds the traffic keys and saw the same handshake up to the last step.
#[derive(Debug)]
pub struct KeyConfirmed(());

/// What every state of a handshake carries on to the next.
#[derive(Debug)]
struct Exchange {
    session: SessionId,
    peer: PeerId,
    transcript: HandshakeTranscript,
    /// When the handshake began on this side, and its challenge went out.
    started_at: Timestamp,
}

impl Exchange {
    fn begin(session: SessionId, peer: PeerId, now: Timestamp) -> Self {
        Self { session, peer, transcript: HandshakeTranscript::new(), started_at: now }
    }

    /// Checks that the answer to this side's challenge came in time. The challenge dies long before the handshake.
    fn check_challenge_age(&self, now: Timestamp) -> Result<(), HandshakeError> {
        if now >= self.challenge_deadline() {
            return Err(Lateness::Challenge.into());
        }
        Ok(())
    }

    /// Checks that the handshake is not over its time.
    fn check_age(&self, now: Timestamp) -> Result<(), HandshakeError> {
        if now >= self.deadline() { Err(Lateness::Handshake.into()) } else { Ok(()) }
    }

    fn check_session(&self, named: SessionId) -> Result<(), HandshakeError> {
        if named == self.session { Ok(()) } else { Err(Misbehaviour::OtherSession.into()) }
    }

    fn challenge_deadline(&self) -> Timestamp {
        self.started_at.plus(CHALLENGE_LIFETIME)
    }

    fn deadline(&self) -> Timestamp {
        self.started_at.plus(HANDSHAKE_LIFETIME)
    }
}

/// Compares the transcript that a sealed step names with this side's own.
///
/// The step was opened with the session's keys, so a match shows that the peer holds them and saw the
/// same messages.
fn confirm(own: TranscriptDigest, named: &[u8; 32]) -> Result<KeyConfirmed, HandshakeError> {
    if own.as_bytes() == named {
        Ok(KeyConfirmed(()))
    } else {
        Err(Misbehaviour::Transcript.into())
    }
}

/// The sequence number of a handshake step on its side: 0 for steps 1 and 2, 1 for 3 and 4, 2 for 5 and 6.
///
/// Source: `docs/protocol/1.1.md#handshake`.
pub(super) fn step_sequence(step: u8) -> Sequence {
    Sequence::new(u64::from(step.saturating_sub(1) / 2)).expect("a step is far below 2^48")
}

/// Checks that the peer has 1.1 enabled.
fn check_versions(supported: &[String]) -> Result<(), HandshakeError> {
    if supported.iter().any(|version| version == Version::V1_1.as_str()) {
        return Ok(());
    }
    Err(Incompatibility::Version.into())
}

/// Checks that `selected` was picked from `offered`, in order and without repetition.
fn check_selection(offered: &Capabilities, selected: &Capabilities) -> Result<(), HandshakeError> {
    let mut rest = offered.as_slice().iter();
    if selected.as_slice().iter().all(|name| rest.any(|offered| offered == name)) {
        return Ok(());
    }
    Err(Misbehaviour::Capabilities.into())
}

/// Looks at the place of a sealed step and opens it; changes nothing.
///
/// A step has no number, and acknowledges nothing, because there was nothing to number.
fn open_step(channel: &ReceiveChannel, message: &Envelope) -> Result<Plaintext, Refusal> {
    let header = message.header();
    if !Sealed::is_form_of(message.payload()) {
        return Err(Refusal::NotSealed);
    }
    let sealed = Sealed::from_object(message.payload())?;
    channel.look(sealed.generation, header.sequence.get())?;
    let plaintext = seal::open(channel, message, &sealed)?;
    if plaintext.number.is_some() {
        return Err(Refusal::NumberPresence { kind: header.kind.clone() });
    }
    if plaintext.ack > 0 {
        return Err(AckRefusal::Future { ack: plaintext.ack, highest_sent: 0 }.into());
    }
    Ok(plaintext)
}
