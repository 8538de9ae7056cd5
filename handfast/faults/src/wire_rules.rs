//! The engine: messages in, verdicts out, and an account of both.
//!
//! Order of evaluation: rules are asked from the newest to the oldest, and the first one that
//! selects the message decides. Every rule counts the messages it matches, also those another rule
//! decided, so that `nth` and `every` do not depend on the other rules. A rule whose edit does not
//! fit the message (no such field) records a misfire and leaves the decision to the next rule.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::strata::Strata;
use crate::{
    Action, Direction, Edit, EditError, Lifetime, Link, Position, Rule, Selector, Traffic,
};

/// The rules of one wire, in force and spent.
#[derive(Debug, Default)]
pub struct WireRules {
    rules: BTreeMap<RuleId, Laid>,
    held: BTreeMap<HoldId, Effect>,
    next_rule: u64,
    next_hold: u64,
}

impl WireRules {
    /// Rules one wire can have, spent ones included: a scenario lays a handful, a loop in one some
    /// hundreds (guessed).
    pub const RULES_MAX: usize = 4_096;

    /// Effects a report lists one by one; further ones are only counted (guessed).
    pub const EFFECTS_LISTED_MAX: usize = 256;

    /// Messages that may be held at once; above it a hold rule lets messages through as a misfire
    /// (guessed: each held message keeps a connection open).
    pub const HELD_MAX: usize = 1_024;

    /// Starts with no rule: everything passes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lays a rule over those already in force.
    ///
    /// # Errors
    ///
    /// [`RulesFull`] at [`WireRules::RULES_MAX`]; nothing is changed.
    pub fn lay(&mut self, rule: Rule) -> Result<RuleId, RulesFull> {
        if self.rules.len() >= Self::RULES_MAX {
            return Err(RulesFull);
        }
        let id = RuleId(self.next_rule);
        self.next_rule += 1;
        self.rules.insert(id, Laid::new(rule));
        Ok(id)
    }

    /// Takes a rule out of force; its report remains. Lifting twice is harmless.
    pub fn lift(&mut self, id: RuleId) {
        if let Some(laid) = self.rules.get_mut(&id) {
            laid.in_force = false;
        }
    }

    /// Takes every rule out of force; their reports remain.
    pub fn lift_all(&mut self) {
        for laid in self.rules.values_mut() {
            laid.in_force = false;
        }
    }

    /// Decides what happens to one message, and which rule decided.
    pub fn decide(&mut self, message: &Observed<'_>) -> (Verdict, Option<RuleId>) {
        let mut decided = None;
        for (&id, laid) in self.rules.iter_mut().rev() {
            if !laid.in_force || !laid.rule.selector().covers(message) {
                continue;
            }
            laid.matched += 1;
            // Thrown for each message that matches, also where another rule decides: the share does not depend on them.
            let is_its_turn = laid.is_its_turn(message);
            if decided.is_some() || !is_its_turn {
                continue;
            }
            let effect = Effect::of(message);
            match verdict(laid.rule.action(), message, self.next_hold, self.held.len()) {
                Ok(verdict) => {
                    laid.took_effect(effect.clone());
                    if let Verdict::Hold(hold) = verdict {
                        self.next_hold += 1;
                        self.held.insert(hold, effect);
                    }
                    decided = Some((verdict, Some(id)));
                }
                Err(reason) => laid.misfired(Misfire { at: effect, reason }),
            }
        }
        decided.unwrap_or((Verdict::Pass, None))
    }

    /// Forgets a held message because it is released or its wire is gone; `false` if it was not held.
    pub fn released(&mut self, id: HoldId) -> bool {
        self.held.remove(&id).is_some()
    }

    /// The messages held at this moment, oldest first.
    pub fn held(&self) -> impl Iterator<Item = (HoldId, &Effect)> {
        self.held.iter().map(|(&id, effect)| (id, effect))
    }

    /// The edit a rule makes, if it makes one.
    pub fn edit(&self, id: RuleId) -> Option<&Edit> {
        match self.rules.get(&id)?.rule.action() {
            Action::Replace(edit) => Some(edit),
            Action::Pass
            | Action::Drop
            | Action::Duplicate
            | Action::Hold
            | Action::Replay { .. }
            | Action::Cut
            | Action::Respond { .. } => None,
        }
    }

    /// What was asked of each rule and what happened, in the order they were laid.
    pub fn reports(&self) -> Vec<RuleReport> {
        self.rules.iter().map(|(&id, laid)| laid.report(id)).collect()
    }

    /// The rules that never took effect.
    pub fn without_effect(&self) -> Vec<RuleReport> {
        let idle = self.rules.iter().filter(|(_, laid)| laid.effects_total == 0);
        idle.map(|(&id, laid)| laid.report(id)).collect()
    }
}

/// Names a rule of one [`WireRules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(u64);

impl RuleId {
    /// The rule's place in the order they were laid, from 0.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Names a held message of one [`WireRules`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(u64);

impl HoldId {
    /// The hold's place in the order of holds, from 0.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// A message as a driver shows it to the rules.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The link of the exchange.
    pub link: &'a Link,
    /// Whether this is the request or its answer.
    pub direction: Direction,
    /// Index of the exchange among the link's messages, the first being 1; `None` for a request
    /// that carries no message and for its answer.
    pub index: Option<u64>,
    /// The message type, if the request has one.
    pub kind: Option<&'a str>,
    /// The body as it came.
    pub body: &'a [u8],
}

/// What the driver must do with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Deliver it unchanged.
    Pass,
    /// Swallow it and close the connection it came on.
    Drop,
    /// Deliver it twice, return the first answer.
    Duplicate,
    /// Keep it until this hold is released.
    Hold(HoldId),
    /// Reset the connection it came on.
    Cut,
    /// Deliver this body in its place.
    Replace(Vec<u8>),
    /// Deliver it, then the recorded request with this index of the same link.
    Replay {
        /// Index in the recording of the link, the first being 1.
        index: u64,
    },
    /// Give the asker this answer, and the other side nothing more.
    Respond {
        /// The status of HTTP.
        status: u16,
        /// The body.
        body: Vec<u8>,
    },
}

/// A rule took effect on this message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The link of the exchange.
    pub link: Link,
    /// Request or response.
    pub direction: Direction,
    /// Index of the exchange, if it carries a message.
    pub index: Option<u64>,
    /// The message type.
    pub kind: Option<String>,
}

impl Effect {
    fn of(message: &Observed<'_>) -> Self {
        Self {
            link: message.link.clone(),
            direction: message.direction,
            index: message.index,
            kind: message.kind.map(str::to_owned),
        }
    }
}

/// A rule selected a message but could not act on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfire {
    /// The message.
    pub at: Effect,
    /// Why the rule could not act.
    pub reason: MisfireReason,
}

/// Why a rule could not act on a message it selected.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum MisfireReason {
    /// The change does not fit the body.
    #[error("the change does not fit the body")]
    Edit(#[source] EditError),
    /// [`WireRules::HELD_MAX`] messages are held already.
    #[error("{} messages are held already", WireRules::HELD_MAX)]
    HeldFull,
}

/// What was asked of a rule and what happened.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleReport {
    /// The rule's name.
    pub id: RuleId,
    /// The rule as it was laid.
    pub rule: Rule,
    /// Messages that matched all of the selector but its position, while in force.
    pub matched: u64,
    /// Times the rule decided a message.
    pub effects_total: u64,
    /// The first [`WireRules::EFFECTS_LISTED_MAX`] of them.
    pub effects: Vec<Effect>,
    /// Times the rule selected a message but could not act.
    pub misfires_total: u64,
    /// The last of these.
    pub last_misfire: Option<Misfire>,
}

/// [`WireRules::RULES_MAX`] rules are laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{} rules are laid on this wire, no more fit", WireRules::RULES_MAX)]
pub struct RulesFull;

impl Selector {
    /// Whether all conditions but the position hold.
    fn covers(&self, message: &Observed<'_>) -> bool {
        let is = |wanted: &Option<String>, actual: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == actual)
        };
        let carried = match self.traffic {
            Traffic::Everything => true,
            Traffic::Messages => message.index.is_some(),
        };
        carried
            && self.direction == message.direction
            && is(&self.from, &message.link.from)
            && is(&self.to, &message.link.to)
            && self.kind.as_deref().is_none_or(|wanted| Some(wanted) == message.kind)
    }
}

#[derive(Debug)]
struct Laid {
    rule: Rule,
    /// For a share.
    strata: Option<Strata>,
    in_force: bool,
    matched: u64,
    effects_total: u64,
    effects: Vec<Effect>,
    misfires_total: u64,
    last_misfire: Option<Misfire>,
}

impl Laid {
    fn new(rule: Rule) -> Self {
        let strata = match rule.selector().position {
            Position::Share { chance, seed } => Some(Strata::new(chance, seed)),
            Position::Any | Position::Nth(_) | Position::Every(_) | Position::Index(_) => None,
        };
        Self {
            rule,
            strata,
            in_force: true,
            matched: 0,
            effects_total: 0,
            effects: Vec::new(),
            misfires_total: 0,
            last_misfire: None,
        }
    }

    fn took_effect(&mut self, effect: Effect) {
        self.effects_total += 1;
        if self.effects.len() < WireRules::EFFECTS_LISTED_MAX {
            self.effects.push(effect);
        }
        if self.rule.lifetime() == Lifetime::Once {
            self.in_force = false;
        }
    }

    fn misfired(&mut self, misfire: Misfire) {
        self.misfires_total += 1;
        self.last_misfire = Some(misfire);
    }

    /// Whether the position of the rule names this message; `matched` counts it already.
    fn is_its_turn(&mut self, message: &Observed<'_>) -> bool {
        match self.rule.selector().position {
            Position::Any => true,
            Position::Nth(n) => self.matched == n.get(),
            Position::Every(n) => self.matched.is_multiple_of(n.get()),
            Position::Index(index) => message.index == Some(index),
            Position::Share { .. } => self.strata.as_mut().is_some_and(Strata::meets_next),
        }
    }

    fn report(&self, id: RuleId) -> RuleReport {
        RuleReport {
            id,
            rule: self.rule.clone(),
            matched: self.matched,
            effects_total: self.effects_total,
            effects: self.effects.clone(),
            misfires_total: self.misfires_total,
            last_misfire: self.last_misfire.clone(),
        }
    }
}

fn verdict(
    action: &Action,
    message: &Observed<'_>,
    next_hold: u64,
    held: usize,
) -> Result<Verdict, MisfireReason> {
    Ok(match action {
        Action::Pass => Verdict::Pass,
        Action::Drop => Verdict::Drop,
        Action::Duplicate => Verdict::Duplicate,
        Action::Hold if held >= WireRules::HELD_MAX => return Err(MisfireReason::HeldFull),
        Action::Hold => Verdict::Hold(HoldId(next_hold)),
        Action::Replay { index } => Verdict::Replay { index: *index },
        Action::Cut => Verdict::Cut,
        Action::Replace(edit) => {
            Verdict::Replace(edit.apply(message.body).map_err(MisfireReason::Edit)?)
        }
        Action::Respond { status, body } => {
            Verdict::Respond { status: *status, body: body.clone() }
        }
    })
}

#[cfg(test)]
#[path = "wire_rules_tests.rs"]
mod tests;
