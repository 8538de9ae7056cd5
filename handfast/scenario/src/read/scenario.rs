//! A scenario file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Sink;
use super::fields::{Fields, list, named, one_of, table};
use super::roles::{self, RawRole};
use super::scope::Scope;
use super::step::steps;
use crate::document::{Node, NodeValue};
use crate::name::{CategoryName, MethodName, RoleName};
use crate::scenario::{Network, Scenario, ScenarioId, VARIANTS_MAX, Vocabulary};
use crate::template::Bindings;

const KEYS: [&str; 10] = [
    "name",
    "proves",
    "requires",
    "category",
    "network",
    "roles",
    "introduce",
    "connect",
    "variants",
    "step",
];

/// The variables of one variant, in the order of the file.
type Variant = Vec<(String, Value)>;

pub(super) fn read(
    file: &str,
    node: &Node,
    vocabulary: &Vocabulary,
    sink: &mut Sink,
) -> Option<Vec<Scenario>> {
    let fields = Fields::open(node, "a scenario", &KEYS, sink)?;
    let name = fields.required_text("name", "\"what this proves, as a sentence\"", sink);
    let variants = variants(&fields, sink);
    let variables: BTreeSet<String> =
        variants.iter().flatten().map(|(name, _)| name.clone()).collect();
    let raw_roles = roles::read(&fields, &variables, sink);
    let introduce = roles::introduce(&fields, sink);
    let role_names: BTreeSet<RoleName> = raw_roles.keys().cloned().collect();
    let connect = roles::connect(&fields, &role_names, introduce, sink);
    let mut scope = Scope::new(role_names, vocabulary);
    for variable in &variables {
        scope.learn(variable);
    }
    // Without a step the scenario starts its peers and stops them, which is a behaviour too.
    let steps = fields.node("step").map(|node| steps(node, "step", 0, &mut scope, sink));
    let scenario = Scenario {
        id: ScenarioId::new(file, None),
        file: file.to_owned(),
        name: name.unwrap_or_default().to_owned(),
        proves: fields.texts("proves", sink).into_iter().map(|(id, _)| id.to_owned()).collect(),
        requires: requires(&fields, sink),
        category: fields.name("category", CategoryName::new, sink),
        network: network(&fields, sink),
        roles: BTreeMap::new(),
        introduce,
        connect,
        steps: steps.unwrap_or_default(),
        variables: BTreeMap::new(),
    };
    if name.is_some_and(|name| name.trim().is_empty()) {
        let span = fields.node("name").map_or(fields.span, |node| node.span);
        let help = "say in one sentence what it proves".to_owned();
        sink.note(span, "the name is empty".to_owned(), "nothing", help);
    }
    let expand = |variant| expand(&scenario, &raw_roles, variant, sink);
    Some(variants.into_iter().map(expand).collect())
}

fn expand(
    scenario: &Scenario,
    raw_roles: &BTreeMap<RoleName, RawRole>,
    variant: Variant,
    sink: &mut Sink,
) -> Scenario {
    let mut bindings = Bindings::new(0);
    let mut text = Vec::new();
    for (name, value) in &variant {
        bindings.set(name.clone(), value.clone());
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text.push(format!("{name}={value}"));
    }
    let text = (!text.is_empty()).then(|| text.join(","));
    let role =
        |(name, role): (&RoleName, &RawRole)| Some((name.clone(), role.fill(&mut bindings, sink)?));
    Scenario {
        id: ScenarioId::new(&scenario.file, text),
        roles: raw_roles.iter().filter_map(role).collect(),
        variables: variant.into_iter().collect(),
        ..scenario.clone()
    }
}

/// `variants = [{ a = "1.0", b = "both" }, ..]`; a file without any is its only variant.
fn variants(fields: &Fields<'_>, sink: &mut Sink) -> Vec<Variant> {
    let Some(node) = fields.node("variants") else { return vec![Variant::new()] };
    let Some(items) = list(node, "variants", sink) else { return vec![Variant::new()] };
    if items.is_empty() || items.len() > VARIANTS_MAX {
        let message = format!("`variants` has 1 to {VARIANTS_MAX} of them, not {}", items.len());
        sink.note(node.span, message, "here", "leave `variants` out".to_owned());
    }
    let mut read: Vec<Variant> = Vec::new();
    for item in items {
        let Some(entries) = table(item, "variants", sink) else { continue };
        let variant: Variant =
            entries.iter().map(|entry| (entry.key.clone(), entry.node.to_json())).collect();
        check_variant(item, &variant, &read, sink);
        read.push(variant);
    }
    if read.is_empty() {
        read.push(Variant::new());
    }
    read
}

fn check_variant(node: &Node, variant: &Variant, earlier: &[Variant], sink: &mut Sink) {
    let names = |variant: &Variant| {
        variant.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<String>>()
    };
    if earlier.first().is_some_and(|first| names(first) != names(variant)) {
        let help = "give every variable a value in every variant".to_owned();
        let message = "this variant has other variables than the first".to_owned();
        sink.note(node.span, message, "other variables", help);
    }
    if earlier.contains(variant) {
        let message = "this variant is there twice".to_owned();
        sink.note(node.span, message, "the same again", "leave one out".to_owned());
    }
    if matches!(&node.value, NodeValue::Table(entries) if entries.is_empty()) {
        let message = "this variant has no variable".to_owned();
        sink.note(node.span, message, "empty", "write { version = \"1.1\" }".to_owned());
    }
}

fn requires(fields: &Fields<'_>, sink: &mut Sink) -> BTreeSet<MethodName> {
    let written = fields.texts("requires", sink);
    written
        .into_iter()
        .filter_map(|(method, span)| named(method, span, "requires", MethodName::new, sink))
        .collect()
}

fn network(fields: &Fields<'_>, sink: &mut Sink) -> Network {
    if let Some(node) = fields.node("network") {
        match fields.text("network", sink) {
            Some("none") | None => {}
            Some(other) => one_of(other, node.span, "network", &["none"], sink),
        }
    }
    Network::None
}
