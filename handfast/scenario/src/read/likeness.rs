//! Values that something is compared with: a slip of the pen in a `$` word would compare with a table that nothing is
//! ever like, so that what must *not* be there would never be found.

use super::Sink;
use crate::document::{Entry, Node, NodeValue};
use crate::expectation::MATCHERS;
use crate::suggestion::nearest;

/// The ways of building a value (see [`crate::template`]).
const BUILDERS: [&str; 4] = ["$base64", "$json", "$times", "$text"];

/// Notes every `$` word of a value that is none, or does not have what it needs.
pub(super) fn check(node: &Node, sink: &mut Sink) {
    match &node.value {
        NodeValue::Table(entries) => {
            for entry in entries {
                // `${x}` and `$${` are a key with a hole.
                if entry.key.starts_with('$') && !entry.key.contains("${") {
                    word(entry, entries.len(), sink);
                }
                check(&entry.node, sink);
            }
        }
        NodeValue::List(items) => items.iter().for_each(|item| check(item, sink)),
        NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_) => {}
    }
}

fn word(entry: &Entry, fields: usize, sink: &mut Sink) {
    let key = entry.key.as_str();
    if BUILDERS.contains(&key) {
        // What is wrong with these the template says.
        return;
    }
    if !MATCHERS.contains(&key) {
        let help = match nearest(key, MATCHERS) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("use one of {}", MATCHERS.join(", ")),
        };
        sink.note(entry.key_span, format!("there is no matcher {key:?}"), "unknown word", help);
        return;
    }
    if fields > 1 {
        let message = format!("{key:?} has to stand alone in its table");
        let help = "ask for one thing at a place; `$not` and `$one_of` take others".to_owned();
        sink.note(entry.key_span, message, "one of several keys", help);
    }
    let needed = match key {
        "$min" | "$max" => Some(("a number", "1")),
        "$glob" => Some(("a text", "\"begins with*\"")),
        "$one_of" => Some(("a list", "[1, 2]")),
        "$any" | "$absent" => Some(("true", "true")),
        _ => None,
    };
    if let Some((kind, example)) = needed.filter(|_| !fits(key, &entry.node.value)) {
        let message = format!("{key:?} needs {kind}");
        let help = format!("write `{{ {key:?} = {example} }}`");
        sink.note(entry.node.span, message, "of another kind", help);
    }
}

/// Whether a matcher can use its value; a text with a hole may become anything.
fn fits(key: &str, value: &NodeValue) -> bool {
    match value {
        NodeValue::Text(text) => key == "$glob" || text.contains("${"),
        NodeValue::Integer(_) | NodeValue::Float(_) => matches!(key, "$min" | "$max"),
        NodeValue::Boolean(value) => matches!(key, "$any" | "$absent") && *value,
        NodeValue::List(_) => key == "$one_of",
        NodeValue::Table(_) => false,
    }
}
