//! Reading files: from a tree with places to validated types.
//!
//! A reader never stops at the first mistake: it notes it in [`Sink`], goes on with what is left, and
//! the file is refused at the end with all of them.

mod ci;
mod condition;
mod disturbance;
mod fields;
mod flaws;
mod likeness;
mod network;
mod notify;
mod perf;
mod project;
mod roles;
mod scenario;
mod schedule;
mod scope;
mod step;
mod values;
mod variants;
mod verb;
mod wire;

#[cfg(test)]
mod schedule_tests;
#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;

use crate::document;
use crate::problem::{Problem, Problems};
use crate::project::Project;
use crate::scenario::{FILE_LEN_MAX, Scenario, Vocabulary};
use crate::span::Span;

pub(crate) fn scenario(
    file: &str,
    text: &str,
    vocabulary: &Vocabulary,
) -> Result<Vec<Scenario>, Problems> {
    read(file, text, |node, sink| scenario::read(file, node, vocabulary, sink))
}

pub(crate) fn project(file: &str, text: &str) -> Result<Project, Problems> {
    read(file, text, project::read)
}

fn read<T>(
    file: &str,
    text: &str,
    build: impl FnOnce(&document::Node, &mut Sink) -> Option<T>,
) -> Result<T, Problems> {
    let mut sink = Sink::default();
    if text.len() > FILE_LEN_MAX {
        let message =
            format!("a file has at most {FILE_LEN_MAX} bytes, this one has {}", text.len());
        sink.note(Span::of(text, 0..0), message, "too long", "split it".to_owned());
        return Err(Problems::new(file, "", sink.problems));
    }
    let node = document::parse(text).map_err(|problem| Problems::new(file, text, vec![problem]))?;
    let built = build(&node, &mut sink);
    match built {
        Some(built) if sink.problems.is_empty() => Ok(built),
        Some(_) | None => Err(Problems::new(file, text, sink.problems)),
    }
}

/// Most mistakes of a file that are told at once; nobody reads more.
const PROBLEMS_MAX: usize = 50;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Sink {
    problems: Vec<Problem>,
}

impl Sink {
    fn note(&mut self, span: Span, message: String, label: &str, help: String) {
        let problem = Problem { span, message, label: label.to_owned(), help: Some(help) };
        // Every variant of a file makes the same mistakes.
        if !self.problems.contains(&problem) && self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}
