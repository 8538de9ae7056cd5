//! The seam to the file system.

use std::error::Error as StdError;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::name::FileName;

/// Keeps the files of one wallet.
///
/// Each operation is atomic and durable: when it returns, its effect survives a loss of power, and when it is interrupted,
/// the file is as before or as after. [`conformance::check`](crate::conformance::check) is what an implementation has to
/// pass.
pub trait KeyFiles {
    /// Returns the names of all files, in order.
    ///
    /// # Errors
    ///
    /// [`KeyFilesError::System`], or [`KeyFilesError::OpenToOthers`] for the directory.
    fn list(&self) -> Result<Vec<FileName>, KeyFilesError>;

    /// Returns what a file holds, `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`KeyFilesError::OpenToOthers`], [`KeyFilesError::NotAFile`], [`KeyFilesError::TooLong`], [`KeyFilesError::System`].
    fn read(&self, name: &FileName) -> Result<Option<Zeroizing<Vec<u8>>>, KeyFilesError>;

    /// Makes a file, never over another one.
    ///
    /// # Errors
    ///
    /// [`KeyFilesError::Exists`], else as [`KeyFiles::read`].
    fn create(&mut self, name: &FileName, bytes: &[u8]) -> Result<(), KeyFilesError>;

    /// Makes a file, or puts it in the place of the one that is there.
    ///
    /// # Errors
    ///
    /// As [`KeyFiles::read`].
    fn replace(&mut self, name: &FileName, bytes: &[u8]) -> Result<(), KeyFilesError>;

    /// Removes a file, if there is one.
    ///
    /// # Errors
    ///
    /// [`KeyFilesError::System`].
    fn remove(&mut self, name: &FileName) -> Result<(), KeyFilesError>;
}

/// Why a file of a wallet cannot be used.
#[derive(Debug, Error)]
pub enum KeyFilesError {
    /// Others than the owner may reach it. By now they may have read it, so it is refused, not repaired.
    #[error("trust {path}: its rights are {mode:o}, others can reach it")]
    OpenToOthers {
        /// The file or directory.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// It is a link, a directory or a device: following it could read or write what is no key file.
    #[error("use {path}: it is no plain file")]
    NotAFile {
        /// What stands there.
        path: String,
    },
    /// It is longer than any key file.
    #[error("read {path}: it is longer than {FILE_LEN_MAX} bytes")]
    TooLong {
        /// The file.
        path: String,
    },
    /// There is a file already, and it is not overwritten.
    #[error("make {path}: it exists")]
    Exists {
        /// The file.
        path: String,
    },
    /// The system refuses.
    #[error("{action} {path}")]
    System {
        /// What was being done: `read`, `write`, `lock`.
        action: &'static str,
        /// The file or directory.
        path: String,
        /// What the system says.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Bytes of the longest file of a wallet; a key file has below 2 KiB.
pub const FILE_LEN_MAX: usize = 16 * 1024;
