//! How much of what in which window.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Every request, whatever for.
    Request,
    /// Posts made.
    Post,
    /// Comments made.
    Comment,
    /// Answers to challenges.
    Answer,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Post => "post",
            Self::Comment => "comment",
            Self::Answer => "answer",
        })
    }
}

/// At most `count` of `kind` in any stretch of `window`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Of what.
    pub kind: Kind,
    /// How many.
    pub count: u16,
    /// In which time.
    pub window: Duration,
}

/// How long an account is known; the service trusts those of the first day with less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// For less than a day, or nobody knows for how long.
    New,
    /// For longer, or its owner says so.
    Established,
}

/// How long an account is new.
pub const NEW_FOR: Duration = Duration::from_hours(24);

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

const REQUESTS: Limit = Limit { kind: Kind::Request, count: 100, window: MINUTE };
/// The service allows 30 a minute, against guessing. Nobody here guesses.
const ANSWERS: Limit = Limit { kind: Kind::Answer, count: 6, window: MINUTE };

const ESTABLISHED: &[Limit] = &[
    REQUESTS,
    Limit { kind: Kind::Post, count: 1, window: Duration::from_mins(30) },
    Limit { kind: Kind::Comment, count: 1, window: Duration::from_secs(20) },
    Limit { kind: Kind::Comment, count: 50, window: DAY },
    ANSWERS,
];

const NEW: &[Limit] = &[
    REQUESTS,
    Limit { kind: Kind::Post, count: 1, window: Duration::from_hours(2) },
    Limit { kind: Kind::Comment, count: 1, window: MINUTE },
    Limit { kind: Kind::Comment, count: 20, window: DAY },
    ANSWERS,
];

impl Standing {
    /// The service's limits, and our own for answers.
    pub fn limits(self) -> &'static [Limit] {
        match self {
            Self::New => NEW,
            Self::Established => ESTABLISHED,
        }
    }
}

impl Limit {
    /// How long one spend is in the way: the window, and a little for two clocks that do not run alike: 2 s, or a 5,000th part.
    pub fn occupies(&self) -> Duration {
        self.window + (self.window / 5_000).max(Duration::from_secs(2))
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {}{plural} in {}", self.count, self.kind, Span(self.window))
    }
}

/// The longest time for which a spend of `kind` can be in the way, in either standing.
pub fn longest(kind: Kind) -> Duration {
    let all = ESTABLISHED.iter().chain(NEW).filter(|limit| limit.kind == kind);
    all.map(Limit::occupies).max().unwrap_or_default()
}

/// A length of time for people: `20 s`, `30 min`, `121 min`, `2 h`, rounded up.
#[derive(Debug, Clone, Copy)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0);
        match seconds {
            0..=119 => write!(f, "{seconds} s"),
            120..36_000 if seconds < 7_200 || !seconds.is_multiple_of(3_600) => {
                write!(f, "{} min", seconds.div_ceil(60))
            }
            _ => write!(f, "{} h", seconds.div_ceil(3_600)),
        }
    }
}
