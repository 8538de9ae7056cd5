//! The roles of a scenario and what they are told.

use std::collections::{BTreeMap, BTreeSet};

use super::Sink;
use super::fields::{Fields, named, one_of, table, texts};
use crate::document::{Node, NodeValue};
use crate::name::{PeerName, RoleName};
use crate::scenario::{Introduce, ROLES_MAX, Role};
use crate::template::{Bindings, Template};

/// A role before the holes of its texts are filled.
#[derive(Clone)]
pub(super) struct RawRole {
    role: Role,
    peer: Option<String>,
}

/// Reads `[roles.X]`; a file without any has the roles `a` and `b`.
pub(super) fn read(
    fields: &Fields<'_>,
    variables: &BTreeSet<String>,
    sink: &mut Sink,
) -> BTreeMap<RoleName, RawRole> {
    let mut roles = BTreeMap::new();
    let Some(node) = fields.node("roles") else {
        for name in ["a", "b"] {
            if let Ok(name) = RoleName::new(name) {
                roles.insert(name, RawRole { role: Role::default(), peer: None });
            }
        }
        return roles;
    };
    let Some(entries) = table(node, "roles", sink) else { return roles };
    if entries.is_empty() || entries.len() > ROLES_MAX {
        let message = format!("a scenario has 1 to {ROLES_MAX} roles, not {}", entries.len());
        sink.note(node.span, message, "here", "add [roles.a]".to_owned());
    }
    for entry in entries {
        let name = named(&entry.key, entry.key_span, "roles", RoleName::new, sink);
        let role = role(&entry.node, variables, sink);
        if let (Some(name), Some(mut role)) = (name, role) {
            role.role.span = entry.key_span;
            roles.insert(name, role);
        }
    }
    roles
}

fn role(node: &Node, variables: &BTreeSet<String>, sink: &mut Sink) -> Option<RawRole> {
    let fields = Fields::open(node, "a role", &["peer", "protocol", "env", "args"], sink)?;
    check_holes(node, variables, sink);
    let args = fields.texts("args", sink).into_iter().map(|(arg, _)| arg.to_owned()).collect();
    let role = Role {
        peer: None,
        protocol: fields.text("protocol", sink).map(str::to_owned),
        env: fields.text_table("env", sink),
        args,
        span: node.span,
    };
    Some(RawRole { role, peer: fields.text("peer", sink).map(str::to_owned) })
}

/// A role is set up before anything is known but the variables of the variant.
fn check_holes(node: &Node, variables: &BTreeSet<String>, sink: &mut Sink) {
    let names = Template::new(node.to_json()).map(|template| template.names()).unwrap_or_default();
    for name in names.difference(variables) {
        let message = format!("nothing is known as ${{{name}}} when a role starts");
        let help = "only the variables of `variants` are".to_owned();
        sink.note(node.span, message, "in this role", help);
    }
}

impl RawRole {
    /// Fills the holes with the variables of a variant.
    pub(super) fn fill(&self, bindings: &mut Bindings, sink: &mut Sink) -> Option<Role> {
        let mut fill = |text: &String| {
            let filled = Template::new(text.as_str().into())
                .and_then(|template| template.resolve(bindings))
                .ok()?;
            Some(filled.as_str().map_or_else(|| filled.to_string(), str::to_owned))
        };
        let peer = self.peer.as_ref().and_then(&mut fill);
        let protocol = self.role.protocol.as_ref().and_then(&mut fill);
        let env = self.role.env.iter().filter_map(|(key, value)| Some((key.clone(), fill(value)?)));
        let env = env.collect();
        let args = self.role.args.iter().filter_map(fill).collect();
        let span = self.role.span;
        let peer = match peer {
            None => None,
            Some(peer) => Some(named(&peer, span, "peer", PeerName::new, sink)?),
        };
        Some(Role { peer, protocol, env, args, span })
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
