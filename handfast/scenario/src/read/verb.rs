//! Steps that do one plain thing.

use std::time::Duration;

use super::Sink;
use super::fields::{Fields, list, name, one_of, table, text, wrong_kind};
use super::scope::Scope;
use super::{values, wire};
use crate::document::{Node, NodeValue};
use crate::duration;
use crate::name::{EventName, MethodName, RoleName};
use crate::span::Span;
use crate::step::{
    AwaitEvent, CALL_DEADLINE, CALM_WITHIN, Call, Expected, Fault, FaultKind, Lasts, Never,
    OracleCall, Pace, StepKind, Trigger, Wire,
};
use crate::template::Template;

pub(super) const CALL_KEYS: [&str; 8] =
    ["call", "role", "with", "within", "save", "outcome", "refused", "returns"];
pub(super) const EVENT_KEYS: [&str; 5] = ["event", "on", "where", "within", "save"];
pub(super) const NEVER_KEYS: [&str; 4] = ["never", "on", "where", "for"];

/// Most following steps a `never` can span.
const NEVER_STEPS_MAX: usize = 1_000;

pub(super) fn read(
    verb: &str,
    fields: &Fields<'_>,
    scope: &mut Scope<'_>,
    sink: &mut Sink,
) -> Option<StepKind> {
    let role = |sink: &mut Sink| scope.role_at(fields.node(verb)?, verb, sink);
    match verb {
        "call" => call(fields, scope, sink),
        "event" => event(fields, scope, sink),
        "never" => never(fields, scope, sink),
        "fault" => fault(fields.node("fault")?, scope, sink),
        "check" => check(fields.node("check")?, scope, sink),
        "measure" => {
            let roles = values::roles(fields, "measure", scope, sink);
            (!roles.is_empty()).then_some(StepKind::Measure(roles))
        }
        "stop" => role(sink).map(StepKind::Stop),
        "kill" => role(sink).map(StepKind::Kill),
        "start" => role(sink).map(StepKind::Start),
        "calm" => fields.duration("calm", sink).map(StepKind::Calm),
        _ => None,
    }
}

fn call(fields: &Fields<'_>, scope: &mut Scope<'_>, sink: &mut Sink) -> Option<StepKind> {
    let method = name(fields.node("call")?, "call", MethodName::new, sink);
    let role = fields.required("role", "\"a\"", sink);
    let role = role.and_then(|node| scope.role_at(node, "role", sink));
    let params = values::params(fields, "with", scope, sink);
    let within = match fields.node("within") {
        None => Some(CALL_DEADLINE),
        Some(_) => fields.duration("within", sink),
    };
    let outcome = outcome(fields, scope, sink);
    let save = values::save(fields, scope, sink);
    let (params, within, outcome) = (params?, within?, outcome?);
    if !save.is_empty() && !matches!(outcome, Expected::Ok { .. }) {
        let message = "only what is done has a result to save from".to_owned();
        sink.note(fields.span, message, "`save` beside a refusal", "leave `save` out".to_owned());
        return None;
    }
    Some(StepKind::Call(Call { role: role?, method: method?, params, within, outcome, save }))
}

fn outcome(fields: &Fields<'_>, scope: &Scope<'_>, sink: &mut Sink) -> Option<Expected> {
    let returns = values::condition(fields, "returns", scope, sink);
    let word = match fields.text("outcome", sink) {
        None if fields.node("refused").is_some() => "refused",
        None => "ok",
        Some(word) => word,
    };
    let clash = |key: &str, sink: &mut Sink| {
        let Some(entry) = fields.entry(key) else { return false };
        let message = format!("`{key}` does not go with the outcome {word:?}");
        sink.note(entry.key_span, message, "a contradiction", "leave one out".to_owned());
        true
    };
    match word {
        "ok" => (!clash("refused", sink)).then_some(Expected::Ok { returns }),
        "unknown" => {
            let clashes = clash("refused", sink) | clash("returns", sink);
            (!clashes).then_some(Expected::Unknown)
        }
        "refused" => {
            if clash("returns", sink) {
                return None;
            }
            match fields.node("refused") {
                None => Some(Expected::Refused { like: None }),
                Some(node) => values::refused(node, scope, sink),
            }
        }
        other => {
            let span = fields.node("outcome").map_or(fields.span, |node| node.span);
            one_of(other, span, "outcome", &["ok", "refused", "unknown"], sink);
            None
        }
    }
}

fn event(fields: &Fields<'_>, scope: &mut Scope<'_>, sink: &mut Sink) -> Option<StepKind> {
    let event = name(fields.node("event")?, "event", EventName::new, sink);
    let on = values::roles(fields, "on", scope, sink);
    let condition = values::condition(fields, "where", scope, sink);
    let within = fields.required("within", "\"1s\"", sink);
    let within = within.and_then(|_| fields.duration("within", sink));
    let save = values::save(fields, scope, sink);
    let event = event?;
    Some(StepKind::AwaitEvent(AwaitEvent { event, on, condition, within: within?, save }))
}

fn never(fields: &Fields<'_>, scope: &mut Scope<'_>, sink: &mut Sink) -> Option<StepKind> {
    let event = name(fields.node("never")?, "never", EventName::new, sink);
    let on = values::roles(fields, "on", scope, sink);
    let condition = values::condition(fields, "where", scope, sink);
    let lasts = match fields.node("for") {
        None => Some(Lasts::UntilNextStep),
        Some(node) => lasts(node, sink),
    };
    Some(StepKind::Never(Never { event: event?, on, condition, lasts: lasts? }))
}

fn lasts(node: &Node, sink: &mut Sink) -> Option<Lasts> {
    match &node.value {
        NodeValue::Text(word) if word == "until-next-step" => Some(Lasts::UntilNextStep),
        NodeValue::Text(word) if word == "rest" => Some(Lasts::Rest),
        NodeValue::Text(word) => {
            one_of(word, node.span, "for", &["until-next-step", "rest"], sink);
            None
        }
        NodeValue::Integer(_) => {
            let steps = super::fields::count(node, "for", NEVER_STEPS_MAX, sink)?;
            u32::try_from(steps).ok().map(Lasts::Steps)
        }
        NodeValue::Float(_) | NodeValue::Boolean(_) | NodeValue::List(_) | NodeValue::Table(_) => {
            wrong_kind(
                node,
                "for",
                "\"until-next-step\", \"rest\" or a number of steps",
                "2",
                sink,
            );
            None
        }
    }
}

fn fault(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<StepKind> {
    let fields = Fields::open(node, "a fault", &["kill", "pause", "resume", "when"], sink)?;
    let kinds =
        [("kill", FaultKind::Kill), ("pause", FaultKind::Pause), ("resume", FaultKind::Resume)];
    let there: Vec<_> = kinds.into_iter().filter(|(key, _)| fields.node(key).is_some()).collect();
    let [(key, kind)] = there.as_slice() else {
        let message = "a fault is one of `kill`, `pause` and `resume`".to_owned();
        sink.note(node.span, message, "not exactly one", "write `kill = \"b\"`".to_owned());
        return None;
    };
    let role = fields.node(key).and_then(|node| scope.role_at(node, key, sink));
    let when = match fields.node("when") {
        None => None,
        Some(node) => Some(trigger(node, scope, sink)?),
    };
    Some(StepKind::Fault(Fault { role: role?, kind: *kind, when }))
}

const MOMENT_KEYS: [&str; 7] = ["event", "role", "where", "from", "to", "type", "nth"];
const MESSAGE_KEYS: [&str; 4] = ["from", "to", "type", "nth"];

pub(super) fn trigger(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<Trigger> {
    let fields = Fields::open(node, "a moment", &MOMENT_KEYS, sink)?;
    if fields.node("event").is_none() && fields.node("from").is_some() {
        return message(&fields, scope, sink);
    }
    for entry in MESSAGE_KEYS.into_iter().filter_map(|key| fields.entry(key)) {
        let message = format!("`{}` means nothing beside `event`", entry.key);
        let help = "a moment is a notification (`event`, `role`) or a message (`from`, `to`)";
        sink.note(entry.key_span, message, "without effect", help.to_owned());
    }
    let event = fields.required("event", "\"message.received\"", sink);
    let event = event.and_then(|node| name(node, "event", EventName::new, sink));
    let role = fields.required("role", "\"b\"", sink);
    let role = role.and_then(|node| scope.role_at(node, "role", sink));
    let condition = values::condition(&fields, "where", scope, sink);
    Some(Trigger::Notification { event: event?, role: role?, condition })
}

/// `when = { from = "a", to = "b", type = "chunk", nth = 3 }`: a message on the wire.
fn message(fields: &Fields<'_>, scope: &Scope<'_>, sink: &mut Sink) -> Option<Trigger> {
    for entry in ["role", "where"].into_iter().filter_map(|key| fields.entry(key)) {
        let message = format!("`{}` means nothing for a message on the wire", entry.key);
        sink.note(entry.key_span, message, "without effect", "leave it out".to_owned());
    }
    let role = |key: &str, sink: &mut Sink| {
        let node = fields.required(key, "\"a\"", sink)?;
        scope.role_at(node, key, sink)
    };
    let (from, to) = (role("from", sink), role("to", sink));
    let message_type = wire::message_type(fields, sink);
    let nth = wire::nth(fields, sink);
    Some(Trigger::Message { from: from?, to: to?, message_type, nth: nth? })
}

/// `check = "name"`, `check = ["name", "name < value", { oracle = "name", .. }]`.
fn check(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<StepKind> {
    let single = std::slice::from_ref(node);
    let items = match &node.value {
        NodeValue::Text(_) | NodeValue::Table(_) => single,
        NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_) => list(node, "check", sink)?,
    };
    let calls: Vec<_> = items.iter().filter_map(|item| oracle(item, scope, sink)).collect();
    (!calls.is_empty()).then_some(StepKind::Check(calls))
}

fn oracle(node: &Node, scope: &Scope<'_>, sink: &mut Sink) -> Option<OracleCall> {
    let (name, params) = match &node.value {
        NodeValue::Table(entries) => {
            let entry = entries.iter().find(|entry| entry.key == "oracle");
            let Some(entry) = entry else {
                let message = "a check does not say which oracle is asked".to_owned();
                let help = "add `oracle = \"exactly-once\"`".to_owned();
                sink.note(node.span, message, "no oracle", help);
                return None;
            };
            let name = text(&entry.node, "oracle", sink)?.to_owned();
            let mut others = entries.clone();
            others.retain(|entry| entry.key != "oracle");
            let others = Node { span: node.span, value: NodeValue::Table(others) };
            (name, scope.template(&others, sink)?)
        }
        NodeValue::Text(written) => short_oracle(written, node.span, sink)?,
        NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_) => {
            wrong_kind(node, "check", "the name of an oracle", "\"exactly-once\"", sink);
            return None;
        }
    };
    let known = &scope.vocabulary.oracles;
    if !known.is_empty() && !known.contains(&name) {
        let words: Vec<&str> = known.iter().map(String::as_str).collect();
        one_of(&name, node.span, "check", &words, sink);
        return None;
    }
    Some(OracleCall { name, params, span: node.span })
}

/// `"recovery < 30s"` or a bare name.
fn short_oracle(written: &str, span: Span, sink: &mut Sink) -> Option<(String, Template)> {
    let Some((name, limit)) = written.split_once('<') else {
        return Some((written.trim().to_owned(), Template::empty()));
    };
    let (name, limit) = (name.trim(), limit.trim());
    let template = Template::new(serde_json::json!({ "at_most": limit })).ok();
    if name.is_empty() || limit.is_empty() || template.is_none() {
        let help = "write \"recovery < 30s\"".to_owned();
        sink.note(span, format!("{written:?} is no check"), "half is missing", help);
        return None;
    }
    Some((name.to_owned(), template?))
}

/// `clock = { b = "+61s" }`: a call of `clock.offset` on each of the roles.
pub(super) fn clock(fields: &Fields<'_>, scope: &Scope<'_>, sink: &mut Sink) -> Vec<StepKind> {
    let Some(node) = fields.node("clock") else { return Vec::new() };
    let Some(entries) = table(node, "clock", sink) else { return Vec::new() };
    let mut calls = Vec::new();
    for entry in entries {
        let role = scope.role(&entry.key, entry.key_span, sink);
        let seconds = offset(&entry.node, &entry.key, sink);
        let (Some(role), Some(seconds)) = (role, seconds) else { continue };
        let params = serde_json::json!({ "seconds": seconds });
        let (Ok(method), Ok(params)) = (MethodName::new("clock.offset"), Template::new(params))
        else {
            continue;
        };
        calls.push(StepKind::Call(Call {
            role,
            method,
            params,
            within: CALL_DEADLINE,
            outcome: Expected::Ok { returns: None },
            save: std::collections::BTreeMap::new(),
        }));
    }
    calls
}

/// A signed duration in seconds; whole seconds stay whole numbers.
fn offset(node: &Node, what: &str, sink: &mut Sink) -> Option<serde_json::Value> {
    let (sign, length) = signed(node, what, sink)?;
    if length.subsec_micros() == 0 {
        let seconds = i64::try_from(length.as_secs()).ok()?;
        return Some(serde_json::Value::from(i64::from(sign) * seconds));
    }
    Some(serde_json::Value::from(f64::from(sign) * length.as_secs_f64()))
}

/// A signed duration in milliseconds, such as `"-90s"`.
pub(super) fn offset_ms(node: &Node, what: &str, sink: &mut Sink) -> Option<i64> {
    let (sign, length) = signed(node, what, sink)?;
    Some(i64::from(sign) * i64::try_from(length.as_millis()).ok()?)
}

fn signed(node: &Node, what: &str, sink: &mut Sink) -> Option<(i32, Duration)> {
    let written = text(node, what, sink)?;
    let (sign, length) = match written.strip_prefix('-') {
        Some(length) => (-1, length),
        None => (1, written.strip_prefix('+').unwrap_or(written)),
    };
    match duration::parse(length) {
        Ok(length) => Some((sign, length)),
        Err(error) => {
            let help = "write an offset such as \"+61s\" or \"-500ms\"".to_owned();
            sink.note(node.span, format!("`{what}`: {error}"), "not an offset", help);
            None
        }
    }
}

/// The step in a few words.
pub(super) fn describe(kind: &StepKind) -> String {
    let all =
        |roles: &[RoleName]| roles.iter().map(RoleName::as_str).collect::<Vec<_>>().join(" and ");
    match kind {
        StepKind::Call(call) => format!("{} calls {}", call.role, call.method),
        StepKind::Expect(expect) => format!("{} shows {}", all(&expect.on), expect.method),
        StepKind::AwaitEvent(event) => format!("{} reports {}", all(&event.on), event.event),
        StepKind::Never(never) => format!("{} never reports {}", all(&never.on), never.event),
        StepKind::Parallel(steps) => format!("{} steps at the same time", steps.len()),
        StepKind::Repeat(repeat) => {
            let count = repeat.rounds.count();
            match repeat.pace {
                Pace::OneByOne => format!("{count} rounds"),
                Pace::AtOnce => format!("{count} rounds at the same time"),
            }
        }
        StepKind::Wire(wire) => describe_wire(wire),
        StepKind::Fault(fault) => match fault.kind {
            FaultKind::Kill => format!("{} is killed", fault.role),
            FaultKind::Pause => format!("{} is paused", fault.role),
            FaultKind::Resume => format!("{} goes on", fault.role),
        },
        StepKind::Check(calls) => {
            let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
            format!("check {}", names.join(", "))
        }
        StepKind::Measure(roles) => format!("{} measured", all(roles)),
        StepKind::Stop(role) => format!("{role} stops"),
        StepKind::Kill(role) => format!("{role} is killed"),
        StepKind::Start(role) => format!("{role} starts again"),
        StepKind::Calm(within) => format!("{CALM_WITHIN}{}", duration::display(*within)),
    }
}

fn describe_wire(wire: &Wire) -> String {
    use crate::step::WireAction as Action;
    match wire {
        Wire::Replay(replay) => format!("the wire replays {} to {}", replay.from, replay.to),
        Wire::Release { from, to, .. } => format!("the wire releases {from} to {to}"),
        Wire::Clear { from, to } => format!("the wire is clear from {from} to {to}"),
        Wire::Rule(rule) => {
            let action = match &rule.action {
                Action::Drop => "drops".to_owned(),
                Action::Duplicate => "duplicates".to_owned(),
                Action::Hold => "holds".to_owned(),
                Action::Cut => "cuts".to_owned(),
                Action::Truncate { .. } => "truncates".to_owned(),
                Action::ReplaceField { field, .. } => {
                    format!("changes {}", field.raw().as_str().unwrap_or("a field"))
                }
                Action::ReplaceByte { at, .. } => format!("changes byte {at}"),
                Action::Respond { status, .. } => format!("answers {status}"),
            };
            format!("the wire {action} from {} to {}", rule.from, rule.to)
        }
    }
}
