//! Reads the file of known issues and quarantined tests, and says what is wrong with it, where, and how to mend it.

use std::collections::{BTreeMap, BTreeSet};

use handfast_scenario::name::PeerName;
use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use super::version::Version;
use super::{Act, Known, Rule, Until};
use crate::normal::{NormalText, PLACEHOLDERS};
use crate::pattern::Pattern;
use crate::quarantine::Quarantined;

/// Largest file, in bytes.
pub const FILE_LEN_MAX: usize = 1024 * 1024;

/// Most rules, and most quarantined tests, of a file.
pub const ENTRIES_MAX: usize = 1_000;

/// Letters and digits that a signature has beside `*`, `?` and placeholders, at least: with fewer it fits failures that it does not mean.
pub const SIGNATURE_LEN_MIN: usize = 8;

/// Most passes in a row for which a rule may wait.
pub const PASSES_MAX: u32 = 10_000;

/// Why the file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct KnownError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

/// What is wrong with an entry, and how to mend it.
type Mistake = (String, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Spanned<WrittenRule>>,
    #[serde(default)]
    quarantine: Vec<Spanned<WrittenQuarantined>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    name: String,
    act: String,
    text: Option<String>,
    scenario: String,
    #[serde(default)]
    peers: BTreeMap<String, String>,
    owner: String,
    reason: String,
    issue: String,
    until: WrittenUntil,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenUntil {
    day: Option<String>,
    peer: Option<String>,
    version: Option<String>,
    passes: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenQuarantined {
    test: String,
    owner: String,
    reason: String,
    issue: String,
    expires: String,
}

impl Known {
    /// Reads a file of `[[known]]` and `[[quarantine]]` entries; `file` is what it is called in messages.
    ///
    /// # Errors
    ///
    /// [`KnownError`] for the first mistake.
    pub fn parse(file: &str, text: &str) -> Result<Self, KnownError> {
        let problem = |line: usize, message: String, help: String| KnownError {
            file: file.to_owned(),
            line,
            message,
            help,
        };
        if text.len() > FILE_LEN_MAX {
            let message = format!("the file has more than {FILE_LEN_MAX} bytes");
            return Err(problem(1, message, "leave out what is solved".to_owned()));
        }
        let lines = Lines::new(text);
        let written: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| lines.of(span.start));
            problem(line, error.message().to_owned(), format!("{RULE}; {QUARANTINED}"))
        })?;
        if written.known.len().max(written.quarantine.len()) > ENTRIES_MAX {
            let message = format!("there are more than {ENTRIES_MAX} entries of a kind");
            return Err(problem(1, message, "a pattern can be for many scenarios".to_owned()));
        }
        let mut known = Self { file: file.to_owned(), ..Self::default() };
        let mut names = BTreeSet::new();
        for entry in written.known {
            let line = lines.of(entry.span().start);
            let rule = Rule::read(line, entry.into_inner());
            let rule = rule.map_err(|(message, help)| problem(line, message, help))?;
            if !names.insert(rule.name.clone()) {
                let message = format!("there are two rules with the name {:?}", rule.name);
                return Err(problem(line, message, "give one of them another name".to_owned()));
            }
            known.rules.push(rule);
        }
        for entry in written.quarantine {
            let line = lines.of(entry.span().start);
            let entry = read_quarantined(line, entry.into_inner());
            known.quarantined.push(entry.map_err(|(message, help)| problem(line, message, help))?);
        }
        Ok(known)
    }
}

const RULE: &str = "a rule is [[known]] with name, act = \"mark\" or \"skip\", text (of a mark), scenario, peers (may be left out), owner, reason, \
    issue = \"https://..\" and until = { day = \"2026-12-31\" }, { peer = \"python\", version = \"1.3\" } or { passes = 20 }";

const QUARANTINED: &str = "a quarantined test is [[quarantine]] with test, owner, reason, issue = \"https://..\" and expires = \"2026-12-31\"";

impl Rule {
    fn read(line: usize, written: WrittenRule) -> Result<Self, Mistake> {
        // A rule goes by the same kind of name as a peer: it stands in texts and in the ledger.
        PeerName::new(written.name.as_str())
            .map_err(|error| (format!("`name` is {:?}: {error}", written.name), RULE.to_owned()))?;
        let act = read_act(&written.act, written.text)?;
        let scenario = filled("scenario", written.scenario)?;
        let peers = written.peers.into_iter().map(|(peer, version)| {
            let name = PeerName::new(peer.as_str()).map_err(|error| {
                (
                    format!("`peers` names {peer:?}: {error}"),
                    "write the name of a peer of handfast.toml".to_owned(),
                )
            })?;
            Ok((name, Pattern::new(filled("peers", version)?)))
        });
        let peers = peers.collect::<Result<_, Mistake>>()?;
        let until = read_until(written.until)?;
        if act == Act::Skip && matches!(until, Until::Passes(_)) {
            let message = "`until` waits for passes, and `skip` runs nothing that could pass";
            let help = "use act = \"mark\", or end it with a day or a version";
            return Err((message.to_owned(), help.to_owned()));
        }
        Ok(Self {
            name: written.name,
            line,
            act,
            scenario: Pattern::new(scenario),
            peers,
            owner: filled("owner", written.owner)?,
            reason: filled("reason", written.reason)?,
            issue: link(written.issue)?,
            until,
        })
    }
}

fn read_act(act: &str, text: Option<String>) -> Result<Act, Mistake> {
    match (act, text) {
        ("skip", None) => Ok(Act::Skip),
        ("skip", Some(_)) => Err((
            "`text` is there, and what is skipped has no failure to compare with it".to_owned(),
            "leave `text` out, or use act = \"mark\"".to_owned(),
        )),
        ("mark", Some(text)) => Ok(Act::Mark { text: signature(text)? }),
        ("mark", None) => Err((
            "`text` is missing: without it every failure of the scenario would be marked"
                .to_owned(),
            "copy the failure's text from the evidence of a run, with * for what does not matter"
                .to_owned(),
        )),
        (other, _) => Err((
            format!("`act` is {other:?}; it is \"mark\" or \"skip\""),
            "mark runs it and tells its failure as known, skip does not run it".to_owned(),
        )),
    }
}

/// A pattern that a normalised text can fit, and that does not fit everything.
fn signature(text: String) -> Result<Pattern, Mistake> {
    let normal = NormalText::of(&text);
    if normal.as_str() != text {
        return Err((
            format!(
                "`text` is {text:?}, which no normalised text fits: what differs from run to run stands in it as a placeholder"
            ),
            format!("write {:?}; the placeholders are {}", normal.as_str(), PLACEHOLDERS.join(" ")),
        ));
    }
    let bare = PLACEHOLDERS.iter().fold(text.clone(), |bare, known| bare.replace(known, " "));
    let letters = bare.chars().filter(|letter| letter.is_alphanumeric()).count();
    if letters < SIGNATURE_LEN_MIN {
        return Err((
            format!(
                "`text` has {letters} letters beside * and placeholders, and would fit too much"
            ),
            format!("write at least {SIGNATURE_LEN_MIN} of the failure's own words"),
        ));
    }
    Ok(Pattern::new(text))
}

fn read_until(written: WrittenUntil) -> Result<Until, Mistake> {
    let help = || {
        "write until = { day = \"2026-12-31\" }, { peer = \"python\", version = \"1.3\" } or { passes = 20 }"
            .to_owned()
    };
    match written {
        WrittenUntil { day: Some(day), peer: None, version: None, passes: None } => {
            Ok(Until::Day(read_day("until", &day)?))
        }
        WrittenUntil { day: None, peer: Some(peer), version: Some(version), passes: None } => {
            let name = PeerName::new(peer.as_str())
                .map_err(|error| (format!("`until` names the peer {peer:?}: {error}"), help()))?;
            let version = Version::parse(&version).map_err(|error| {
                (format!("`until` has the version {version:?}: {error}"), help())
            })?;
            Ok(Until::Version { peer: name, version })
        }
        WrittenUntil { day: None, peer: None, version: None, passes: Some(passes) } => {
            if !(1..=PASSES_MAX).contains(&passes) {
                let message =
                    format!("`until` waits for {passes} passes; it may for 1 to {PASSES_MAX}");
                return Err((message, help()));
            }
            Ok(Until::Passes(passes))
        }
        WrittenUntil { .. } => Err((
            "`until` has to be exactly one of a day, a peer's version and passes".to_owned(),
            help(),
        )),
    }
}

fn read_quarantined(line: usize, written: WrittenQuarantined) -> Result<Quarantined, Mistake> {
    Ok(Quarantined {
        line,
        test: Pattern::new(filled("test", written.test)?),
        owner: filled("owner", written.owner)?,
        reason: filled("reason", written.reason)?,
        issue: link(written.issue)?,
        expires: read_day("expires", &written.expires)?,
    })
}

fn filled(key: &str, text: String) -> Result<String, Mistake> {
    if text.trim().is_empty() {
        return Err((format!("`{key}` says nothing"), format!("fill in `{key}`")));
    }
    Ok(text)
}

fn link(issue: String) -> Result<String, Mistake> {
    if issue.starts_with("https://") || issue.starts_with("http://") {
        return Ok(issue);
    }
    let help =
        "write the address of the issue in which it is being worked on, beginning with https://";
    Err((format!("`issue` is {issue:?}, which is no link"), help.to_owned()))
}

fn read_day(key: &str, day: &str) -> Result<Date, Mistake> {
    let help = || "write a day such as \"2026-12-31\"".to_owned();
    day.parse().map_err(|_| (format!("`{key}` is {day:?}, which is no day"), help()))
}

/// Where the lines of a text end, so that a file of many entries is gone through once.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    /// The line in which a byte stands, from 1.
    fn of(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}
