//! One exchange on the wire: a request, its answer, and what the tap did.

use handfast_faults::{Direction, Link, RuleId};

use crate::tap::body::Body;
use crate::tap::wire::Request;

/// A request that went through the tap, and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Who asked whom.
    pub link: Link,
    /// Number of the message on its link, from 1; `None` for a request that carries no message. A
    /// duplicate or replay keeps the number of its original.
    pub index: Option<u64>,
    /// Method and path, such as `POST /message`.
    pub target: String,
    /// The message type, where the request has one.
    pub kind: Option<String>,
    /// When the request was complete, in microseconds since the run started.
    pub began_us: u64,
    /// The request body as `from` sent it.
    pub request: Body,
    /// The request body that was sent to `to`; `None` if none was.
    pub delivered: Option<Body>,
    /// The answer of `to`, if one came.
    pub answer: Option<Answer>,
    /// The answer that `from` was given; `None` if none was.
    pub returned: Option<Answer>,
    /// What the tap did.
    pub fate: Fate,
    /// The rule that decided it, if one did.
    pub rule: Option<RuleId>,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// The body.
    pub body: Body,
}

/// What the tap did with an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Passed on untouched.
    Passed,
    /// This half was swallowed.
    Dropped(Direction),
    /// This is the second delivery of a request; its answer went to nobody.
    Duplicated,
    /// This half was kept back and passed on when released.
    Held {
        /// Which half.
        direction: Direction,
        /// For how long, in microseconds.
        for_us: u64,
    },
    /// This half was kept back and never released.
    Withheld(Direction),
    /// This is a recorded request sent again; its answer went to nobody on the wire.
    Replayed,
    /// The connection was reset in place of this half.
    Cut(Direction),
    /// This half was changed.
    Replaced {
        /// Which half.
        direction: Direction,
        /// The field or byte that was changed, such as `payload.sealed`.
        what: String,
    },
    /// The tap gave an answer of its own in place of this half: in place of the request, `to` saw nothing.
    Responded(Direction),
    /// The other side could not be reached, or gave no answer.
    Unreachable {
        /// Why.
        reason: String,
    },
}

impl Exchange {
    /// Begins the record of a request that was just taken in.
    pub(crate) fn new(
        link: Link,
        index: Option<u64>,
        kind: Option<String>,
        began_us: u64,
        request: &Request,
    ) -> Self {
        Self {
            link,
            index,
            target: format!("{} {}", request.head.method, request.head.uri),
            kind,
            began_us,
            request: request.body.clone().into(),
            delivered: None,
            answer: None,
            returned: None,
            fate: Fate::Passed,
            rule: None,
        }
    }

    /// About how much memory the record keeps, in bytes; a body that passed unchanged is there once.
    pub(crate) fn size_bytes(&self) -> usize {
        let mut counted: Vec<*const u8> = Vec::new();
        let sizes = self.bodies().map(|body| {
            let begin = body.kept().as_ptr();
            let is_new = !counted.contains(&begin);
            counted.push(begin);
            if is_new { body.kept().len() } else { 0 }
        });
        sizes.sum()
    }

    /// Keeps only the beginning of each body.
    pub(crate) fn cut_bodies(&mut self, max: usize) {
        self.request.cut(max);
        self.delivered.iter_mut().for_each(|body| body.cut(max));
        let answers = [&mut self.answer, &mut self.returned];
        answers.into_iter().flatten().for_each(|answer| answer.body.cut(max));
    }

    fn bodies(&self) -> impl Iterator<Item = &Body> {
        let answers = [&self.answer, &self.returned].into_iter().flatten();
        let answers = answers.map(|answer| &answer.body);
        [&self.request].into_iter().chain(&self.delivered).chain(answers)
    }
}
