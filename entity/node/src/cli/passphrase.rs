//! Where a passphrase comes from: a file, a file descriptor, the environment, or a person. Never an argument, which every
//! process of the machine can read.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use entity_wallet::passphrase::{InvalidPassphrase, PASSPHRASE_LEN_MAX};
use entity_wallet::{KeyFilesError, Passphrase};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::pipe::pipe;
use zeroize::Zeroizing;

use super::console::{Failed, Kind};
use super::terminal::Terminal;
use crate::wallet_files::{read_bounded, read_private};

/// Where the passphrase of a key comes from
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PassphraseArgs {
    /// File with the passphrase, which only you can read [default: `ENTITY_PASSPHRASE`, else asked for]
    #[arg(long, value_name = "FILE", env = "ENTITY_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Open file descriptor to read the passphrase from
    #[arg(
        long,
        value_name = "N",
        env = PASSPHRASE_FD,
        hide_env = true,
        conflicts_with = "passphrase_file"
    )]
    pub(crate) passphrase_fd: Option<u32>,
}

/// Where the passphrase comes from that is to protect the key from now on
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct NewPassphraseArgs {
    /// File with the new passphrase, which only you can read [default: `ENTITY_NEW_PASSPHRASE`, else asked for]
    #[arg(long, value_name = "FILE", env = "ENTITY_NEW_PASSPHRASE_FILE")]
    new_passphrase_file: Option<PathBuf>,
    /// Open file descriptor to read the new passphrase from
    #[arg(long, value_name = "N", conflicts_with = "new_passphrase_file")]
    new_passphrase_fd: Option<u32>,
}

/// How a key is protected from now on, and how it was opened before
#[derive(Debug, Clone, Args)]
pub(crate) struct ProtectionArgs {
    /// Keep the key in the clear: whoever reads the file can speak as this entity
    #[arg(long, conflicts_with_all = ["new_passphrase_file", "new_passphrase_fd"])]
    pub(crate) unprotected: bool,
    #[command(flatten)]
    pub(crate) old: PassphraseArgs,
    #[command(flatten)]
    pub(crate) new: NewPassphraseArgs,
}

/// One way to a passphrase.
#[derive(Debug)]
pub(crate) enum Source {
    File(PathBuf),
    Descriptor(u32),
    Environment(&'static str),
    Person,
}

impl PassphraseArgs {
    /// What was chosen; a person if nothing was.
    pub(crate) fn source(&self) -> Source {
        choose(self.passphrase_file.as_ref(), self.passphrase_fd, PASSPHRASE)
    }

    /// Takes the passphrase out of the environment of a program that goes on running: every program of the same user, and
    /// every core dump, could read it there for as long. It begins anew, as the same process with the same arguments, and
    /// finds the passphrase in a pipe instead. Where that is impossible, it goes on as it is.
    ///
    /// Call it before anything else is begun.
    pub(crate) fn leave_environment(&self) {
        let (Source::Environment(_), Some(passphrase)) =
            (self.source(), std::env::var_os(PASSPHRASE).map(OsString::into_vec))
        else {
            return;
        };
        let passphrase = Zeroizing::new(passphrase);
        // What is longer than any passphrase could fill the pipe; it is refused in a moment.
        if passphrase.is_empty() || passphrase.len() > PASSPHRASE_LEN_MAX {
            return;
        }
        if let Err(error) = begin_anew(&passphrase) {
            anstream::eprintln!(
                "warning: {PASSPHRASE} stays in the environment of this process: {error}"
            );
        }
    }
}

/// Returns only where it fails.
fn begin_anew(passphrase: &[u8]) -> io::Result<()> {
    let (read, write) = pipe()?;
    fcntl_setfd(&write, FdFlags::CLOEXEC)?;
    File::from(write).write_all(passphrase)?;
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env_remove(PASSPHRASE);
    Err(command.env(PASSPHRASE_FD, read.as_raw_fd().to_string()).exec())
}

impl NewPassphraseArgs {
    /// What was chosen; a person if nothing was.
    pub(crate) fn source(&self) -> Source {
        choose(self.new_passphrase_file.as_ref(), self.new_passphrase_fd, "ENTITY_NEW_PASSPHRASE")
    }
}

fn choose(file: Option<&PathBuf>, descriptor: Option<u32>, variable: &'static str) -> Source {
    match (file, descriptor) {
        (Some(file), _) => Source::File(file.clone()),
        (None, Some(descriptor)) => Source::Descriptor(descriptor),
        (None, None) if std::env::var_os(variable).is_some() => Source::Environment(variable),
        (None, None) => Source::Person,
    }
}

impl Source {
    /// Gets a passphrase that exists already.
    ///
    /// # Errors
    ///
    /// No such file, nobody to ask, or no passphrase.
    pub(crate) fn existing(&self, question: &str) -> Result<Passphrase, Failed> {
        match self {
            Self::File(path) => from_file(path),
            Self::Descriptor(descriptor) => from_descriptor(*descriptor),
            Self::Environment(variable) => from_environment(variable),
            Self::Person => from_person(&terminal()?, question),
        }
    }

    /// Gets a passphrase that is to protect a key from now on; a person types it twice.
    ///
    /// # Errors
    ///
    /// As [`Source::existing`]; a passphrase that is too weak, or two that differ.
    pub(crate) fn new_one(&self, question: &str) -> Result<Passphrase, Failed> {
        let passphrase = match self {
            Self::Person => {
                let terminal = terminal()?;
                let first = from_person(&terminal, question)?;
                first.check_new().map_err(invalid)?;
                if from_person(&terminal, "Once more: ")? != first {
                    let error = io::Error::other("read the same passphrase twice");
                    return Err(Failed::new(Kind::Usage, error, Some("try again".to_owned())));
                }
                first
            }
            Self::File(_) | Self::Descriptor(_) | Self::Environment(_) => {
                self.existing(question)?
            }
        };
        passphrase.check_new().map_err(invalid)?;
        Ok(passphrase)
    }
}

fn terminal() -> Result<Terminal, Failed> {
    Terminal::find().ok_or_else(|| {
        let error = io::Error::other("ask for a passphrase: there is no terminal");
        let help = "give it with --passphrase-file, --passphrase-fd or ENTITY_PASSPHRASE";
        Failed::new(Kind::Usage, error, Some(help.to_owned()))
    })
}

fn from_person(terminal: &Terminal, question: &str) -> Result<Passphrase, Failed> {
    let answered = terminal.ask_hidden(question);
    let answered = answered.map_err(|error| Failed::new(Kind::System, error, None))?;
    passphrase(&answered.unwrap_or_default())
}

fn from_file(path: &Path) -> Result<Passphrase, Failed> {
    let failed = |error: KeyFilesError| {
        let help = match &error {
            KeyFilesError::OpenToOthers { path, .. } => Some(format!("chmod go-rwx {path}")),
            KeyFilesError::NotAFile { .. }
            | KeyFilesError::TooLong { .. }
            | KeyFilesError::Exists { .. }
            | KeyFilesError::System { .. } => None,
        };
        Failed::new(Kind::Usage, error, help)
    };
    let file = File::open(path).map_err(|source| {
        let text = format!("open the passphrase file {}: {source}", path.display());
        Failed::new(Kind::Usage, io::Error::other(text), None)
    })?;
    line(read_private(file, path).map_err(failed)?)
}

fn from_descriptor(descriptor: u32) -> Result<Passphrase, Failed> {
    let path = PathBuf::from(format!("/dev/fd/{descriptor}"));
    let file = File::open(&path).map_err(|source| {
        let text = format!("open the file descriptor {descriptor}: {source}");
        Failed::new(Kind::Usage, io::Error::other(text), None)
    })?;
    // A pipe has no rights of its own.
    line(read_bounded(file, &path).map_err(|error| Failed::new(Kind::Usage, error, None))?)
}

fn from_environment(variable: &str) -> Result<Passphrase, Failed> {
    passphrase(std::env::var_os(variable).unwrap_or_default().as_bytes())
}

/// What a file holds, without the end of its line.
fn line(bytes: Zeroizing<Vec<u8>>) -> Result<Passphrase, Failed> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    passphrase(line.strip_suffix(b"\r").unwrap_or(line))
}

fn passphrase(bytes: &[u8]) -> Result<Passphrase, Failed> {
    Passphrase::new(bytes).map_err(invalid)
}

fn invalid(error: InvalidPassphrase) -> Failed {
    let help = match error {
        InvalidPassphrase::Empty => "to keep a key in the clear, say so with --unprotected",
        InvalidPassphrase::TooShort => {
            "several words are better than one: they are counted in characters"
        }
        InvalidPassphrase::TooLong
        | InvalidPassphrase::NotText
        | InvalidPassphrase::Control
        | InvalidPassphrase::Unassigned => "choose another one",
    };
    Failed::new(Kind::Usage, error, Some(help.to_owned()))
}

const PASSPHRASE: &str = "ENTITY_PASSPHRASE";
/// Where a program that has begun anew finds it.
const PASSPHRASE_FD: &str = "ENTITY_PASSPHRASE_FD";
