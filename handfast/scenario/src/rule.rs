//! Rules of the wire and disturbances as a file has them, filled in: what drivers of every kind lay and do.

use std::num::NonZeroU64;

use handfast_faults::{
    Action, ByteChange, ByteOffset, Chance, Cue, Disturbance, Edit, FieldChange, FieldPath,
    InvalidPath, InvalidRule, JsonText, Lifetime, Link, Position, Rule, Selector, When,
};
use serde_json::Value;
use thiserror::Error;

use crate::event::Half;
use crate::name::RoleName;
use crate::step::{Change, Select, WireAction, WireRule};
use crate::template::{Bindings, Template, TemplateError};

/// Why a step is no rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    /// It cannot be filled in.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The first message has the number 1.
    #[error("messages are counted from 1")]
    NoNumber,
    /// It names a field in a way that is none.
    #[error("{text:?} is not a field: {error}")]
    Field {
        /// The field.
        text: String,
        /// What is wrong with it.
        error: InvalidPath,
    },
    /// The action does not fit what is selected.
    #[error("the rule has no meaning: {0}")]
    Meaning(#[from] InvalidRule),
}

impl WireRule {
    /// The direction that it is for.
    pub fn link(&self) -> Link {
        link(&self.from, &self.to)
    }

    /// The rule that it lays at this moment; which messages are in its share follows from `seed`.
    ///
    /// # Errors
    ///
    /// [`RuleError`].
    pub fn rule(&self, seed: u64, bindings: &mut Bindings) -> Result<Rule, RuleError> {
        let (position, lifetime) = match self.select {
            Select::Nth(nth) => {
                let nth = NonZeroU64::new(nth).ok_or(RuleError::NoNumber)?;
                (Position::Nth(nth), Lifetime::Once)
            }
            Select::Every => (Position::Any, Lifetime::Standing),
            Select::Share { per_mille } => {
                let chance = Chance::per_mille(per_mille);
                (Position::Share { chance, seed }, Lifetime::Standing)
            }
        };
        let mut selector = Selector::on(&self.link()).position(position);
        if let Some(kind) = message_type(self.message_type.as_deref(), bindings)? {
            selector = selector.kind(kind);
        }
        if self.half == Half::Response {
            selector = selector.responses();
        }
        Ok(Rule::new(selector, lifetime, action(&self.action, bindings)?)?)
    }
}

/// The direction from one role to another.
pub fn link(from: &RoleName, to: &RoleName) -> Link {
    Link::new(from.as_str(), to.as_str())
}

/// The type that a step names; like every text of a scenario it may have holes.
///
/// # Errors
///
/// A hole that cannot be filled.
pub fn message_type(
    text: Option<&str>,
    bindings: &mut Bindings,
) -> Result<Option<String>, TemplateError> {
    let Some(text) = text else { return Ok(None) };
    let filled = Template::new(Value::from(text))?.resolve(bindings)?;
    Ok(Some(filled.as_str().map_or_else(|| filled.to_string(), str::to_owned)))
}

/// A disturbance with the holes of its cue filled.
///
/// # Errors
///
/// A hole that cannot be filled.
pub fn filled(
    disturbance: &Disturbance,
    bindings: &mut Bindings,
) -> Result<Disturbance, TemplateError> {
    let mut disturbance = disturbance.clone();
    if let When::On { cue: Cue::Notification { includes: Some(like), .. }, .. } =
        &mut disturbance.when
    {
        *like = Template::new(like.take())?.resolve(bindings)?;
    }
    Ok(disturbance)
}

fn action(action: &WireAction, bindings: &mut Bindings) -> Result<Action, RuleError> {
    Ok(match action {
        WireAction::Drop => Action::Drop,
        WireAction::Duplicate => Action::Duplicate,
        WireAction::Hold => Action::Hold,
        WireAction::Cut => Action::Cut,
        WireAction::Truncate { keep } => Action::Replace(Edit::Truncate { keep: *keep }),
        WireAction::ReplaceField { field, change } => {
            let field = field.resolve(bindings)?;
            let text = field.as_str().map_or_else(|| field.to_string(), str::to_owned);
            let path: FieldPath = text.parse().map_err(|error| RuleError::Field { text, error })?;
            Action::Replace(Edit::Field { path, change: field_change(change, bindings)? })
        }
        WireAction::ReplaceByte { at, with } => {
            let back = at.unsigned_abs().saturating_sub(1);
            let back = usize::try_from(back).unwrap_or(usize::MAX);
            let offset =
                usize::try_from(*at).map_or(ByteOffset::FromEnd(back), ByteOffset::FromStart);
            let change = with.map_or(ByteChange::FlipBit(0), ByteChange::Set);
            Action::Replace(Edit::Byte { offset, change })
        }
        WireAction::Respond { status, body } => {
            let body = body.as_ref().map(|body| body.resolve(bindings)).transpose()?;
            let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
            Action::Respond { status: *status, body }
        }
    })
}

fn field_change(change: &Change, bindings: &mut Bindings) -> Result<FieldChange, TemplateError> {
    Ok(match change {
        Change::With(template) => FieldChange::Set(JsonText::from(&template.resolve(bindings)?)),
        Change::FlipOneBit => FieldChange::FlipOneBit,
        Change::Remove => FieldChange::Delete,
        Change::Twice => FieldChange::Twice,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;
    use crate::scenario::Vocabulary;
    use crate::step::{StepKind, Wire};

    fn rule(wire: &str) -> Result<Rule, RuleError> {
        let text = format!("name = 'x'\n[[step]]\nwire = {{ from = 'a', to = 'b', {wire} }}\n");
        let scenario = Scenario::parse("test_e2e_x.toml", &text, &Vocabulary::default());
        let scenario = scenario.unwrap().remove(0);
        let StepKind::Wire(Wire::Rule(rule)) = &scenario.steps[0].kind else { panic!("no rule") };
        let mut bindings = Bindings::new(1);
        bindings.set_fact(&RoleName::new("b").unwrap(), "name", Value::from("bob"));
        rule.rule(7, &mut bindings)
    }

    #[test]
    fn holes_are_filled_when_a_rule_is_laid() {
        let of = |hole: &str| {
            rule(&format!(
                "type = 'vote', every = true, on = 'response', respond = {{ status = 503, body = {{ x = '{hole}' }} }}"
            ))
        };
        let selector = Selector::on(&Link::new("a", "b")).kind("vote").responses();
        let action = Action::Respond { status: 503, body: br#"{"x":"bob"}"#.to_vec() };
        let expected = Rule::new(selector, Lifetime::Standing, action).unwrap();
        assert_eq!(of("${b.name}").unwrap(), expected);
        let error = of("${a.name}").unwrap_err();
        assert_eq!(error.to_string(), "nothing is known under ${a.name}");
    }

    #[test]
    fn a_share_has_the_seed_that_it_is_laid_with() {
        let found = rule("cut = { percent = 10 }").unwrap();
        let position = Position::Share { chance: Chance::per_mille(100), seed: 7 };
        assert_eq!(found.selector().position, position);
    }

    #[test]
    fn a_byte_counts_from_either_end() {
        let edit = |wire: &str| {
            let rule = rule(&format!("nth = 1, replace_byte = {{ {wire} }}")).unwrap();
            let Action::Replace(edit) = rule.action().clone() else { panic!("{rule:?}") };
            edit
        };
        let byte = |offset| Edit::Byte { offset, change: ByteChange::FlipBit(0) };
        assert_eq!(edit("at = 3"), byte(ByteOffset::FromStart(3)));
        assert_eq!(edit("at = -1"), byte(ByteOffset::FromEnd(0)));
    }
}
