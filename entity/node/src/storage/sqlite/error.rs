//! Why a store cannot be used.

use std::io;
use std::path::PathBuf;

use entity_crypto::signing::PublicKey;
use entity_peer::inherit::InheritError;

use super::{FORMAT, LOG_NAME};
use crate::seed::NoEntropy;

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Another process has it open.
    #[error("open the store {}: another process uses it", path.display())]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("trust the store {}: its rights are {mode:o}, others can reach it", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another identity.
    #[error("open the store {}: it belongs to the peer with the key {owner}", path.display())]
    OtherOwner {
        /// The file.
        path: PathBuf,
        /// The key of that peer, as text.
        owner: String,
    },
    /// It belongs to the key before this one, and cannot go over.
    #[error("take over the store {} of the key {owner}", path.display())]
    NotInherited {
        /// The file.
        path: PathBuf,
        /// The key before.
        owner: PublicKey,
        /// Why not.
        #[source]
        source: InheritError,
    },
    /// A newer version wrote it.
    #[error("open the store {}: its format is {found}, this version reads {FORMAT}", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
    },
    /// It is something else, or broken at its beginning.
    #[error("open the store {}: it is no store of a peer, or damaged", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("open the store {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Its log is gone, and with it what was kept last.
    #[error("open the store {}: its log {LOG_NAME} is missing", path.display())]
    LogMissing {
        /// The file.
        path: PathBuf,
    },
    /// It never had a log, and one lies beside it.
    #[error("open the store {}: it is new, and the log {LOG_NAME} of another lies beside it", path.display())]
    LogOfAnother {
        /// The file.
        path: PathBuf,
    },
    /// Its log goes on from a later moment.
    #[error("open the store {}: it and its log {LOG_NAME} are not of the same moment, the log is from later", path.display())]
    LogAhead {
        /// The file.
        path: PathBuf,
    },
    /// Its log is damaged before its end.
    #[error("open the store {}: its log {LOG_NAME} is damaged at byte {at}, and goes on behind that", path.display())]
    LogDamaged {
        /// The file.
        path: PathBuf,
        /// The byte of the log.
        at: usize,
    },
    /// There is nothing to make its key of.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// SQLite refuses.
    #[error("open the store {}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it says.
        #[source]
        source: rusqlite::Error,
    },
}

impl StorageError {
    /// What to do about it, where there is something.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Taken { .. } => {
                Some("stop the other one, or give this one a directory of its own".to_owned())
            }
            Self::OpenToOthers { path, .. } => Some(format!("chmod go-rwx {}", path.display())),
            Self::OtherOwner { .. } => {
                Some("start it with that key, or give this one a directory of its own; a rotated key takes the store over where the wallet has the hand-over".to_owned())
            }
            Self::NotInherited { source: InheritError::Member, .. } => {
                Some("go on with the key before: `entity wallet list` names it, `entity wallet export` and `import` give it a name to start with (--key)".to_owned())
            }
            Self::NotInherited { path, source: InheritError::Damaged, .. } => {
                Some(format!("restore {} from a copy", path.display()))
            }
            Self::NewerFormat { .. } => Some("run the version that wrote it".to_owned()),
            Self::LogMissing { path } => Some(format!(
                "put {LOG_NAME} back beside {}, both from the same moment: without it votes and messages are forgotten",
                path.display()
            )),
            Self::LogOfAnother { path } => Some(format!(
                "put the {} that {LOG_NAME} belongs to back, or move {LOG_NAME} away as well to begin without: what it holds is forgotten then",
                path.display()
            )),
            Self::LogAhead { path } => Some(format!(
                "put {} and {LOG_NAME} from the same moment there: older tables forget votes and messages",
                path.display()
            )),
            Self::LogDamaged { path, .. } => Some(format!(
                "put the whole {LOG_NAME} of the same moment back beside {}; where there is none, give the store up with its identity: what was kept last is lost, and may be votes",
                path.display()
            )),
            Self::NotAStore { path } => Some(format!(
                "move {} and, where it is there, {LOG_NAME} away to start with an empty store",
                path.display()
            )),
            Self::Io { .. } | Self::NoEntropy(_) | Self::Sqlite { .. } => None,
        }
    }
}
