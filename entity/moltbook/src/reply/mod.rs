//! What came back, and whose fault it is.
//!
//! - [`judge`]: from status and body to an [`Answered`](judge::Answered) or a failure
//! - [`read`]: an [`Answered`](judge::Answered) as what was asked for; unknown fields are named, changed types are errors

pub mod judge;
pub mod read;
#[cfg(test)]
mod tests;

use crate::key::ApiKey;

/// Longest body that is read, in bytes.
pub const BODY_MAX: usize = 1024 * 1024;
/// Longest explanation of the service that goes into an error, in characters.
pub const SAID_MAX: usize = 300;

/// An answer, whole and within its limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `Date`; not taken where the answer came out of a cache.
    pub date: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What came of sending a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// An answer.
    Reply(Reply),
    /// It certainly never reached the service.
    Unsent(Trouble),
    /// It may have reached the service; what it said is lost.
    Lost(Trouble),
    /// The answer was longer than [`BODY_MAX`], or its head longer than heads are.
    TooLarge,
}

/// What is wrong with the way there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No address for the host.
    #[error("the host is not known: no network, or no name service")]
    NoHost,
    /// Nobody listens, or the way is shut.
    #[error("no connection: no network, or the service is down")]
    NoConnection,
    /// The other side cannot show that it is the service.
    #[error("the other side could not show that it is the service (TLS)")]
    Tls,
    /// Nothing came in time.
    #[error("no answer in time")]
    TimedOut,
    /// The connection ended in the midst of it.
    #[error("the connection broke off")]
    Broken,
    /// It was no HTTP.
    #[error("the answer was no HTTP")]
    NoHttp,
}

impl Reply {
    /// The same without the key, should the service have quoted it.
    #[must_use]
    pub fn scrubbed(mut self, key: &ApiKey) -> Self {
        self.body = key.scrub_bytes(&self.body);
        for text in
            [&mut self.location, &mut self.retry_after, &mut self.date].into_iter().flatten()
        {
            *text = key.scrub(text);
        }
        self
    }
}
