//! What is said of an incident, without a service's markup.

use std::time::Duration;

use super::text::{command_line, plain};
use crate::letter::{Class, Incident, Kind, Letter, Note, State};

/// How bad a letter is; each service has its own colour for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::channel) enum Tone {
    Product,
    Infra,
    Died,
    Recovered,
    Test,
}

impl Tone {
    pub(in crate::channel) fn of(letter: &Letter) -> Self {
        match letter.kind {
            Kind::Test => Self::Test,
            Kind::Reply(Note::Died) => Self::Died,
            Kind::Reply(Note::Recovered) => Self::Recovered,
            Kind::Post | Kind::Edit | Kind::Reply(Note::RedAgain) => {
                Self::of_incident(&letter.incident)
            }
        }
    }

    fn of_incident(incident: &Incident) -> Self {
        match (incident.state, incident.class, &incident.died) {
            (State::Recovered, _, _) => Self::Recovered,
            (State::Open, _, Some(_)) => Self::Died,
            (State::Open, Class::Product, None) => Self::Product,
            (State::Open, Class::Infra, None) => Self::Infra,
        }
    }

    pub(in crate::channel) fn emoji(self) -> &'static str {
        match self {
            Self::Product => "🔴",
            Self::Infra => "🟠",
            Self::Died => "⚫",
            Self::Recovered => "🟢",
            Self::Test => "⚪",
        }
    }

    /// Red, green and blue, as the templates of webhooks want it.
    pub(in crate::channel) fn colour(self) -> u32 {
        match self {
            Self::Product => 0x00D1_2D36,
            Self::Infra => 0x00E0_8A00,
            Self::Died => 0x0033_3333,
            Self::Recovered => 0x002E_A043,
            Self::Test => 0x0088_8888,
        }
    }

    /// One word for programs.
    pub(in crate::channel) fn name(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Infra => "infra",
            Self::Died => "died",
            Self::Recovered => "recovered",
            Self::Test => "test",
        }
    }
}

/// The one sentence that has to be read: `demo: daily is red`.
pub(in crate::channel) fn title(letter: &Letter) -> String {
    let incident = &letter.incident;
    let subject = plain(&incident.subject, NAME_MAX);
    let what = match (Tone::of(letter), letter.kind) {
        (Tone::Test, _) => return "this is a test: handfast can tell you things here".to_owned(),
        (Tone::Died, _) => format!("the runner of {subject} died"),
        (Tone::Recovered, _) => format!("{subject} is green again"),
        (Tone::Product, Kind::Reply(Note::RedAgain)) => format!("{subject} is red again"),
        (Tone::Product, _) => format!("{subject} is red"),
        (Tone::Infra, Kind::Reply(Note::RedAgain)) => {
            format!("{subject} again could not be judged")
        }
        (Tone::Infra, _) => format!("{subject} could not be judged (infrastructure)"),
    };
    format!("{}: {what}", plain(&incident.project, NAME_MAX))
}

/// The units by how they ended, largest worry first: `3 failed, 1 timed out, 116 passed of 120`.
pub(in crate::channel) fn counts(incident: &Incident) -> String {
    let summary = &incident.counts.summary;
    let named = [
        (summary.failed, "failed"),
        (summary.timed_out, "timed out"),
        (summary.suites_failed, "suites failed"),
        (summary.infra, "not carried out"),
        (summary.absent, "absent"),
        (summary.flaky, "flaky"),
        (summary.not_run, "not run"),
        (summary.budgets_spent, "budgets spent"),
        (summary.unsupported, "unsupported"),
        (summary.passed, "passed"),
        (summary.recalled, "recalled"),
    ];
    let said: Vec<_> = named
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    let (done, total) = (incident.counts.done, incident.counts.total);
    let so_far = if incident.over || incident.died.is_some() || total == 0 {
        String::new()
    } else {
        format!("{done} of {total} so far")
    };
    match (said.is_empty(), so_far.is_empty()) {
        (true, true) => "nothing ran".to_owned(),
        (true, false) => so_far,
        (false, true) => said.join(", "),
        (false, false) => format!("{}: {}", so_far, said.join(", ")),
    }
}

/// What to call to see it again: the run's command line, which tells nobody this time.
pub(in crate::channel) fn command(incident: &Incident) -> String {
    let told = |word: &&String| *word == "--notify" || word.starts_with("--notify=");
    let words: Vec<_> = incident.command.iter().filter(|word| !told(word)).cloned().collect();
    command_line(&words)
}

/// The units that failed, as many as are read at a glance: `a, b, 3 more`.
pub(in crate::channel) fn had_failed(incident: &Incident, code: impl Fn(&str) -> String) -> String {
    let mut named: Vec<_> =
        incident.failures.iter().take(GLANCE).map(|failure| code(&failure.unit)).collect();
    let unnamed = incident.failures.len().saturating_sub(GLANCE) as u64;
    let more = incident.failures_more.saturating_add(unnamed);
    if more > 0 {
        named.push(format!("{more} more"));
    }
    named.join(", ")
}

/// How long the incident lasts, or lasted, and over how many runs: `3 red runs in 2 d 4 h`.
pub(in crate::channel) fn lasting(incident: &Incident) -> String {
    let micros = incident.seen_unix_us.saturating_sub(incident.opened_unix_us);
    let time = Duration::from_micros(u64::try_from(micros).unwrap_or_default());
    let runs = if incident.runs == 1 {
        "1 red run".to_owned()
    } else {
        format!("{} red runs", incident.runs)
    };
    format!("{runs} in {}", span(time))
}

/// Why the newest run ended as it did, as far as its exit code says.
pub(in crate::channel) fn ending(incident: &Incident) -> String {
    match (&incident.died, incident.over, incident.exit_code) {
        (Some(_), _, _) => "no exit code".to_owned(),
        (None, true, Some(code)) => format!("exit code {code}"),
        (None, true, None) => "over".to_owned(),
        (None, false, _) => "still running".to_owned(),
    }
}

/// When it began, for services that cannot show it in the reader's own time.
pub(in crate::channel) fn since(incident: &Incident) -> String {
    jiff::Timestamp::from_microsecond(incident.opened_unix_us).map_or_else(
        |_| "unknown".to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    )
}

fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// How many units are read at a glance.
const GLANCE: usize = 5;

/// Longest name of a project or subject, characters.
pub(in crate::channel) const NAME_MAX: usize = 80;
