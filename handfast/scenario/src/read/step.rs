//! The list of steps.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Sink;
use super::fields::{Fields, boolean, count, list, table, wrong_kind};
use super::scope::Scope;
use super::{condition, verb, wire};
use crate::document::{Node, NodeValue};
use crate::scenario::STEPS_MAX;
use crate::step::{Pace, ROUNDS_MAX, Repeat, Rounds, STEP_DEPTH_MAX, Step, StepKind};
use crate::template::Template;

/// The keys that say what a step does, each with the keys that may stand beside it.
const VERBS: [(&str, &[&str]); 15] = [
    ("call", &verb::CALL_KEYS),
    ("expect", &condition::KEYS),
    ("event", &verb::EVENT_KEYS),
    ("never", &verb::NEVER_KEYS),
    ("parallel", &["parallel", "do"]),
    ("repeat", &["repeat", "at_once", "do"]),
    ("wire", &["wire"]),
    ("fault", &["fault"]),
    ("check", &["check"]),
    ("measure", &["measure"]),
    ("stop", &["stop"]),
    ("kill", &["kill"]),
    ("start", &["start"]),
    ("clock", &["clock"]),
    ("calm", &["calm"]),
];

/// Reads a list of steps.
pub(super) fn steps(
    node: &Node,
    what: &str,
    depth: usize,
    scope: &mut Scope<'_>,
    sink: &mut Sink,
) -> Vec<Step> {
    let Some(items) = list(node, what, sink) else { return Vec::new() };
    let mut read = Vec::new();
    for item in items {
        scope.steps += 1;
        if scope.steps == STEPS_MAX + 1 {
            let message = format!("a scenario has at most {STEPS_MAX} steps");
            sink.note(item.span, message, "one too many", "make two files of it".to_owned());
        }
        if scope.steps > STEPS_MAX {
            break;
        }
        read.extend(step(item, depth, scope, sink));
    }
    read
}

fn step(node: &Node, depth: usize, scope: &mut Scope<'_>, sink: &mut Sink) -> Vec<Step> {
    let Some(entries) = table(node, "step", sink) else { return Vec::new() };
    let there: Vec<_> = VERBS
        .into_iter()
        .filter(|(verb, _)| entries.iter().any(|entry| entry.key == *verb))
        .collect();
    let (verb, keys) = match there.as_slice() {
        [only] => *only,
        [] => {
            no_verb(node, sink);
            return Vec::new();
        }
        [(first, _), (second, _), ..] => {
            let message = format!("a step does one thing, this one `{first}` and `{second}`");
            sink.note(node.span, message, "two in one", "make two steps of it".to_owned());
            return Vec::new();
        }
    };
    let Some(fields) = Fields::open(node, "this step", keys, sink) else { return Vec::new() };
    let kinds = match verb {
        "clock" => verb::clock(&fields, scope, sink),
        "parallel" | "repeat" => nested(verb, &fields, depth, scope, sink).into_iter().collect(),
        "expect" => condition::read(&fields, scope, sink).into_iter().collect(),
        "wire" => {
            fields.node("wire").and_then(|node| wire::read(node, scope, sink)).into_iter().collect()
        }
        _ => verb::read(verb, &fields, scope, sink).into_iter().collect::<Vec<_>>(),
    };
    kinds
        .into_iter()
        .map(|kind| Step { text: verb::describe(&kind), kind, span: node.span })
        .collect()
}

/// No key says what is done: most often because it is misspelt.
fn no_verb(node: &Node, sink: &mut Sink) {
    let words = VERBS.map(|(verb, _)| verb);
    let near = match &node.value {
        NodeValue::Table(entries) => entries.iter().find_map(|entry| {
            let near = crate::suggestion::nearest(&entry.key, words)?;
            Some((entry, near))
        }),
        NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_) => None,
    };
    let message = "a step does not say what to do".to_owned();
    if let Some((entry, near)) = near {
        sink.note(entry.key_span, message, "unknown key", format!("did you mean `{near}`?"));
    } else {
        let help = format!("add one of {}", words.join(", "));
        sink.note(node.span, message, "no action", help);
    }
}

fn nested(
    verb: &str,
    fields: &Fields<'_>,
    depth: usize,
    scope: &mut Scope<'_>,
    sink: &mut Sink,
) -> Option<StepKind> {
    if depth >= STEP_DEPTH_MAX {
        let message = format!("steps are nested at most {STEP_DEPTH_MAX} deep");
        sink.note(fields.span, message, "too deep", "make the outer steps a list".to_owned());
        return None;
    }
    let rounds = if verb == "repeat" {
        Some(rounds(fields.node("repeat")?, scope, sink)?)
    } else {
        let node = fields.node("parallel")?;
        if !matches!(node.value, NodeValue::Boolean(true)) {
            let wanted = "true, with the steps under [[step.do]]";
            wrong_kind(node, "parallel", wanted, "true", sink);
            return None;
        }
        None
    };
    let node = fields.required("do", "[..]`, most readable as `[[step.do]]", sink)?;
    let children = steps(node, "do", depth + 1, scope, sink);
    if children.is_empty() {
        return None;
    }
    Some(match rounds {
        Some(rounds) => {
            let at_once = fields.node("at_once");
            let at_once = at_once.and_then(|node| boolean(node, "at_once", sink)).unwrap_or(false);
            let pace = if at_once { Pace::AtOnce } else { Pace::OneByOne };
            StepKind::Repeat(Repeat { rounds, pace, steps: children })
        }
        None => StepKind::Parallel(children),
    })
}

fn rounds(node: &Node, scope: &mut Scope<'_>, sink: &mut Sink) -> Option<Rounds> {
    scope.learn("round");
    let rows = match &node.value {
        NodeValue::List(items) => items.iter().map(|item| row(item, sink)).collect(),
        NodeValue::Table(entries) => match entries.as_slice() {
            [only] if only.key == "count" => {
                return count(&only.node, "count", ROUNDS_MAX, sink).map(Rounds::Count);
            }
            _ => columns(node, sink),
        },
        NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_) => {
            wrong_kind(node, "repeat", "a table", "{ count = 3 }", sink);
            None
        }
    }?;
    check_rows(node, rows, scope, sink).map(Rounds::Rows)
}

/// The variables of a round.
type Row = BTreeMap<String, Value>;

fn row(node: &Node, sink: &mut Sink) -> Option<Row> {
    let entries = table(node, "repeat", sink)?;
    Some(entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect())
}

/// `{ field = [..], code = [..] }`: lists of the same length, read row by row.
fn columns(node: &Node, sink: &mut Sink) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for (index, entry) in table(node, "repeat", sink)?.iter().enumerate() {
        let items = list(&entry.node, &entry.key, sink)?;
        if index == 0 {
            rows = vec![Row::new(); items.len()];
        }
        if items.len() != rows.len() {
            let (len, first) = (items.len(), rows.len());
            let message = format!("`{}` has {len} values, the list before it {first}", entry.key);
            let help = "give every variable a value for every round".to_owned();
            sink.note(entry.node.span, message, "of another length", help);
            return None;
        }
        for (row, item) in rows.iter_mut().zip(items) {
            row.insert(entry.key.clone(), item.to_json());
        }
    }
    Some(rows)
}

fn check_rows(
    node: &Node,
    rows: Vec<Row>,
    scope: &mut Scope<'_>,
    sink: &mut Sink,
) -> Option<Vec<Row>> {
    let mut refuse = |message: String, help: &str| {
        sink.note(node.span, message, "in this list", help.to_owned());
        None
    };
    let Some(first) = rows.first() else {
        return refuse("`repeat` has no round".to_owned(), "give it at least one");
    };
    if rows.len() > ROUNDS_MAX {
        return refuse(format!("`repeat` has at most {ROUNDS_MAX} rounds"), "use fewer");
    }
    if rows.iter().any(|row| !row.keys().eq(first.keys())) {
        let help = "give every variable a value for every round";
        return refuse("the rounds of `repeat` have different variables".to_owned(), help);
    }
    let hole = rows.iter().flat_map(BTreeMap::values).any(|value| {
        Template::new(value.clone()).map_or(true, |template| !template.names().is_empty())
    });
    if hole {
        let message = "the values of `repeat` are taken as they are, ${..} included".to_owned();
        return refuse(message, "use ${..} in the steps, beside the variables of the round");
    }
    for name in first.keys() {
        scope.learn(name);
    }
    Some(rows)
}
