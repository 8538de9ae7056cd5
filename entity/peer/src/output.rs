//! What comes out of a peer, and the answers that go back in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use entity_crypto::signing::PublicKey;
use entity_journal::Batch;
pub use entity_transfer::{
    ChunkBody, FinishOutcome, Io, IoOutcome, Keep, MemoryFiles, PrefixDigest, ReadFailure,
    ReadOutcome, View as TransferView, WriteOutcome,
};
use entity_wire::code::ErrorCode;
use entity_wire::id::MessageId;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::version::Version;

use crate::command::{CommandError, CommandId, CommandResult};
use crate::dht::DhtEvent;
use crate::name::PeerName;
use crate::tokens::TokenEvent;
use crate::view::{Role, SessionName, TaskView};

/// One thing for the owner of the peer to do or to know, in order.
#[derive(Debug, Clone)]
pub enum Output {
    /// Keep this, durably, before anything that comes after it leaves: transmissions, events, ends of commands, and the
    /// answer to the message that brought it about.
    Persist(Batch),
    /// Make one request, and report with [`crate::Peer::handle_delivery`].
    Transmit(Transmit),
    /// Read or write for a transfer, and report with [`crate::Peer::handle_io`].
    Io(Io),
    /// Something happened.
    Event(PeerEvent),
    /// A command came to its end.
    Done {
        /// Which.
        command: CommandId,
        /// How.
        result: Result<CommandResult, CommandError>,
    },
}

/// One attempt of one request. Retries are new transmissions, decided by the peer.
#[derive(Debug, Clone)]
pub struct Transmit {
    /// Names the attempt.
    pub id: DeliveryId,
    /// For whom.
    pub peer: PeerName,
    /// The base address, as configured.
    pub address: String,
    /// Whether the peer has said that it takes WebSockets there, and so do we.
    ///
    /// Source: docs/protocol/1.1.md#websocket
    pub takes_sockets: bool,
    /// The peer's key, where it is known: by it a relay knows for whom a message is.
    pub key: Option<PublicKey>,
    /// Whether an operator has named the peer: it did not come by itself, and was not met through others.
    pub is_named: bool,
    /// What it is about.
    pub about: About,
    /// What to ask.
    pub request: Request,
    /// The time the attempt as a whole may take.
    pub timeout: Duration,
}

/// What a [`Transmit`] is about, for whoever chooses its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// It begins a session: the first message of a handshake.
    Begins,
    /// It asks for a sign of life, which is worth something on the usual way alone.
    Life,
    /// It carries the durable message with this id, which whom it is for acknowledges.
    Durable(MessageId),
    /// Anything else.
    Other,
}

/// The request of a [`Transmit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `POST /message` with this body, byte for byte.
    Message(Bytes),
    /// One compact frame: `POST /frame` as a batch of one, or a binary message of a WebSocket, untouched.
    ///
    /// An answer of `POST /frame` is to be reported as that of its one frame: status 200, or the status and body of the code.
    /// [`entity_wire::frame::batch`] reads it.
    ///
    /// Source: docs/protocol/1.1.md#compact-frames
    Frame(Bytes),
    /// `GET /health`.
    Health,
}

/// Names one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub u64);

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// An HTTP answer came.
    Answered {
        /// Its status.
        status: u16,
        /// Its body, cut at [`Delivery::BODY_LEN_BYTES_MAX`].
        body: Bytes,
    },
    /// No answer came.
    Failed {
        /// Why.
        kind: FailureKind,
    },
}

impl Delivery {
    /// How much of an answer is of interest: an error text. Guessed.
    pub const BODY_LEN_BYTES_MAX: usize = 64 << 10;
}

/// Why an attempt had no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The address is no usable URL, or its host has no address.
    Address,
    /// Nobody listens there.
    Refused,
    /// The time ran out.
    TimedOut,
    /// The connection broke.
    Broken,
    /// What came is no HTTP answer, or too large.
    Malformed,
    /// Nobody was asked: [`Request::Health`] where the way is one by a relay, which says nothing of how its members are.
    Unasked,
}

/// Something the owner may want to know. None asks for an action.
#[derive(Debug, Clone, PartialEq)]
pub enum PeerEvent {
    /// The roster has a new peer.
    PeerAdded {
        /// Its name.
        peer: PeerName,
    },
    /// A session is ready for messages.
    SessionReady {
        /// Its id.
        id: SessionName,
        /// With whom.
        peer: PeerName,
        /// By which protocol.
        version: Version,
        /// Our part in it.
        role: Role,
    },
    /// A session that was suspended or in doubt has new keys and takes messages again.
    SessionResumed {
        /// Its id, the same as before.
        id: SessionName,
        /// With whom.
        peer: PeerName,
        /// The generation of its keys.
        generation: u16,
    },
    /// A session has new keys.
    SessionRekeyed {
        /// Its id.
        id: SessionName,
        /// Their generation.
        generation: u16,
    },
    /// A session is gone.
    SessionClosed {
        /// Its id.
        id: SessionName,
        /// With whom.
        peer: PeerName,
        /// Why.
        reason: CloseReason,
    },
    /// A message was accepted and handled.
    MessageReceived(Received),
    /// A message of a peer was refused, or a forgery in its name.
    MessageRefused {
        /// The claimed sender; `None` where the message did not say.
        from: Option<String>,
        /// The code.
        code: ErrorCode,
        /// The text the sender was answered.
        detail: String,
        /// The status the sender was answered.
        status: u16,
    },
    /// A handshake we took part in failed.
    HandshakeFailed {
        /// With whom.
        peer: PeerName,
        /// The code.
        code: ErrorCode,
        /// In words.
        reason: String,
    },
    /// A peer's key was pinned on first use.
    KeyPinned {
        /// Whose.
        peer: PeerName,
        /// The key.
        key: PublicKey,
    },
    /// A peer delegated a task to us, and we took it.
    TaskReceived(TaskView),
    /// A task that we delegated will be done.
    TaskAccepted(TaskView),
    /// A task that we delegated will not be done.
    TaskRefused(TaskView),
    /// A task that we delegated was done, or has failed.
    TaskDone(TaskView),
    /// The other side has a durable message.
    MessageAcknowledged {
        /// Its id.
        id: MessageId,
        /// Who has it.
        peer: PeerName,
    },
    /// A durable message is dropped, because the peer, or the protocol spoken with it, would never take it.
    MessageGivenUp {
        /// Its id.
        id: MessageId,
        /// For whom it was.
        peer: PeerName,
        /// Why.
        code: ErrorCode,
    },
    /// A peer's health changed.
    HealthChanged {
        /// Whose.
        peer: PeerName,
        /// The new state.
        healthy: bool,
    },
    /// A peer offers a transfer, and it was taken.
    TransferOffered(TransferView),
    /// A transfer of either direction is complete.
    TransferDone(TransferView),
    /// A transfer of either direction broke.
    TransferFailed(TransferView),
    /// Something happened in the ledger.
    Token(TokenEvent),
    /// Something happened in the distributed hash table.
    Dht(DhtEvent),
}

/// A message as its handler sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Received {
    /// Counts the messages of this inbox from 1; `None` for a type that the inbox does not keep.
    pub index: Option<u64>,
    /// The authenticated sender.
    pub from: PeerName,
    /// The type.
    pub kind: MessageKind,
    /// The payload, opened.
    pub body: Arc<Object>,
    /// The envelope's session id; empty where 0.3 has none.
    pub session: SessionName,
    /// The envelope's sequence number; 0 where 0.3 has none.
    pub sequence: u64,
    /// The number in its session; `None` in 1.0.
    pub number: Option<u64>,
    /// By which protocol.
    pub version: Version,
    /// Whether it came sealed.
    pub sealed: bool,
    /// When, on our shifted wall clock.
    pub received_at: entity_wire::time::Timestamp,
    /// Its sender's id for it where it is durable.
    pub durable: Option<MessageId>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    /// We were asked to.
    Closed,
    /// The other side said so.
    ClosedByPeer,
    /// It is too old, or was idle too long.
    Expired,
    /// A newer session with the peer took its place.
    Replaced,
}

impl CloseReason {
    /// Returns the word used in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::ClosedByPeer => "closed_by_peer",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
        }
    }
}
