//! A project as the jobs see it: what is in it, what its commands are, and what goes wrong before a line is written.

use std::fmt::Write as _;
use std::time::Duration;

use handfast_scenario::ci::CiSettings;
use handfast_scenario::notify::{ChannelService, ChannelSettings, HeaderFrom, SecretFrom};
use handfast_scenario::project::{Category, Command};
use handfast_scenario::{Project, Scenario};

use crate::cron::Cron;

/// What the jobs are made from.
#[derive(Debug, Clone)]
pub struct Setting<'a> {
    /// The project.
    pub project: &'a Project,
    /// Its `[ci]`.
    pub ci: &'a CiSettings,
    /// The categories that have a scenario.
    pub categories: Vec<&'a Category>,
    /// When the daily run begins, on the days that have no full regression.
    pub daily: Cron,
    /// When the full regression begins.
    pub full: Cron,
}

/// Why nothing can be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SettingError {
    /// What is wrong, naming the place.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

/// A word of a command in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Exactly this text.
    Text(String),
    /// What a variable of the environment holds, as one word.
    Variable(&'static str),
}

impl<'a> Setting<'a> {
    /// Looks at a project and its scenarios.
    ///
    /// # Errors
    ///
    /// `[ci]` is missing, or something in it cannot be meant.
    pub fn new(project: &'a Project, scenarios: &[Scenario]) -> Result<Self, SettingError> {
        let ci = project.ci.as_ref().ok_or_else(|| {
            error("handfast.toml has no [ci]", "add `[ci]`; every line below it has a default")
        })?;
        no_expressions(ci)?;
        let cron = |key: &str, text: &str| {
            let help =
                "write five fields: minute, hour, day, month, day of the week; `0 2 * * SUN`";
            Cron::parse(text).map_err(|what| error(&format!("[ci] `{key}`: {what}"), help))
        };
        let full = cron("full", &ci.full)?;
        let daily = cron("daily", &ci.daily)?.without_days_of(&full);
        if !daily.begins() {
            let message =
                "[ci] has no day for the daily run that is not one of the full regression";
            return Err(error(message, "let `full` begin on fewer days, or `daily` on more"));
        }
        let in_use = |category: &&Category| {
            scenarios.iter().any(|scenario| {
                let id = scenario.id.to_string();
                let named = scenario.category.as_ref();
                let found = project.category_of(&id, scenario.id.stem(), named);
                found.is_ok_and(|found| found.name == category.name)
            })
        };
        let categories = project.categories.iter().filter(in_use).collect();
        Ok(Self { project, ci, categories, daily, full })
    }

    /// A line of a script that calls handfast with these words.
    pub fn call(&self, words: &[Word]) -> String {
        let own = self.ci.handfast.words().iter().cloned().map(Word::Text);
        shell(own.chain(words.iter().cloned()))
    }

    /// What every job does first, a line each.
    pub fn setup(&self) -> Vec<String> {
        let line = |command: &Command| shell(command.words().iter().cloned().map(Word::Text));
        self.ci.setup.iter().map(line).collect()
    }

    /// The minutes of a job that works for `work`, with what it takes to build.
    pub fn minutes(&self, work: Duration) -> u64 {
        let all = (work + self.ci.build_within).min(CiSettings::TIMEOUT_MAX);
        all.as_secs().div_ceil(60).max(1)
    }

    /// The variables that hold the secrets of `[notify]`, each once.
    pub fn secrets(&self) -> Vec<String> {
        let channels = self.project.notify.iter().flat_map(|notify| &notify.channels);
        let mut names: Vec<String> = channels.flat_map(secrets).collect();
        names.sort();
        names.dedup();
        names
    }
}

fn secrets(channel: &ChannelSettings) -> Vec<String> {
    let headers = match &channel.service {
        ChannelService::Webhook { headers, .. } => headers.values().collect(),
        ChannelService::SlackBot { .. } | ChannelService::SlackWebhook => Vec::new(),
    };
    let hidden = headers.into_iter().filter_map(|header| match header {
        HeaderFrom::Secret(secret) => Some(secret),
        HeaderFrom::Plain(_) => None,
    });
    let variable = |secret: &SecretFrom| match secret {
        SecretFrom::Environment(name) => Some(name.clone()),
        SecretFrom::File(_) => None,
    };
    std::iter::once(&channel.secret).chain(hidden).filter_map(variable).collect()
}

/// What a service would take for an expression of its own must not come from a file that is not a workflow.
fn no_expressions(ci: &CiSettings) -> Result<(), SettingError> {
    let commands = ci.setup.iter().chain([&ci.handfast]).flat_map(Command::words);
    let jobs = ci.jobs.iter().flat_map(|job| &job.run);
    let others = ci.branches.iter().chain(&ci.cache).chain(&ci.cache_key);
    let more = [&ci.runner].into_iter().chain(&ci.image);
    for text in commands.chain(jobs).chain(others).chain(more) {
        if text.contains("${{") || text.contains(char::is_control) {
            let message =
                format!("[ci] has {text:?}, which a service would read as its own language");
            return Err(error(&message, "put it into a script and call that"));
        }
    }
    match ci.cache_key.iter().find(|file| file.contains('\'')) {
        Some(file) => Err(error(
            &format!("[ci] `cache_key` has {file:?}"),
            "name files without an apostrophe",
        )),
        None => Ok(()),
    }
}

fn error(message: &str, help: &str) -> SettingError {
    SettingError { message: message.to_owned(), help: help.to_owned() }
}

/// Words of these texts.
pub fn words(texts: &[&str]) -> Vec<Word> {
    texts.iter().map(|text| Word::Text((*text).to_owned())).collect()
}

/// A line that a shell takes for exactly these words.
pub fn shell(words: impl IntoIterator<Item = Word>) -> String {
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        match word {
            // Writing to a text cannot fail.
            Word::Variable(name) => write!(line, "\"${name}\"").unwrap_or_default(),
            Word::Text(text) if is_bare(&text) => line.push_str(&text),
            Word::Text(text) => {
                write!(line, "'{}'", text.replace('\'', "'\\''")).unwrap_or_default();
            }
        }
    }
    line
}

fn is_bare(word: &str) -> bool {
    let bare = |letter: char| letter.is_ascii_alphanumeric() || "_./:=@%+,-".contains(letter);
    !word.is_empty() && word.chars().all(bare)
}

/// The words of a line, as a shell without expansion reads them: quotes are taken off. `None`: a quote is open.
pub fn unshell(line: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(letters.next()?),
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// A duration as handfast's own command line takes it.
pub fn written(duration: Duration) -> String {
    let (seconds, rest) = (duration.as_secs(), duration.subsec_millis());
    match (seconds % 60, rest) {
        (0, 0) => format!("{}min", seconds / 60),
        (_, 0) => format!("{seconds}s"),
        (_, rest) => format!("{}ms", seconds * 1000 + u64::from(rest)),
    }
}

#[cfg(test)]
#[path = "setting_tests.rs"]
mod tests;
