//! What the owner of a peer can ask of it, and what it answers.

use std::time::Duration;

use entity_crypto::signing::PublicKey;
pub use entity_session::v1_1::numbers::Class;
pub use entity_transfer::Source;
use entity_wire::code::ErrorCode;
use entity_wire::id::{MessageId, TaskId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::chunk::{BreakReason, Digest, PlacedPiece, TransferId, TransferName};
use entity_wire::payload::error::ErrorReport;
use entity_wire::payload::task::{Capability, Reward, TaskOutcome, TaskRefusal};
use entity_wire::v1_0::Flavour;
use entity_wire::version::Version;

use crate::dht::{DhtCommand, DhtError, DhtResult};
use crate::name::PeerName;
use crate::output::FailureKind;
use crate::tokens::{TokenCommand, TokenError, TokenResult};
use crate::view::{SessionName, SessionView};

/// Names one command; chosen by the caller, unique among those not yet done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// One thing to do. Each is answered by exactly one [`crate::Output::Done`].
#[derive(Debug, Clone)]
pub enum Command {
    /// Puts a peer into the roster, or gives a known one a new address. A key once stored is never replaced.
    AddPeer(AddPeer),
    /// Forgets a peer: its key, its sessions, and what waits for it.
    RemovePeer {
        /// Its name.
        name: PeerName,
    },
    /// Opens a session, or returns the live one.
    OpenSession {
        /// With whom.
        to: PeerName,
    },
    /// Ends a session on our side (and, in 1.1, tells the other).
    CloseSession {
        /// Which.
        session: SessionName,
    },
    /// Renews the keys of a session of 1.1, and waits until they are in use.
    Rekey {
        /// Which.
        session: SessionName,
    },
    /// Sends one message and waits for its HTTP answer; a durable one is done as soon as it is kept.
    Send(Send),
    /// Keeps a message under an id of our choice, whatever its class, and sends it until the other side has it.
    SendDurable(Send),
    /// Sends a `ping` and measures the time to its answer.
    Ping {
        /// To whom.
        to: PeerName,
    },
    /// Sends a `capability_query` and waits for the `capability_response`.
    QueryCapabilities {
        /// To whom.
        to: PeerName,
    },
    /// Sends a `wake_up` and waits for the `wake_up_ack`.
    Wake {
        /// To whom.
        to: PeerName,
        /// Why, in words.
        reason: String,
    },
    /// Tells a peer by an `error` that something of its failed, and waits for the HTTP answer.
    NotifyError {
        /// To whom.
        to: PeerName,
        /// What failed.
        report: ErrorReport,
    },
    /// Shifts our wall clock: every time we stamp, and check against, is moved by this much. For test peers.
    SetClockOffset {
        /// Microseconds, negative into the past.
        offset_us: i64,
    },
    /// Delegates a task to a peer; done once it is kept.
    Delegate(Delegate),
    /// Ends a task that was delegated to us.
    CompleteTask(Complete),
    /// Says what tasks we are able to do; until then none that wants a capability is taken.
    SetCapabilities {
        /// All of them.
        able: Vec<Capability>,
    },
    /// Begins to send a file, or bytes as if they were one; done once it is kept.
    Transfer(Transfer),
    /// Ends a transfer of either direction, and tells the other side.
    CancelTransfer {
        /// Which.
        id: TransferId,
    },
    /// Something with tokens.
    Token(TokenCommand),
    /// Something with the distributed hash table.
    Dht(DhtCommand),
    /// Withdraws a command that is not done yet; it ends with [`CommandError::Cancelled`], this one with `Done`. What
    /// was sent for it stays sent.
    Cancel {
        /// Which.
        command: CommandId,
    },
}

/// A peer to know.
#[derive(Debug, Clone)]
pub struct AddPeer {
    /// Its id.
    pub name: PeerName,
    /// Its base address, `http://host:port`.
    pub address: String,
    /// Its key; `None` needs [`crate::config::Trust::FirstUse`] to be of use.
    pub key: Option<PublicKey>,
    /// Whether to connect at once; `None` follows the configuration.
    pub connect: Option<bool>,
}

/// Something to send as a transfer.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// To whom.
    pub to: PeerName,
    /// What to call it.
    pub name: Option<TransferName>,
    /// Where its bytes are.
    pub source: Source,
    /// How many they are.
    pub total_size: u64,
    /// Their SHA-256.
    pub sha256: Digest,
}

/// A task to delegate.
#[derive(Debug, Clone)]
pub struct Delegate {
    /// To whom.
    pub to: PeerName,
    /// Its id; a new one where there is none.
    pub task_id: Option<TaskId>,
    /// What it is.
    pub description: String,
    /// What the peer has to be able to do.
    pub capability: Option<Capability>,
    /// Its data.
    pub input: Option<Object>,
    /// What is promised for it.
    pub reward: Option<Reward>,
}

/// The end of a task that was delegated to us.
#[derive(Debug, Clone)]
pub struct Complete {
    /// Which.
    pub task_id: TaskId,
    /// By whom it was delegated; needed only where two peers chose the same id.
    pub from: Option<PeerName>,
    /// How it ended.
    pub outcome: TaskOutcome,
    /// What came of it.
    pub result: Object,
}

/// A message to send.
#[derive(Debug, Clone)]
pub struct Send {
    /// To whom.
    pub to: PeerName,
    /// Its type.
    pub kind: MessageKind,
    /// Its payload.
    pub body: Object,
    /// A chunk, in place of a payload: its bytes travel in a frame as they are.
    pub chunk: Option<Box<PlacedPiece>>,
    /// Whether it travels sealed.
    pub seal: Seal,
    /// How a 1.0 envelope is written; `None` follows the configuration.
    pub flavour: Option<Flavour>,
    /// Whether it is kept until the other side has it.
    pub class: Class,
}

impl Send {
    /// A volatile message, sealed where that can be, in the configured flavour.
    pub fn new(to: PeerName, kind: MessageKind, body: Object) -> Self {
        let (seal, flavour, class) = (Seal::Auto, None, Class::Volatile);
        Self { to, kind, body, chunk: None, seal, flavour, class }
    }
}

/// Whether a message travels sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Seal {
    /// Sealed where the session has a sealing key.
    #[default]
    Auto,
    /// In the clear. 1.1 sessions refuse this.
    Never,
    /// Sealed, or not sent at all. In 1.0 without a sealed session: under the static keys.
    Require,
}

/// How a command ended well.
#[derive(Debug, Clone, PartialEq)]
pub enum CommandResult {
    /// There is nothing to say.
    Done,
    /// The session is ready.
    Session(SessionView),
    /// The keys of this generation are in use.
    Generation(u16),
    /// The message was answered 200.
    Sent(Receipt),
    /// The durable message is kept.
    Kept(MessageId),
    /// The ping came back after this long.
    RoundTrip(Duration),
    /// What the other side says it can do.
    Capabilities(Object),
    /// The task is kept, and on its way.
    Task(TaskId),
    /// The transfer is kept, and begins.
    Transfer(TransferId),
    /// The end of a [`Command::Token`].
    Token(TokenResult),
    /// The end of a [`Command::Dht`].
    Dht(DhtResult),
}

/// What became of a sent message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The envelope's session id.
    pub session: SessionName,
    /// The envelope's sequence number.
    pub sequence: u64,
    /// The message's number in its session; `None` in 1.0.
    pub number: Option<u64>,
    /// The protocol it went by.
    pub version: Version,
    /// Whether it was sealed.
    pub sealed: bool,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// How a command failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// Caller: the roster has no such peer.
    #[error("reach {name}: no such peer in the roster")]
    UnknownPeer {
        /// The name asked for.
        name: PeerName,
    },
    /// Caller: there is no such session.
    #[error("find session {session}")]
    UnknownSession {
        /// The id asked for.
        session: SessionName,
    },
    /// Caller: the peer is stored with another key, and keys are never replaced.
    #[error("add {name}: it is known under another key")]
    KeyMismatch {
        /// The peer's name.
        name: PeerName,
    },
    /// Caller: no key of the peer is known, and first use is not trusted.
    #[error("reach {name}: its key is not known")]
    NoKey {
        /// The peer's name.
        name: PeerName,
    },
    /// Caller: the message was to be sealed, and cannot be; or was not to be, and must.
    #[error("send it {wanted:?}: {reason}")]
    Sealing {
        /// What was asked.
        wanted: Seal,
        /// What stands against it.
        reason: &'static str,
    },
    /// Caller: no peer would take the message, so it is not sent.
    #[error("send it: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Caller: there is no such open transfer.
    #[error("find transfer {id}")]
    UnknownTransfer {
        /// The id asked for.
        id: TransferId,
    },
    /// Other side, or the way there: a message that went as a transfer did not arrive.
    #[error("transfer it: {reason}")]
    Transfer {
        /// Why.
        reason: BreakReason,
    },
    /// Caller: there is no such task, or the id alone does not say which is meant.
    #[error("find task {id}")]
    UnknownTask {
        /// The id asked for.
        id: TaskId,
    },
    /// Caller: the task cannot be delegated.
    #[error("delegate task {id}: {}", code.as_str())]
    Task {
        /// The id of the task.
        id: TaskId,
        /// Why.
        code: TaskRefusal,
    },
    /// Caller: the message is larger than a peer will take.
    #[error("send a message of {len_bytes} bytes")]
    TooLarge {
        /// Its encoded length.
        len_bytes: usize,
    },
    /// Ours: a named limit is reached.
    #[error("queue it: {limit} is reached")]
    Overloaded {
        /// The field of [`crate::config::Limits`].
        limit: &'static str,
    },
    /// Network: so many deliveries to the peer failed that nothing is tried for now.
    #[error("reach {name}: its circuit is open, try again in {} ms", retry_after.as_millis())]
    CircuitOpen {
        /// The peer's name.
        name: PeerName,
        /// When one may be tried.
        retry_after: Duration,
    },
    /// Other side: it answered with another status than 200.
    #[error("be accepted: answered {status} {detail:?}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The answer's `detail`, or the body's start where it has none.
        detail: String,
        /// The answer's code, where it names one or its text implies one.
        code: Option<ErrorCode>,
    },
    /// Network: no answer came, in as many attempts as the rules allow.
    #[error("get an answer: {kind:?}")]
    Unreachable {
        /// What the last attempt failed of.
        kind: FailureKind,
    },
    /// Other side: the handshake came to a bad end.
    #[error("shake hands: {reason}")]
    Handshake {
        /// The code that names the reason.
        code: ErrorCode,
        /// The reason.
        reason: String,
    },
    /// Network: the peer did not do its part in time.
    #[error("wait for {what}")]
    TimedOut {
        /// What was awaited.
        what: &'static str,
    },
    /// A [`Command::Token`] failed.
    #[error(transparent)]
    Token(TokenError),
    /// A [`Command::Dht`] failed.
    #[error(transparent)]
    Dht(DhtError),
    /// Caller: withdrawn.
    #[error("finish: cancelled")]
    Cancelled,
}

impl CommandError {
    /// Returns the protocol's code for this failure.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownPeer { .. } => ErrorCode::UnknownRecipient,
            Self::UnknownSession { .. } => ErrorCode::SessionNotFound,
            Self::KeyMismatch { .. } | Self::NoKey { .. } => ErrorCode::InvalidSignature,
            Self::Sealing { wanted: Seal::Never, .. } => ErrorCode::EncryptionRequired,
            Self::Sealing { wanted: Seal::Auto | Seal::Require, .. } => {
                ErrorCode::EncryptionNotReady
            }
            Self::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Self::UnknownTransfer { .. } | Self::Transfer { .. } => ErrorCode::ChunkError,
            Self::Malformed { .. } | Self::UnknownTask { .. } | Self::Task { .. } => {
                ErrorCode::InvalidMessage
            }
            Self::Refused { code, .. } => code.unwrap_or(ErrorCode::InvalidMessage),
            Self::Token(_) => ErrorCode::TransferRefused,
            Self::Dht(error) => error.code(),
            Self::Handshake { code, .. } => *code,
            Self::Overloaded { .. }
            | Self::CircuitOpen { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Cancelled => ErrorCode::ServiceUnavailable,
        }
    }

    /// Returns when it may be tried again, where that is known.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { retry_after, .. } => Some(*retry_after),
            Self::UnknownPeer { .. }
            | Self::UnknownSession { .. }
            | Self::KeyMismatch { .. }
            | Self::NoKey { .. }
            | Self::Sealing { .. }
            | Self::Malformed { .. }
            | Self::UnknownTask { .. }
            | Self::Task { .. }
            | Self::UnknownTransfer { .. }
            | Self::Transfer { .. }
            | Self::TooLarge { .. }
            | Self::Overloaded { .. }
            | Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::Handshake { .. }
            | Self::TimedOut { .. }
            | Self::Token(_)
            | Self::Dht(_)
            | Self::Cancelled => None,
        }
    }

    /// Returns the HTTP status the other side answered, where there was an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            Self::UnknownPeer { .. }
            | Self::UnknownSession { .. }
            | Self::KeyMismatch { .. }
            | Self::NoKey { .. }
            | Self::Sealing { .. }
            | Self::Malformed { .. }
            | Self::UnknownTask { .. }
            | Self::UnknownTransfer { .. }
            | Self::Transfer { .. }
            | Self::Task { .. }
            | Self::TooLarge { .. }
            | Self::Overloaded { .. }
            | Self::CircuitOpen { .. }
            | Self::Unreachable { .. }
            | Self::Handshake { .. }
            | Self::TimedOut { .. }
            | Self::Token(_)
            | Self::Dht(_)
            | Self::Cancelled => None,
        }
    }
}
