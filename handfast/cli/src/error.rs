//! What ends a command before its work is done.

use handfast_scenario::ExitCode;
use miette::Diagnostic;

/// An error and the exit code it leads to.
#[derive(Debug)]
pub(crate) struct CommandError {
    /// What the user is told.
    pub(crate) report: miette::Report,
    /// What the caller is told.
    pub(crate) code: ExitCode,
}

impl CommandError {
    /// The command line or a file of the project is wrong.
    pub(crate) fn usage(error: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self { report: miette::Report::new(error), code: ExitCode::Usage }
    }

    /// The command line or a file of the project is wrong: in these words, and this is the fix.
    pub(crate) fn usage_text(error: impl std::fmt::Display, help: impl std::fmt::Display) -> Self {
        Self { report: miette::miette!(help = help.to_string(), "{error}"), code: ExitCode::Usage }
    }

    /// The machine or the platform failed.
    pub(crate) fn infra(error: &(dyn std::error::Error + 'static), what: &str) -> Self {
        let mut causes = Vec::new();
        let mut cause = Some(error);
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        let text = format!("{what}: {}", causes.join(": "));
        Self { report: miette::miette!("{text}"), code: ExitCode::Infrastructure }
    }
}
