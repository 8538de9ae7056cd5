//! Does a value show what is expected, and if not, how far is it from it?

use std::fmt::Write as _;

use serde_json::Value;

use crate::template::{Bindings, Path, Template, TemplateError};

mod inclusion;

pub use inclusion::{MATCHERS, QUOTED_LINE_LEN_MAX, difference, includes};
use inclusion::{cut, includes_exactly};

/// Most lines a failure quotes of what was there instead.
pub const QUOTED_LINES_MAX: usize = 12;

/// One condition on what a getter shows.
///
/// The *items* of a list are its elements. An object stands for its only list (so the result
/// `{"sessions": [..]}` has the sessions as items); an object without or with several lists is its
/// own only item. What "includes" means stands at [`includes`].
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Some item includes this.
    Has(Template),
    /// No item includes this.
    Lacks(Template),
    /// There is an item, and every item includes this.
    All(Template),
    /// The list includes each of these, in any order, each in an item of its own.
    Contains(Vec<Template>),
    /// The list includes these in this order; others may stand between.
    Ordered(Vec<Template>),
    /// So many items there are, of those that include `like`.
    Count {
        /// How many; a number or a matcher such as `{"$min" = 3}`.
        count: Template,
        /// Which are counted; `None`: all.
        like: Option<Template>,
    },
    /// The part looked at is exactly this.
    Equals(Template),
    /// The part looked at is there (`true`) or not (`false`).
    Exists(bool),
}

/// A condition whose holes are filled.
#[derive(Debug, Clone, PartialEq)]
pub enum Filled {
    /// See [`Condition::Has`].
    Has(Value),
    /// See [`Condition::Lacks`].
    Lacks(Value),
    /// See [`Condition::All`].
    All(Value),
    /// See [`Condition::Contains`].
    Contains(Vec<Value>),
    /// See [`Condition::Ordered`].
    Ordered(Vec<Value>),
    /// See [`Condition::Count`].
    Count {
        /// How many.
        count: Value,
        /// Of which.
        like: Option<Value>,
    },
    /// See [`Condition::Equals`].
    Equals(Value),
    /// See [`Condition::Exists`].
    Exists(bool),
}

/// What did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What was expected, such as `some item {"state":"ready"}`.
    pub expected: String,
    /// What was there, one line an item, cut to [`QUOTED_LINES_MAX`] lines.
    pub found: String,
    /// The difference to the nearest item, such as `state: expected "ready", found "error"`.
    pub difference: Option<String>,
}

impl Condition {
    /// Fills the holes.
    ///
    /// # Errors
    ///
    /// As [`Template::resolve`].
    pub fn resolve(&self, bindings: &mut Bindings) -> Result<Filled, TemplateError> {
        Ok(match self {
            Self::Contains(templates) => Filled::Contains(resolve_all(templates, bindings)?),
            Self::Ordered(templates) => Filled::Ordered(resolve_all(templates, bindings)?),
            Self::Has(template) => Filled::Has(template.resolve(bindings)?),
            Self::Lacks(template) => Filled::Lacks(template.resolve(bindings)?),
            Self::All(template) => Filled::All(template.resolve(bindings)?),
            Self::Equals(template) => Filled::Equals(template.resolve(bindings)?),
            Self::Exists(there) => Filled::Exists(*there),
            Self::Count { count, like } => {
                let count = count.resolve(bindings)?;
                let like = like.as_ref().map(|like| like.resolve(bindings)).transpose()?;
                Filled::Count { count, like }
            }
        })
    }
}

fn resolve_all(
    templates: &[Template],
    bindings: &mut Bindings,
) -> Result<Vec<Value>, TemplateError> {
    templates.iter().map(|template| template.resolve(bindings)).collect()
}

impl Filled {
    /// Looks at the part of `result` under `field` (`None`: the whole).
    ///
    /// Returns the item found by `has`, otherwise the part looked at: what `save` takes from.
    ///
    /// # Errors
    ///
    /// [`Mismatch`] says what was expected and what was there.
    pub fn check<'a>(
        &self,
        result: &'a Value,
        field: Option<&Path>,
    ) -> Result<&'a Value, Mismatch> {
        let target = field.map_or(Some(result), |field| field.find(result));
        if let Self::Exists(there) = self {
            return match (there, target) {
                (true, Some(target)) => Ok(target),
                (false, None) => Ok(result),
                (true, None) => Err(self.mismatch(result, None)),
                (false, Some(target)) => Err(self.mismatch(target, None)),
            };
        }
        let Some(target) = target else {
            let field = field.map(Path::to_string).unwrap_or_default();
            return Err(self.mismatch(result, Some(format!("there is no {field}"))));
        };
        self.check_target(target)
    }

    fn check_target<'a>(&self, target: &'a Value) -> Result<&'a Value, Mismatch> {
        let items = items(target);
        let matching = |like: &Value| items.iter().filter(|item| includes(item, like)).count();
        let holds = match self {
            Self::Has(like) => match items.iter().find(|item| includes(item, like)) {
                Some(item) => return Ok(item),
                None => return Err(self.mismatch(target, nearest(&items, like))),
            },
            Self::Lacks(like) => matching(like) == 0,
            Self::All(like) => !items.is_empty() && matching(like) == items.len(),
            Self::Contains(likes) => contains(&items, likes),
            Self::Ordered(likes) => {
                let mut rest = items.iter();
                likes.iter().all(|like| rest.any(|item| includes(item, like)))
            }
            Self::Count { count, like } => {
                let found = like.as_ref().map_or(items.len(), matching);
                if !includes(&Value::from(found), count) {
                    return Err(self.mismatch(target, Some(format!("there are {found}"))));
                }
                true
            }
            Self::Equals(value) => {
                if !includes_exactly(target, value) {
                    return Err(self.mismatch(target, difference(target, value)));
                }
                true
            }
            Self::Exists(there) => *there,
        };
        if holds { Ok(target) } else { Err(self.mismatch(target, self.first_difference(&items))) }
    }

    fn first_difference(&self, items: &[&Value]) -> Option<String> {
        match self {
            Self::All(like) => items.iter().find_map(|item| difference(item, like)),
            Self::Contains(likes) | Self::Ordered(likes) => {
                let lone = likes.iter().find(|like| !items.iter().any(|item| includes(item, like)));
                lone.map(|like| format!("none is {like}"))
            }
            Self::Has(_)
            | Self::Lacks(_)
            | Self::Count { .. }
            | Self::Equals(_)
            | Self::Exists(_) => None,
        }
    }

    fn mismatch(&self, found: &Value, difference: Option<String>) -> Mismatch {
        Mismatch { expected: self.to_string(), found: quote(found), difference }
    }
}

impl std::fmt::Display for Filled {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = |values: &[Value]| Value::from(values.to_vec()).to_string();
        match self {
            Self::Has(like) => write!(formatter, "to have {like}"),
            Self::Lacks(like) => write!(formatter, "not to have {like}"),
            Self::All(like) => write!(formatter, "to have only {like}, and at least one"),
            Self::Contains(likes) => write!(formatter, "to have all of {}", list(likes)),
            Self::Ordered(likes) => write!(formatter, "to have {} in this order", list(likes)),
            Self::Count { count, like: None } => write!(formatter, "to have {count} items"),
            Self::Count { count, like: Some(like) } => {
                write!(formatter, "to have {count} items like {like}")
            }
            Self::Equals(value) => write!(formatter, "to equal {value}"),
            Self::Exists(true) => formatter.write_str("to exist"),
            Self::Exists(false) => formatter.write_str("not to exist"),
        }
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.expected)?;
        if let Some(difference) = &self.difference {
            write!(formatter, "; {difference}")?;
        }
        write!(formatter, "; it had: {}", self.found)
    }
}

fn items(target: &Value) -> Vec<&Value> {
    match target {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => {
            let mut lists = fields.values().filter_map(Value::as_array);
            match (lists.next(), lists.next()) {
                (Some(items), None) => items.iter().collect(),
                _ => vec![target],
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![target],
    }
}

/// Each of `likes` in an item of its own: a greedy choice could take the only item that fits a
/// later one, so every item is tried (augmenting paths).
fn contains(items: &[&Value], likes: &[Value]) -> bool {
    fn place(
        like: usize,
        fits: &[Vec<bool>],
        taken: &mut [Option<usize>],
        seen: &mut [bool],
    ) -> bool {
        for item in 0..taken.len() {
            if !fits[like][item] || seen[item] {
                continue;
            }
            seen[item] = true;
            let free = match taken[item] {
                None => true,
                Some(other) => place(other, fits, taken, seen),
            };
            if free {
                taken[item] = Some(like);
                return true;
            }
        }
        false
    }
    let fits: Vec<Vec<bool>> =
        likes.iter().map(|like| items.iter().map(|item| includes(item, like)).collect()).collect();
    let mut taken = vec![None; items.len()];
    (0..likes.len()).all(|like| place(like, &fits, &mut taken, &mut vec![false; items.len()]))
}

/// The difference to the item that has most of the wanted fields.
fn nearest(items: &[&Value], like: &Value) -> Option<String> {
    let hits = |item: &Value| match (item, like) {
        (Value::Object(fields), Value::Object(likes)) => {
            let hit = |(key, like): &(&String, &Value)| {
                fields.get(*key).is_some_and(|value| includes(value, like))
            };
            likes.iter().filter(hit).count()
        }
        _ => 0,
    };
    let nearest = items.iter().rev().max_by_key(|item| hits(item))?;
    difference(nearest, like)
}

fn quote(found: &Value) -> String {
    let items = items(found);
    match items.as_slice() {
        [] => "nothing".to_owned(),
        [only] => cut(only),
        several => {
            let mut text = String::new();
            for item in several.iter().take(QUOTED_LINES_MAX) {
                text.push_str("\n  ");
                text.push_str(&cut(item));
            }
            if several.len() > QUOTED_LINES_MAX {
                let more = several.len() - QUOTED_LINES_MAX;
                // Writing to a text cannot fail.
                write!(text, "\n  and {more} more").unwrap_or_default();
            }
            text
        }
    }
}

#[cfg(test)]
mod tests;
