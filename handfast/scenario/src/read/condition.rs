//! `expect`: a getter and what has to hold of it.

use super::Sink;
use super::fields::{Fields, boolean, name, wrong_kind};
use super::scope::Scope;
use super::values;
use crate::document::{Node, NodeValue};
use crate::expectation::Condition;
use crate::name::MethodName;
use crate::step::{Expect, StepKind};
use crate::template::Template;

/// Keys of the step.
pub(super) const KEYS: [&str; 15] = [
    "expect",
    "on",
    "with",
    "eventually",
    "field",
    "save",
    "has",
    "lacks",
    "all",
    "contains",
    "ordered",
    "count",
    "where",
    "equals",
    "exists",
];

/// The keys of which at least one has to be there.
const CONDITIONS: &str = "has, lacks, all, contains, ordered, count, equals, exists";

pub(super) fn read(
    fields: &Fields<'_>,
    scope: &mut Scope<'_>,
    sink: &mut Sink,
) -> Option<StepKind> {
    let method = name(fields.node("expect")?, "expect", MethodName::new, sink);
    let on = values::roles(fields, "on", scope, sink);
    let params = values::params(fields, "with", scope, sink);
    let eventually = fields.duration("eventually", sink);
    let field = fields.node("field").and_then(|node| scope.path(node, "field", sink));
    let conditions = conditions(fields, scope, sink);
    let save = values::save(fields, scope, sink);
    let params = params?;
    Some(StepKind::Expect(Expect {
        method: method?,
        on,
        params,
        eventually,
        field,
        conditions,
        save,
    }))
}

fn conditions(fields: &Fields<'_>, scope: &Scope<'_>, sink: &mut Sink) -> Vec<Condition> {
    let mut found = Vec::new();
    let mut one = |key: &str, make: fn(Template) -> Condition, sink: &mut Sink| {
        let template = fields.node(key).and_then(|node| scope.likeness(node, sink));
        found.extend(template.map(make));
    };
    one("has", Condition::Has, sink);
    one("lacks", Condition::Lacks, sink);
    one("all", Condition::All, sink);
    one("equals", Condition::Equals, sink);
    if let Some(node) = fields.node("contains") {
        found.push(Condition::Contains(values::templates(node, "contains", scope, sink)));
    }
    if let Some(node) = fields.node("ordered") {
        found.push(Condition::Ordered(values::templates(node, "ordered", scope, sink)));
    }
    if let Some(node) = fields.node("exists") {
        found.extend(boolean(node, "exists", sink).map(Condition::Exists));
    }
    let like = values::condition(fields, "where", scope, sink);
    match fields.node("count") {
        Some(node) => found.extend(count(node, like, scope, sink)),
        None => {
            if let Some(entry) = fields.entry("where") {
                let help = "add `count = ..`, or use `has`".to_owned();
                let message = "`where` says what `count` counts".to_owned();
                sink.note(entry.key_span, message, "there is no `count`", help);
            }
        }
    }
    if found.is_empty() && sink_is_silent(fields) {
        let help = format!("add at least one of {CONDITIONS}");
        let message = "`expect` does not say what has to hold".to_owned();
        sink.note(fields.span, message, "nothing is expected here", help);
    }
    found
}

/// Whether no condition is there at all; one that could not be read has been noted already.
fn sink_is_silent(fields: &Fields<'_>) -> bool {
    CONDITIONS.split(", ").all(|key| fields.node(key).is_none())
}

fn count(
    node: &Node,
    like: Option<Template>,
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> Option<Condition> {
    match &node.value {
        NodeValue::Integer(0..) | NodeValue::Table(_) | NodeValue::Text(_) => {
            Some(Condition::Count { count: scope.likeness(node, sink)?, like })
        }
        NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_) => {
            wrong_kind(node, "count", "a whole number from 0", "3", sink);
            None
        }
    }
}
