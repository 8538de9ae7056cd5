//! The files of the repository, without what is built or recorded.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The root of the repository this crate was compiled in.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// All files below `folder` whose extension is one of `extensions`, sorted by path.
///
/// Folders that hold no source (`target`, `.git`, `.handfast`, Python caches) are left out.
///
/// # Errors
///
/// The first folder that cannot be read ends the walk.
pub fn below(folder: &Path, extensions: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !path.is_symlink() {
                if !LEFT_OUT.contains(&name) {
                    open.push(path);
                }
            } else if path
                .extension()
                .and_then(|extension| extension.to_str())
                .is_some_and(|extension| extensions.contains(&extension))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

const LEFT_OUT: &[&str] = &["target", ".git", ".handfast", "__pycache__", "node_modules", ".venv"];
