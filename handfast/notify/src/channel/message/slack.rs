//! Slack's blocks.
//!
//! Order: what is red, what failed first and why, whom it concerns, counts, since when, how to repeat it, where to look. The sizes are the service's
//! (docs.slack.dev/reference/block-kit/blocks): 50 blocks, 3,000 characters a section, 40,000 in `text`; none is ever reached:
//! each part has a limit of its own, and the tests add them up.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::text::{block, code, mrkdwn};
use super::words::{Tone, command, counts, ending, had_failed, lasting, since, title};
use crate::letter::{Failure, Incident, Kind, Letter, Mention, Note, Owner, State};

/// A message as the methods of Slack take it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::channel) struct Laid {
    /// What notifications and screen readers say.
    pub(in crate::channel) text: String,
    /// What the channel shows.
    pub(in crate::channel) blocks: Vec<Value>,
}

/// Lays a letter out.
pub(in crate::channel) fn lay_out(letter: &Letter) -> Laid {
    let incident = &letter.incident;
    let tone = Tone::of(letter);
    let headline = format!("{} *{}*", tone.emoji(), mrkdwn(&title(letter), TITLE_MAX));
    let blocks = match letter.kind {
        Kind::Test => vec![section(&headline), context(&whence(letter))],
        Kind::Reply(Note::Recovered) => {
            vec![section(&format!("{headline}\nafter {}", lasting(incident))), footer(incident)]
        }
        Kind::Reply(Note::RedAgain) => {
            vec![
                section(&format!("{headline}\n{}", gist(incident))),
                repeat(incident),
                footer(incident),
            ]
        }
        Kind::Reply(Note::Died) | Kind::Post | Kind::Edit => match incident.state {
            State::Open => open(letter, &headline),
            State::Recovered => recovered(incident, &headline),
        },
    };
    Laid { text: fallback(letter, tone), blocks }
}

fn open(letter: &Letter, headline: &str) -> Vec<Value> {
    let incident = &letter.incident;
    let mut blocks = vec![section(&format!(
        "{headline}\n{}{}",
        death(incident),
        mrkdwn(&counts(incident), LINE_MAX)
    ))];
    blocks.extend(failures(incident).iter().map(|text| section(text)));
    if let Some(owners) = owners(letter) {
        blocks.push(section(&owners));
    }
    let runs =
        if incident.runs > 1 { format!(" · {} red runs", incident.runs) } else { String::new() };
    blocks.push(section(&format!("since {}{runs} · {}", date(incident), ending(incident))));
    blocks.push(repeat(incident));
    blocks.push(footer(incident));
    blocks
}

fn recovered(incident: &Incident, headline: &str) -> Vec<Value> {
    let failed = had_failed(incident, |unit| code(unit, UNIT_MAX));
    let failed = if failed.is_empty() { failed } else { format!("\nhad failed: {failed}") };
    let counts = mrkdwn(&counts(incident), LINE_MAX);
    let told = format!("after {}{failed}\nnow: {counts}", lasting(incident));
    vec![section(&format!("{headline}\n{told}")), footer(incident)]
}

fn death(incident: &Incident) -> String {
    let Some(death) = &incident.died else { return String::new() };
    let counts = &incident.counts;
    let unit = death.unit.as_deref().map_or_else(
        || "between two units".to_owned(),
        |unit| format!("while {} ran", code(unit, UNIT_MAX)),
    );
    format!("it ended without a word {unit}, {} of {} done\n", counts.done, counts.total)
}

/// What a note says of a run: its first failure, how many more there are, and the counts.
fn gist(incident: &Incident) -> String {
    let counts = mrkdwn(&counts(incident), LINE_MAX);
    match incident.failures.first() {
        None => counts,
        Some(first) => {
            let reason = mrkdwn(&first.reason, REASON_MAX);
            format!("{} failed first: {reason}\n{counts}", code(&first.unit, UNIT_MAX))
        }
    }
}

/// One text a section, each as full as it may be.
fn failures(incident: &Incident) -> Vec<String> {
    let listed = incident.failures.iter().take(Incident::FAILURES_MAX).enumerate();
    let mut lines: Vec<String> = listed.map(|(at, one)| failure(at + 1, one)).collect();
    let unlisted = incident.failures.len().saturating_sub(Incident::FAILURES_MAX) as u64;
    let more = incident.failures_more + unlisted;
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    let mut sections: Vec<String> = Vec::new();
    for line in lines {
        match sections.last_mut() {
            Some(last) if units(last) + 1 + units(&line) <= SECTION_MAX => {
                last.push('\n');
                last.push_str(&line);
            }
            Some(_) | None => sections.push(line),
        }
    }
    sections
}

fn failure(number: usize, failure: &Failure) -> String {
    let peers = if failure.peers.is_empty() {
        String::new()
    } else {
        format!(" ({})", mrkdwn(&failure.peers.join(", "), PEERS_MAX))
    };
    let owner = failure
        .owner
        .as_ref()
        .and_then(|owner| owner.who.as_deref())
        .map_or_else(String::new, |who| format!(" · {}", mrkdwn(who, OWNER_MAX)));
    let reason = mrkdwn(&failure.reason.replace('`', "'"), REASON_MAX);
    format!("{number}. {}{peers}{owner}\n    {reason}", code(&failure.unit, UNIT_MAX))
}

/// Each owner once; mentioned if the letter may wake somebody, else named.
fn owners(letter: &Letter) -> Option<String> {
    let all: BTreeSet<String> = letter
        .incident
        .failures
        .iter()
        .filter_map(|failure| failure.owner.as_ref())
        .filter_map(|owner| name_owner(owner, letter.mention))
        .collect();
    let named: Vec<_> = all.into_iter().take(OWNERS_MAX).collect();
    (!named.is_empty()).then(|| format!("For {}", named.join(", ")))
}

fn name_owner(owner: &Owner, mention: Mention) -> Option<String> {
    let called = owner.slack.as_deref().and_then(mention_of);
    let who = owner.who.as_deref().map(|who| mrkdwn(who, OWNER_MAX));
    match (mention, called, who) {
        (Mention::Loud, Some(called), Some(who)) => Some(format!("{called} ({who})")),
        (Mention::Loud, Some(called), None) => Some(called),
        (Mention::Loud, None, who) | (Mention::Quiet, _, who) => who,
    }
}

/// What Slack takes as a mention: of a member (`@U…`, `@W…`), a user group (`@S…`), or all who are here.
pub(in crate::channel) fn mention_of(owner: &str) -> Option<String> {
    let name = owner.trim().trim_start_matches('@');
    if matches!(name, "here" | "channel" | "everyone") {
        return Some(format!("<!{name}>"));
    }
    let is_id = (2..=ID_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    match name.bytes().next() {
        Some(b'U' | b'W') if is_id => Some(format!("<@{name}>")),
        Some(b'S') if is_id => Some(format!("<!subteam^{name}>")),
        Some(_) | None => None,
    }
}

fn repeat(incident: &Incident) -> Value {
    section(&format!("repeat it:\n{}", block(&command(incident), COMMAND_MAX)))
}

fn footer(incident: &Incident) -> Value {
    let mut parts = Vec::new();
    match incident.link.as_deref() {
        Some(link) if is_link(link) => {
            parts.push(format!("<{}|the run in CI>", link.replace('&', "&amp;")));
        }
        Some(other) => parts.push(mrkdwn(other, LINE_MAX)),
        None => {}
    }
    parts.push(format!("run {}", code(&incident.run, UNIT_MAX)));
    if !incident.record.is_empty() {
        parts.push(format!("record {}", code(&incident.record, LINE_MAX)));
    }
    context(&parts.join(" · "))
}

fn whence(letter: &Letter) -> String {
    format!(
        "project {}, letter {}",
        code(&letter.incident.project, UNIT_MAX),
        code(letter.key.as_str(), LINE_MAX)
    )
}

/// Slack ends a link at `>` and its address at `|`.
fn is_link(link: &str) -> bool {
    (link.starts_with("https://") || link.starts_with("http://"))
        && link.len() <= LINK_MAX
        && link.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>|".contains(&byte))
}

/// Slack shows it in the reader's own time.
fn date(incident: &Incident) -> String {
    let seconds = incident.opened_unix_us.div_euclid(1_000_000);
    format!("<!date^{seconds}^{{date_short_pretty}} {{time}}|{}>", since(incident))
}

fn fallback(letter: &Letter, tone: Tone) -> String {
    let incident = &letter.incident;
    let head = format!("{} {}", tone.emoji(), mrkdwn(&title(letter), TITLE_MAX));
    match (letter.kind, tone) {
        (Kind::Test, _) | (_, Tone::Test) => head,
        (_, Tone::Recovered) => format!("{head} after {}", lasting(incident)),
        (_, Tone::Product | Tone::Infra | Tone::Died) => {
            let reason = incident.failures.first().map_or_else(String::new, |failure| {
                format!(
                    " – {}: {}",
                    mrkdwn(&failure.unit, UNIT_MAX),
                    mrkdwn(&failure.reason, REASON_MAX)
                )
            });
            format!("{head} ({}){reason}", mrkdwn(&counts(incident), LINE_MAX))
        }
    }
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

fn context(text: &str) -> Value {
    json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": text }] })
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Longest section, UTF-16 units: the service's limit.
const SECTION_MAX: usize = 3_000;
/// Longest title.
const TITLE_MAX: usize = 300;
/// Longest id of a unit.
const UNIT_MAX: usize = 200;
/// Longest list of peers of a failure.
const PEERS_MAX: usize = 120;
/// Longest reason of a failure: one or two lines; the record has the rest.
const REASON_MAX: usize = 300;
/// Longest name of an owner.
const OWNER_MAX: usize = 60;
/// Most owners that are named: more than twenty people are nobody.
const OWNERS_MAX: usize = 20;
/// Longest id of a member or a group.
const ID_MAX: usize = 32;
/// Longest other line.
const LINE_MAX: usize = 300;
/// Longest command line.
const COMMAND_MAX: usize = 1_500;
/// Longest address of a run.
const LINK_MAX: usize = 1_000;
