//! Parts that several kinds of step have.

use std::collections::BTreeMap;

use super::Sink;
use super::fields::{Fields, list, table, wrong_kind};
use super::scope::Scope;
use crate::document::{Node, NodeValue};
use crate::name::RoleName;
use crate::step::Expected;
use crate::template::{Path, Template};

/// `with = {..}`; nothing is an empty table.
pub(super) fn params(
    fields: &Fields<'_>,
    key: &str,
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> Option<Template> {
    let Some(node) = fields.node(key) else { return Some(Template::empty()) };
    table(node, key, sink)?;
    scope.template(node, sink)
}

/// `where = {..}`.
pub(super) fn condition(
    fields: &Fields<'_>,
    key: &str,
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> Option<Template> {
    let node = fields.node(key)?;
    table(node, key, sink)?;
    scope.likeness(node, sink)
}

/// `on = "a"` or `on = ["a", "b"]`.
pub(super) fn roles(
    fields: &Fields<'_>,
    key: &str,
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> Vec<RoleName> {
    let Some(node) = fields.required(key, "[\"a\", \"b\"]", sink) else { return Vec::new() };
    let written = super::fields::texts(node, key, sink);
    if written.is_empty() && matches!(&node.value, NodeValue::List(items) if items.is_empty()) {
        let message = format!("`{key}` names nobody");
        sink.note(node.span, message, "empty", "name at least one role".to_owned());
    }
    written.into_iter().filter_map(|(role, span)| scope.role(role, span, sink)).collect()
}

/// `save = { session = "id" }`; the names are known from the next step on.
pub(super) fn save(
    fields: &Fields<'_>,
    scope: &mut Scope<'_>,
    sink: &mut Sink,
) -> BTreeMap<String, Path> {
    let mut saved = BTreeMap::new();
    let Some(node) = fields.node("save") else { return saved };
    let Some(entries) = table(node, "save", sink) else { return saved };
    for entry in entries {
        let name = &entry.key;
        let plain = name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !plain || name == "uuid" || name == "round" {
            let help = "use letters, digits and _; not `uuid` or `round`".to_owned();
            let message = format!("{name:?} cannot be saved under");
            sink.note(entry.key_span, message, "not a name for a value", help);
            continue;
        }
        if let Some(path) = scope.path(&entry.node, name, sink) {
            saved.insert(name.clone(), path);
        }
        scope.learn(name);
    }
    saved
}

/// A list of tables or plain values with holes, that something is compared with.
pub(super) fn templates(
    node: &Node,
    what: &str,
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> Vec<Template> {
    let Some(items) = list(node, what, sink) else { return Vec::new() };
    items.iter().filter_map(|item| scope.likeness(item, sink)).collect()
}

/// `refused = true` (however) or `refused = {..}`.
pub(super) fn refused(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<Expected> {
    match &node.value {
        NodeValue::Boolean(true) => Some(Expected::Refused { like: None }),
        NodeValue::Table(_) => Some(Expected::Refused { like: Some(scope.likeness(node, sink)?) }),
        NodeValue::Boolean(false)
        | NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::List(_) => {
            let example = "{ code = \"SEQUENCE_ERROR\" }";
            wrong_kind(node, "refused", "true or a table", example, sink);
            None
        }
    }
}
