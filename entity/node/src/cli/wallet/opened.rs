//! A wallet on disk, opened for a command, and what is said when it does not do what it is asked.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use entity_crypto::entropy::Entropy;
use entity_wallet::kdf::KdfParameters;
use entity_wallet::key_file::{KeyFileError, Protected};
use entity_wallet::{
    KeyFilesError, KeyName, Passphrase, Protection, Unlocked, Wallet, WalletError,
};
use entity_wire::time::Timestamp;

use super::super::console::{Failed, Kind};
use super::super::options::DataDir;
use super::super::passphrase::Source;
use super::super::terminal::while_saying;
use crate::clock::Clock;
use crate::seed;
use crate::wallet_files::{DIRECTORY, DiskKeyFiles};

/// The wallet, and how to print.
#[derive(Debug, Args)]
pub(super) struct Place {
    #[command(flatten)]
    data_dir: DataDir,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// A wallet on disk.
pub(in crate::cli) struct Opened {
    pub(in crate::cli) data_dir: PathBuf,
    pub(in crate::cli) wallet: Wallet<DiskKeyFiles>,
}

impl Place {
    pub(super) fn read(&self) -> Result<Opened, Failed> {
        Opened::read(&self.data_dir.clone().resolve())
    }

    pub(super) fn change(&self) -> Result<Opened, Failed> {
        Opened::change(&self.data_dir.clone().resolve())
    }
}

impl Opened {
    pub(in crate::cli) fn read(data_dir: &Path) -> Result<Self, Failed> {
        let files = DiskKeyFiles::open(data_dir).map_err(WalletError::Files);
        let files = files.map_err(|error| failed(data_dir, error))?;
        Ok(Self { wallet: Wallet::new(files), data_dir: data_dir.to_owned() })
    }

    pub(in crate::cli) fn change(data_dir: &Path) -> Result<Self, Failed> {
        let files = DiskKeyFiles::open_for_changes(data_dir).map_err(WalletError::Files);
        let files = files.map_err(|error| failed(data_dir, error))?;
        Ok(Self { wallet: Wallet::new(files), data_dir: data_dir.to_owned() })
    }

    /// The key that is meant: the named one, or the default.
    pub(in crate::cli) fn name(&self, named: Option<KeyName>) -> Result<KeyName, Failed> {
        match named {
            Some(name) => Ok(name),
            None => self.ok(self.wallet.default_key()),
        }
    }

    /// Says a wallet's refusal in words a person can act on.
    pub(in crate::cli) fn ok<T>(&self, outcome: Result<T, WalletError>) -> Result<T, Failed> {
        outcome.map_err(|error| failed(&self.data_dir, error))
    }

    /// Gets the passphrase of a key, if it has one.
    pub(in crate::cli) fn passphrase_of(
        &self,
        name: &KeyName,
        source: &Source,
    ) -> Result<Option<Passphrase>, Failed> {
        match self.ok(self.wallet.show(name))?.1 {
            Protected::Passphrase(_) => {
                source.existing(&format!("Passphrase of the key {name}: ")).map(Some)
            }
            Protected::None => Ok(None),
        }
    }

    /// Unlocks a key.
    pub(in crate::cli) fn unlock(
        &self,
        name: &KeyName,
        source: &Source,
    ) -> Result<Unlocked, Failed> {
        let passphrase = self.passphrase_of(name, source)?;
        let unlocked = while_saying("unlocking", || self.wallet.unlock(name, passphrase.as_ref()));
        self.ok(unlocked)
    }
}

/// How a new key file is protected: by a new passphrase, unless the command says otherwise by name.
pub(super) fn new_passphrase(
    unprotected: bool,
    source: &Source,
    name: &KeyName,
) -> Result<Option<Passphrase>, Failed> {
    if unprotected {
        return Ok(None);
    }
    source.new_one(&format!("New passphrase for the key {name}: ")).map(Some)
}

/// Protection by a passphrase with the default parameters, or none.
pub(super) fn protection(passphrase: Option<&Passphrase>) -> Protection<'_> {
    passphrase.map_or(Protection::None, |passphrase| {
        Protection::Passphrase(passphrase, KdfParameters::DEFAULT)
    })
}

/// Randomness for salts, nonces and new keys.
pub(super) fn entropy() -> Result<Entropy, Failed> {
    let seed = seed::from_system().map_err(|error| Failed::new(Kind::System, error, None))?;
    Ok(Entropy::from_seed(seed))
}

/// The present, for what is written down.
pub(super) fn now() -> Timestamp {
    Clock::start().now()
}

/// A wallet's refusal with what can be done about it.
pub(in crate::cli) fn failed(data_dir: &Path, error: WalletError) -> Failed {
    let keys = data_dir.join(DIRECTORY);
    let (kind, help) = match &error {
        WalletError::NoKey => (Kind::System, Some(no_key(data_dir))),
        WalletError::NoDefault => {
            (Kind::Usage, Some("choose one with `entity wallet default NAME`".to_owned()))
        }
        WalletError::Marker => {
            (Kind::System, Some("choose again with `entity wallet default NAME`".to_owned()))
        }
        WalletError::Unknown { .. } => {
            (Kind::Usage, Some("`entity wallet list` shows the keys there are".to_owned()))
        }
        WalletError::Exists { .. } => {
            (Kind::Usage, Some("give another name; a key is never overwritten".to_owned()))
        }
        WalletError::Retired { .. } => {
            (Kind::Usage, Some("use its successor, which has the name before the ~".to_owned()))
        }
        WalletError::Misplaced { file, name } => {
            let to = keys.join(name.file_name().as_str());
            let from = keys.join(file.as_str());
            let help = format!("if you moved it: mv {} {}", from.display(), to.display());
            (Kind::System, Some(help))
        }
        WalletError::KeyFile { source, .. } => (kind_of(*source), Some(help_for(*source))),
        WalletError::Files(error) => (Kind::System, help_for_files(error)),
        WalletError::Passphrase(_) | WalletError::Name(_) | WalletError::Handover(_) => {
            (Kind::Usage, None)
        }
        WalletError::Unreadable => {
            (Kind::System, Some("nothing was changed; check this machine's memory".to_owned()))
        }
    };
    let text = in_directory(&error, &keys);
    Failed::new(kind, io::Error::other(text), help)
}

/// The whole chain of causes, with the place of the file.
fn in_directory(error: &WalletError, keys: &Path) -> String {
    match error {
        WalletError::KeyFile { file, source } => {
            format!("use {}: {source}", keys.join(file.as_str()).display())
        }
        WalletError::Files(KeyFilesError::System { action, path, source }) => {
            format!("{action} {path}: {source}")
        }
        WalletError::Misplaced { .. }
        | WalletError::Marker
        | WalletError::Unknown { .. }
        | WalletError::NoKey
        | WalletError::NoDefault
        | WalletError::Exists { .. }
        | WalletError::Retired { .. }
        | WalletError::Passphrase(_)
        | WalletError::Name(_)
        | WalletError::Handover(_)
        | WalletError::Files(_)
        | WalletError::Unreadable => format!("{error} (in {})", keys.display()),
    }
}

/// How to come to a first key; an identity from before there were wallets is not forgotten.
fn no_key(data_dir: &Path) -> String {
    let plain = data_dir.join(PLAIN_IDENTITY);
    if plain.exists() {
        format!(
            "an earlier version kept the identity in the clear: protect it with `entity wallet convert {}`",
            plain.display()
        )
    } else {
        "make one with `entity wallet create`".to_owned()
    }
}

fn kind_of(error: KeyFileError) -> Kind {
    match error {
        KeyFileError::PassphraseNeeded | KeyFileError::NotOpened => Kind::Refused,
        KeyFileError::OtherFormat
        | KeyFileError::Malformed(_)
        | KeyFileError::NotCanonical
        | KeyFileError::Name(_)
        | KeyFileError::Handover(_)
        | KeyFileError::Kdf(_)
        | KeyFileError::Changed
        | KeyFileError::KeyMismatch => Kind::System,
    }
}

fn help_for(error: KeyFileError) -> String {
    let help = match error {
        KeyFileError::NotOpened => {
            "type the passphrase again; if it is surely right, restore the file from a copy"
        }
        KeyFileError::PassphraseNeeded => {
            "give it with --passphrase-file, --passphrase-fd or ENTITY_PASSPHRASE"
        }
        KeyFileError::OtherFormat => "files of other formats come in with `entity wallet import`",
        KeyFileError::Malformed(_)
        | KeyFileError::NotCanonical
        | KeyFileError::Name(_)
        | KeyFileError::Handover(_)
        | KeyFileError::Kdf(_)
        | KeyFileError::Changed
        | KeyFileError::KeyMismatch => "do not use it; restore the file from a copy",
    };
    help.to_owned()
}

fn help_for_files(error: &KeyFilesError) -> Option<String> {
    match error {
        KeyFilesError::OpenToOthers { path, .. } => Some(format!(
            "if nobody else has read it: chmod go-rwx {path}; otherwise make a new key"
        )),
        KeyFilesError::System { action: "lock", .. } => {
            Some("another command is changing the wallet; try again when it has ended".to_owned())
        }
        KeyFilesError::Exists { .. } => Some("give another file".to_owned()),
        KeyFilesError::NotAFile { .. }
        | KeyFilesError::TooLong { .. }
        | KeyFilesError::System { .. } => None,
    }
}

/// The identity of a node before there were wallets: a seed in the clear, in the data directory.
const PLAIN_IDENTITY: &str = "identity.seed";
