//! Why a call failed, sorted by who can do something about it.

use std::time::Duration;

use crate::budget::limits::Span;
use crate::budget::{Denied, Kind};
use crate::inbound::Untrusted;
use crate::reply::judge::{Answered, Refusal, Why};
use crate::reply::read::Changed;
use crate::reply::{BODY_MAX, Trouble};

/// What a call ended with.
pub type Outcome = Result<Answered, Failure>;

/// Why a call failed, sorted by who can do something about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Not sent: the budget, a pause or the challenges stand against it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The service says no.
    #[error("the service refused{}", said(.0))]
    Refused(Refusal),
    /// The service wants it later than the caller can wait.
    #[error("the service limits the rate: not before {}", Span(*wait))]
    RateLimited {
        /// Of what.
        kind: Kind,
        /// How long.
        wait: Duration,
    },
    /// No way to the service.
    #[error("the service was not reached in {attempts} attempts: {trouble}")]
    Unreachable {
        /// What was in the way last.
        trouble: Trouble,
        /// How often it was tried.
        attempts: u8,
    },
    /// A write may or may not have been done. Look before doing it again.
    #[error("it is not known whether this was done: {0}; look before you do it again")]
    Unsure(Doubt),
    /// The service is in trouble.
    #[error("the service answers with status {status}, {attempts} times")]
    Unavailable {
        /// Its last status.
        status: u16,
        /// How often it was asked.
        attempts: u8,
    },
    /// The service sends us to another place. The key does not go there.
    #[error("the service sends us to {}; no redirect is followed, because the key would go along", .0.shown_on_a_line())]
    Redirected(Untrusted),
    /// The answer was too long.
    #[error("the answer is longer than {} bytes", BODY_MAX)]
    TooLarge,
    /// The answer is none that the service is known to give.
    #[error("the answer cannot be read: {0}")]
    Incompatible(Strange),
}

/// Why nobody knows whether a write was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The answer was lost.
    #[error("{0}")]
    Lost(Trouble),
    /// The service is in trouble.
    #[error("status {0}")]
    Status(u16),
    /// There was an answer, and it cannot be read.
    #[error("the answer was too long")]
    TooLarge,
    /// There was an answer, and it cannot be read.
    #[error("{0}")]
    Strange(Strange),
}

/// What is strange about an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Strange {
    /// Not a JSON object.
    #[error("it is no JSON object")]
    NoJson,
    /// A status that is not documented.
    #[error("status {0} is not documented")]
    Status(u16),
    /// A field is not what it should be.
    #[error(transparent)]
    Changed(#[from] Changed),
}

fn said(refusal: &Refusal) -> String {
    let word = match refusal.why {
        Why::Authentication => ": the key is not valid",
        Why::Forbidden => ": the account may not do this",
        Why::NotFound => ": there is no such thing",
        Why::Conflict => ": it was done before",
        Why::Gone => ": it is too late",
        Why::Invalid => ": what was sent is not right",
    };
    let mut text = format!(" (status {}){word}", refusal.status);
    for part in [&refusal.said, &refusal.hint].into_iter().flatten() {
        text.push_str("; it says: ");
        text.push_str(&part.shown_on_a_line());
    }
    text
}
