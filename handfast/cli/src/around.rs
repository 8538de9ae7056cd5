//! What the program is told by its environment, read once.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use handfast_report::palette::Palette;

/// The environment of the program.
#[derive(Debug, Clone)]
pub(crate) struct Around {
    /// The folder it was called in.
    pub(crate) folder: PathBuf,
    /// `CARGO_TARGET_DIR`.
    pub(crate) cargo_target: Option<PathBuf>,
    /// The command line as a person would type it again, the program first.
    pub(crate) command: Vec<String>,
    /// The words that were given to the program, its own name first.
    pub(crate) arguments: Vec<OsString>,
    /// Set where a schedule started this.
    pub(crate) scheduled: Option<Scheduled>,
    /// `PATH`.
    pub(crate) path: Option<OsString>,
    /// Whether what is printed goes to journald, which knows the time.
    pub(crate) is_journal: bool,
    /// Address of the CI run that it is part of.
    pub(crate) link: Option<String>,
    /// Set where this is a step of a GitHub job.
    pub(crate) github: Option<Github>,
    /// Standard output.
    pub(crate) out: Screen,
    /// Standard error.
    pub(crate) error: Screen,
}

/// What a schedule tells a run that it starts: `handfast __scheduled PID MARK CLAIM ..`.
#[derive(Debug, Clone)]
pub(crate) struct Scheduled {
    /// The process of the schedule; the run ends with it.
    pub(crate) parent: String,
    /// Where the run writes down how far it has come.
    pub(crate) mark: PathBuf,
    /// What it writes there: job, occurrence, attempt.
    pub(crate) claim: String,
}

/// What a GitHub job tells its steps.
#[derive(Debug, Clone)]
pub(crate) struct Github {
    /// Where the page of this step belongs (`GITHUB_STEP_SUMMARY`).
    pub(crate) page: Option<PathBuf>,
    /// Where the repository was checked out (`GITHUB_WORKSPACE`).
    pub(crate) workspace: Option<PathBuf>,
}

/// What marks a command line as that of a run which a schedule starts.
pub(crate) const SCHEDULED: &str = "__scheduled";

/// Takes the words of a schedule out of a command line.
fn scheduled(words: &mut Vec<OsString>) -> Option<Scheduled> {
    if words.len() < 5 || words[1] != SCHEDULED {
        return None;
    }
    let text = |word: OsString| word.to_string_lossy().into_owned();
    let mut taken = words.drain(1..5).skip(1);
    Some(Scheduled {
        parent: taken.next().map(text)?,
        mark: taken.next().map(PathBuf::from)?,
        claim: taken.next().map(text)?,
    })
}

/// What a standard stream can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Colours or none.
    pub(crate) palette: Palette,
    /// Whether lines can be redrawn.
    pub(crate) moving: Moving,
    /// Whether a GitHub job reads it and takes some lines for commands.
    pub(crate) is_job: bool,
}

/// Whether lines can be redrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moving {
    /// A terminal.
    Redrawn,
    /// A file or a pipe.
    Lasting,
}

impl Around {
    /// Reads the environment.
    pub(crate) fn read() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        let colours = set("NO_COLOR").is_none() && !dumb;
        let is_job = set("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        let screen = |is_terminal: bool| Screen {
            is_job,
            palette: if is_terminal && colours { Palette::Coloured } else { Palette::Plain },
            moving: if is_terminal && !dumb { Moving::Redrawn } else { Moving::Lasting },
        };
        let mut arguments: Vec<OsString> = std::env::args_os().collect();
        let scheduled = scheduled(&mut arguments);
        let typed = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
        // Cargo sets CARGO for what it runs: then the words that lead here are an alias of it.
        let program: &[&str] =
            if set("CARGO").is_some() { &["cargo", "handfast"] } else { &["handfast"] };
        Self {
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            cargo_target: set("CARGO_TARGET_DIR").map(PathBuf::from),
            command: program.iter().map(|word| (*word).to_owned()).chain(typed).collect(),
            arguments,
            scheduled,
            path: set("PATH"),
            is_journal: set("JOURNAL_STREAM").is_some(),
            link: link(&set),
            github: is_job.then(|| Github {
                page: set("GITHUB_STEP_SUMMARY").map(PathBuf::from),
                workspace: set("GITHUB_WORKSPACE").map(PathBuf::from),
            }),
            out: screen(std::io::stdout().is_terminal()),
            error: screen(std::io::stderr().is_terminal()),
        }
    }
}

/// The address of the CI run, as GitHub or GitLab says it.
fn link(set: &dyn Fn(&str) -> Option<OsString>) -> Option<String> {
    let text = |name: &str| set(name)?.into_string().ok();
    if let Some(link) = text("CI_JOB_URL") {
        return Some(link);
    }
    let server = text("GITHUB_SERVER_URL")?;
    Some(format!("{server}/{}/actions/runs/{}", text("GITHUB_REPOSITORY")?, text("GITHUB_RUN_ID")?))
}
