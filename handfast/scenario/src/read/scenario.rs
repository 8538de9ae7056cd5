//! A scenario file.

use std::collections::BTreeSet;

use super::Sink;
use super::fields::{Fields, boolean, named, resources};
use super::scope::Scope;
use super::step::steps;
use super::variants::Variant;
use super::{disturbance, network, roles, variants};
use crate::document::{Node, NodeValue};
use crate::name::{CategoryName, MethodName, RoleName};
use crate::scenario::{Needs, Scenario, ScenarioId, Vocabulary};

const KEYS: [&str; 14] = [
    "name",
    "proves",
    "requires",
    "category",
    "timeout",
    "alone",
    "uses",
    "network",
    "roles",
    "introduce",
    "connect",
    "variants",
    "disturbance",
    "step",
];

pub(super) fn read(
    file: &str,
    node: &Node,
    vocabulary: &Vocabulary,
    sink: &mut Sink,
) -> Option<Vec<Scenario>> {
    let fields = Fields::open(node, "a scenario", &KEYS, sink)?;
    let mut scenarios = Vec::new();
    for variant in variants::read(&fields, sink) {
        let filled = variants::fill(node, &variant);
        scenarios.push(one(file, &filled, &variant, vocabulary, sink)?);
    }
    Some(scenarios)
}

/// Whether `step` is `[step]`, a table, in place of a list of them.
fn is_one_table(node: &Node, sink: &mut Sink) -> bool {
    let is_table = matches!(node.value, NodeValue::Table(_));
    if is_table {
        let message = "`step` is a table, and has to be a list of them".to_owned();
        sink.note(node.span, message, "one table", "write `[[step]]`".to_owned());
    }
    is_table
}

/// The scenario of one variant, whose variables are filled in everywhere.
fn one(
    file: &str,
    node: &Node,
    variant: &Variant,
    vocabulary: &Vocabulary,
    sink: &mut Sink,
) -> Option<Scenario> {
    let fields = Fields::open(node, "a scenario", &KEYS, sink)?;
    let name = fields.required_text("name", "\"what this proves, as a sentence\"", sink);
    if name.is_some_and(|name| name.trim().is_empty()) {
        let span = fields.node("name").map_or(fields.span, |node| node.span);
        let help = "say in one sentence what it proves".to_owned();
        sink.note(span, "the name is empty".to_owned(), "nothing", help);
    }
    let roles = roles::read(&fields, sink);
    let introduce = roles::introduce(&fields, sink);
    let role_names: BTreeSet<RoleName> = roles.keys().cloned().collect();
    let connect = roles::connect(&fields, &role_names, introduce, sink);
    let mut scope = Scope::new(role_names, vocabulary);
    let (disturbances, disturbed_at) = disturbance::read(&fields, &scope, sink).into_iter().unzip();
    // Without a step the scenario starts its peers and stops them, which is a behaviour too.
    let written = fields.node("step").filter(|node| !is_one_table(node, sink));
    let steps = written.map(|node| steps(node, "step", 0, &mut scope, sink));
    Some(Scenario {
        id: ScenarioId::new(file, variants::display(variant)),
        file: file.to_owned(),
        name: name.unwrap_or_default().to_owned(),
        proves: fields.texts("proves", sink).into_iter().map(|(id, _)| id.to_owned()).collect(),
        requires: requires(&fields, sink),
        category: fields.name("category", CategoryName::new, sink),
        timeout: fields.duration("timeout", sink),
        needs: needs(&fields, sink),
        network: network::read(&fields, sink),
        disturbances,
        disturbed_at,
        roles,
        introduce,
        connect,
        steps: steps.unwrap_or_default(),
        variables: variant.iter().map(|(name, node)| (name.clone(), node.to_json())).collect(),
    })
}

fn needs(fields: &Fields<'_>, sink: &mut Sink) -> Needs {
    let alone = fields.node("alone").and_then(|node| boolean(node, "alone", sink));
    Needs { alone: alone.unwrap_or(false), uses: resources(fields, "uses", sink) }
}

fn requires(fields: &Fields<'_>, sink: &mut Sink) -> BTreeSet<MethodName> {
    let written = fields.texts("requires", sink);
    written
        .into_iter()
        .filter_map(|(method, span)| named(method, span, "requires", MethodName::new, sink))
        .collect()
}
