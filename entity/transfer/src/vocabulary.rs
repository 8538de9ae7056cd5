//! What goes into transfers and what comes out of them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use entity_crypto::identity::PeerId;
use entity_wire::json::Object;
use entity_wire::payload::chunk::{
    BreakReason, Chunk, ChunkAck, ChunkComplete, ChunkInit, ChunkResend, Cut, Digest, Piece,
    TransferId, TransferName,
};
use thiserror::Error;

/// Something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// To whom.
    pub to: PeerId,
    /// What it is: [`entity_wire::payload::chunk::FILE`] or the type of a message.
    pub kind: String,
    /// What to call it.
    pub name: Option<TransferName>,
    /// Where it is read.
    pub source: Source,
    /// Its bytes.
    pub total_size: u64,
    /// SHA-256 of all of them.
    pub sha256: Digest,
}

/// Where the bytes of an outgoing transfer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a file, which has to stay as it is. Such a transfer survives a restart.
    File {
        /// Its absolute path.
        path: String,
        /// When it was last changed, in microseconds since the Unix epoch: another value is another file.
        modified_us: i64,
    },
    /// Here. Such a transfer ends with the process.
    Memory(Arc<Vec<u8>>),
}

/// Why an offer is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OfferError {
    /// Caller: it is larger than transfers may be.
    #[error("it has more than {max} bytes")]
    TooLarge {
        /// The most bytes.
        max: u64,
    },
    /// Ours: too many wait for their turn.
    #[error("{max} transfers are waiting already")]
    Overloaded {
        /// [`crate::Config::waiting_max`].
        max: usize,
    },
}

/// One thing to do or to know, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send this, in a session of 1.1. The outcome of a [`Message::Chunk`] and [`Message::Init`] is wanted:
    /// [`crate::Transfers::handle_sent`].
    Send {
        /// To whom.
        to: PeerId,
        /// Of which transfer.
        transfer: TransferId,
        /// What.
        message: Message,
    },
    /// Read or write.
    Io(Io),
    /// Something happened.
    Event(Event),
}

/// A message of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// `chunk_init`.
    Init(ChunkInit),
    /// `chunk`.
    Chunk {
        /// Which.
        index: u32,
        /// Its data.
        piece: Piece,
    },
    /// `chunk_ack`.
    Ack(ChunkAck),
    /// `chunk_resend`.
    Resend(ChunkResend),
    /// `chunk_complete`.
    Complete(ChunkComplete),
}

/// Reading and writing, for somebody who may wait for a disk. Each but the last two is answered once.
#[derive(Debug, Clone, PartialEq)]
pub enum Io {
    /// Read a chunk: [`crate::Transfers::handle_read`].
    Read {
        /// Of which transfer.
        transfer: TransferId,
        /// Where from.
        source: Source,
        /// The bytes of the whole, which the source still has to have.
        total_size: u64,
        /// Which chunk.
        index: u32,
        /// Where it begins.
        begin: u64,
        /// How many bytes it has.
        len: u32,
    },
    /// Write a chunk, decoded and its digest checked where it came as text: [`crate::Transfers::handle_written`].
    Write {
        /// Of which transfer.
        transfer: TransferId,
        /// How it is cut.
        cut: Cut,
        /// Which chunk.
        index: u32,
        /// What came of it.
        body: ChunkBody,
    },
    /// Make durable what was written: [`crate::Transfers::handle_synced`].
    Sync {
        /// Of which transfer.
        transfer: TransferId,
    },
    /// All chunks are written. Check the digest, make all of it durable, put it where it belongs:
    /// [`crate::Transfers::handle_finished`].
    Finish {
        /// Which transfer.
        transfer: TransferId,
        /// How it is cut.
        cut: Cut,
        /// The digest it has to have.
        sha256: Digest,
        /// Where it belongs.
        keep: Keep,
    },
    /// An incoming transfer is over: drop what was written, if anything is still there.
    Discard {
        /// Which transfer.
        transfer: TransferId,
    },
    /// An outgoing transfer is over: its source is needed no more.
    Close {
        /// Which transfer.
        transfer: TransferId,
    },
}

/// What came of a chunk.
#[derive(Clone, PartialEq)]
pub enum ChunkBody {
    /// In an envelope: the payload of its message, nothing of it decoded or checked.
    Text(Arc<Object>),
    /// In a frame: its bytes, which the tag of the frame vouches for.
    ///
    /// Source: docs/protocol/1.1.md#frame-of-a-chunk
    Bytes(Vec<u8>),
}

impl ChunkBody {
    /// Its data; `None` where that is no base64, or not what its digest says.
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Bytes(data) => Some(Cow::Borrowed(data)),
            Self::Text(object) => {
                let chunk = Chunk::from_object(object).ok().filter(Chunk::is_intact)?;
                Some(Cow::Owned(chunk.data))
            }
        }
    }
}

impl From<Arc<Object>> for ChunkBody {
    fn from(object: Arc<Object>) -> Self {
        Self::Text(object)
    }
}

impl From<Vec<u8>> for ChunkBody {
    fn from(data: Vec<u8>) -> Self {
        Self::Bytes(data)
    }
}

impl fmt::Debug for ChunkBody {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => formatter.write_str("Text(..)"),
            Self::Bytes(data) => write!(formatter, "Bytes({} bytes)", data.len()),
        }
    }
}

/// What becomes of a whole that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keep {
    /// A file under a name made of this one.
    File {
        /// What its sender calls it.
        name: Option<TransferName>,
    },
    /// The body of a message: hand it back.
    Message {
        /// The type.
        kind: String,
    },
}

/// How reading a chunk ended well: its data. Or not.
pub type ReadOutcome = Result<Piece, ReadFailure>;

/// Why a chunk cannot be read. Neither gets better by trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFailure {
    /// The file is not the one that was offered.
    Changed,
    /// The file cannot be read.
    Failed,
}

/// How writing a chunk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteOutcome {
    /// It is there.
    Written,
    /// Its data is not what its digest says, or no base64; nothing was written.
    Corrupt,
    /// It cannot be written.
    Failed,
}

/// How finishing ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FinishOutcome {
    /// It is whole and durable; a file is at this path.
    Kept {
        /// The path, for a file.
        path: Option<String>,
    },
    /// It does not have its digest, or is not the message it was said to be.
    Mismatch,
    /// It cannot be read or written.
    Failed,
}

/// How an [`Io`] ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IoOutcome {
    /// An [`Io::Read`].
    Read {
        /// Of which transfer.
        transfer: TransferId,
        /// Which chunk.
        index: u32,
        /// How.
        outcome: ReadOutcome,
    },
    /// An [`Io::Write`].
    Written {
        /// Of which transfer.
        transfer: TransferId,
        /// Which chunk.
        index: u32,
        /// How.
        outcome: WriteOutcome,
    },
    /// An [`Io::Sync`].
    Synced {
        /// Of which transfer.
        transfer: TransferId,
        /// Whether it was possible.
        is_durable: bool,
    },
    /// An [`Io::Finish`].
    Finished {
        /// Which transfer.
        transfer: TransferId,
        /// How.
        outcome: FinishOutcome,
    },
    /// An [`Io::Finish`] of a message whose digest holds. Whoever knows what the message has to be judges it and says
    /// how it [finished](crate::Transfers::handle_finished).
    Message {
        /// Which transfer.
        transfer: TransferId,
        /// The bytes of its body.
        body: Vec<u8>,
    },
}

/// Something the owner may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A peer offers a transfer, and it was taken.
    Offered(View),
    /// A transfer of either direction is complete.
    Done(View),
    /// A transfer of either direction broke.
    Failed(View),
}

/// One transfer, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Its id.
    pub id: TransferId,
    /// The other side.
    pub peer: PeerId,
    /// Which way it goes.
    pub direction: Direction,
    /// What it is.
    pub kind: String,
    /// What its sender calls it.
    pub name: Option<TransferName>,
    /// Its bytes.
    pub total_size: u64,
    /// How many of them the receiver has, as far as this side knows.
    pub received: u64,
    /// The digest of the whole.
    pub sha256: Digest,
    /// Where it is read or was written, for a file.
    pub path: Option<String>,
    /// How it stands.
    pub standing: Standing,
}

/// Which way a transfer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Away from here.
    Outgoing,
    /// To here.
    Incoming,
}

impl Direction {
    /// The word used in records and views.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outgoing => "outgoing",
            Self::Incoming => "incoming",
        }
    }
}

/// How a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It goes on, or waits.
    Open,
    /// It is complete.
    Done,
    /// It broke.
    Failed(BreakReason),
}

impl Standing {
    /// Why it broke, where it did.
    pub const fn reason(self) -> Option<BreakReason> {
        match self {
            Self::Open | Self::Done => None,
            Self::Failed(reason) => Some(reason),
        }
    }

    /// The word used in records and views.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Failed(_) => "failed",
        }
    }
}
