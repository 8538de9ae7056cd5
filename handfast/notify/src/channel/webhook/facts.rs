//! What a template can speak of. Every text is harmless (see [`text`](crate::channel::message::text)) and cut to size.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::channel::message::text::plain;
use crate::channel::message::words::{
    Tone, command, counts, ending, had_failed, lasting, since, title,
};
use crate::letter::{Class, Failure, Incident, Kind, Letter, Mention, Note, State};

/// The names that a template has; `docs/guide/notify.md#templates` explains them.
#[derive(Debug, Serialize)]
pub(super) struct Facts {
    key: String,
    kind: &'static str,
    note: &'static str,
    tone: &'static str,
    emoji: &'static str,
    colour: u32,
    colour_hex: String,
    title: String,
    text: String,
    markdown: String,
    project: String,
    subject: String,
    class: &'static str,
    state: &'static str,
    counts: String,
    lasting: String,
    since: String,
    opened_unix: i64,
    ending: String,
    runs: u64,
    run: String,
    record: String,
    link: String,
    command: String,
    died_in: String,
    mention: bool,
    owners: Vec<String>,
    failures: Vec<Failed>,
    failures_more: u64,
    #[serde(skip)]
    failed: String,
    summary: handfast_scenario::event::Summary,
}

#[derive(Debug, Serialize)]
struct Failed {
    unit: String,
    category: String,
    peers: Vec<String>,
    reason: String,
    owner: String,
}

impl Facts {
    pub(super) fn of(letter: &Letter) -> Self {
        let incident = &letter.incident;
        let tone = Tone::of(letter);
        let (kind, note) = names(letter.kind);
        let mut facts = Self {
            key: letter.key.to_string(),
            kind,
            note,
            tone: tone.name(),
            emoji: tone.emoji(),
            colour: tone.colour(),
            colour_hex: format!("#{:06X}", tone.colour()),
            title: title(letter),
            text: String::new(),
            markdown: String::new(),
            project: plain(&incident.project, TEXT_MAX),
            subject: plain(&incident.subject, TEXT_MAX),
            class: match incident.class {
                Class::Product => "product",
                Class::Infra => "infra",
            },
            state: match incident.state {
                State::Open => "open",
                State::Recovered => "recovered",
            },
            counts: counts(incident),
            lasting: lasting(incident),
            since: since(incident),
            opened_unix: incident.opened_unix_us.div_euclid(1_000_000),
            ending: ending(incident),
            runs: incident.runs,
            run: plain(&incident.run, TEXT_MAX),
            record: plain(&incident.record, TEXT_MAX),
            link: incident
                .link
                .as_deref()
                .filter(|link| is_link(link))
                .unwrap_or_default()
                .to_owned(),
            command: plain(&command(incident), COMMAND_MAX),
            died_in: died_in(incident),
            mention: letter.mention == Mention::Loud,
            owners: owners(incident),
            failures: incident.failures.iter().take(Incident::FAILURES_MAX).map(failed).collect(),
            failures_more: incident.failures_more,
            failed: had_failed(incident, |unit| plain(unit, TEXT_MAX)),
            summary: incident.counts.summary,
        };
        if letter.kind != Kind::Test {
            facts.text = facts.write(str::to_owned, str::to_owned);
            facts.markdown = facts.write(markdown, |text| format!("`{}`", text.replace('`', "'")));
        }
        facts
    }

    /// The whole message in lines; `prose` and `code` mark a text up.
    fn write(&self, prose: impl Fn(&str) -> String, code: impl Fn(&str) -> String) -> String {
        let mut lines = vec![prose(&self.counts)];
        if self.tone == Tone::Recovered.name() {
            lines.push(format!("after {}", self.lasting));
            if !self.failed.is_empty() {
                lines.push(format!("had failed: {}", prose(&self.failed)));
            }
        } else {
            self.write_worries(&mut lines, prose, &code);
        }
        lines.push(format!("run {}, record {}", code(&self.run), code(&self.record)));
        lines.join("\n")
    }

    fn write_worries(
        &self,
        lines: &mut Vec<String>,
        prose: impl Fn(&str) -> String,
        code: impl Fn(&str) -> String,
    ) {
        if !self.died_in.is_empty() {
            lines.push(format!("it ended without a word while {} ran", code(&self.died_in)));
        }
        for (at, failure) in self.failures.iter().enumerate().take(LISTED_MAX) {
            lines.push(format!("{}. {} {}", at + 1, code(&failure.unit), prose(&failure.reason)));
        }
        let unlisted = self.failures.len().saturating_sub(LISTED_MAX) as u64;
        let more = self.failures_more.saturating_add(unlisted);
        if more > 0 {
            lines.push(format!("… and {more} more"));
        }
        if !self.owners.is_empty() {
            lines.push(format!("for {}", prose(&self.owners.join(", "))));
        }
        lines.push(format!("since {}, {}", self.since, prose(&self.ending)));
        if !self.command.is_empty() {
            lines.push(format!("repeat it: {}", code(&self.command)));
        }
    }
}

/// Takes the meaning out of Markdown's characters.
pub(super) fn markdown(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '`' | '*' | '_' | '~' | '[' | ']' | '<' | '>' | '#' | '|') {
            marked.push('\\');
        }
        marked.push(character);
    }
    marked
}

fn names(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Post => ("post", ""),
        Kind::Edit => ("edit", ""),
        Kind::Test => ("test", ""),
        Kind::Reply(Note::RedAgain) => ("reply", "red_again"),
        Kind::Reply(Note::Recovered) => ("reply", "recovered"),
        Kind::Reply(Note::Died) => ("reply", "died"),
    }
}

fn failed(failure: &Failure) -> Failed {
    let owner = failure.owner.as_ref().and_then(|owner| owner.who.as_deref());
    Failed {
        unit: plain(&failure.unit, TEXT_MAX),
        category: plain(&failure.category, TEXT_MAX),
        peers: failure.peers.iter().take(PEERS_MAX).map(|peer| plain(peer, TEXT_MAX)).collect(),
        reason: plain(&failure.reason, REASON_MAX),
        owner: plain(owner.unwrap_or_default(), TEXT_MAX),
    }
}

fn owners(incident: &Incident) -> Vec<String> {
    let owners = incident.failures.iter().filter_map(|failure| failure.owner.as_ref());
    let named: BTreeSet<_> =
        owners.filter_map(|owner| owner.who.as_deref()).map(|who| plain(who, TEXT_MAX)).collect();
    named.into_iter().take(Incident::FAILURES_MAX).collect()
}

fn died_in(incident: &Incident) -> String {
    match &incident.died {
        None => String::new(),
        Some(death) => plain(death.unit.as_deref().unwrap_or("no unit"), TEXT_MAX),
    }
}

fn is_link(link: &str) -> bool {
    (link.starts_with("https://") || link.starts_with("http://"))
        && link.len() <= LINK_MAX
        && link.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>|()[]`".contains(&byte))
}

/// Longest name, characters.
const TEXT_MAX: usize = 200;
/// Longest reason, characters.
const REASON_MAX: usize = 300;
/// Longest command line, characters.
const COMMAND_MAX: usize = 1_000;
/// Longest address, characters.
const LINK_MAX: usize = 1_000;
/// Most peers of a failure.
const PEERS_MAX: usize = 10;
/// Failures that `text` and `markdown` list; `failures` has up to twenty.
const LISTED_MAX: usize = 5;
