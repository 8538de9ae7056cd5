//! WebSockets between peers: one connection carries messages both ways, in order, and their answers
//! (`docs/protocol/1.1.md#websocket`).
//!
//! ```text
//! limits      every figure that bounds a connection, with its reason
//! message     what goes over it, and the answers
//! connection  the handle: queues what is to be sent, within bounds
//! link        the task of a connection: reads, answers, writes, keeps it alive
//! accounts    which of the messages sent are answered
//! settling    which of the messages received may be answered
//! meter       how much of an unfinished message a connection holds
//! client      dials
//! server      takes an upgrade of the HTTP server
//! ```
//!
//! A connection is one task. It takes what has arrived as one batch to the [`Receiver`], which answers without waiting, and
//! writes what others have queued; no message costs a task or a channel of its own.

mod accounts;
mod client;
mod connection;
mod limits;
mod link;
mod message;
mod meter;
mod server;
mod settling;

pub use client::{ConnectFailure, connect};
pub use connection::{Connection, ConnectionId, Full, Side};
pub use limits::SocketLimits;
pub use message::{
    Answers, Broken, Incoming, InvalidText, Outcome, Outgoing, Passage, Receiver, Settled, Verdict,
};
pub(crate) use server::{NotUpgraded, Sockets, upgrade};
