//! What can be seen of a peer from outside.

use std::fmt;

use entity_crypto::signing::PublicKey;
use entity_wire::id::{MessageId, TaskId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::task::{TaskDelegate, TaskOutcome, TaskRefusal};
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use crate::name::PeerName;

/// The id of a session, as its envelopes carry it.
///
/// *Shape*: of a session made by a handshake a UUID version 4 in text; of a 1.0 message outside a session whatever
/// its sender wrote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionName(pub String);

impl From<entity_wire::id::SessionId> for SessionName {
    fn from(id: entity_wire::id::SessionId) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Our part in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We sent the first message.
    Initiator,
    /// The other side did.
    Responder,
}

impl Role {
    /// Returns the word used in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initiator => "initiator",
            Self::Responder => "responder",
        }
    }
}

/// A session, half-open ones included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Its id.
    pub id: SessionName,
    /// With whom.
    pub peer: PeerName,
    /// The other side's key, where known.
    pub peer_key: Option<PublicKey>,
    /// By which protocol.
    pub version: Version,
    /// Our part in its handshake.
    pub role: Role,
    /// The state's name in the protocol's text; `ready` for a session that takes messages.
    pub state: &'static str,
    /// The key generation; 0 in 1.0.
    pub generation: u16,
    /// Whether messages in it can be sealed.
    pub sealed: bool,
}

/// An entry of the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerView {
    /// Its name.
    pub name: PeerName,
    /// Its base address.
    pub address: String,
    /// Whether it has said that WebSockets are taken there, and we take them, too.
    pub takes_sockets: bool,
    /// Its key, where known.
    pub key: Option<PublicKey>,
    /// How we came to the key: `pinned` by an operator, or `first_use`.
    pub trust: KeyTrust,
    /// The highest version its key has proved in a completed handshake.
    pub proved: Option<Version>,
    /// What liveness says.
    pub health: Health,
    /// Whether deliveries to it are tried.
    pub circuit: CircuitState,
}

/// How we came to a peer's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyTrust {
    /// An operator gave it.
    Pinned,
    /// It was shown in the first handshake, or none is known yet.
    FirstUse,
}

impl KeyTrust {
    /// Returns the word used in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::FirstUse => "first_use",
        }
    }

    /// Reads the word.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::Pinned, Self::FirstUse].into_iter().find(|trust| trust.as_str() == text)
    }
}

/// What is known of a peer's liveness.
///
/// Source: docs/protocol/1.0.md#liveness
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Health {
    /// Nothing yet.
    #[default]
    Unknown,
    /// It answered last.
    Healthy,
    /// It failed to show a sign of life too often in a row.
    Unhealthy,
}

impl Health {
    /// Returns the word used in `/health`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// The counters of one peer, as `GET /stats` shows them.
///
/// Source: docs/protocol/1.0.md#endpoints
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerStats {
    /// Messages handed to the transport, retries not counted.
    pub messages_sent: u64,
    /// Messages accepted.
    pub messages_received: u64,
    /// Messages answered 200.
    pub deliveries_successful: u64,
    /// Messages given up.
    pub deliveries_failed: u64,
    /// When we last heard from it, on our shifted wall clock.
    pub last_seen: Option<Timestamp>,
    /// The last failure in words.
    pub last_error: Option<String>,
}

/// The counters of everything sent, as `GET /health` shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueStats {
    /// Messages under way or waiting for their next attempt.
    pub size: usize,
    /// Messages ever queued.
    pub queued: u64,
    /// Messages answered 200.
    pub sent: u64,
    /// Messages given up.
    pub failed: u64,
    /// Messages dropped because a limit was reached.
    pub discarded: u64,
}

/// A task, in either direction.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskView {
    /// Its id.
    pub id: TaskId,
    /// With whom.
    pub peer: PeerName,
    /// Who delegated it.
    pub direction: Direction,
    /// What became of it.
    pub state: TaskState,
    /// What was asked.
    pub content: TaskDelegate,
    /// What came of it, once it is over.
    pub result: Option<Object>,
}

/// Who delegated a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// We did.
    Delegated,
    /// The peer did.
    Received,
}

impl Direction {
    /// Returns the word used in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delegated => "delegated",
            Self::Received => "received",
        }
    }

    /// Reads the word.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        [Self::Delegated, Self::Received].into_iter().find(|direction| direction.as_str() == text)
    }
}

/// What became of a task.
///
/// Source: docs/protocol/1.1.md#tasks
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// It was delegated; there is no answer yet.
    Sent,
    /// It will be done.
    Accepted,
    /// It will not be done.
    Refused(TaskRefusal),
    /// It was done.
    Done,
    /// It was tried, and could not be done.
    Failed,
}

impl TaskState {
    /// Returns the word used in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Refused(_) => "refused",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Says whether nothing more will become of it.
    pub fn is_over(self) -> bool {
        match self {
            Self::Sent | Self::Accepted => false,
            Self::Refused(_) | Self::Done | Self::Failed => true,
        }
    }

    /// Says whether a task that is so may become `next`.
    pub(crate) fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Sent, Self::Accepted | Self::Refused(_) | Self::Done | Self::Failed)
            | (Self::Accepted, Self::Done | Self::Failed) => true,
            (Self::Sent | Self::Accepted, Self::Sent)
            | (Self::Accepted, Self::Accepted | Self::Refused(_))
            | (Self::Refused(_) | Self::Done | Self::Failed, _) => false,
        }
    }

    pub(crate) fn of_outcome(outcome: TaskOutcome) -> Self {
        match outcome {
            TaskOutcome::Done => Self::Done,
            TaskOutcome::Failed => Self::Failed,
        }
    }

    /// Reads the word; a refusal needs its code, and nothing else has one.
    pub(crate) fn from_text(text: &str, code: Option<TaskRefusal>) -> Option<Self> {
        let all = [Some(Self::Sent), Some(Self::Accepted), Some(Self::Done), Some(Self::Failed)];
        let all = if code.is_some() { [code.map(Self::Refused), None, None, None] } else { all };
        all.into_iter().flatten().find(|state| state.as_str() == text)
    }
}

/// An error that a peer told us of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorView {
    /// Counts the errors of this run from 1.
    pub index: u64,
    /// Who says so.
    pub from: PeerName,
    /// A code, of this protocol or not.
    pub code: String,
    /// In words.
    pub message: String,
    /// What it is about, where the peer says that.
    pub original: Option<String>,
    /// When it came, on our shifted wall clock.
    pub received_at: Timestamp,
}

/// Whether deliveries to a peer are tried.
///
/// Source: docs/design/delivery.md
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CircuitState {
    /// They are.
    Closed,
    /// So many failed that nothing is tried for a while.
    Open,
    /// One is, to see whether the peer is back.
    HalfOpen,
}

impl CircuitState {
    /// Returns the word used in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// A durable message that the other side does not have yet, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptView {
    /// Its id.
    pub id: MessageId,
    /// For whom.
    pub to: PeerName,
    /// Its type.
    pub kind: MessageKind,
    /// How far it came.
    pub state: KeptState,
    /// How often it was tried in this run.
    pub attempts: u32,
}

/// How far a durable message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptState {
    /// It was not tried in this run.
    Waiting,
    /// It was sent and is not acknowledged.
    Sent,
}

impl KeptState {
    /// Returns the word used in the contract.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
        }
    }
}
