//! The roles of a scenario and what they are told.

use std::collections::{BTreeMap, BTreeSet};

use super::Sink;
use super::fields::{Fields, named, one_of, table, texts};
use super::scope::FACTS;
use crate::document::{Node, NodeValue};
use crate::name::{PeerName, RoleName};
use crate::scenario::{Introduce, ROLES_MAX, Role};
use crate::template::Template;

/// Reads `[roles.X]`; a file without any has the roles `a` and `b`.
pub(super) fn read(fields: &Fields<'_>, sink: &mut Sink) -> BTreeMap<RoleName, Role> {
    let mut roles = BTreeMap::new();
    let Some(node) = fields.node("roles") else {
        let names = ["a", "b"].into_iter().filter_map(|name| RoleName::new(name).ok());
        return names.map(|name| (name, Role::default())).collect();
    };
    let Some(entries) = table(node, "roles", sink) else { return roles };
    if entries.is_empty() || entries.len() > ROLES_MAX {
        let message = format!("a scenario has 1 to {ROLES_MAX} roles, not {}", entries.len());
        sink.note(node.span, message, "here", "add [roles.a]".to_owned());
    }
    let written: BTreeSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
    for entry in entries {
        let name = named(&entry.key, entry.key_span, "roles", RoleName::new, sink);
        let role = role(&entry.node, (&entry.key, &written), sink);
        if let (Some(name), Some(role)) = (name, role) {
            roles.insert(name, Role { span: entry.key_span, ..role });
        }
    }
    refuse_circles(&roles, sink);
    roles
}

/// Roles whose environment names each other's facts could never start.
fn refuse_circles(roles: &BTreeMap<RoleName, Role>, sink: &mut Sink) {
    let mut started = BTreeSet::new();
    loop {
        let is_ready = |(name, role): &(&RoleName, &Role)| {
            !started.contains(*name) && role.needs().is_subset(&started)
        };
        let ready: Vec<RoleName> =
            roles.iter().filter(is_ready).map(|(name, _)| name.clone()).collect();
        if ready.is_empty() {
            break;
        }
        started.extend(ready);
    }
    let stuck = roles.iter().find(|(name, _)| !started.contains(*name));
    // A role that is not there, or needs itself, was told of already.
    let is_told = |name: &RoleName, role: &Role| {
        role.needs().iter().any(|one| one == name || !roles.contains_key(one))
    };
    if let Some((name, role)) = stuck.filter(|(name, role)| !is_told(name, role)) {
        let message = format!("{name} starts after a role that starts after {name}");
        let help = "let one of them start without the facts of the other".to_owned();
        sink.note(role.span, message, "in a circle", help);
    }
}

fn role(node: &Node, (own, all): (&str, &BTreeSet<&str>), sink: &mut Sink) -> Option<Role> {
    let keys = ["peer", "protocol", "env", "args", "address"];
    let fields = Fields::open(node, "a role", &keys, sink)?;
    for key in keys {
        let Some(field) = fields.node(key) else { continue };
        // It is told of once it has started, and so may name its own facts.
        let known = |name: &str| match name.split_once('.') {
            Some((role, fact)) if FACTS.contains(&fact) && all.contains(role) => {
                key == "address" || (key == "env" && role != own)
            }
            Some(_) | None => false,
        };
        check_names(field, (key, known), sink);
    }
    Some(Role {
        address: fields.text("address", sink).map(str::to_owned),
        peer: fields.name("peer", PeerName::new, sink),
        protocol: fields.text("protocol", sink).map(str::to_owned),
        env: fields.text_table("env", sink),
        args: fields.texts("args", sink).into_iter().map(|(arg, _)| arg.to_owned()).collect(),
        span: node.span,
    })
}

/// A role is set up before anything is known but the variables of the variant, which are filled in; where it starts after
/// others, their facts are known, too.
fn check_names(node: &Node, (key, known): (&str, impl Fn(&str) -> bool), sink: &mut Sink) {
    let names = Template::new(node.to_json()).map(|template| template.names()).unwrap_or_default();
    for name in names.iter().filter(|name| !known(name)) {
        let message = format!("nothing is known as ${{{name}}} when a role starts");
        let help = match key {
            "env" => {
                "the variables of `variants` are, and what other roles have: `${r.host}`, `${r.key}`"
            }
            "address" => {
                "the variables of `variants` are, and what roles have: `${r.address}`, `${r.key}`"
            }
            _ => "only the variables of `variants` are",
        };
        sink.note(node.span, message, "in this role", help.to_owned());
    }
}

/// `introduce = "all" | "addresses" | "none"`.
pub(super) fn introduce(fields: &Fields<'_>, sink: &mut Sink) -> Introduce {
    let Some(node) = fields.node("introduce") else { return Introduce::All };
    match fields.text("introduce", sink) {
        Some("all") | None => Introduce::All,
        Some("addresses") => Introduce::Addresses,
        Some("none") => Introduce::Nobody,
        Some(other) => {
            one_of(other, node.span, "introduce", &["all", "addresses", "none"], sink);
            Introduce::All
        }
    }
}

/// `connect = true` or `connect = ["a"]`.
pub(super) fn connect(
    fields: &Fields<'_>,
    roles: &BTreeSet<RoleName>,
    introduce: Introduce,
    sink: &mut Sink,
) -> BTreeSet<RoleName> {
    let Some(node) = fields.node("connect") else { return BTreeSet::new() };
    let connect: BTreeSet<RoleName> = match &node.value {
        NodeValue::Boolean(true) => roles.clone(),
        NodeValue::Boolean(false) => BTreeSet::new(),
        NodeValue::Text(_)
        | NodeValue::Integer(_)
        | NodeValue::Float(_)
        | NodeValue::List(_)
        | NodeValue::Table(_) => {
            let written = texts(node, "connect", sink);
            let vocabulary = crate::scenario::Vocabulary::default();
            let scope = super::scope::Scope::new(roles.clone(), &vocabulary);
            written.into_iter().filter_map(|(role, span)| scope.role(role, span, sink)).collect()
        }
    };
    if introduce == Introduce::Nobody && !connect.is_empty() {
        let message = "nobody can connect to whom nobody introduces".to_owned();
        let help = "leave `connect` or `introduce = \"none\"` out".to_owned();
        sink.note(node.span, message, "beside `introduce = \"none\"`", help);
    }
    connect
}
