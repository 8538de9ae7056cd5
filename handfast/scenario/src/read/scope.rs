//! Which names are known at a place of a file.

use std::collections::BTreeSet;

use super::fields::text;
use super::{Sink, likeness};
use crate::document::Node;
use crate::name::RoleName;
use crate::scenario::Vocabulary;
use crate::span::Span;
use crate::suggestion::nearest;
use crate::template::{Path, Template};

/// What every started role is known by.
pub(super) const FACTS: [&str; 4] = ["name", "key", "address", "host"];

/// The roles of a file and the names its templates may use from here on.
pub(super) struct Scope<'a> {
    pub(super) roles: BTreeSet<RoleName>,
    names: BTreeSet<String>,
    pub(super) vocabulary: &'a Vocabulary,
    /// Steps read so far, those inside others included.
    pub(super) steps: usize,
}

impl<'a> Scope<'a> {
    pub(super) fn new(roles: BTreeSet<RoleName>, vocabulary: &'a Vocabulary) -> Self {
        let facts = |role: &RoleName| FACTS.map(|fact| format!("{role}.{fact}"));
        let mut names: BTreeSet<String> = roles.iter().flat_map(facts).collect();
        names.insert("uuid".to_owned());
        Self { roles, names, vocabulary, steps: 0 }
    }

    pub(super) fn learn(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// A role that the file has.
    pub(super) fn role(&self, written: &str, span: Span, sink: &mut Sink) -> Option<RoleName> {
        if let Some(role) = self.roles.get(written) {
            return Some(role.clone());
        }
        let known: Vec<&str> = self.roles.iter().map(RoleName::as_str).collect();
        let help = match nearest(written, known.iter().copied()) {
            Some(near) if written.len() > 1 => format!("did you mean {near:?}?"),
            Some(_) | None => format!("add [roles.{written}], or use one of {}", known.join(", ")),
        };
        sink.note(span, format!("there is no role {written:?}"), "unknown role", help);
        None
    }

    pub(super) fn role_at(&self, node: &Node, what: &str, sink: &mut Sink) -> Option<RoleName> {
        self.role(text(node, what, sink)?, node.span, sink)
    }

    /// A value with holes, all of them known.
    pub(super) fn template(&self, node: &Node, sink: &mut Sink) -> Option<Template> {
        match Template::new(node.to_json()) {
            Ok(template) => {
                self.check_names(&template, node.span, sink);
                Some(template)
            }
            Err(error) => {
                let help = "write $${ for a ${ that is no hole".to_owned();
                sink.note(node.span, error.to_string(), "in here", help);
                None
            }
        }
    }

    /// A value with holes that something is compared with.
    pub(super) fn likeness(&self, node: &Node, sink: &mut Sink) -> Option<Template> {
        likeness::check(node, sink);
        self.template(node, sink)
    }

    /// A path, possibly with holes.
    pub(super) fn path(&self, node: &Node, what: &str, sink: &mut Sink) -> Option<Path> {
        let written = text(node, what, sink)?;
        self.template(node, sink)?;
        Some(Path::new(written))
    }

    fn check_names(&self, template: &Template, span: Span, sink: &mut Sink) {
        for name in template.names() {
            if self.names.contains(&name) {
                continue;
            }
            let near = nearest(&name, self.names.iter().map(String::as_str));
            let help = match (near, name.split_once('.')) {
                (Some(near), _) => format!("did you mean ${{{near}}}?"),
                (None, Some((role, _))) if self.roles.contains(role) => {
                    format!("a role has {}", FACTS.join(", "))
                }
                (None, _) => {
                    "an earlier step has to save it: `save = { NAME = \"field\" }`".to_owned()
                }
            };
            sink.note(span, format!("nothing is known as ${{{name}}} here"), "in here", help);
        }
    }
}
