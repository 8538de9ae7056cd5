//! `wire`: what the tap does.

use super::Sink;
use super::fields::{Fields, boolean, integer, one_of, table, text, wrong_kind};
use super::scope::Scope;
use super::values;
use crate::document::{Node, NodeValue};
use crate::event::Half;
use crate::name::RoleName;
use crate::step::{
    Change, Recorded, ReleaseOrder, Select, StepKind, Wire, WireAction, WireReplay, WireRule,
};
use crate::template::Template;

/// What a rule can do with a message.
const ACTIONS: [&str; 8] =
    ["drop", "duplicate", "hold", "cut", "truncate", "replace", "replace_byte", "respond"];
/// Those that need nothing but a yes, or how often.
const SIMPLE: [&str; 4] = ["drop", "duplicate", "hold", "cut"];
/// What can be done at once.
const COMMANDS: [&str; 3] = ["replay", "release", "clear"];
const KEYS: [&str; 19] = [
    "from",
    "to",
    "type",
    "nth",
    "every",
    "on",
    "answer",
    "redirect",
    "drop",
    "duplicate",
    "hold",
    "cut",
    "truncate",
    "replace",
    "replace_byte",
    "respond",
    "replay",
    "release",
    "clear",
];
pub(super) const WAYS: [&str; 4] = ["flip-one-bit", "remove", "twice", "null"];

pub(super) fn read(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<StepKind> {
    let fields = Fields::open(node, "a wire step", &KEYS, sink)?;
    let role = |key: &str, sink: &mut Sink| {
        let node = fields.required(key, "\"a\"", sink)?;
        scope.role_at(node, key, sink)
    };
    let (from, to) = (role("from", sink), role("to", sink));
    let verb = verb(&fields, sink);
    let (from, to, verb) = (from?, to?, verb?);
    if from == to {
        let help = "name two different roles".to_owned();
        sink.note(
            node.span,
            format!("{from} sends nothing to itself"),
            "the same role twice",
            help,
        );
        return None;
    }
    misplaced(&fields, verb, sink);
    let wire = match verb {
        "replay" => Wire::Replay(replay(&fields, from, to, scope, sink)?),
        "release" => Wire::Release { from, to, order: order(&fields, sink)? },
        "clear" => Wire::Clear { from, to },
        _ => Wire::Rule(rule(&fields, (from, to), verb, scope, sink)?),
    };
    Some(StepKind::Wire(wire))
}

/// The one key that says what is done.
fn verb(fields: &Fields<'_>, sink: &mut Sink) -> Option<&'static str> {
    let there: Vec<&'static str> =
        ACTIONS.into_iter().chain(COMMANDS).filter(|key| fields.node(key).is_some()).collect();
    match there.as_slice() {
        [only] => Some(*only),
        [] => {
            let all = [ACTIONS.as_slice(), &COMMANDS].concat().join(", ");
            let message = "a wire step does not say what to do".to_owned();
            sink.note(fields.span, message, "no action", format!("add one of {all}"));
            None
        }
        [first, second, ..] => {
            let message = format!("a wire step does one thing, this one `{first}` and `{second}`");
            sink.note(fields.span, message, "two actions", "make two steps of it".to_owned());
            None
        }
    }
}

/// Keys that mean nothing beside this action.
fn misplaced(fields: &Fields<'_>, verb: &str, sink: &mut Sink) {
    let without: &[&str] = match verb {
        "replay" => &["nth", "every", "on"],
        "release" | "clear" => &["type", "nth", "every", "on", "answer", "redirect"],
        _ => &["answer", "redirect"],
    };
    for entry in without.iter().filter_map(|key| fields.entry(key)) {
        let message = format!("`{}` means nothing beside `{verb}`", entry.key);
        sink.note(entry.key_span, message, "without effect", "leave it out".to_owned());
    }
}

pub(super) fn message_type(fields: &Fields<'_>, sink: &mut Sink) -> Option<String> {
    let node = fields.node("type")?;
    let written = text(node, "type", sink)?;
    if written.is_empty() || written.contains("${") {
        let message = format!("{written:?} is no message type");
        let help = "write it out; only the variables of `variants` can stand here".to_owned();
        sink.note(node.span, message, "here", help);
        return None;
    }
    Some(written.to_owned())
}

fn replay(
    fields: &Fields<'_>,
    from: RoleName,
    to: RoleName,
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> Option<WireReplay> {
    let node = fields.node("replay")?;
    let which = match &node.value {
        NodeValue::Text(text) if text == "last" => Recorded::Last,
        NodeValue::Integer(nth @ 1..) => Recorded::Nth(nth.unsigned_abs()),
        NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => {
            wrong_kind(node, "replay", "\"last\" or a number from 1", "\"last\"", sink);
            return None;
        }
    };
    let redirect = fields.node("redirect").map(|node| scope.role_at(node, "redirect", sink));
    let redirect = match redirect {
        None => None,
        Some(role) => Some(role?),
    };
    let answer = values::condition(fields, "answer", scope, sink);
    let message_type = message_type(fields, sink);
    Some(WireReplay { from, to, message_type, which, answer, redirect })
}

fn order(fields: &Fields<'_>, sink: &mut Sink) -> Option<ReleaseOrder> {
    let node = fields.node("release")?;
    match &node.value {
        NodeValue::Boolean(true) => Some(ReleaseOrder::First),
        NodeValue::Text(text) if text == "first" => Some(ReleaseOrder::First),
        NodeValue::Text(text) if text == "last" => Some(ReleaseOrder::Last),
        NodeValue::Text(_)
        | NodeValue::Boolean(false)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => {
            wrong_kind(node, "release", "\"first\" or \"last\"", "\"first\"", sink);
            None
        }
    }
}

fn rule(
    fields: &Fields<'_>,
    (from, to): (RoleName, RoleName),
    verb: &str,
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> Option<WireRule> {
    let node = fields.node(verb)?;
    let is_share = matches!(node.value, NodeValue::Table(_)) && SIMPLE.contains(&verb);
    let select = if is_share { share(fields, verb, node, sink) } else { select(fields, sink) };
    let half = half(fields, sink);
    let message_type = message_type(fields, sink);
    let action = match verb {
        "replace" => replace(node, scope, sink),
        "replace_byte" => replace_byte(node, sink),
        "truncate" => truncate(node, sink),
        "respond" => respond(node, scope, sink),
        _ => simple(verb, node, sink),
    };
    let (select, half, action) = (select?, half?, action?);
    if half == Half::Response && matches!(action, WireAction::Duplicate) {
        let message = "an answer cannot be duplicated: its asker reads one".to_owned();
        sink.note(node.span, message, "on a response", "leave `on` out".to_owned());
        return None;
    }
    Some(WireRule { from, to, message_type, select, half, action })
}

fn select(fields: &Fields<'_>, sink: &mut Sink) -> Option<Select> {
    match (fields.node("nth"), fields.node("every")) {
        (None, Some(every)) => {
            let every = boolean(every, "every", sink)?;
            Some(if every { Select::Every } else { Select::Nth(1) })
        }
        (None | Some(_), None) => nth(fields, sink).map(Select::Nth),
        (Some(nth), Some(_)) => {
            let message = "`nth` and `every` exclude each other".to_owned();
            sink.note(nth.span, message, "both are there", "leave one out".to_owned());
            None
        }
    }
}

/// Which of the messages from here on: the next one where nothing is said.
pub(super) fn nth(fields: &Fields<'_>, sink: &mut Sink) -> Option<u64> {
    let Some(node) = fields.node("nth") else { return Some(1) };
    match &node.value {
        NodeValue::Text(text) if text == "next" => Some(1),
        NodeValue::Integer(nth @ 1..) => Some(nth.unsigned_abs()),
        NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => {
            wrong_kind(node, "nth", "\"next\" or a number from 1", "\"next\"", sink);
            None
        }
    }
}

/// `drop = { percent = 5 }`: so many of all messages, in each twenty one.
fn share(fields: &Fields<'_>, verb: &str, node: &Node, sink: &mut Sink) -> Option<Select> {
    for entry in ["nth", "every"].into_iter().filter_map(|key| fields.entry(key)) {
        let message = format!("`{}` and a share exclude each other", entry.key);
        let help = format!("leave it out: `{verb}` looks at every message");
        sink.note(entry.key_span, message, "both are there", help);
    }
    let share = Fields::open(node, "a share", &["percent"], sink)?;
    let percent = share.required("percent", "5", sink)?;
    let per_mille = match percent.value {
        NodeValue::Integer(percent) => percent.checked_mul(10),
        NodeValue::Float(percent) => tenths(percent),
        NodeValue::Text(_) | NodeValue::Boolean(_) | NodeValue::List(_) | NodeValue::Table(_) => {
            None
        }
    };
    let per_mille = per_mille.and_then(|per_mille| u32::try_from(per_mille).ok());
    let per_mille = per_mille.filter(|per_mille| (1..=1_000).contains(per_mille));
    if per_mille.is_none() {
        let message = "`percent` has to be from 0.1 to 100, with one digit after the point";
        let help = "write `percent = 5`".to_owned();
        sink.note(percent.span, message.to_owned(), "out of range", help);
    }
    per_mille.map(|per_mille| Select::Share { per_mille })
}

/// A number of tenths, where it is one.
fn tenths(percent: f64) -> Option<i64> {
    let tenths = (percent * 10.0).round();
    let is_whole = (percent * 10.0 - tenths).abs() < 1e-6 && (0.0..=1e6).contains(&tenths);
    #[expect(clippy::cast_possible_truncation, reason = "checked to be small and whole")]
    is_whole.then_some(tenths as i64)
}

fn half(fields: &Fields<'_>, sink: &mut Sink) -> Option<Half> {
    let Some(node) = fields.node("on") else { return Some(Half::Request) };
    match text(node, "on", sink)? {
        "request" => Some(Half::Request),
        "response" => Some(Half::Response),
        other => {
            one_of(other, node.span, "on", &["request", "response"], sink);
            None
        }
    }
}

fn simple(verb: &str, node: &Node, sink: &mut Sink) -> Option<WireAction> {
    let is_share = matches!(node.value, NodeValue::Table(_));
    if !is_share && !boolean(node, verb, sink)? {
        let message = format!("`{verb} = false` does nothing");
        sink.note(node.span, message, "no action", format!("write `{verb} = true`"));
        return None;
    }
    match verb {
        "drop" => Some(WireAction::Drop),
        "duplicate" => Some(WireAction::Duplicate),
        "hold" => Some(WireAction::Hold),
        "cut" => Some(WireAction::Cut),
        _ => None,
    }
}

/// `truncate = 100`: so many bytes are left.
fn truncate(node: &Node, sink: &mut Sink) -> Option<WireAction> {
    let keep = usize::try_from(integer(node, "truncate", sink)?).ok();
    if keep.is_none() {
        wrong_kind(node, "truncate", "the number of bytes that are left", "100", sink);
    }
    keep.map(|keep| WireAction::Truncate { keep })
}

fn replace(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<WireAction> {
    let fields = Fields::open(node, "a replacement", &["field", "with", "by"], sink)?;
    let field_node = fields.required("field", "\"timestamp\"", sink)?;
    text(field_node, "field", sink)?;
    let field = scope.template(field_node, sink)?;
    let change = match (fields.node("with"), fields.node("by")) {
        (Some(with), None) => Change::With(scope.template(with, sink)?),
        (None, Some(by)) => match text(by, "by", sink)? {
            "flip-one-bit" => Change::FlipOneBit,
            "remove" => Change::Remove,
            "twice" => Change::Twice,
            // TOML has no word for it.
            "null" => Change::With(Template::new(serde_json::Value::Null).ok()?),
            other => {
                one_of(other, by.span, "by", &WAYS, sink);
                return None;
            }
        },
        (Some(_), Some(_)) | (None, None) => {
            let message = "a replacement has either `with` or `by`".to_owned();
            let help = format!("add `with = VALUE` or `by = ..` ({})", WAYS.join(", "));
            sink.note(node.span, message, "what does the field become?", help);
            return None;
        }
    };
    Some(WireAction::ReplaceField { field, change })
}

/// `respond = { status = 500, body = {..} }`: what the asker is told. What a replayed message has to be
/// answered is `answer`.
fn respond(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<WireAction> {
    table(node, "respond", sink)?;
    let fields = Fields::open(node, "an answer of the wire", &["status", "body"], sink)?;
    let status_node = fields.required("status", "500", sink)?;
    let status = u16::try_from(integer(status_node, "status", sink)?).ok();
    let status = status.filter(|status| (200..=599).contains(status));
    if status.is_none() {
        wrong_kind(status_node, "status", "from 200 to 599", "500", sink);
    }
    let body = match fields.node("body") {
        None => None,
        Some(body) => Some(scope.template(body, sink)?),
    };
    Some(WireAction::Respond { status: status?, body })
}

fn replace_byte(node: &Node, sink: &mut Sink) -> Option<WireAction> {
    table(node, "replace_byte", sink)?;
    let fields = Fields::open(node, "a byte's replacement", &["at", "with"], sink)?;
    let at = integer(fields.required("at", "0", sink)?, "at", sink)?;
    let with = match fields.node("with") {
        None => None,
        Some(with) => {
            let byte = u8::try_from(integer(with, "with", sink)?).ok();
            if byte.is_none() {
                wrong_kind(with, "with", "a byte", "65", sink);
            }
            Some(byte?)
        }
    };
    Some(WireAction::ReplaceByte { at, with })
}
