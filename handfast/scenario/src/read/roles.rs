//! The roles of a scenario and what they are told.

use std::collections::{BTreeMap, BTreeSet};

use super::Sink;
use super::fields::{Fields, named, one_of, table, texts};
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
    for entry in entries {
        let name = named(&entry.key, entry.key_span, "roles", RoleName::new, sink);
        let role = role(&entry.node, sink);
        if let (Some(name), Some(role)) = (name, role) {
            roles.insert(name, Role { span: entry.key_span, ..role });
        }
    }
    roles
}

fn role(node: &Node, sink: &mut Sink) -> Option<Role> {
    let fields = Fields::open(node, "a role", &["peer", "protocol", "env", "args"], sink)?;
    // A role is set up before anything is known but the variables of the variant, which are filled in.
    let names = Template::new(node.to_json()).map(|template| template.names()).unwrap_or_default();
    for name in names {
        let message = format!("nothing is known as ${{{name}}} when a role starts");
        let help = "only the variables of `variants` are".to_owned();
        sink.note(node.span, message, "in this role", help);
    }
    Some(Role {
        peer: fields.name("peer", PeerName::new, sink),
        protocol: fields.text("protocol", sink).map(str::to_owned),
        env: fields.text_table("env", sink),
        args: fields.texts("args", sink).into_iter().map(|(arg, _)| arg.to_owned()).collect(),
        span: node.span,
    })
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
