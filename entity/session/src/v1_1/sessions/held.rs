//! One handshake or session as it is held.

use entity_crypto::derivation::{DIGEST_LEN, sha256};
use entity_crypto::identity::PeerId;
use entity_crypto::signing::PublicKey;
use entity_wire::kind::MessageKind;
use entity_wire::payload::sealed::Plaintext;
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;

use super::Standing;
use crate::v1_1::author::Outbound;
use crate::v1_1::handshake::initiator::{ConfirmSent, InitSent, ResponseSent};
use crate::v1_1::handshake::responder::{AckSent, EstablishedSent};
use crate::v1_1::refusal::Refusal;
use crate::v1_1::session::Session;
use crate::v1_1::state::{Role, SessionState};

/// A handshake or session, with the answers it has given.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) stage: Stage,
    pub(super) peer: PeerId,
    pub(super) standing: Standing,
    /// Where the peer said in step 1 that it takes answers.
    pub(super) address: Option<String>,
    pub(super) answers: Answers,
    /// The `session_resume` answered last, and the `session_resumed` accepted last.
    pub(super) resumptions: Answers,
}

/// Every state that is held, one type each.
#[derive(Debug)]
pub(super) enum Stage {
    InitSent(InitSent),
    ResponseSent(ResponseSent),
    ConfirmSent(ConfirmSent),
    AckSent(AckSent),
    EstablishedSent(EstablishedSent),
    Ready(Box<Session>),
}

impl Held {
    pub(super) fn new(stage: Stage, peer: PeerId, standing: Standing) -> Self {
        Self {
            stage,
            peer,
            standing,
            address: None,
            answers: Answers::default(),
            resumptions: Answers::default(),
        }
    }

    /// Whether a message is the peer's: its name, and its key as far as that is known.
    pub(super) fn belongs_to(&self, message: &Envelope) -> bool {
        self.peer == message.header().sender
            && self.stage.peer_key().is_none_or(|key| key == *message.signer())
    }

    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready(_))
    }

    pub(super) fn is_half_open_stranger(&self) -> bool {
        self.standing == Standing::FirstUse && !self.is_ready()
    }
}

impl Stage {
    /// The key that the peer has proved, or has to.
    pub(super) const fn peer_key(&self) -> Option<PublicKey> {
        match self {
            Self::InitSent(state) => state.pinned(),
            Self::ResponseSent(state) => Some(*state.peer_key()),
            Self::ConfirmSent(state) => Some(*state.peer_key()),
            Self::AckSent(state) => Some(*state.peer_key()),
            Self::EstablishedSent(state) => Some(*state.peer_key()),
            Self::Ready(session) => Some(*session.peer_key()),
        }
    }

    /// When the peer wrote step 1 of a handshake that is half open on its initiative.
    pub(super) const fn init_timestamp(&self) -> Option<Timestamp> {
        match self {
            Self::AckSent(state) => Some(state.init_timestamp()),
            Self::EstablishedSent(state) => Some(state.init_timestamp()),
            Self::InitSent(_) | Self::ResponseSent(_) | Self::ConfirmSent(_) | Self::Ready(_) => {
                None
            }
        }
    }

    /// Whether a handshake is half open on this side's initiative.
    pub(super) const fn is_opening(&self) -> bool {
        match self {
            Self::InitSent(_) | Self::ResponseSent(_) | Self::ConfirmSent(_) => true,
            Self::AckSent(_) | Self::EstablishedSent(_) | Self::Ready(_) => false,
        }
    }

    pub(super) const fn role(&self) -> Role {
        match self {
            Self::InitSent(_) | Self::ResponseSent(_) | Self::ConfirmSent(_) => Role::Initiator,
            Self::AckSent(_) | Self::EstablishedSent(_) => Role::Responder,
            Self::Ready(session) => session.role(),
        }
    }

    pub(super) const fn state(&self) -> SessionState {
        match self {
            Self::InitSent(_) => SessionState::HandshakeInitSent,
            Self::ResponseSent(_) => SessionState::HandshakeAckReceived,
            Self::ConfirmSent(_) => SessionState::SessionConfirmed,
            Self::AckSent(_) => SessionState::ChallengeSent,
            Self::EstablishedSent(_) => SessionState::SessionEstablished,
            Self::Ready(_) => SessionState::Ready,
        }
    }

    /// When this stage needs attention.
    pub(super) fn next_deadline(&self) -> Timestamp {
        match self {
            Self::InitSent(state) => state.deadline(),
            Self::ResponseSent(state) => state.deadline(),
            Self::ConfirmSent(state) => state.deadline(),
            Self::AckSent(state) => state.deadline(),
            Self::EstablishedSent(state) => state.deadline(),
            Self::Ready(session) => session.next_deadline(),
        }
    }

    /// Opens the sealed step that this stage waits for; nothing where it waits for another, or for an unsealed one.
    pub(super) fn open_awaited(&self, message: &Envelope) -> Option<Result<Plaintext, Refusal>> {
        match (self, &message.header().kind) {
            (Self::ConfirmSent(state), MessageKind::Ready) => Some(state.open_ready(message)),
            (Self::EstablishedSent(state), MessageKind::SessionConfirm) => {
                Some(state.open_confirm(message))
            }
            _ => None,
        }
    }
}

/// The steps that were accepted and what each was answered with; at most three.
///
/// Source: `docs/protocol/1.1.md#stored-messages`.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<Answered>);

/// A step that was accepted.
#[derive(Debug)]
pub(super) struct Answered {
    kind: MessageKind,
    step: [u8; DIGEST_LEN],
    /// What it was answered with; step 6 is not answered.
    pub(super) answer: Option<Outbound>,
}

impl Answers {
    pub(super) fn store(&mut self, message: &Envelope, answer: Option<Outbound>) {
        let kind = message.header().kind.clone();
        self.0.push(Answered { kind, step: digest(message), answer });
    }

    /// Stores an answer in place of the one to an earlier message of the same type.
    pub(super) fn store_latest(&mut self, message: &Envelope, answer: Option<Outbound>) {
        self.0.retain(|answered| answered.kind != message.header().kind);
        self.store(message, answer);
    }

    pub(super) fn find(&self, message: &Envelope) -> Option<&Answered> {
        let wanted = digest(message);
        self.0.iter().find(|answered| answered.step == wanted)
    }
}

/// Two messages are byte-identical, as far as the protocol goes, when their signed bytes and signatures are.
fn digest(message: &Envelope) -> [u8; DIGEST_LEN] {
    let mut whole = message.signed_bytes().to_vec();
    whole.extend_from_slice(&message.signature().to_bytes());
    sha256(&whole)
}
