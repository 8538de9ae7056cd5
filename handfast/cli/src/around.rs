//! What the program is told by its environment, read once.

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
    /// Standard output.
    pub(crate) out: Screen,
    /// Standard error.
    pub(crate) error: Screen,
}

/// What a standard stream can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Colours or none.
    pub(crate) palette: Palette,
    /// Whether lines can be redrawn.
    pub(crate) moving: Moving,
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
        let screen = |is_terminal: bool| Screen {
            palette: if is_terminal && colours { Palette::Coloured } else { Palette::Plain },
            moving: if is_terminal && !dumb { Moving::Redrawn } else { Moving::Lasting },
        };
        let arguments = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
        // Cargo sets CARGO for what it runs: then the words that lead here are an alias of it.
        let program: &[&str] =
            if set("CARGO").is_some() { &["cargo", "handfast"] } else { &["handfast"] };
        Self {
            folder: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            cargo_target: set("CARGO_TARGET_DIR").map(PathBuf::from),
            command: program.iter().map(|word| (*word).to_owned()).chain(arguments).collect(),
            out: screen(std::io::stdout().is_terminal()),
            error: screen(std::io::stderr().is_terminal()),
        }
    }
}
