//! The reviewed file of results that are not `passed`, strict both ways.
//!
//! A cell that an entry is for has to end exactly as the entry says: one that passes is as much a failure of the run as one that
//! fails without an entry. An entry that is past its last day, or is for no cell of the project, is a failure too.

use std::collections::BTreeSet;

use globset::{Glob, GlobMatcher};
use handfast_scenario::event::Expected;
use handfast_scenario::verdict::VerdictKind;
use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use crate::cell::Cell;

/// Largest file, in bytes.
pub const FILE_LEN_MAX: usize = 1024 * 1024;

/// Most entries of a file; a project with more of them expects nothing.
pub const ENTRIES_MAX: usize = 1_000;

/// A file of expected results that has been read.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    file: String,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    line: usize,
    scenario: GlobMatcher,
    written: String,
    peers: Option<[String; 2]>,
    versions: BTreeSet<String>,
    expected: Expected,
    expires: Date,
}

/// Why a file of expected results could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct ExpectedError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

/// How a cell's verdict compares with what is expected of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Nothing is expected but that it passes; the verdict speaks for itself.
    Plain,
    /// It did not pass, exactly as expected.
    AsExpected,
    /// It passed, and something else is expected.
    UnexpectedPass,
    /// It did not pass, and not as expected either.
    Otherwise,
}

impl Expectations {
    /// Reads a file of `[[expected]]` entries.
    ///
    /// # Errors
    ///
    /// [`ExpectedError`] for the first mistake.
    pub fn parse(file: &str, text: &str) -> Result<Self, ExpectedError> {
        let problem = |line: usize, message: String, help: &str| ExpectedError {
            file: file.to_owned(),
            line,
            message,
            help: help.to_owned(),
        };
        if text.len() > FILE_LEN_MAX {
            let message = format!("the file has more than {FILE_LEN_MAX} bytes");
            return Err(problem(1, message, "leave out what is mended"));
        }
        let written: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            problem(line, error.message().to_owned(), EXAMPLE)
        })?;
        if written.expected.len() > ENTRIES_MAX {
            let message = format!("there are more than {ENTRIES_MAX} entries");
            return Err(problem(1, message, "a pattern can be for many cells"));
        }
        let mut entries = Vec::new();
        for entry in written.expected {
            let line = line_of(text, entry.span().start);
            let entry = Entry::read(line, entry.into_inner());
            entries.push(entry.map_err(|message| problem(line, message, EXAMPLE))?);
        }
        Ok(Self { file: file.to_owned(), entries })
    }

    /// What is expected of a cell; `None`: that it passes. Where several entries are for it, the first counts.
    pub fn of(&self, cell: &Cell) -> Option<Expected> {
        let entry = self.entries.iter().find(|entry| entry.is_for(cell));
        entry.map(|entry| entry.expected.clone())
    }

    /// What is wrong with the file itself on the day `today`, a sentence each: entries past their last day, and entries
    /// that decide over none of `all` cells of the project.
    pub fn faults(&self, all: &[Cell], today: Date) -> Vec<String> {
        let mut faults = Vec::new();
        let mut free: Vec<&Cell> = all.iter().collect();
        for entry in &self.entries {
            let place = format!("{}:{}", self.file, entry.line);
            let what = format!("{} ({})", entry.written, entry.expected.reason);
            if entry.expires < today {
                faults.push(format!(
                    "{place}: {what} expired on {}: mend it, or agree on another day",
                    entry.expires
                ));
            }
            let before = free.len();
            free.retain(|cell| !entry.is_for(cell));
            if free.len() == before {
                faults.push(format!(
                    "{place}: {what} is for no cell, or only for such that an earlier entry is for: leave it out"
                ));
            }
        }
        faults
    }
}

/// Compares a verdict with what is expected.
pub fn compare(expected: Option<&Expected>, verdict: VerdictKind) -> Comparison {
    match expected {
        None => Comparison::Plain,
        Some(expected) if expected.result == verdict => Comparison::AsExpected,
        Some(_) => match verdict {
            VerdictKind::Passed => Comparison::UnexpectedPass,
            // A cell that nobody could play says nothing about what was expected of it.
            VerdictKind::Absent | VerdictKind::Infra | VerdictKind::DidNotFit => Comparison::Plain,
            VerdictKind::Failed | VerdictKind::TimedOut | VerdictKind::Unsupported => {
                Comparison::Otherwise
            }
        },
    }
}

const EXAMPLE: &str = "an entry is [[expected]] with scenario = \"token/*\", peers = [\"*\", \"python\"], result = \"failed\", \
    reason = \"..\", issue = \"https://..\", expires = \"2026-12-31\"";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    expected: Vec<Spanned<Written>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    scenario: String,
    peers: Option<[String; 2]>,
    #[serde(default)]
    versions: BTreeSet<String>,
    result: String,
    reason: String,
    issue: String,
    expires: String,
}

impl Entry {
    fn read(line: usize, written: Written) -> Result<Self, String> {
        let scenario = pattern(&written.scenario)?;
        let result = match written.result.as_str() {
            "failed" => VerdictKind::Failed,
            "timed_out" => VerdictKind::TimedOut,
            "unsupported" => VerdictKind::Unsupported,
            other => {
                return Err(format!(
                    "`result` cannot be {other:?}; it is failed, timed_out or unsupported"
                ));
            }
        };
        if written.reason.trim().is_empty() {
            return Err("`reason` says nothing".to_owned());
        }
        if !written.issue.starts_with("https://") && !written.issue.starts_with("http://") {
            return Err(format!("`issue` is {:?}, which is no link", written.issue));
        }
        let expires: Date = written
            .expires
            .parse()
            .map_err(|_| format!("`expires` is {:?}, which is no day", written.expires))?;
        Ok(Self {
            line,
            scenario,
            written: written.scenario,
            peers: written.peers,
            versions: written.versions,
            expected: Expected {
                result,
                reason: written.reason,
                issue: written.issue,
                expires: expires.to_string(),
            },
            expires,
        })
    }

    fn is_for(&self, cell: &Cell) -> bool {
        let id = &cell.unit.scenario.id;
        let fits = |wanted: &String, peer: &str| wanted == "*" || wanted == peer;
        let peers = self.peers.as_ref().is_none_or(|[a, b]| {
            fits(a, cell.column.a.as_str()) && fits(b, cell.column.b.as_str())
        });
        let protocols = cell.protocols();
        let versions = self.versions.is_empty()
            || protocols.values().any(|version| self.versions.contains(version));
        let scenario = self.scenario.is_match(id.path()) || self.scenario.is_match(id.to_string());
        scenario && peers && versions
    }
}

/// `*` is any text and `?` any letter; brackets stand for themselves, as they do in the ids of variants.
fn pattern(text: &str) -> Result<GlobMatcher, String> {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '[' | ']' | '{' | '}' => format!("[{c}]"),
            other => other.to_string(),
        })
        .collect();
    let glob = Glob::new(&escaped);
    glob.map(|glob| glob.compile_matcher())
        .map_err(|error| format!("`scenario` is no pattern: {}", error.kind()))
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
#[path = "expected_tests.rs"]
mod tests;
