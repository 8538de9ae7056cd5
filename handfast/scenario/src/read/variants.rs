//! `variants`: one file, several scenarios.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Sink;
use super::fields::{Fields, list, table};
use crate::document::{Entry, Node, NodeValue};
use crate::scenario::{VARIABLE_LEN_MAX, VARIANTS_MAX};

/// The variables of one variant, in the order of the file.
pub(super) type Variant = Vec<(String, Node)>;

/// `variants = [{ a = "1.0", b = "both" }, ..]`; a file without any is its only variant.
pub(super) fn read(fields: &Fields<'_>, sink: &mut Sink) -> Vec<Variant> {
    let Some(node) = fields.node("variants") else { return vec![Variant::new()] };
    let Some(items) = list(node, "variants", sink) else { return vec![Variant::new()] };
    if items.is_empty() || items.len() > VARIANTS_MAX {
        let message = format!("`variants` has 1 to {VARIANTS_MAX} of them, not {}", items.len());
        sink.note(node.span, message, "here", "leave `variants` out".to_owned());
    }
    let mut read: Vec<Variant> = Vec::new();
    for item in items.iter().take(VARIANTS_MAX) {
        let Some(entries) = table(item, "variants", sink) else { continue };
        let variant: Variant =
            entries.iter().map(|entry| (entry.key.clone(), entry.node.clone())).collect();
        check(item, &variant, &read, sink);
        read.push(variant);
    }
    if read.is_empty() {
        read.push(Variant::new());
    }
    read
}

/// The variant in an id: `a=1.0,b=both`. Nothing for the only variant of a file.
pub(super) fn display(variant: &Variant) -> Option<String> {
    let pair = |(name, node): &(String, Node)| format!("{name}={}", text(&node.to_json()));
    let pairs: Vec<String> = variant.iter().map(pair).collect();
    (!pairs.is_empty()).then(|| pairs.join(","))
}

/// The tree with the variant's variables filled in: `"${x}"` becomes the value itself, elsewhere in a
/// text it is written out. Holes of other names stay.
pub(super) fn fill(node: &Node, variant: &Variant) -> Node {
    if variant.is_empty() {
        return node.clone();
    }
    let value = match &node.value {
        NodeValue::Text(text) => fill_text(text, variant),
        NodeValue::List(items) => {
            NodeValue::List(items.iter().map(|item| fill(item, variant)).collect())
        }
        NodeValue::Table(entries) => {
            let entry = |entry: &Entry| Entry {
                key: entry.key.clone(),
                key_span: entry.key_span,
                node: fill(&entry.node, variant),
            };
            NodeValue::Table(entries.iter().map(entry).collect())
        }
        NodeValue::Integer(_) | NodeValue::Float(_) | NodeValue::Boolean(_) => node.value.clone(),
    };
    Node { span: node.span, value }
}

fn fill_text(written: &str, variant: &Variant) -> NodeValue {
    for (name, node) in variant {
        if written == format!("${{{name}}}") {
            return node.value.clone();
        }
    }
    let mut filled = written.to_owned();
    for (name, node) in variant {
        filled = filled.replace(&format!("${{{name}}}"), &text(&node.to_json()));
    }
    NodeValue::Text(filled)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn check(node: &Node, variant: &Variant, earlier: &[Variant], sink: &mut Sink) {
    let names = |variant: &Variant| {
        variant.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<String>>()
    };
    let json = |variant: &Variant| {
        variant.iter().map(|(name, node)| (name.clone(), node.to_json())).collect::<Vec<_>>()
    };
    if earlier.first().is_some_and(|first| names(first) != names(variant)) {
        let help = "give every variable a value in every variant".to_owned();
        let message = "this variant has other variables than the first".to_owned();
        sink.note(node.span, message, "other variables", help);
    }
    if earlier.iter().any(|other| json(other) == json(variant)) {
        let message = "this variant is there twice".to_owned();
        sink.note(node.span, message, "the same again", "leave one out".to_owned());
    }
    if variant.is_empty() {
        let message = "this variant has no variable".to_owned();
        sink.note(node.span, message, "empty", "write { version = \"1.1\" }".to_owned());
    }
    for (name, value) in variant {
        let len = value.to_json().to_string().len();
        if len > VARIABLE_LEN_MAX {
            let message =
                format!("`{name}` has {len} bytes, a variable at most {VARIABLE_LEN_MAX}");
            sink.note(value.span, message, "too long", "build it with $times".to_owned());
        }
    }
}
