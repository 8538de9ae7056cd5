//! The fields of a table, with what may stand in them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Sink;
use crate::document::{Entry, Node, NodeValue};
use crate::duration;
use crate::name::{InvalidName, ResourceName};
use crate::span::Span;
use crate::suggestion::nearest;

/// A table whose keys are all known.
pub(super) struct Fields<'a> {
    /// What the table is, with its article: `a step`.
    pub(super) what: &'static str,
    pub(super) span: Span,
    entries: BTreeMap<&'a str, &'a Entry>,
}

impl<'a> Fields<'a> {
    /// Opens a table; keys outside `known` are noted and left out.
    pub(super) fn open(
        node: &'a Node,
        what: &'static str,
        known: &[&str],
        sink: &mut Sink,
    ) -> Option<Self> {
        #[cfg(test)]
        opened::note(what, known);
        let entries = table(node, what, sink)?;
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                unknown_key(entry, what, known, sink);
            }
        }
        let entries = entries.iter().map(|entry| (entry.key.as_str(), entry)).collect();
        Some(Self { what, span: node.span, entries })
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.get(key).copied()
    }

    pub(super) fn node(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The node under a key that has to be there.
    pub(super) fn required(&self, key: &str, example: &str, sink: &mut Sink) -> Option<&'a Node> {
        let node = self.node(key);
        if node.is_none() {
            let message = format!("{} needs `{key}`", self.what);
            sink.note(self.span, message, "it is missing here", format!("add `{key} = {example}`"));
        }
        node
    }

    pub(super) fn text(&self, key: &str, sink: &mut Sink) -> Option<&'a str> {
        text(self.node(key)?, key, sink)
    }

    pub(super) fn required_text(
        &self,
        key: &str,
        example: &str,
        sink: &mut Sink,
    ) -> Option<&'a str> {
        text(self.required(key, example, sink)?, key, sink)
    }

    pub(super) fn duration(&self, key: &str, sink: &mut Sink) -> Option<Duration> {
        duration(self.node(key)?, key, sink)
    }

    pub(super) fn texts(&self, key: &str, sink: &mut Sink) -> Vec<(&'a str, Span)> {
        self.node(key).map_or_else(Vec::new, |node| texts(node, key, sink))
    }

    /// A table of texts, such as an environment.
    pub(super) fn text_table(&self, key: &str, sink: &mut Sink) -> BTreeMap<String, String> {
        let Some(node) = self.node(key) else { return BTreeMap::new() };
        let Some(entries) = table(node, key, sink) else { return BTreeMap::new() };
        let mut read = BTreeMap::new();
        for entry in entries {
            if let Some(text) = text(&entry.node, &entry.key, sink) {
                read.insert(entry.key.clone(), text.to_owned());
            }
        }
        read
    }

    /// A name of some kind.
    pub(super) fn name<T>(
        &self,
        key: &str,
        make: impl Fn(String) -> Result<T, InvalidName>,
        sink: &mut Sink,
    ) -> Option<T> {
        name(self.node(key)?, key, make, sink)
    }
}

/// The entries of a table.
pub(super) fn table<'a>(node: &'a Node, what: &str, sink: &mut Sink) -> Option<&'a [Entry]> {
    match &node.value {
        NodeValue::Table(entries) => Some(entries),
        NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_) => {
            wrong_kind(node, what, "a table", "{ key = value }", sink);
            None
        }
    }
}

pub(super) fn list<'a>(node: &'a Node, what: &str, sink: &mut Sink) -> Option<&'a [Node]> {
    match &node.value {
        NodeValue::List(items) => Some(items),
        NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::Table(_) => {
            wrong_kind(node, what, "a list", "[..]", sink);
            None
        }
    }
}

pub(super) fn text<'a>(node: &'a Node, what: &str, sink: &mut Sink) -> Option<&'a str> {
    match &node.value {
        NodeValue::Text(text) => Some(text),
        NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => {
            wrong_kind(node, what, "a text", "\"..\"", sink);
            None
        }
    }
}

/// One text, or a list of texts.
pub(super) fn texts<'a>(node: &'a Node, what: &str, sink: &mut Sink) -> Vec<(&'a str, Span)> {
    if let NodeValue::Text(text) = &node.value {
        return vec![(text, node.span)];
    }
    let Some(items) = list(node, what, sink) else { return Vec::new() };
    items.iter().filter_map(|item| Some((text(item, what, sink)?, item.span))).collect()
}

pub(super) fn integer(node: &Node, what: &str, sink: &mut Sink) -> Option<i64> {
    match &node.value {
        NodeValue::Integer(integer) => Some(*integer),
        NodeValue::Text(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => {
            wrong_kind(node, what, "a whole number", "3", sink);
            None
        }
    }
}

/// A whole number in a range.
pub(super) fn count(node: &Node, what: &str, most: usize, sink: &mut Sink) -> Option<usize> {
    let number = integer(node, what, sink)?;
    match usize::try_from(number) {
        Ok(count) if (1..=most).contains(&count) => Some(count),
        Ok(_) | Err(_) => {
            let message = format!("`{what}` is {number}");
            sink.note(node.span, message, "out of range", format!("use a number from 1 to {most}"));
            None
        }
    }
}

/// How much of which resource: a table of names and counts.
pub(super) fn resources(
    fields: &Fields<'_>,
    what: &str,
    sink: &mut Sink,
) -> BTreeMap<ResourceName, u32> {
    let written = fields.node(what).and_then(|node| table(node, what, sink)).unwrap_or_default();
    let mut read = BTreeMap::new();
    for entry in written {
        let name = named(&entry.key, entry.key_span, what, ResourceName::new, sink);
        let much = count(&entry.node, &entry.key, RESOURCE_MAX, sink);
        let much = much.and_then(|much| u32::try_from(much).ok());
        read.extend(name.zip(much));
    }
    read
}

/// Most of one resource: a guess that no machine reaches.
const RESOURCE_MAX: usize = 1_000_000;

pub(super) fn boolean(node: &Node, what: &str, sink: &mut Sink) -> Option<bool> {
    match &node.value {
        NodeValue::Boolean(boolean) => Some(*boolean),
        NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => {
            wrong_kind(node, what, "true or false", "true", sink);
            None
        }
    }
}

pub(super) fn duration(node: &Node, what: &str, sink: &mut Sink) -> Option<Duration> {
    let written = match &node.value {
        NodeValue::Text(text) => text,
        NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => {
            wrong_kind(node, what, "a duration", "\"500ms\"", sink);
            return None;
        }
    };
    match duration::parse(written) {
        Ok(length) => Some(length),
        Err(error) => {
            let help = "write a duration such as \"500ms\", \"1s\" or \"2min\"".to_owned();
            sink.note(node.span, format!("`{what}`: {error}"), "not a duration", help);
            None
        }
    }
}

pub(super) fn name<T>(
    node: &Node,
    what: &str,
    make: impl Fn(String) -> Result<T, InvalidName>,
    sink: &mut Sink,
) -> Option<T> {
    let written = text(node, what, sink)?;
    named(written, node.span, what, make, sink)
}

pub(super) fn named<T>(
    written: &str,
    span: Span,
    what: &str,
    make: impl Fn(String) -> Result<T, InvalidName>,
    sink: &mut Sink,
) -> Option<T> {
    match make(written.to_owned()) {
        Ok(name) => Some(name),
        Err(error) => {
            let message = format!("`{what}`: {error}");
            sink.note(span, message, "not a name", "choose another name".to_owned());
            None
        }
    }
}

pub(super) fn wrong_kind(node: &Node, what: &str, wanted: &str, example: &str, sink: &mut Sink) {
    let message = format!("`{what}` has to be {wanted}, this is {}", node.kind());
    sink.note(node.span, message, "of another kind", format!("write `{what} = {example}`"));
}

/// One of several words.
pub(super) fn one_of(written: &str, span: Span, what: &str, words: &[&str], sink: &mut Sink) {
    let message = format!("`{what}` cannot be {written:?}");
    let help = match nearest(written, words.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("use one of {}", words.join(", ")),
    };
    sink.note(span, message, "unknown word", help);
}

fn unknown_key(entry: &Entry, what: &str, known: &[&str], sink: &mut Sink) {
    let message = format!("{what} has no `{}`", entry.key);
    let help = match nearest(&entry.key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it can have {}", known.join(", ")),
    };
    sink.note(entry.key_span, message, "unknown key", help);
}

/// What was opened, for the test that holds the editors' schemas against the reader.
#[cfg(test)]
pub(super) mod opened {
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    /// What it was, and the keys it may have.
    pub(in crate::read) type Opened = BTreeSet<(String, BTreeSet<String>)>;

    thread_local! {
        static OPENED: RefCell<Opened> = RefCell::default();
    }

    pub(super) fn note(what: &str, known: &[&str]) {
        let keys = known.iter().map(|key| (*key).to_owned()).collect();
        OPENED.with_borrow_mut(|opened| opened.insert((what.to_owned(), keys)));
    }

    /// Everything that was opened in this thread since the last time.
    pub(in crate::read) fn take() -> Opened {
        OPENED.take()
    }
}
