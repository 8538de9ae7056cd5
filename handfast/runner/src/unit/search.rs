//! Looking for a text in what a peer keeps.

use std::io::{self, Read as _};
use std::path::Path;
use std::{fs, mem};

use handfast_lab::peer::CapturedLog;
use handfast_oracle::spelling::Spellings;

/// Searches a log; how many lines there are, and where the text is or why that is not known.
pub(super) fn log(log: &CapturedLog, spellings: &Spellings) -> (u64, Option<String>) {
    let lines = (1..).zip(log.lines());
    let mut count = 0;
    for (number, line) in lines {
        count = number;
        if let Some(form) = spellings.find(line.text.as_bytes()) {
            return (count, Some(format!("line {number} has it in {form}")));
        }
        if line.truncated {
            return (count, Some(format!("line {number} is kept in part only")));
        }
    }
    let dropped = log.dropped_lines;
    (count, (dropped > 0).then(|| format!("{dropped} of its lines were not kept")))
}

/// Searches all files below a folder; how many there are, and which one has the text.
pub(super) fn files(folder: &Path, spellings: &Spellings) -> io::Result<(u64, Option<String>)> {
    let (mut count, mut found) = (0, None);
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                count += 1;
                if let Some(form) = in_file(&entry.path(), spellings)? {
                    let name = entry.file_name();
                    found = Some(format!("{} has it in {form}", name.to_string_lossy()));
                }
            }
        }
    }
    Ok((count, found))
}

/// Searches a file piece by piece; pieces overlap, so that no cut goes through the text.
fn in_file(path: &Path, spellings: &Spellings) -> io::Result<Option<&'static str>> {
    let mut file = fs::File::open(path)?;
    let mut window = Vec::new();
    loop {
        let taken = file.by_ref().take(PIECE_LEN as u64).read_to_end(&mut window)?;
        if let Some(form) = spellings.find(&window) {
            return Ok(Some(form));
        }
        if taken == 0 {
            return Ok(None);
        }
        let keep_from = window.len().saturating_sub(OVERLAP_LEN);
        window = mem::take(&mut window).split_off(keep_from);
    }
}

/// Bytes of a file that are looked at in one go.
const PIECE_LEN: usize = 1024 * 1024;

/// Bytes that two pieces share: longer than any spelling of a marker that a person writes.
const OVERLAP_LEN: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "the-secret-word";

    fn search_file(content: &[u8]) -> (u64, Option<String>) {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("store.db"), content).unwrap();
        fs::write(folder.path().join("empty"), b"").unwrap();
        files(folder.path(), &Spellings::new(MARKER)).unwrap()
    }

    #[test]
    fn a_text_is_found_in_a_file_wherever_it_stands() {
        assert_eq!(search_file(b"nothing"), (2, None));
        let found = Some("store.db has it in clear".to_owned());
        assert_eq!(search_file(MARKER.as_bytes()), (2, found.clone()));
        for before in [PIECE_LEN - 1, PIECE_LEN - 10, PIECE_LEN, 2 * PIECE_LEN - 3] {
            let content = [vec![b'x'; before], MARKER.as_bytes().to_vec()].concat();
            assert_eq!(search_file(&content), (2, found.clone()), "{before}");
        }
    }
}
