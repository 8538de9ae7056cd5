//! Whose failure it is, and why that is thought.
//!
//! In this order: *known*, where a reviewed rule is for it; *infra*, where a fault of the machine is proved, or the platform itself says
//! what it could not do; *flaky*, where the same code passed when it was tried again; else *product*. What is not surely something else
//! is product: nobody is told by mistake that all is well.

use std::fmt;

use handfast_scenario::event::Exit;
use handfast_scenario::name::RoleName;
use handfast_scenario::verdict::{Verdict, VerdictKind};
use handfast_trend::flaky::test::State;
use serde::{Deserialize, Serialize};

use crate::fact::Fact;
use crate::failure::{Failure, Judgement};
use crate::fault::{self, InfraFault, Remedy};
use crate::normal::{NormalText, cut};

#[cfg(test)]
mod tests;

/// Pieces of evidence that are kept of a failure.
pub const EVIDENCE_MAX: usize = 32;

/// Longest text in a piece of evidence, bytes.
pub const EVIDENCE_LEN_MAX: usize = 512;

/// Whose failure it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "class", rename_all = "snake_case", deny_unknown_fields)]
pub enum Class {
    /// The product's: what is tested did something else than it should.
    Product,
    /// The machine's or the platform's.
    Infra {
        /// Which of the faults that are repaired; nothing where it is none of them.
        fault: Option<InfraFault>,
    },
    /// It failed, and passed with the same code.
    Flaky,
    /// A reviewed rule is for it.
    Known {
        /// The name of the rule.
        rule: String,
    },
}

/// What led to a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case", deny_unknown_fields)]
pub enum Evidence {
    /// How it ended.
    Verdict {
        /// The verdict.
        verdict: VerdictKind,
        /// Its reason, normalised.
        reason: String,
    },
    /// Whether anybody was judged.
    Judged {
        /// In a sentence.
        what: String,
    },
    /// A check of the history failed.
    Check {
        /// Which.
        check: String,
        /// What it found.
        reason: String,
    },
    /// Something was noticed beside the verdict.
    Warning {
        /// Under which name.
        check: String,
        /// What it was.
        reason: String,
    },
    /// A peer ended although nobody asked for it: its exit code or signal.
    Exited {
        /// Its role.
        role: RoleName,
        /// How.
        how: Exit,
    },
    /// A text speaks of the fault.
    Said {
        /// Who says it.
        by: String,
        /// The text.
        text: String,
    },
    /// Something was measured.
    Measured {
        /// What.
        fact: Fact,
        /// Whether it proves the class. What does not is shown all the same.
        proves: bool,
    },
    /// It passed when it was tried once more, unchanged.
    PassedAgain,
    /// What many runs say of the test.
    Watched {
        /// Its state there.
        state: Watched,
    },
    /// A rule is for it.
    Rule {
        /// Its name.
        rule: String,
        /// Where it is being worked on.
        issue: String,
    },
}

/// What is thought of a test after many runs: [`State`] in words that stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Watched {
    /// See [`State::Healthy`].
    Healthy,
    /// See [`State::Suspect`].
    Suspect,
    /// See [`State::Flaky`].
    Flaky,
    /// See [`State::Broken`].
    Broken,
    /// See [`State::Quarantined`].
    Quarantined,
}

/// A failure with its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classified {
    /// Whose it is.
    pub class: Class,
    /// What led there, at most [`EVIDENCE_MAX`] pieces, the deciding ones first.
    pub evidence: Vec<Evidence>,
    /// What is to be repaired.
    pub remedy: Option<Remedy>,
}

/// What is known beside the failure itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// What was measured on the machine, of what this failure was to use.
    pub facts: &'a [Fact],
    /// The rule that is for it, and its link: see [`crate::known::InForce::rule_for`].
    pub rule: Option<(&'a str, &'a str)>,
    /// What many runs say of the test.
    pub state: Option<State>,
}

/// Tells whose a failure is.
pub fn classify(failure: &Failure, around: Around<'_>) -> Classified {
    let recognised = fault::recognise(failure, around.facts);
    let mut evidence = Vec::new();
    let (class, remedy) = if let Some((rule, issue)) = around.rule {
        evidence.push(Evidence::Rule { rule: rule.to_owned(), issue: issue.to_owned() });
        (Class::Known { rule: rule.to_owned() }, None)
    } else if let Some(recognised) = &recognised {
        let (by, text) = &recognised.said;
        evidence.push(Evidence::Measured { fact: recognised.fact.clone(), proves: true });
        evidence.push(Evidence::Said { by: by.clone(), text: short(text) });
        (Class::Infra { fault: Some(recognised.fault) }, recognised.remedy.clone())
    } else if is_said_by_the_platform(failure) {
        (Class::Infra { fault: None }, None)
    } else if failure.passed_again {
        (Class::Flaky, None)
    } else {
        (Class::Product, None)
    };
    if failure.passed_again {
        evidence.push(Evidence::PassedAgain);
    }
    evidence.extend(seen(failure));
    if let Some(state) = around.state {
        evidence.push(Evidence::Watched { state: state.into() });
    }
    let proof = recognised.filter(|_| class.is_infra()).map(|one| one.fact);
    let other = around.facts.iter().filter(|fact| Some(*fact) != proof.as_ref());
    evidence.extend(other.map(|fact| Evidence::Measured { fact: fact.clone(), proves: false }));
    evidence.truncate(EVIDENCE_MAX);
    Classified { class, evidence, remedy }
}

/// What the failure itself shows, its verdict first.
fn seen(failure: &Failure) -> Vec<Evidence> {
    let reason = NormalText::of(&failure.verdict.reason());
    let verdict = failure.verdict.kind();
    let what = match failure.judgement() {
        Judgement::Unbegun => "nobody was judged: it could not be carried out",
        Judgement::NotUp => "it was under way, and a peer did not come up again",
        Judgement::Unanswered => "it was under way, and a peer did not answer",
        Judgement::Answered => "what a peer did was found wrong",
    };
    let mut seen = vec![
        Evidence::Verdict { verdict, reason: short(reason.as_str()) },
        Evidence::Judged { what: what.to_owned() },
    ];
    let exited = failure.exits.iter();
    seen.extend(exited.map(|exit| Evidence::Exited { role: exit.role.clone(), how: exit.how }));
    let checks = failure.checks.iter();
    seen.extend(
        checks
            .map(|(check, reason)| Evidence::Check { check: check.clone(), reason: short(reason) }),
    );
    let warnings = failure.warnings.iter();
    seen.extend(
        warnings.map(|(check, reason)| Evidence::Warning {
            check: check.clone(),
            reason: short(reason),
        }),
    );
    seen
}

/// With which words the platform says what it could not do by itself. Of other reasons for which a unit could not be carried out the
/// product may be the cause: a peer that does not build, or breaks the contract before the first unit.
const SAID_BY_THE_PLATFORM: [&str; 11] = [
    "never-exercised: ",
    "account: ",
    "the run was interrupted",
    "handfast itself failed in this unit",
    "the unit could not be cleaned up",
    "the scenario's network needs namespaces",
    "failed to make the folder of the run",
    "failed to make the folder of the unit",
    "failed to start the reaper",
    "failed to make the network of the unit",
    "failed to open the recording proxy",
];

fn is_said_by_the_platform(failure: &Failure) -> bool {
    let Verdict::Infra { reason } = &failure.verdict else { return false };
    failure.judgement() == Judgement::Unbegun
        && SAID_BY_THE_PLATFORM.iter().any(|words| reason.starts_with(words))
}

fn short(text: &str) -> String {
    cut(text, EVIDENCE_LEN_MAX).to_owned()
}

impl Class {
    /// Whether it is the machine's or the platform's.
    pub fn is_infra(&self) -> bool {
        matches!(self, Self::Infra { .. })
    }
}

impl From<State> for Watched {
    fn from(state: State) -> Self {
        match state {
            State::Healthy => Self::Healthy,
            State::Suspect => Self::Suspect,
            State::Flaky => Self::Flaky,
            State::Broken => Self::Broken,
            State::Quarantined => Self::Quarantined,
        }
    }
}

impl fmt::Display for Evidence {
    /// A sentence on one line.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        match self {
            Self::Verdict { verdict, reason } => write!(formatter, "{verdict}: {}", line(reason)),
            Self::Judged { what } => formatter.write_str(what),
            Self::Check { check, reason } | Self::Warning { check, reason } => {
                write!(formatter, "{check}: {}", line(reason))
            }
            Self::Exited { role, how } => match how {
                Exit::Code { code } => write!(formatter, "{role} ended with exit code {code}"),
                Exit::Signal { signal } => write!(formatter, "{role} was ended by signal {signal}"),
                Exit::OutOfMemory => write!(formatter, "{role} was ended for want of memory"),
            },
            Self::Said { by, text } => write!(formatter, "{by} says: {}", line(text)),
            Self::Measured { fact, proves: true } => write!(formatter, "measured: {fact}"),
            Self::Measured { fact, proves: false } => {
                write!(formatter, "measured, and no proof: {fact}")
            }
            Self::PassedAgain => formatter.write_str("it passed with the same code"),
            Self::Watched { state } => {
                let state = match state {
                    Watched::Healthy => "healthy",
                    Watched::Suspect => "suspect",
                    Watched::Flaky => "flaky",
                    Watched::Broken => "broken",
                    Watched::Quarantined => "quarantined",
                };
                write!(formatter, "many runs say that it is {state}")
            }
            Self::Rule { rule, issue } => write!(formatter, "rule {rule}, {issue}"),
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product => formatter.write_str("product"),
            Self::Infra { fault: None } => formatter.write_str("infra"),
            Self::Infra { fault: Some(fault) } => write!(formatter, "infra: {fault}"),
            Self::Flaky => formatter.write_str("flaky"),
            Self::Known { rule } => write!(formatter, "known: {rule}"),
        }
    }
}
