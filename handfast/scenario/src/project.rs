//! `handfast.toml`: the peers, scenarios, categories and foreign suites of a project.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use globset::GlobMatcher;
use handfast_schedule::Job;

use crate::ci::CiSettings;
use crate::flaws::{FlawedBuild, Selftest};
use crate::name::{CategoryName, PeerName, ResourceName, SuiteName};
use crate::notify::NotifySettings;
use crate::problem::Problems;
use crate::read;
use crate::span::Span;

/// A validated project file.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// Peer programs, in the order of the file; the first plays every role that nobody else is
    /// named for.
    pub peers: Vec<PeerProgram>,
    /// Folders of scenario files, relative to the project file.
    pub scenario_folders: Vec<String>,
    /// Classes of tests, at least one.
    pub categories: Vec<Category>,
    /// How much there is of which resource that scenarios use; at least 1 each.
    pub resources: BTreeMap<ResourceName, u32>,
    /// Foreign test suites that are part of a run.
    pub suites: Vec<Suite>,
    /// Who meets whom in the matrix; `None` without `[matrix]`.
    pub matrix: Option<MatrixSettings>,
    /// What runs networks in virtual time; `None` without `[simulator]`.
    pub simulator: Option<Simulator>,
    /// What a run of everything has to reach.
    pub exercise: Exercise,
    /// What is asked of the scenarios where flaws are planted.
    pub selftest: Selftest,
    /// Whose speed is measured, and what is wanted of it.
    pub perf: PerfSettings,
    /// Who is told what a run finds; `None` without `[notify]`.
    pub notify: Option<NotifySettings>,
    /// The jobs in which it runs elsewhere; `None` without `[ci]`.
    pub ci: Option<CiSettings>,
    /// What runs by itself, in the order of the file.
    pub schedule: Vec<Job>,
}

/// `[matrix]`: which peers meet each other in every scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatrixSettings {
    /// The peers, in the order of the columns; at least one, each once.
    pub peers: Vec<PeerName>,
    /// The file of expected results, relative to the project file; `None`: every cell has to pass.
    pub expected: Option<String>,
    /// Time for all cells together; when it is over no further cell begins.
    pub budget: Duration,
}

impl MatrixSettings {
    /// Time for all cells where a project does not say.
    pub const BUDGET: Duration = Duration::from_mins(30);
}

/// `[simulator]`: the program behind `handfast simulate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulator {
    /// How to build it; `None`: nothing to build.
    pub build: Option<Command>,
    /// How to start it; it reads its order from standard input (docs/design/simulation.md).
    pub start: Command,
}

/// `[perf]`: whose speed is measured, and what is wanted of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PerfSettings {
    /// The peers that `handfast perf run` measures where none is named, each with itself; empty: those of the matrix, or the first one.
    pub peers: Vec<PeerName>,
    /// Aims of the project's own, by metric: microseconds, messages a second or bytes.
    pub aims: BTreeMap<String, AimSetting>,
}

/// What is wanted of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AimSetting {
    /// It is met on the good side of this.
    pub target: u64,
    /// Beyond this somebody is told.
    pub alert: u64,
}

/// `[exercise]`: what a run of all scenarios is to reach at least once, and is warned of otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exercise {
    /// Types of messages of the peers' protocol, as the wire tap sees them.
    pub messages: BTreeSet<String>,
    /// Kinds of faults, of [`handfast_faults::kinds::KINDS`].
    pub faults: BTreeSet<String>,
}

/// A program that plays a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerProgram {
    /// Its name.
    pub name: PeerName,
    /// How to build it; run once before the first start. `None`: nothing to build.
    pub build: Option<Command>,
    /// How to start it; it has to speak the peer contract.
    pub start: Command,
    /// Environment of the started program, beside what the contract sets.
    pub env: BTreeMap<String, String>,
    /// Protocol versions that it is expected to speak; `initialize` has to name them all.
    pub versions: Vec<String>,
    /// Files of recorded conversations from which it can be played while it is late, relative to the project file.
    pub stub: Vec<String>,
    /// Programs that have to be in `PATH`; while one is not, the peer is absent.
    pub needs: Vec<String>,
    /// Files and folders, relative to the project file, that make up the program beside those its start command names.
    pub inputs: Vec<String>,
    /// How it is built and started with a flaw; `None`: it cannot be.
    pub flaws: Option<FlawedBuild>,
    /// Version of the peer contract.
    pub contract: String,
    /// Where it is declared.
    pub span: Span,
}

/// A program and its arguments; never a shell line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program, first, and its arguments. Never empty.
    words: Vec<String>,
}

/// A class of tests.
#[derive(Debug, Clone)]
pub struct Category {
    /// Its name.
    pub name: CategoryName,
    /// Which test names belong to it.
    pub patterns: Vec<Pattern>,
    /// Time for all of its units and suites together; when it is over, what is not done is ended.
    pub budget: Duration,
    /// The most that a single unit may take, at most the budget.
    pub timeout: Duration,
    /// How many of its units run at the same time, at least 1.
    pub parallel: usize,
}

/// A pattern of test names: `*` is any text, `?` any letter.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    matcher: GlobMatcher,
}

/// A foreign test suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    /// Its name.
    pub name: SuiteName,
    /// Which tool runs it.
    pub kind: SuiteKind,
    /// Its category.
    pub category: CategoryName,
    /// Further arguments of the tool, such as `["-p", "entity-wire"]`.
    pub args: Vec<String>,
    /// Folder in which it is run, relative to the project file.
    pub folder: String,
    /// Further environment.
    pub env: BTreeMap<String, String>,
    /// Where it is declared.
    pub span: Span,
}

/// Which tool runs a suite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SuiteKind {
    /// `cargo nextest run`, or `cargo test` where nextest is not installed.
    Cargo,
    /// A program that leaves a `JUnit` file.
    JUnit {
        /// The program.
        command: Command,
        /// The file it writes, relative to the folder.
        report: String,
    },
}

/// To how many categories a name belongs, where one is right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CategoryError {
    /// No pattern matches, and the file names no category.
    #[error(
        "{test} belongs to no category: its name begins with none of {patterns}; rename it or give it `category = \"..\"`"
    )]
    None {
        /// The test.
        test: String,
        /// The patterns of all categories.
        patterns: String,
    },
    /// Patterns of several categories match.
    #[error("{test} belongs to two categories, {first} and {second}; a test has exactly one")]
    Several {
        /// The test.
        test: String,
        /// One of them.
        first: CategoryName,
        /// Another.
        second: CategoryName,
    },
    /// The file names a category that the project does not have.
    #[error("{test} names the category {named}, which handfast.toml does not have; it has {known}")]
    Unknown {
        /// The test.
        test: String,
        /// The category named.
        named: CategoryName,
        /// The project's categories.
        known: String,
    },
}

impl Project {
    /// Reads a project file.
    ///
    /// # Errors
    ///
    /// [`Problems`] lists every mistake of the file with its line and column and the fix.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        read::project(file, text)
    }

    /// The peer of that name.
    pub fn peer(&self, name: &PeerName) -> Option<&PeerProgram> {
        self.peers.iter().find(|peer| &peer.name == name)
    }

    /// The category of that name.
    pub fn category(&self, name: &CategoryName) -> Option<&Category> {
        self.categories.iter().find(|category| &category.name == name)
    }

    /// The one category of a test: the one its file names, otherwise the one whose pattern matches the
    /// last part of its name.
    ///
    /// A named category beside a matching pattern of another one is two categories, hence an error.
    ///
    /// # Errors
    ///
    /// [`CategoryError`] names the test and the categories in question.
    pub fn category_of(
        &self,
        test: &str,
        stem: &str,
        named: Option<&CategoryName>,
    ) -> Result<&Category, CategoryError> {
        let mut found = BTreeSet::new();
        for (index, category) in self.categories.iter().enumerate() {
            let by_pattern = category.patterns.iter().any(|pattern| pattern.matches(stem));
            if by_pattern || named == Some(&category.name) {
                found.insert(index);
            }
        }
        if let Some(named) = named.filter(|named| self.category(named).is_none()) {
            let known = self.categories.iter().map(|category| category.name.to_string());
            let known = known.collect::<Vec<_>>().join(", ");
            return Err(CategoryError::Unknown {
                test: test.to_owned(),
                named: named.clone(),
                known,
            });
        }
        let mut found = found.into_iter().map(|index| &self.categories[index]);
        match (found.next(), found.next()) {
            (Some(only), None) => Ok(only),
            (Some(first), Some(second)) => Err(CategoryError::Several {
                test: test.to_owned(),
                first: first.name.clone(),
                second: second.name.clone(),
            }),
            (None, _) => {
                let patterns = self.categories.iter().flat_map(|category| &category.patterns);
                let patterns = patterns.map(|pattern| pattern.text.as_str()).collect::<Vec<_>>();
                Err(CategoryError::None { test: test.to_owned(), patterns: patterns.join(", ") })
            }
        }
    }
}

impl Command {
    /// A program and its arguments; `None` for no words at all.
    pub fn new(words: Vec<String>) -> Option<Self> {
        (!words.is_empty() && !words[0].is_empty()).then_some(Self { words })
    }

    /// The program.
    pub fn program(&self) -> &str {
        &self.words[0]
    }

    /// Its arguments.
    pub fn args(&self) -> &[String] {
        &self.words[1..]
    }

    /// Program and arguments.
    pub fn words(&self) -> &[String] {
        &self.words
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, such as an open bracket.
    pub fn new(text: &str) -> Result<Self, globset::Error> {
        let matcher = globset::Glob::new(text)?.compile_matcher();
        Ok(Self { text: text.to_owned(), matcher })
    }

    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        self.matcher.is_match(name)
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}
