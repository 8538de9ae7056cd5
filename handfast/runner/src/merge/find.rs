//! Records in folders, such as artifacts that a CI system has laid side by side.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file that makes a folder a record.
pub const EVENTS: &str = "events.jsonl";

/// Most folders that are looked into.
pub const FOLDERS_MAX: usize = 10_000;

/// Deepest folder below one that is named.
pub const DEPTH_MAX: usize = 8;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its folder as a person would name it.
    pub shown: String,
    /// Its events.
    pub file: PathBuf,
}

/// Why there are no records.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// A folder cannot be read.
    #[error("failed to read the folder {}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is more than [`FOLDERS_MAX`] and [`DEPTH_MAX`] allow.
    #[error("{} has more than {FOLDERS_MAX} folders, or is more than {DEPTH_MAX} folders deep", folder.display())]
    TooMany {
        /// Which was named.
        folder: PathBuf,
    },
}

/// The records in these folders, each once, by name: a folder with `events.jsonl` is one, any other is looked into.
///
/// # Errors
///
/// [`FindError`]; that there is no record at all is none.
pub fn find(folders: &[PathBuf]) -> Result<Vec<Found>, FindError> {
    let mut found: Vec<Found> = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    for folder in folders {
        let mut left = FOLDERS_MAX;
        let mut here = Vec::new();
        look(folder, folder, 0, &mut left, &mut here)?;
        here.sort();
        for file in here {
            let same = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            if !seen.contains(&same) {
                seen.push(same);
                let shown = file.parent().unwrap_or(&file).display().to_string();
                found.push(Found { shown, file });
            }
        }
    }
    Ok(found)
}

fn look(
    top: &Path,
    folder: &Path,
    depth: usize,
    left: &mut usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), FindError> {
    if depth > DEPTH_MAX || *left == 0 {
        return Err(FindError::TooMany { folder: top.to_owned() });
    }
    *left -= 1;
    let failed = |source| FindError::Folder { folder: folder.to_owned(), source };
    let events = folder.join(EVENTS);
    if events.is_file() {
        found.push(events);
        return Ok(());
    }
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A link could lead in a circle.
        if entry.file_type().map_err(failed)?.is_dir() {
            look(top, &entry.path(), depth + 1, left, found)?;
        }
    }
    Ok(())
}
