//! What the program prints: results on standard output, errors and logs on standard error.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::admin::AskError;
use crate::config::file::ConfigError;
use crate::storage::OpenError;

/// Why the program ends with something else than 0; the exit codes are listed by `entity --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The other peer or the running node refuses.
    Refused,
    /// The command line or the configuration is wrong.
    Usage,
    /// The system does not let us.
    System,
    /// No node runs in the data directory.
    NoNode,
}

impl Kind {
    /// The exit code.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Refused => 1,
            Self::Usage => 2,
            Self::System => 3,
            Self::NoNode => 4,
        })
    }
}

/// A command that failed.
#[derive(Debug)]
pub struct Failed {
    kind: Kind,
    report: miette::Report,
}

impl Failed {
    /// A failure of `kind` with its chain of causes and, perhaps, what to do about it.
    pub fn new(
        kind: Kind,
        error: impl Error + Send + Sync + 'static,
        help: Option<String>,
    ) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        let diagnostic = miette::MietteDiagnostic::new(format!("failed to {text}"));
        let diagnostic = match help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        };
        Self { kind, report: miette::Report::new(diagnostic) }
    }

    /// Shows the failure on standard error and returns its exit code.
    pub(crate) fn report(self) -> ExitCode {
        // There is nobody left to tell when standard error is closed.
        drop(writeln!(anstream::stderr(), "{:?}", self.report));
        self.kind.exit_code()
    }
}

impl From<ConfigError> for Failed {
    fn from(error: ConfigError) -> Self {
        match error {
            // It points into the file by itself.
            invalid @ ConfigError::Invalid { .. } => {
                Self { kind: Kind::Usage, report: miette::Report::new(invalid) }
            }
            unreadable @ ConfigError::Unreadable { .. } => {
                let help = "name an existing file with --config, or leave --config away".to_owned();
                Self::new(Kind::Usage, unreadable, Some(help))
            }
        }
    }
}

impl From<OpenError> for Failed {
    fn from(error: OpenError) -> Self {
        let help = error.help();
        Self::new(Kind::System, error, help)
    }
}

impl From<AskError> for Failed {
    fn from(error: AskError) -> Self {
        match &error {
            AskError::NoNode { .. } => {
                let help =
                    "start it with `entity run`, or name its directory with --data-dir".to_owned();
                Self::new(Kind::NoNode, error, Some(help))
            }
            AskError::Broken(_) => Self::new(Kind::System, error, None),
            AskError::Refused { code, status, .. } => {
                let status =
                    status.map(|status| format!(" (HTTP status {status})")).unwrap_or_default();
                let help = code.as_ref().map(|code| format!("the code is {code}{status}"));
                let text = error.to_string().trim_start_matches("failed to ").to_owned();
                Self::new(Kind::Refused, io::Error::other(text), help)
            }
        }
    }
}

/// Prints one line of a result.
pub(crate) fn say(line: impl fmt::Display) {
    // A reader that went away, like `head`, is no failure.
    drop(writeln!(anstream::stdout(), "{line}"));
}

/// A text of somebody else without what could move the cursor or turn the order of what stands beside it.
pub(crate) fn printable(text: &str) -> String {
    let is_harmless = |character: char| {
        !character.is_control()
            && !matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .map(|character| if is_harmless(character) { character } else { '\u{fffd}' })
        .collect()
}

/// Prints a value as one line of JSON.
pub(crate) fn say_json(value: &impl serde::Serialize) {
    say(serde_json::to_string(value).unwrap_or_default());
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts the log on standard error; colours only on a terminal.
///
/// # Errors
///
/// A filter that cannot be read.
pub(crate) fn start_log(filter: &str, format: LogFormat) -> Result<(), Failed> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        Failed::new(
            Kind::Usage,
            error,
            Some("write for example `--log info` or `--log entity_node=debug`".to_owned()),
        )
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    // A log that runs already, as in a test, stays.
    match format {
        LogFormat::Text => drop(log.try_init()),
        LogFormat::Json => drop(log.json().try_init()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_else_wrote_cannot_move_the_cursor() {
        assert_eq!(printable("rent\u{1b}[2J\n"), "rent\u{fffd}[2J\u{fffd}");
        assert_eq!(printable("\u{202e}exe.txt\u{2066}"), "\u{fffd}exe.txt\u{fffd}");
        assert_eq!(printable("Miete für März, 家賃"), "Miete für März, 家賃");
    }
}
