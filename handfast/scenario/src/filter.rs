//! Which units a person asks for.

use globset::{GlobBuilder, GlobMatcher};

use crate::scenario::Scenario;

/// A filter as typed: a part of a name or id, or a pattern with `*`, `?` or `[`.
///
/// Case does not matter. A pattern has to match the whole id, the name, the last part of the id or an
/// id of the catalogue; a plain text has to occur in one of them.
#[derive(Debug, Clone)]
pub struct Filter {
    text: String,
    form: Form,
}

#[derive(Debug, Clone)]
enum Form {
    Part(String),
    Pattern(GlobMatcher),
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    ///
    /// A pattern that is none, such as an open bracket.
    pub fn new(text: &str) -> Result<Self, globset::Error> {
        let form = if text.contains(['*', '?']) {
            let glob = GlobBuilder::new(text).case_insensitive(true).build()?;
            Form::Pattern(glob.compile_matcher())
        } else {
            Form::Part(text.to_lowercase())
        };
        Ok(Self { text: text.to_owned(), form })
    }

    /// The filter as typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether somebody who typed this means that scenario.
    pub fn matches(&self, scenario: &Scenario) -> bool {
        let id = scenario.id.to_string();
        let own = [id.as_str(), scenario.id.path(), scenario.id.stem(), scenario.name.as_str()];
        own.into_iter()
            .chain(scenario.proves.iter().map(String::as_str))
            .any(|text| self.matches_text(text))
    }

    /// Whether it matches a single text, for example a suite's name.
    pub fn matches_text(&self, text: &str) -> bool {
        match &self.form {
            Form::Part(part) => text.to_lowercase().contains(part),
            Form::Pattern(glob) => glob.is_match(text),
        }
    }
}
