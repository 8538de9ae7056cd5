//! What goes into a relay and comes out.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use entity_crypto::signing::PublicKey;
use entity_journal::Batch;
use entity_wire::relay::{Control, Header};

use crate::route::ConnectionId;

/// The bounds of a relay.
///
/// Source: `docs/protocol/1.1.md#relay-mail`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Mail of one recipient.
    pub recipient: Quota,
    /// Mail of one sender.
    pub sender: Quota,
    /// Mail in all.
    pub total: Quota,
    /// How long mail is kept.
    pub mail_lifetime: Duration,
    /// How long a recipient may take to answer itself.
    pub answer_timeout: Duration,
    /// Members that are registered.
    pub members_max: usize,
    /// Messages that are handed on live, each until its sending has ended; a further one is kept as mail.
    pub under_way: Quota,
    /// How many further relays are asked, in order.
    pub relays: usize,
}

/// How much mail there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Messages.
    pub messages: usize,
    /// Bytes, with their headers.
    pub bytes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            recipient: Quota { messages: 4_096, bytes: 16 << 20 },
            sender: Quota { messages: 4_096, bytes: 16 << 20 },
            total: Quota { messages: 65_536, bytes: 256 << 20 },
            mail_lifetime: Duration::from_hours(24),
            answer_timeout: Duration::from_secs(5),
            members_max: 16_384,
            // Guessed: as much as half of what mail in all may take.
            under_way: Quota { messages: 8_192, bytes: 128 << 20 },
            relays: 0,
        }
    }
}

/// Who brought a message, as far as that is known without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sender {
    /// The member that is registered on its connection.
    Member(PublicKey),
    /// A host; of IPv6 its first 64 bits count.
    Host(IpAddr),
}

impl Sender {
    /// The host at an address.
    pub fn host(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::Host(address.into()),
            IpAddr::V6(address) => {
                let mut segments = address.segments();
                segments[4..].fill(0);
                Self::Host(IpAddr::from(segments))
            }
        }
    }
}

/// A message for somebody.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What stands before it.
    pub header: Header,
    /// The message, untouched from here on.
    pub message: Bytes,
    /// The connection that it came by.
    pub connection: Option<ConnectionId>,
    /// Where it came from.
    pub host: IpAddr,
    /// The HTTP base of the recipient in the roster of this node, if it is there. One that is a mailbox of a relay counts as none.
    pub base: Option<String>,
}

/// Names a message that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Names one attempt to hand a message on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub u64);

/// Where a message is handed on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// As a forward over this connection.
    Connection(ConnectionId),
    /// By HTTP to this base, without its header.
    Http(String),
    /// As a forward to a further relay, by its place in the configuration.
    Relay(usize),
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There was an answer.
    Answered(Answer),
    /// There was none.
    Failed,
}

/// An answer to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// As of HTTP.
    pub status: u16,
    /// Its body.
    pub body: Bytes,
}

/// One thing to do, in order.
#[derive(Debug, Clone)]
pub enum Output {
    /// Keep this; answers that say [`Output::Answer::rests_on_disk`] wait for it.
    Persist(Batch),
    /// Send a control object.
    Control {
        /// Over this connection.
        connection: ConnectionId,
        /// What.
        control: Control,
    },
    /// Hand a message on, and report with [`super::Relay::handle_outcome`] once nothing of it is held any more: always, also where it
    /// took too long.
    Send {
        /// Names the attempt.
        attempt: AttemptId,
        /// Where to.
        way: Way,
        /// What stands before it.
        header: Header,
        /// The message.
        message: Bytes,
    },
    /// Answer whoever brought a message.
    Answer {
        /// Which.
        ticket: Ticket,
        /// What.
        answer: Answer,
        /// Whether everything before has to be durable first.
        rests_on_disk: bool,
    },
}
