//! `network`: what the links between the roles are like.

use handfast_faults::conditions::{Conditions, ConditionsPatch};
use handfast_faults::preset;
use serde_json::{Map, Value};

use super::Sink;
use super::fields::{Fields, one_of, wrong_kind};
use crate::document::{Entry, Node, NodeValue};
use crate::scenario::Network;

/// What conditions can say; the words and their meanings are those of `handfast-faults`.
pub(super) const CONDITIONS: [&str; 16] = [
    "delay",
    "jitter",
    "shape",
    "correlation",
    "keeps_order",
    "loss",
    "burst",
    "duplicate",
    "corrupt",
    "renew_checksums",
    "reorder",
    "reorder_by",
    "rate",
    "queue",
    "mtu",
    "dead_flows",
];

/// Keys that mean something beside another one only.
const BESIDE: [(&str, &str); 2] = [("burst", "loss"), ("queue", "rate")];

/// `network = "lte"`, `network = "none"` or `network = { delay = "50ms", .. }`.
pub(super) fn read(fields: &Fields<'_>, sink: &mut Sink) -> Network {
    let Some(node) = fields.node("network") else { return Network::None };
    match &node.value {
        NodeValue::Text(name) if name == "none" => Network::None,
        NodeValue::Text(name) => {
            let found = preset(name);
            if found.is_err() {
                let names = preset::PRESETS.iter().map(|preset| preset.name);
                let names: Vec<&str> = names.chain(["none"]).collect();
                one_of(name, node.span, "network", &names, sink);
            }
            found.map_or(Network::None, |preset| Network::Preset(preset.name))
        }
        NodeValue::Table(entries) => {
            let read = Fields::open(node, "a network", &CONDITIONS, sink)
                .and_then(|_| patch(node, entries, sink));
            read.map_or(Network::None, |patch| Network::Own(patch.over(&Conditions::default())))
        }
        NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::Boolean(_)
        | NodeValue::List(_) => {
            let wanted = "the name of a preset, or a table of conditions";
            wrong_kind(node, "network", wanted, "\"lte\"", sink);
            Network::None
        }
    }
}

/// The conditions among the entries of a table; other keys are somebody else's.
pub(super) fn patch(node: &Node, entries: &[Entry], sink: &mut Sink) -> Option<ConditionsPatch> {
    let known: Vec<&Entry> =
        entries.iter().filter(|entry| CONDITIONS.contains(&entry.key.as_str())).collect();
    let mut whole = Map::new();
    let mut is_right = true;
    for entry in &known {
        let mut alone = Map::from_iter([(entry.key.clone(), entry.node.to_json())]);
        let partner = BESIDE.iter().find(|(key, _)| *key == entry.key).map(|(_, partner)| *partner);
        let beside = partner.and_then(|key| known.iter().find(|other| other.key == key));
        match (partner, beside) {
            (Some(partner), None) => {
                let message = format!("`{}` says nothing without `{partner}`", entry.key);
                sink.note(entry.key_span, message, "alone", format!("add `{partner} = ..`"));
                is_right = false;
                continue;
            }
            (Some(_), Some(beside)) => {
                alone.insert(beside.key.clone(), beside.node.to_json());
            }
            (None, _) => {}
        }
        // One key after the other, so that the place of a mistake is known.
        let read = serde_json::from_value::<ConditionsPatch>(Value::Object(alone));
        if let Err(error) = read {
            note(entry, &error.to_string(), sink);
            is_right = false;
        }
        whole.insert(entry.key.clone(), entry.node.to_json());
    }
    if !is_right {
        return None;
    }
    match serde_json::from_value::<ConditionsPatch>(Value::Object(whole)) {
        Ok(patch) => Some(patch),
        Err(error) => {
            let help = "each of them alone could be; leave one out".to_owned();
            sink.note(node.span, error.to_string(), "these together", help);
            None
        }
    }
}

fn note(entry: &Entry, error: &str, sink: &mut Sink) {
    let quoted = format!("`{}`", entry.key);
    let message =
        if error.contains(&quoted) { error.to_owned() } else { format!("{quoted}: {error}") };
    let example = match entry.key.as_str() {
        "delay" | "jitter" | "reorder_by" => "\"50ms\"",
        "shape" => "\"normal\"; or uniform, pareto, pareto-normal",
        "keeps_order" | "renew_checksums" => "false",
        "burst" => "8, the mean length of a burst in packets",
        "rate" => "\"10Mbit/s\"",
        "queue" => "\"100ms\", or \"64KiB\"",
        "mtu" => "1400",
        _ => "0.02, a share from 0 to 1",
    };
    sink.note(entry.node.span, message, "in here", format!("write `{} = {example}`", entry.key));
}
