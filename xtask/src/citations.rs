//! Citations of the protocol: a rule that code names must exist.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use crate::files;

/// Returns each citation below `root` that names no heading, as `file:line: citation`.
///
/// A citation is the text `docs/protocol/FILE.md#anchor` in a Rust, Python or TOML file.
///
/// # Errors
///
/// A file that cannot be read ends the check.
pub fn broken(root: &Path) -> io::Result<Vec<String>> {
    let mut broken = Vec::new();
    for path in files::below(root, &["rs", "py", "toml", "json"])? {
        // This crate describes citations, it does not make any.
        if path.starts_with(root.join("xtask")) {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        for (index, line) in text.lines().enumerate() {
            for (file, anchor) in citations(line) {
                if !anchors(&root.join("docs/protocol").join(file)).contains(anchor) {
                    broken.push(format!(
                        "{}:{}: docs/protocol/{file}#{anchor} names no heading",
                        path.strip_prefix(root).unwrap_or(&path).display(),
                        index + 1
                    ));
                }
            }
        }
    }
    Ok(broken)
}

/// The anchors of a Markdown file: its headings in lower case, spaces as hyphens, punctuation removed.
///
/// Empty for a file that cannot be read, so that a citation of it counts as broken.
pub fn anchors(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

fn anchor(heading: &str) -> String {
    heading
        .chars()
        .filter_map(|character| match character {
            ' ' => Some('-'),
            '-' | '_' => Some(character),
            letter if letter.is_alphanumeric() => Some(letter.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}

fn citations(line: &str) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find(PREFIX) {
        rest = &rest[start + PREFIX.len()..];
        let Some((file, after)) = rest.split_once('#') else { break };
        let end = after
            .find(|character: char| !(character.is_ascii_alphanumeric() || character == '-'))
            .unwrap_or(after.len());
        let is_page = Path::new(file).extension().is_some_and(|extension| extension == "md");
        let anchor = after[..end].trim_end_matches('-');
        // Without an anchor it is a beginning that code completes.
        if is_page && !file.contains(char::is_whitespace) && !anchor.is_empty() {
            found.push((file, anchor));
        }
        rest = &after[end..];
    }
    found
}

const PREFIX: &str = "docs/protocol/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_citation_names_a_heading() {
        let broken = broken(&files::root()).unwrap();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn a_citation_is_found_and_cut_at_its_end() {
        let line =
            "// See docs/protocol/1.1.md#sealing, and `docs/protocol/1.0.md#profile-compat`.";
        assert_eq!(citations(line), vec![("1.1.md", "sealing"), ("1.0.md", "profile-compat")]);
    }

    #[test]
    fn headings_become_anchors() {
        assert_eq!(anchor("Static-key sealing"), "static-key-sealing");
        assert_eq!(anchor("What `x` is, really"), "what-x-is-really");
    }
}
