//! Known issues: reviewed rules that skip what cannot succeed, or mark what fails as expected, until they end by themselves.
//!
//! ```toml
//! [[known]]
//! name = "python-late-ack"
//! act = "mark"                            # mark: it runs, and its failure is told as known; skip: it does not run
//! text = "* did not answer session.open within <duration>*"   # the normalised text of the failure; only with mark
//! scenario = "meeting/*"                  # id of the scenario, or suite/test; with or without the variant in brackets
//! peers = { python = "1.2.*" }            # these have to play, in these versions; left out: whoever plays
//! owner = "mara"
//! reason = "the peer signs with a slow library"
//! issue = "https://example.org/issues/7"
//! until = { peer = "python", version = "1.3" }   # or { day = "2026-12-31" }, or { passes = 20 }
//! ```
//!
//! [`mod@file`] reads the file, [`version`] compares versions, [`InForce`] applies the rules to a run, [`passes`] keeps from run to run what ends them.

pub mod file;
pub mod passes;
pub mod version;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use handfast_scenario::name::{PeerName, RoleName};
use jiff::civil::Date;

use self::version::Version;
use crate::failure::Failure;
use crate::normal::NormalText;
use crate::pattern::Pattern;
use crate::quarantine::Quarantined;

/// A file of known issues that has been read.
#[derive(Debug, Clone, Default)]
pub struct Known {
    pub(crate) file: String,
    pub(crate) rules: Vec<Rule>,
    pub(crate) quarantined: Vec<Quarantined>,
}

/// A known issue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name, which no other rule of the file has.
    pub name: String,
    /// Line of the file.
    pub line: usize,
    /// What is done.
    pub act: Act,
    /// For which scenarios, or tests of suites as `suite/test`.
    pub scenario: Pattern,
    /// Which peers have to play, and in which versions.
    pub peers: BTreeMap<PeerName, Pattern>,
    /// Who looks after it.
    pub owner: String,
    /// Why, in a sentence.
    pub reason: String,
    /// Where it is being worked on.
    pub issue: String,
    /// When it ends by itself.
    pub until: Until,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// What it is for is not run.
    Skip,
    /// It runs, and a failure with this text is told as known.
    Mark {
        /// Has to fit the whole normalised text of the failure.
        text: Pattern,
    },
}

/// When a rule ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// After this day.
    Day(Date),
    /// When this peer has this version, or a later one.
    Version {
        /// The peer.
        peer: PeerName,
        /// The version.
        version: Version,
    },
    /// When what it is for has passed so many times in a row.
    Passes(u32),
}

/// What ends rules.
#[derive(Debug, Clone, Copy)]
pub struct Today<'a> {
    /// The day, as the caller's clock says.
    pub day: Date,
    /// The version of each peer, where it is known.
    pub versions: &'a BTreeMap<PeerName, String>,
    /// How many times in a row what each rule is for has passed, by the rule's name: [`Closed::passes`] of the run before.
    pub passes: &'a BTreeMap<String, u32>,
}

/// Who plays what.
#[derive(Debug, Clone, Copy)]
pub struct Played<'a> {
    /// The scenario with its variant, or `suite/test`: [`crate::failure::Subject::scenario`].
    pub scenario: &'a str,
    /// Who plays which role.
    pub peers: &'a BTreeMap<RoleName, PeerName>,
    /// The version of each of them, where it is known.
    pub versions: &'a BTreeMap<PeerName, String>,
}

/// Something about a rule that somebody has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The file of the rule.
    pub file: String,
    /// Its line there.
    pub line: usize,
    /// The rule.
    pub rule: String,
    /// What there is about it.
    pub what: NoteKind,
}

/// What there is about a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoteKind {
    /// Its condition came true: it is no longer applied.
    Ended(String),
    /// It is for nothing of this project.
    ForNothing,
    /// What it is for ran this many times, and never failed as it says.
    NeverSeen {
        /// How many times it ran.
        runs: u32,
    },
}

/// The rules that apply to a run. What happens is told to it; what it says of rules at the end rests on that.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    file: String,
    rules: Vec<Applied>,
}

#[derive(Debug, Clone)]
struct Applied {
    rule: Rule,
    /// Passes in a row, those of earlier runs among them.
    passes: u32,
    /// How many times in this run what it is for was run or skipped.
    runs: u32,
    /// How many of those it applied to.
    uses: u32,
}

/// What a run showed of the rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closed {
    /// Passes in a row of what each rule is for, for the next run.
    pub passes: BTreeMap<String, u32>,
    /// Rules that never applied.
    pub notes: Vec<Note>,
}

impl Known {
    /// The rules, in the order of the file.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The quarantined tests, in the order of the file.
    pub fn quarantined(&self) -> &[Quarantined] {
        &self.quarantined
    }

    /// The rules that apply today, and a note for each that has ended.
    pub fn in_force(&self, today: Today<'_>) -> (InForce, Vec<Note>) {
        let (mut rules, mut notes) = (Vec::new(), Vec::new());
        for rule in &self.rules {
            let passes = today.passes.get(&rule.name).copied().unwrap_or_default();
            match rule.until.came_true(today, passes) {
                Some(why) => notes.push(rule.note(&self.file, NoteKind::Ended(why))),
                None => rules.push(Applied { rule: rule.clone(), passes, runs: 0, uses: 0 }),
            }
        }
        (InForce { file: self.file.clone(), rules }, notes)
    }

    /// A note for each rule that is for none of these scenarios, which are all of the project.
    pub fn for_nothing<'a>(&self, scenarios: impl Iterator<Item = &'a str> + Clone) -> Vec<Note> {
        let is_for_none = |rule: &&Rule| !scenarios.clone().any(|id| rule.is_for_scenario(id));
        let rules = self.rules.iter().filter(is_for_none);
        rules.map(|rule| rule.note(&self.file, NoteKind::ForNothing)).collect()
    }
}

impl InForce {
    /// The rule that says that this is not to be run. The first of the file counts.
    pub fn skips(&mut self, played: Played<'_>) -> Option<&Rule> {
        let skips =
            |applied: &&mut Applied| applied.rule.act == Act::Skip && applied.rule.is_for(played);
        let applied = self.rules.iter_mut().find(skips)?;
        applied.runs += 1;
        applied.uses += 1;
        Some(&applied.rule)
    }

    /// The rule that a failure is known by. The first of the file counts.
    pub fn rule_for(&mut self, failure: &Failure) -> Option<&Rule> {
        let scenario = failure.subject.scenario();
        let (peers, versions) = (&failure.peers, &failure.versions);
        let played = Played { scenario: &scenario, peers, versions };
        let text = NormalText::of(&failure.verdict.reason());
        let mut found = None;
        for (at, applied) in self.rules.iter_mut().enumerate() {
            let Act::Mark { text: pattern } = &applied.rule.act else { continue };
            if !applied.rule.is_for(played) {
                continue;
            }
            let is_known = found.is_none() && is_known_by(pattern, &text, failure);
            applied.runs += 1;
            applied.passes = 0;
            if is_known {
                applied.uses += 1;
                found = Some(at);
            }
        }
        found.and_then(|at| self.rules.get(at)).map(|applied| &applied.rule)
    }

    /// Something passed at once.
    pub fn passed(&mut self, played: Played<'_>) {
        for applied in self.rules.iter_mut().filter(|applied| applied.rule.is_for(played)) {
            if applied.rule.act != Act::Skip {
                applied.runs += 1;
                applied.passes = applied.passes.saturating_add(1);
            }
        }
    }

    /// The run is over.
    pub fn close(self) -> Closed {
        let mut closed = Closed::default();
        for Applied { rule, passes, runs, uses } in self.rules {
            closed.passes.insert(rule.name.clone(), passes);
            if runs > 0 && uses == 0 {
                closed.notes.push(rule.note(&self.file, NoteKind::NeverSeen { runs }));
            }
        }
        closed
    }
}

/// Whether a failure is the one that a pattern speaks of, and nothing else failed beside it that it says nothing of.
fn is_known_by(pattern: &Pattern, text: &NormalText, failure: &Failure) -> bool {
    let is_told = |reason: &str| {
        let reason = NormalText::of(reason);
        text.as_str().contains(reason.as_str()) || pattern.fits(reason.as_str())
    };
    pattern.fits(text.as_str()) && failure.checks.iter().all(|(_, reason)| is_told(reason))
}

impl Rule {
    /// Whether it is for what is played, whatever comes of it.
    pub fn is_for(&self, played: Played<'_>) -> bool {
        let fits = |(peer, wanted): (&PeerName, &Pattern)| {
            let plays = played.peers.values().any(|other| other == peer);
            // A peer that never said its version has none that could be compared.
            let version = played.versions.get(peer).map_or("", String::as_str);
            plays && wanted.fits(version)
        };
        self.is_for_scenario(played.scenario) && self.peers.iter().all(fits)
    }

    fn is_for_scenario(&self, scenario: &str) -> bool {
        let path = scenario.split_once('[').map_or(scenario, |(path, _)| path);
        self.scenario.fits(scenario) || self.scenario.fits(path)
    }

    fn note(&self, file: &str, what: NoteKind) -> Note {
        Note { file: file.to_owned(), line: self.line, rule: self.name.clone(), what }
    }
}

impl Until {
    /// Why it came true; nothing while it has not.
    fn came_true(&self, today: Today<'_>, passes: u32) -> Option<String> {
        match self {
            Self::Day(day) => (today.day > *day).then(|| format!("its last day was {day}")),
            Self::Version { peer, version } => {
                let found = Version::parse(today.versions.get(peer)?).ok()?;
                (found >= *version)
                    .then(|| format!("{peer} has version {found}, it was until {version}"))
            }
            Self::Passes(wanted) => (passes >= *wanted).then(|| {
                format!("what it is for passed {passes} times in a row, it was until {wanted}")
            }),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, rule, what } = self;
        write!(formatter, "{file}:{line}: {rule} ")?;
        match what {
            NoteKind::Ended(why) => {
                write!(formatter, "has ended: {why}. Leave it out, or agree on another condition")
            }
            NoteKind::ForNothing => formatter
                .write_str("is for no scenario and no test: mend `scenario`, or leave it out"),
            NoteKind::NeverSeen { runs } => write!(
                formatter,
                "never matched, though what it is for ran {runs} times: mend `text`, or leave it out if the issue is solved"
            ),
        }
    }
}
