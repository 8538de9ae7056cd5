//! What is wrong in a user's file, pointing at the place and naming the fix.

use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::span::Span;

/// One mistake in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub span: Span,
    /// What is wrong, in one line without a full stop.
    pub message: String,
    /// What stands at the place, a few words for the pointer.
    pub label: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// All mistakes of one file, the first first. Shown by `miette` with the lines they are in.
#[derive(Debug, Clone)]
pub struct Problems {
    file: String,
    source: Arc<NamedSource<String>>,
    mistakes: Vec<Shown>,
}

/// A problem beside the text it points into, which is what `miette` needs to draw it.
#[derive(Debug, Clone)]
struct Shown {
    problem: Problem,
    source: Arc<NamedSource<String>>,
}

impl Problems {
    /// The mistakes found in `text`, which was read from `file`. `problems` must not be empty.
    pub(crate) fn new(file: &str, text: &str, mut problems: Vec<Problem>) -> Self {
        debug_assert!(!problems.is_empty(), "no problems is success");
        problems.sort_by_key(|problem| problem.span.start);
        let source = Arc::new(NamedSource::new(file, text.to_owned()).with_language("TOML"));
        let show = |problem| Shown { problem, source: Arc::clone(&source) };
        let mistakes = problems.into_iter().map(show).collect();
        Self { file: file.to_owned(), source, mistakes }
    }

    /// The file as it was named.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The mistakes, in the order of the file. Never empty.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.mistakes.iter().map(|shown| &shown.problem)
    }

    /// `file:line:column: message (help)` for each, where no terminal can show the drawing.
    pub fn to_plain_text(&self) -> String {
        let line = |problem: &Problem| {
            let Span { line, column, .. } = problem.span;
            let help = problem.help.as_ref().map_or(String::new(), |help| format!("; {help}"));
            format!("{}:{line}:{column}: {}{help}\n", self.file, problem.message)
        };
        self.iter().map(line).collect()
    }
}

impl std::fmt::Display for Problems {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.mistakes.as_slice() {
            [only] => write!(formatter, "{only}"),
            all => write!(formatter, "{} has {} mistakes", self.file, all.len()),
        }
    }
}

impl std::error::Error for Problems {}

impl Diagnostic for Problems {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source.as_ref())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self.mistakes.as_slice() {
            [only] => only.labels(),
            _ => None,
        }
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        match self.mistakes.as_slice() {
            [only] => only.help(),
            _ => None,
        }
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        match self.mistakes.as_slice() {
            [_] => None,
            all => Some(Box::new(all.iter().map(|shown| {
                let diagnostic: &dyn Diagnostic = shown;
                diagnostic
            }))),
        }
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.problem.message)
    }
}

impl std::error::Error for Shown {}

impl Diagnostic for Shown {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source.as_ref())
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = Some(self.problem.label.clone());
        let span: miette::SourceSpan = self.problem.span.into();
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(label, span))))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.problem.help.as_ref().map(|help| -> Box<dyn std::fmt::Display + 'a> { Box::new(help) })
    }
}
