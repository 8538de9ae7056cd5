//! The recording proxy in virtual time: the rules that steps lay on messages, and the messages that they keep.
//!
//! It stands beside whoever asks: a request meets the rules before its link, an answer behind it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use handfast_faults::wire_rules::RulesFull;
use handfast_faults::{
    Direction, FieldPath, HoldId, Link, Observed, Rule, RuleId, Verdict, WireRules, text_of,
};
use handfast_scenario::event::{Half, WireTaken};

use crate::network::Exchange;

/// The rules of a scenario and what they keep.
#[derive(Debug, Default)]
pub(super) struct Tap {
    rules: WireRules,
    laid: Vec<Laid>,
    held: BTreeMap<HoldId, Held>,
}

/// A rule that a step has laid.
#[derive(Debug)]
struct Laid {
    id: RuleId,
    link: Link,
    title: String,
}

/// A request that a rule keeps.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) exchange: Exchange,
    pub(super) to: usize,
    pub(super) body: Bytes,
    pub(super) since: Duration,
    link: Link,
}

/// What becomes of a message at the proxy.
#[derive(Debug)]
pub(super) enum Fate {
    /// It goes on; changed, if something else is delivered.
    Passes(Option<Bytes>),
    /// It is kept until it is released.
    Held(HoldId),
    /// Its connection is closed or reset.
    Broken,
    /// Its asker gets this answer.
    Answered(u16, Bytes),
}

impl Tap {
    /// Lays a rule over those in force; `title` says which step it is.
    pub(super) fn lay(&mut self, rule: Rule, link: Link, title: String) -> Result<(), RulesFull> {
        let id = self.rules.lay(rule)?;
        self.laid.push(Laid { id, link, title });
        Ok(())
    }

    /// How many rules steps have laid.
    pub(super) fn laid(&self) -> usize {
        self.laid.len()
    }

    /// Takes the rules of a direction out of force; what they keep stays kept.
    pub(super) fn lift(&mut self, link: &Link) {
        for laid in self.laid.iter().filter(|laid| laid.link == *link) {
            self.rules.lift(laid.id);
        }
    }

    /// What becomes of a message, and what the record says of it. `number` is that of its exchange on this link.
    pub(super) fn judge(
        &mut self,
        (link, direction): (&Link, Direction),
        number: u64,
        (request, body): (&Bytes, &Bytes),
    ) -> (Fate, WireTaken) {
        let kind = text_of(request, &FieldPath::key("msg_type"));
        let (kind, index) = (kind.as_deref(), Some(number));
        let observed = Observed { link, direction, index, kind, body };
        let (verdict, rule) = self.rules.decide(&observed);
        let half = match direction {
            Direction::Request => Half::Request,
            Direction::Response => Half::Response,
        };
        match verdict {
            // Copies are refused before a run begins.
            Verdict::Pass | Verdict::Duplicate | Verdict::Replay { .. } => {
                (Fate::Passes(None), WireTaken::Passed)
            }
            Verdict::Drop => (Fate::Broken, WireTaken::Dropped { half }),
            Verdict::Cut => (Fate::Broken, WireTaken::Cut { half }),
            Verdict::Hold(id) => (Fate::Held(id), WireTaken::Passed),
            Verdict::Replace(changed) => {
                let edit = rule.and_then(|rule| self.rules.edit(rule));
                let what = edit.map(ToString::to_string).unwrap_or_default();
                (Fate::Passes(Some(changed.into())), WireTaken::Replaced { half, what })
            }
            Verdict::Respond { status, body } => {
                (Fate::Answered(status, body.into()), WireTaken::Responded { half })
            }
        }
    }

    /// Keeps a request.
    pub(super) fn hold(
        &mut self,
        id: HoldId,
        link: Link,
        (exchange, to, body): (Exchange, usize, Bytes),
        since: Duration,
    ) {
        self.held.insert(id, Held { exchange, to, body, since, link });
    }

    /// The requests of a direction that are kept, the first first.
    pub(super) fn held_on(&self, link: &Link) -> Vec<HoldId> {
        let held = self.held.iter().filter(|(_, held)| held.link == *link);
        held.map(|(id, _)| *id).collect()
    }

    /// Whether the request of an exchange is kept.
    pub(super) fn is_held(&self, exchange: &Exchange) -> bool {
        self.held.values().any(|held| held.exchange == *exchange)
    }

    /// Keeps a request no longer.
    pub(super) fn release(&mut self, id: HoldId) -> Option<Held> {
        self.rules.released(id);
        self.held.remove(&id)
    }

    /// A rule that never did anything: a step that was meant to disturb and did not.
    pub(super) fn without_effect(&self) -> Option<String> {
        let idle = self.rules.without_effect().into_iter().next()?;
        let laid = self.laid.iter().find(|laid| laid.id == idle.id)?;
        let why = match &idle.last_misfire {
            Some(misfire) => format!("it matched but could not act: {}", misfire.reason),
            None if idle.matched > 0 => {
                format!("{} messages matched, none was its turn", idle.matched)
            }
            None => "no message matched".to_owned(),
        };
        Some(format!("{}: {why}", laid.title))
    }
}
