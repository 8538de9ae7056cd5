//! What goes over a connection, and the answers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::connection::Connection;
use crate::http::Answer;

/// One message to send that is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing(Message);

/// A text that is no UTF-8, which a text message has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a text message that is no UTF-8")]
pub struct InvalidText;

impl Outgoing {
    /// An envelope, byte for byte.
    ///
    /// # Errors
    ///
    /// [`InvalidText`].
    pub fn text(envelope: Bytes) -> Result<Self, InvalidText> {
        Utf8Bytes::try_from(envelope).map(|text| Self(Message::Text(text))).map_err(|_| InvalidText)
    }

    /// A frame or a forwarded message, byte for byte.
    pub fn binary(message: Bytes) -> Self {
        Self(Message::Binary(message))
    }

    /// How long it is, in bytes.
    pub fn len_bytes(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn into_message(self) -> Message {
        self.0
    }
}

/// One message that came and wants an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// An envelope.
    Text(Bytes),
    /// A frame, a forwarded message, or something unknown: its first byte says which.
    Binary(Bytes),
}

/// What becomes of one message that came.
pub enum Verdict {
    /// As status 200 of HTTP.
    Accepted,
    /// As any other status of HTTP; one of 200 accepts.
    Refused(Answer),
    /// It is known later; answers to later messages wait meanwhile.
    Later(Pin<Box<dyn Future<Output = Answer> + Send>>),
}

impl fmt::Debug for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => formatter.write_str("Accepted"),
            Self::Refused(answer) => formatter.debug_tuple("Refused").field(answer).finish(),
            Self::Later(_) => formatter.write_str("Later(..)"),
        }
    }
}

/// Says, when it ends, whether the answers may be told.
pub type Passage = Pin<Box<dyn Future<Output = Settled> + Send>>;

/// How a [`Passage`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The answers hold.
    Kept,
    /// What they say may be forgotten: every message is answered 503.
    Lost,
}

/// The answers to a batch.
#[derive(Default)]
pub struct Answers {
    /// One a message, in their order. A message without one is answered 503.
    pub verdicts: Vec<Verdict>,
    /// What all of them wait for.
    pub rests_on: Option<Passage>,
}

impl fmt::Debug for Answers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rests = self.rests_on.is_some();
        formatter
            .debug_struct("Answers")
            .field("verdicts", &self.verdicts)
            .field("rests_on", &rests)
            .finish()
    }
}

/// What became of one message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side answered. The body of an acceptance is empty.
    Answered(Answer),
    /// Its time ran out. It may have been handled.
    TimedOut,
    /// The connection ended before. It may have been handled.
    Broken,
}

/// The connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed")]
pub struct Broken;

/// Takes what comes over connections. It runs inside the task of a connection and must not block on anything but short locks
/// and its own computation.
pub trait Receiver: Send + Sync + 'static {
    /// A connection is open. Nothing of it was received yet.
    fn opened(&self, connection: &Connection);

    /// Takes messages in the order of their arrival.
    fn receive(&self, connection: &Connection, batch: Vec<Incoming>) -> Answers;

    /// Takes an object about the connection itself, UTF-8 JSON without the byte before it. It is not answered.
    fn control(&self, connection: &Connection, object: Bytes);

    /// Takes what became of messages that were sent, by their tickets.
    fn outcomes(&self, connection: &Connection, outcomes: Vec<(u64, Outcome)>);

    /// A connection has ended; every message that was sent over it has had its outcome.
    fn closed(&self, connection: &Connection);
}
