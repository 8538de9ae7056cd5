//! The rooms of `ARCHITECTURE.md` and the words of the glossary: each is there once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

use crate::arrows;

/// Returns each room that the page and the folders do not have alike, and each that is pure in one of them alone.
///
/// A room is a line of the page's block such as `faults/     [P]   what it is`, under its half.
///
/// # Errors
///
/// A file that cannot be read ends the check.
pub fn broken(root: &Path) -> io::Result<Vec<String>> {
    let page = rooms(&fs::read_to_string(root.join("ARCHITECTURE.md"))?);
    let crates: BTreeSet<String> = arrows::dependencies(root)?.into_keys().collect();
    let mut broken = Vec::new();
    for name in crates.iter().filter(|name| !page.contains_key(*name)) {
        broken.push(format!("{name} is no room of ARCHITECTURE.md"));
    }
    for (name, is_pure) in &page {
        if !crates.contains(name) {
            broken.push(format!("the room {name} of ARCHITECTURE.md is not there"));
        } else if *is_pure != arrows::is_pure(name) {
            broken
                .push(format!("{name} is pure in one of ARCHITECTURE.md and xtask/src/arrows.rs"));
        }
    }
    Ok(broken)
}

/// The crates that the page names, with whether it calls them pure.
fn rooms(page: &str) -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    let mut half = "";
    for line in page.lines() {
        match line {
            "entity/" => half = "entity",
            "handfast/" => half = "handfast",
            "```" => half = "",
            _ => {}
        }
        let mut words = line.split_whitespace();
        let (name, mark) = (words.next().unwrap_or_default(), words.next());
        let is_room = line.starts_with("  ") && matches!(mark, Some("[P]" | "[IO]"));
        if let (true, false, Some(name)) = (is_room, half.is_empty(), name.strip_suffix('/')) {
            found.insert(format!("{half}-{name}"), mark == Some("[P]"));
        }
    }
    found
}

/// Returns each word that stands in the glossary more than once.
///
/// # Errors
///
/// A file that cannot be read ends the check.
pub fn repeated_words(root: &Path) -> io::Result<Vec<String>> {
    Ok(repeated(&fs::read_to_string(root.join("docs/glossary.md"))?))
}

/// A row is `| **word, word** (of what) | meaning |`: a word may come again of something else.
fn repeated(glossary: &str) -> Vec<String> {
    let (mut seen, mut repeated) = (BTreeSet::new(), Vec::new());
    for row in glossary.lines().filter_map(|line| line.strip_prefix("| **")) {
        let Some((words, rest)) = row.split_once("**") else { continue };
        let of = rest.split('|').next().unwrap_or_default().trim();
        for word in words.split(", ") {
            if !seen.insert((word.to_owned(), of.to_owned())) {
                repeated.push(format!("{word} {of}").trim().to_owned());
            }
        }
    }
    repeated
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;

    #[test]
    fn every_crate_is_a_room_of_the_page() {
        let broken = broken(&files::root()).unwrap();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn rooms_are_read_with_their_half() {
        let page = "```text\nentity/\n  wire/    [P]   x\nhandfast/\n  lab/     [IO]  y\n```\n  no/ [P] z\n";
        let expected = [("entity-wire".to_owned(), true), ("handfast-lab".to_owned(), false)];
        assert_eq!(rooms(page), expected.into());
    }

    #[test]
    fn no_word_stands_in_the_glossary_twice() {
        let repeated = repeated_words(&files::root()).unwrap();
        assert!(repeated.is_empty(), "{}", repeated.join("\n"));
    }

    #[test]
    fn a_word_that_stands_twice_is_found() {
        let glossary = "| **a, b** | x |\n| **a** (of a cell) | y |\n| **b** | z |\n";
        assert_eq!(repeated(glossary), ["b"]);
    }
}
