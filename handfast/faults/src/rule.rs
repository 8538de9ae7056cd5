//! One rule: which messages it is for, how often, and what it does.

use std::num::NonZeroU64;
use std::ops::RangeInclusive;

use thiserror::Error;

use crate::{Chance, Direction, Edit, Link};

/// A validated rule of the wire.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    selector: Selector,
    lifetime: Lifetime,
    action: Action,
}

impl Rule {
    /// Joins a selector and an action.
    ///
    /// # Errors
    ///
    /// [`InvalidRule`] where the action has no meaning for what the selector selects, or the rule
    /// could never act twice though it is standing.
    pub fn new(
        selector: Selector,
        lifetime: Lifetime,
        action: Action,
    ) -> Result<Self, InvalidRule> {
        if selector.direction == Direction::Response {
            match action {
                Action::Duplicate => return Err(InvalidRule::DuplicateResponse),
                Action::Replay { .. } => return Err(InvalidRule::ReplayOnResponse),
                Action::Pass
                | Action::Drop
                | Action::Hold
                | Action::Cut
                | Action::Replace(_)
                | Action::Respond { .. } => {}
            }
        }
        if let Action::Respond { status, .. } = action
            && !FINAL_STATUSES.contains(&status)
        {
            return Err(InvalidRule::StatusOfNoAnswer { status });
        }
        let single = matches!(selector.position, Position::Nth(_) | Position::Index(_));
        if single && lifetime == Lifetime::Standing {
            return Err(InvalidRule::StandingButSingle);
        }
        if selector.traffic == Traffic::Everything
            && matches!(selector.position, Position::Index(_))
        {
            return Err(InvalidRule::IndexOfEverything);
        }
        Ok(Self { selector, lifetime, action })
    }

    /// Which messages the rule is for.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// How often it acts.
    pub fn lifetime(&self) -> Lifetime {
        self.lifetime
    }

    /// What it does.
    pub fn action(&self) -> &Action {
        &self.action
    }
}

/// Which messages a rule is for; every condition must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The sending role of the link; any role if `None`.
    pub from: Option<String>,
    /// The receiving role of the link; any role if `None`.
    pub to: Option<String>,
    /// Requests or responses.
    pub direction: Direction,
    /// The message type; any type if `None`. A response has the type of its request.
    pub kind: Option<String>,
    /// Which of the matching messages.
    pub position: Position,
    /// Whether requests that carry no message (health checks, getters) are meant too.
    pub traffic: Traffic,
}

impl Selector {
    /// Selects every request on `link`, message by message.
    pub fn on(link: &Link) -> Self {
        Self {
            from: Some(link.from.clone()),
            to: Some(link.to.clone()),
            direction: Direction::Request,
            kind: None,
            position: Position::Any,
            traffic: Traffic::Messages,
        }
    }

    /// Selects only messages of this type.
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kind = Some(kind.into());
        self
    }

    /// Selects answers, not requests.
    #[must_use]
    pub fn responses(mut self) -> Self {
        self.direction = Direction::Response;
        self
    }

    /// Selects by position among the messages that match the rest.
    #[must_use]
    pub fn position(mut self, position: Position) -> Self {
        self.position = position;
        self
    }

    /// Selects requests that carry no message, too.
    #[must_use]
    pub fn everything(mut self) -> Self {
        self.traffic = Traffic::Everything;
        self
    }
}

/// Which of the messages that match the rest of a [`Selector`] is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Each of them; with [`Lifetime::Once`] that is the next one.
    Any,
    /// The n-th after the rule was laid, the next one being 1.
    Nth(NonZeroU64),
    /// Each n-th after the rule was laid.
    Every(NonZeroU64),
    /// The message with this index in the recording of its link, the first being 1.
    Index(u64),
    /// This share of them, one in each stretch (of each ten, one for a tenth); which ones follows from the seed.
    Share {
        /// How often.
        chance: Chance,
        /// What the throws follow from.
        seed: u64,
    },
}

/// How often a rule acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// On the first selected message; afterwards the rule is spent.
    Once,
    /// On every selected message until the rule is lifted.
    Standing,
}

/// What counts as a message for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Only requests that carry a protocol message, and their answers.
    Messages,
    /// Any request and its answer, as a broken link would hit them.
    Everything,
}

/// The statuses that end an exchange of HTTP (RFC 9110, section 15); below them are interim answers.
const FINAL_STATUSES: RangeInclusive<u16> = 200..=599;

/// What a rule does to a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Let it through: shields a message from the rules laid before this one.
    Pass,
    /// Swallow it; the connection it came on is closed.
    Drop,
    /// Deliver a request twice; the first answer is returned.
    Duplicate,
    /// Keep it until it is released.
    Hold,
    /// Deliver a request, and after it the recorded request with this index of the same link.
    Replay {
        /// Index in the recording of the link, the first being 1.
        index: u64,
    },
    /// Reset the connection it came on.
    Cut,
    /// Deliver a changed body.
    Replace(Edit),
    /// Give the asker this answer: to a request in place of delivering it, to an answer in its place.
    Respond {
        /// The status of HTTP, 200 to 599.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
}

impl Action {
    /// The word a report uses for this action.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Hold => "hold",
            Self::Replay { .. } => "replay",
            Self::Cut => "cut",
            Self::Replace(_) => "replace",
            Self::Respond { .. } => "respond",
        }
    }
}

/// Why a selector and an action do not make a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidRule {
    /// HTTP allows one answer to a request.
    #[error("an answer cannot be duplicated")]
    DuplicateResponse,
    /// A recorded request cannot be sent to the side that asked.
    #[error("a request cannot be replayed when an answer passes")]
    ReplayOnResponse,
    /// The position names one message, so the rule could act only once.
    #[error("a standing rule cannot be for a single message")]
    StandingButSingle,
    /// An exchange ends with a status from 200 to 599.
    #[error("no answer has the status {status}")]
    StatusOfNoAnswer {
        /// The status.
        status: u16,
    },
    /// Only messages are numbered.
    #[error("requests that carry no message have no index")]
    IndexOfEverything,
}
