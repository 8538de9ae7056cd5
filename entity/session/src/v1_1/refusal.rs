//! Why a message is refused, and the one function that says what the peer is told.

use std::time::Duration;

use entity_crypto::agreement::LowOrderPoint;
use entity_crypto::sealing::OpenError;
use entity_crypto::signing::InvalidSignature;
use entity_wire::code::ErrorCode;
use entity_wire::json::{FieldError, Problem};
use entity_wire::kind::MessageKind;
use entity_wire::payload::sealed::PlaintextError;
use thiserror::Error;

use super::channel::PositionRefusal;
use super::numbers::{AckRefusal, NumberRefusal};
use super::secrets::GenerationRefusal;
use super::state::SessionState;
use crate::nonce_memory::NonceRefusal;
use crate::rate_limit::Limited;

/// Why a message whose signature holds is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The timestamp is too far from this node's clock: the message is old, held up, or a clock is wrong.
    #[error("the timestamp is {distance:?} away")]
    Stale {
        /// How far, in either direction.
        distance: Duration,
    },
    /// The nonce was seen, or cannot be remembered.
    #[error("the nonce is refused")]
    Nonce(#[from] NonceRefusal),
    /// No session with that id is held for this sender.
    ///
    /// The same answer is given where the session is another sender's, so that nobody learns which
    /// sessions exist.
    #[error("no such session with this sender")]
    NoSession,
    /// The session has passed its idle or absolute limit.
    #[error("the session has expired")]
    Expired,
    /// The session was kept across a restart, and its keys were not: it has to resume first.
    #[error("the session has no keys")]
    Suspended,
    /// The handshake is not finished; the message may be sent again.
    #[error("the session is in state {state}")]
    NotReady {
        /// Where the handshake stands.
        state: SessionState,
    },
    /// The session is ready and the payload is not sealed.
    #[error("the payload is not sealed")]
    NotSealed,
    /// A frame came in a session whose sides did not both list the capability.
    #[error("the session has not agreed on frames")]
    FramesNotAgreed,
    /// Generation or sequence number are refused.
    #[error("its position is refused")]
    Position(#[from] PositionRefusal),
    /// A handshake step does not have the sequence number of its step.
    #[error("step {kind} has sequence number {sequence}")]
    StepSequence {
        /// Which step.
        kind: MessageKind,
        /// The number it has.
        sequence: u64,
    },
    /// The payload names another session than the envelope.
    #[error("the payload names another session")]
    OtherSession,
    /// The generation that the peer wants to make cannot be made.
    #[error("its generation is refused")]
    Generation(#[from] GenerationRefusal),
    /// The peer does not show that it holds the secret it starts from.
    #[error("the binder does not hold")]
    Binder,
    /// The ephemeral key would make the new keys known ones.
    #[error("the ephemeral key is of low order")]
    LowOrder(#[from] LowOrderPoint),
    /// The sender has used up what it may send.
    #[error("the sender is rate limited")]
    Limited(#[from] Limited),
    /// The sealed payload was not sealed by the peer for this place.
    #[error("the payload does not open")]
    NotOpened(#[from] OpenError),
    /// The payload, or the body that was sealed in it, is not of the shape of its type.
    #[error("the payload is malformed")]
    Payload(#[from] FieldError),
    /// What was sealed is no plaintext of a message.
    #[error("the plaintext is malformed")]
    Plaintext(#[from] PlaintextError),
    /// A control message has a number, or another message has none.
    #[error("a message of type {kind} must {}have a number", if .kind.is_control() { "not " } else { "" })]
    NumberPresence {
        /// What the message says it is.
        kind: MessageKind,
    },
    /// The number cannot be taken.
    #[error("its number is refused")]
    Number(#[from] NumberRefusal),
    /// The peer acknowledges what was never sent, or has forgotten too much of what was.
    #[error("its acknowledgement is refused")]
    Acknowledgement(#[from] AckRefusal),
    /// A message of this type has no meaning in a ready session.
    #[error("a message of type {kind} does not fit a ready session")]
    Unexpected {
        /// What the message says it is.
        kind: MessageKind,
    },
    /// A first step names a session that is held already.
    #[error("the session id is in use")]
    SessionIdTaken,
    /// Both sides opened at once and this node's handshake goes on.
    #[error("this node's own handshake goes on")]
    SimultaneousOpen,
    /// A half-open handshake of the same key is at least as new.
    #[error("a handshake that is at least as new is open")]
    NotNewer,
    /// So many handshakes or sessions are held that no other one is begun.
    #[error("{held} handshakes or sessions are held")]
    Full {
        /// How many.
        held: usize,
    },
    /// The handshake step itself was refused, and the handshake has ended.
    #[error("the handshake failed")]
    Handshake(#[from] HandshakeError),
}

/// Why a handshake ended, sorted by blame.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HandshakeError {
    /// The peer, whose signature holds, broke the protocol.
    #[error("the peer misbehaved")]
    Misbehaved(#[from] Misbehaviour),
    /// The peer follows the protocol and cannot talk to this node.
    #[error("the peer is incompatible")]
    Incompatible(#[from] Incompatibility),
    /// Nobody's fault: time ran out.
    #[error("time ran out")]
    Late(#[from] Lateness),
}

/// What a peer did that no correct peer does.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Misbehaviour {
    /// A step came that the state does not wait for, and that is no repeat of an earlier one.
    #[error("step {kind} came in state {state}")]
    OutOfOrder {
        /// The step that came.
        kind: MessageKind,
        /// The state it came in.
        state: SessionState,
    },
    /// The payload of the step is malformed.
    #[error("the step is malformed")]
    Malformed(#[from] FieldError),
    /// `identity_key` is not the key the step was verified under, or not the pinned one.
    #[error("the identity key is not the sender's")]
    OtherIdentity,
    /// `peer_identity_key` is not this node's key: the step was meant for someone else.
    #[error("the step names another recipient's key")]
    OtherRecipient,
    /// The session named inside the payload is not the one of the envelope.
    #[error("the payload names another session")]
    OtherSession,
    /// The list of capabilities in step 2 is not a selection from that of step 1.
    #[error("the capabilities are no selection from the offered ones")]
    Capabilities,
    /// The ephemeral key would make the shared secret a known one.
    #[error("the ephemeral key is of low order")]
    LowOrder(#[from] LowOrderPoint),
    /// The challenge was not signed by the peer over what both sides saw.
    #[error("the challenge signature does not hold")]
    ChallengeSignature(#[from] InvalidSignature),
    /// The sealed step names another transcript: the two sides saw different handshakes.
    #[error("the transcript differs")]
    Transcript,
}

/// What makes two correct peers unable to talk.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Incompatibility {
    /// The peer does not speak 1.1, or chose another version in a 1.1 handshake.
    #[error("the peer wants another version")]
    Version,
}

/// Which time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Lateness {
    /// The challenge was not answered in time.
    #[error("the challenge has expired")]
    Challenge,
    /// The handshake as a whole took too long.
    #[error("the handshake has expired")]
    Handshake,
}

impl Refusal {
    /// The code that the peer is told, and all that it is told.
    ///
    /// The only place where an error of this module becomes a code. Source: `docs/protocol/1.1.md#error-codes`.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Stale { .. } => ErrorCode::ExpiredTimestamp,
            Self::Nonce(NonceRefusal::Seen) => ErrorCode::ReplayDetected,
            Self::Nonce(NonceRefusal::Full { .. }) | Self::Limited(_) => ErrorCode::RateLimited,
            Self::NoSession
            | Self::Suspended
            | Self::Generation(GenerationRefusal::UnknownBase { .. })
            | Self::Acknowledgement(AckRefusal::TooMuchForgotten { .. }) => {
                ErrorCode::SessionNotFound
            }
            Self::Expired => ErrorCode::SessionExpired,
            Self::NotReady { .. } => ErrorCode::EncryptionNotReady,
            Self::NotSealed => ErrorCode::EncryptionRequired,
            Self::Position(_)
            | Self::StepSequence { .. }
            | Self::Generation(GenerationRefusal::NotAbove { .. })
            | Self::Number(NumberRefusal::TooFarAhead { .. }) => ErrorCode::SequenceError,
            Self::NotOpened(_) => ErrorCode::DecryptionFailed,
            Self::Binder => ErrorCode::ChallengeInvalid,
            Self::Payload(_)
            | Self::OtherSession
            | Self::FramesNotAgreed
            | Self::LowOrder(_)
            | Self::NumberPresence { .. }
            | Self::Number(NumberRefusal::Zero)
            | Self::Acknowledgement(AckRefusal::Future { .. })
            | Self::Plaintext(_) => ErrorCode::InvalidMessage,
            Self::Number(NumberRefusal::HoldBackFull { .. }) | Self::Full { .. } => {
                ErrorCode::ServiceUnavailable
            }
            Self::Unexpected { .. } | Self::SessionIdTaken => ErrorCode::InvalidState,
            Self::SimultaneousOpen | Self::NotNewer => ErrorCode::HandshakeInProgress,
            Self::Handshake(error) => error.code(),
        }
    }

    /// After how long the same message may succeed, where that is known.
    pub const fn retry_after(&self) -> Option<Duration> {
        if let Self::Limited(Limited { retry_after })
        | Self::Nonce(NonceRefusal::Full { retry_after }) = self
        {
            return Some(*retry_after);
        }
        None
    }
}

impl HandshakeError {
    /// What it means that a step cannot be read: a peer that names another version is incompatible, any other
    /// field that is not as the protocol says is misbehaviour.
    pub(super) fn of_step(error: FieldError) -> Self {
        let is_version = matches!(error.field, "handshake_version" | "accepted_version");
        if is_version && matches!(error.problem, Problem::Invalid { .. }) {
            return Incompatibility::Version.into();
        }
        Misbehaviour::Malformed(error).into()
    }

    /// The code that the peer is told; part of [`Refusal::code`], and used where this side ends a
    /// handshake of its own accord.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Misbehaved(misbehaviour) => misbehaviour.code(),
            Self::Incompatible(Incompatibility::Version) => ErrorCode::InvalidVersion,
            Self::Late(Lateness::Challenge) => ErrorCode::ChallengeExpired,
            Self::Late(Lateness::Handshake) => ErrorCode::SessionExpired,
        }
    }
}

impl Misbehaviour {
    const fn code(&self) -> ErrorCode {
        match self {
            Self::OutOfOrder { .. } => ErrorCode::InvalidState,
            Self::Malformed(_) | Self::OtherSession | Self::Capabilities | Self::LowOrder(_) => {
                ErrorCode::InvalidMessage
            }
            Self::OtherIdentity => ErrorCode::UnknownSender,
            Self::OtherRecipient => ErrorCode::UnknownRecipient,
            Self::ChallengeSignature(_) | Self::Transcript => ErrorCode::ChallengeInvalid,
        }
    }
}
