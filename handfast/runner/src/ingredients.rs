//! What keys are made of, read from the disk: see [`handfast_matrix::key`].

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use handfast_matrix::key::{self, Stream};
use handfast_matrix::{Cell, Digest, Ingredients};
use handfast_scenario::project::PeerProgram;

use crate::absence;
use crate::place::Places;

/// Most files that make up one peer.
pub const FILES_MAX: usize = 20_000;

/// Deepest nesting of the folders that make up a peer.
pub const DEPTH_MAX: usize = 32;

/// The digest of the platform itself: its own program, where it runs.
///
/// # Errors
///
/// If the program cannot be read.
pub fn platform() -> io::Result<Digest> {
    // Also when a build has replaced it since.
    let program = file(Path::new("/proc/self/exe"))?;
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Ok(Digest::of(format!("{program} {os} {arch}").as_bytes()))
}

/// The digest of what a peer's program is made of: the files that its start command names, and its `inputs`.
///
/// # Errors
///
/// What could not be read, in one line.
pub fn build(places: &Places, peer: &PeerProgram) -> Result<Digest, String> {
    let mut files = BTreeMap::new();
    let words = peer.start.words().iter().zip(places.fill(&peer.start));
    for (at, (written, filled)) in words.enumerate() {
        let path = match absence::in_path(&filled) {
            Some(path) if at == 0 && !filled.contains('/') => path,
            Some(_) | None => places.root().join(&filled),
        };
        if path.is_file() {
            files.insert(written.clone(), path);
        } else if at == 0 {
            return Err(format!("its program {filled} is not there"));
        }
    }
    for input in &peer.inputs {
        let path = places.path(input);
        let failed = |error: io::Error| format!("its input {input} cannot be read: {error}");
        collect(&path, input, 0, &mut files).map_err(failed)?;
    }
    let mut digests = BTreeMap::new();
    for (name, path) in files {
        let digest = file(&path).map_err(|error| format!("{name} cannot be read: {error}"))?;
        digests.insert(name, digest);
    }
    Ok(key::build(peer, &digests))
}

/// Adds the digests of the cells' scenario files, each as `file_of` names it, and of the files they name. One that cannot be read
/// is left out, and its cells have no key.
pub fn scenario_files<'a>(
    ingredients: &mut Ingredients,
    root: &Path,
    cells: impl IntoIterator<Item = (&'a Cell, &'a str)>,
) {
    for (cell, own) in cells {
        let named = key::named_files(cell);
        for name in [own.to_owned()].into_iter().chain(named) {
            let path = root.join(&name);
            if !ingredients.files.contains_key(&name)
                && path.is_file()
                && let Ok(digest) = file(&path)
            {
                ingredients.files.insert(name, digest);
            }
        }
    }
}

/// The files of a folder with all below it, or the file itself; what tools leave behind is none of them.
fn collect(
    path: &Path,
    name: &str,
    depth: usize,
    files: &mut BTreeMap<String, PathBuf>,
) -> io::Result<()> {
    if files.len() >= FILES_MAX || depth > DEPTH_MAX {
        let limits = format!("it is more than {FILES_MAX} files or {DEPTH_MAX} folders deep");
        return Err(io::Error::other(limits));
    }
    if !fs::metadata(path)?.is_dir() {
        files.insert(name.to_owned(), path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let part = entry.file_name().to_string_lossy().into_owned();
        if part == "__pycache__" || part.starts_with('.') {
            continue;
        }
        collect(&entry.path(), &format!("{name}/{part}"), depth + 1, files)?;
    }
    Ok(())
}

fn file(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut stream = Stream::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(stream.finish()),
            len => stream.push(buffer.get(..len).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
#[path = "ingredients_tests.rs"]
mod tests;
