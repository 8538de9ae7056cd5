//! `[[disturbance]]`: what is done to the network, a process, a clock or a resource, from when on, for how long.

use std::time::Duration;

use handfast_faults::conditions::{ConditionsPatch, Cut};
use handfast_faults::disturbance::{Cue, Disturbance, Limit, What, When};
use handfast_faults::units;

use super::Sink;
use super::fields::{Fields, count, duration, list, one_of, table, text, wrong_kind};
use super::network::{CONDITIONS, patch};
use super::scope::Scope;
use super::verb::{self, trigger};
use crate::document::{Entry, Node, NodeValue};
use crate::scenario::DISTURBANCES_MAX;
use crate::span::Span;
use crate::step::Trigger;

const KEYS: [&str; 12] = [
    "name",
    "at",
    "when",
    "after",
    "for",
    "network",
    "cut",
    "kill",
    "pause",
    "crash-loop",
    "clock",
    "limit",
];

/// What a disturbance can do; exactly one of these.
const KINDS: [&str; 7] = ["network", "cut", "kill", "pause", "crash-loop", "clock", "limit"];

/// Longest name.
const NAME_LEN_MAX: usize = 80;

/// Most crashes of a loop.
const CRASHES_MAX: usize = 100;

/// Reads all of them, in the order of the file, each with its place.
pub(super) fn read(
    fields: &Fields<'_>,
    scope: &Scope<'_>,
    sink: &mut Sink,
) -> Vec<(Disturbance, Span)> {
    let Some(node) = fields.node("disturbance") else { return Vec::new() };
    if matches!(node.value, NodeValue::Table(_)) {
        let message = "`disturbance` is a table, and has to be a list of them".to_owned();
        sink.note(node.span, message, "one table", "write `[[disturbance]]`".to_owned());
        return Vec::new();
    }
    let Some(items) = list(node, "disturbance", sink) else { return Vec::new() };
    if let Some(more) = items.get(DISTURBANCES_MAX) {
        let message = format!("a scenario has at most {DISTURBANCES_MAX} disturbances");
        sink.note(more.span, message, "one too many", "make two files of it".to_owned());
    }
    let mut read: Vec<(Disturbance, Span)> = Vec::new();
    for item in items.iter().take(DISTURBANCES_MAX) {
        let Some(mut disturbance) = one(item, scope, sink) else { continue };
        if disturbance.name.is_empty() {
            let taken: Vec<&str> = read.iter().map(|(other, _)| other.name.as_str()).collect();
            disturbance.name = free_name(&disturbance.what.to_string(), &taken);
        } else if read.iter().any(|(other, _)| other.name == disturbance.name) {
            let message = format!("there are two disturbances {:?}", disturbance.name);
            sink.note(item.span, message, "the second", "give it another name".to_owned());
        }
        read.push((disturbance, item.span));
    }
    read
}

/// What it does, and a number where something else is called so already.
fn free_name(text: &str, taken: &[&str]) -> String {
    let numbered = (2..).map(|number| format!("{text} ({number})"));
    let mut names = std::iter::once(text.to_owned()).chain(numbered);
    names.find(|name| !taken.contains(&name.as_str())).unwrap_or_default()
}

fn one(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<Disturbance> {
    let fields = Fields::open(node, "a disturbance", &KEYS, sink)?;
    let name = fields.text("name", sink).unwrap_or_default();
    if name.len() > NAME_LEN_MAX {
        let message =
            format!("a name has at most {NAME_LEN_MAX} bytes, this one has {}", name.len());
        sink.note(node.span, message, "too long", "choose a shorter one".to_owned());
    }
    let when = when(&fields, scope, sink);
    let lasts = fields.duration("for", sink);
    let what = what(&fields, scope, sink);
    let (when, what) = (when?, what?);
    if matches!(what, What::CrashLoop { .. })
        && let Some(entry) = fields.entry("for")
    {
        let message = "a crash loop is over when it has crashed as often as it says".to_owned();
        sink.note(entry.key_span, message, "without effect", "leave `for` out".to_owned());
    }
    Some(Disturbance { name: name.to_owned(), when, lasts, what })
}

/// `at = "1.2s"`, or `when = { .. }` with `after = ".."`.
fn when(fields: &Fields<'_>, scope: &Scope<'_>, sink: &mut Sink) -> Option<When> {
    match (fields.entry("at"), fields.entry("when")) {
        (Some(at), None) => {
            if let Some(after) = fields.entry("after") {
                let message = "`after` means nothing beside `at`".to_owned();
                sink.note(after.key_span, message, "without effect", "leave it out".to_owned());
            }
            duration(&at.node, "at", sink).map(When::At)
        }
        (None, Some(when)) => {
            let after = fields.duration("after", sink).unwrap_or(Duration::ZERO);
            let cue = cue(trigger(&when.node, scope, sink)?);
            Some(When::On { cue, after })
        }
        (Some(_), Some(when)) => {
            let message = "`at` and `when` exclude each other".to_owned();
            sink.note(when.key_span, message, "the second moment", "leave one out".to_owned());
            None
        }
        (None, None) => {
            let message = "a disturbance does not say when it begins".to_owned();
            let help =
                "add `at = \"1s\"` (since the first step) or `when = { event = .., role = .. }`";
            sink.note(fields.span, message, "no moment", help.to_owned());
            None
        }
    }
}

fn cue(trigger: Trigger) -> Cue {
    match trigger {
        Trigger::Notification { event, role, condition } => Cue::Notification {
            role: role.to_string(),
            event: event.to_string(),
            includes: condition.map(|condition| condition.raw().clone()),
        },
        Trigger::Message { from, to, message_type, nth } => {
            Cue::Message { from: from.to_string(), to: to.to_string(), message_type, nth }
        }
    }
}

fn what(fields: &Fields<'_>, scope: &Scope<'_>, sink: &mut Sink) -> Option<What> {
    let there: Vec<&Entry> = KINDS.into_iter().filter_map(|key| fields.entry(key)).collect();
    let entry = match there.as_slice() {
        [only] => *only,
        [] => {
            let message = "a disturbance does not say what it does".to_owned();
            let help = format!("add one of {}", KINDS.join(", "));
            sink.note(fields.span, message, "no action", help);
            return None;
        }
        [first, second, ..] => {
            let (first, second) = (&first.key, &second.key);
            let message =
                format!("a disturbance does one thing, this one `{first}` and `{second}`");
            sink.note(fields.span, message, "two in one", "make two disturbances of it".to_owned());
            return None;
        }
    };
    let node = &entry.node;
    let role = |sink: &mut Sink| Some(scope.role_at(node, &entry.key, sink)?.to_string());
    match entry.key.as_str() {
        "network" => network(node, scope, sink),
        "cut" => cut(node, scope, sink),
        "kill" => Some(What::Kill { role: role(sink)? }),
        "pause" => Some(What::Pause { role: role(sink)? }),
        "crash-loop" => crash_loop(node, scope, sink),
        "clock" => clock(node, scope, sink),
        _ => limit(node, scope, sink),
    }
}

fn network(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<What> {
    let keys: Vec<&str> = ["between", "from", "to"].into_iter().chain(CONDITIONS).collect();
    let fields = Fields::open(node, "a network disturbance", &keys, sink)?;
    let ends = ends(&fields, scope, sink);
    let entries = table(node, "network", sink)?;
    let change = patch(node, entries, sink);
    let ((from, to, both), change) = (ends?, change?);
    if change == ConditionsPatch::default() {
        let message = "a network disturbance changes nothing".to_owned();
        let help = format!("add one of {}", CONDITIONS.join(", "));
        sink.note(node.span, message, "no condition", help);
        return None;
    }
    Some(What::Network { from, to, both, change })
}

fn cut(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<What> {
    let fields = Fields::open(node, "a cut", &["between", "from", "to", "how"], sink)?;
    let ends = ends(&fields, scope, sink);
    let how = match fields.node("how") {
        None => Some(Cut::Silent),
        Some(node) => match text(node, "how", sink)? {
            "silent" => Some(Cut::Silent),
            "reset" => Some(Cut::Reset),
            other => {
                one_of(other, node.span, "how", &["silent", "reset"], sink);
                None
            }
        },
    };
    let ((from, to, both), how) = (ends?, how?);
    Some(What::Cut { from, to, both, how })
}

/// `between = ["a", "b"]` for both directions, `from = "a", to = "b"` for one.
fn ends(fields: &Fields<'_>, scope: &Scope<'_>, sink: &mut Sink) -> Option<(String, String, bool)> {
    let one_way = ["from", "to"].map(|key| fields.node(key));
    let (from, to, both, span) = match (fields.node("between"), one_way) {
        (Some(node), [None, None]) => {
            let roles = super::fields::texts(node, "between", sink);
            let [(first, at_first), (second, at_second)] = roles.as_slice() else {
                wrong_kind(node, "between", "two roles", "[\"a\", \"b\"]", sink);
                return None;
            };
            let first = scope.role(first, *at_first, sink);
            let second = scope.role(second, *at_second, sink);
            (first?, second?, true, node.span)
        }
        (None, [Some(from), Some(to)]) => {
            let (first, second) =
                (scope.role_at(from, "from", sink), scope.role_at(to, "to", sink));
            (first?, second?, false, to.span)
        }
        (_, _) => {
            let message =
                format!("{} says between whom: `between`, or `from` and `to`", fields.what);
            let help =
                "write `between = [\"a\", \"b\"]`, or `from = \"a\", to = \"b\"` for one direction";
            sink.note(fields.span, message, "which link?", help.to_owned());
            return None;
        }
    };
    if from == to {
        let message = format!("{from} has no link to itself");
        sink.note(span, message, "the same role twice", "name two different roles".to_owned());
        return None;
    }
    Some((from.to_string(), to.to_string(), both))
}

fn crash_loop(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<What> {
    let fields = Fields::open(node, "a crash loop", &["role", "times", "every"], sink)?;
    let role = role(&fields, scope, sink);
    let times = fields.required("times", "3", sink);
    let times = times.and_then(|node| count(node, "times", CRASHES_MAX, sink));
    let every = fields.required("every", "\"500ms\"", sink);
    let every = every.and_then(|node| duration(node, "every", sink));
    let times = u32::try_from(times?).ok()?;
    Some(What::CrashLoop { role: role?, times, every: every? })
}

fn clock(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<What> {
    let fields = Fields::open(node, "a clock that is wrong", &["role", "offset"], sink)?;
    let role = role(&fields, scope, sink);
    let offset = fields.required("offset", "\"-90s\"", sink);
    let offset_ms = offset.and_then(|node| verb::offset_ms(node, "offset", sink));
    Some(What::Clock { role: role?, offset_ms: offset_ms? })
}

fn role(fields: &Fields<'_>, scope: &Scope<'_>, sink: &mut Sink) -> Option<String> {
    let node = fields.required("role", "\"b\"", sink)?;
    Some(scope.role_at(node, "role", sink)?.to_string())
}

/// What can be limited; exactly one of these.
const LIMITS: [&str; 5] = ["cpu", "memory", "processes", "descriptors", "disk"];

/// Most processes or descriptors that a limit may leave.
const COUNT_MAX: usize = 1_000_000;

fn limit(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<What> {
    let keys: Vec<&str> = ["role"].into_iter().chain(LIMITS).collect();
    let fields = Fields::open(node, "a limit", &keys, sink)?;
    let role = role(&fields, scope, sink);
    let there: Vec<&Entry> = LIMITS.into_iter().filter_map(|key| fields.entry(key)).collect();
    let [entry] = there.as_slice() else {
        let message = "a limit is on exactly one thing".to_owned();
        let help = format!("write one of {}", LIMITS.join(", "));
        sink.note(node.span, message, "not exactly one", help);
        return None;
    };
    let most = |sink: &mut Sink| {
        let most = count(&entry.node, &entry.key, COUNT_MAX, sink)?;
        u32::try_from(most).ok()
    };
    let what = match entry.key.as_str() {
        "cpu" => Limit::Cpu { percent: percent(&entry.node, sink)? },
        "memory" => Limit::Memory { bytes: bytes(&entry.node, "memory", sink)? },
        "processes" => Limit::Processes { most: most(sink)? },
        "descriptors" => Limit::Descriptors { most: most(sink)? },
        _ => disk(&entry.node, sink)?,
    };
    Some(What::Limit { role: role?, what })
}

/// `cpu = "20%"`, of one processor.
fn percent(node: &Node, sink: &mut Sink) -> Option<u32> {
    let percent = match &node.value {
        NodeValue::Text(text) => {
            text.trim().strip_suffix('%').and_then(|text| text.trim().parse().ok())
        }
        NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => None,
    };
    let percent = percent.filter(|percent| (1..=100).contains(percent));
    if percent.is_none() {
        wrong_kind(node, "cpu", "whole percent of one processor, 1 to 100", "\"20%\"", sink);
    }
    percent
}

fn bytes(node: &Node, what: &str, sink: &mut Sink) -> Option<u64> {
    match units::parse_bytes(text(node, what, sink)?) {
        Ok(bytes) if bytes > 0 => Some(bytes),
        Ok(_) => {
            let message = format!("`{what}` of nothing leaves nothing");
            sink.note(node.span, message, "zero", "use a larger size".to_owned());
            None
        }
        Err(error) => {
            let help = format!("write `{what} = \"64MiB\"`");
            sink.note(node.span, format!("`{what}`: {error}"), "not a size", help);
            None
        }
    }
}

/// `disk = "full"` or `disk = "64KiB/s"`.
fn disk(node: &Node, sink: &mut Sink) -> Option<Limit> {
    let written = text(node, "disk", sink)?;
    if written == "full" {
        return Some(Limit::DiskFull);
    }
    let bytes = written.trim().strip_suffix("/s").and_then(|text| units::parse_bytes(text).ok());
    let bytes = bytes.filter(|bytes| *bytes > 0);
    if bytes.is_none() {
        let message = format!("`disk` cannot be {written:?}");
        let help = "write \"full\", or what passes in a second, such as \"64KiB/s\"".to_owned();
        sink.note(node.span, message, "neither full nor slow", help);
    }
    Some(Limit::DiskSlow { bytes_per_s: bytes? })
}
