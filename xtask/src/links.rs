//! Relative links between Markdown files, and the paths that they name.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use crate::citations::anchors;
use crate::documents::{self, Form};
use crate::files;

/// Returns each relative link of a Markdown file below `root` that leads nowhere, as `file:line: target`.
///
/// # Errors
///
/// A file that cannot be read ends the check.
pub fn broken(root: &Path) -> io::Result<Vec<String>> {
    let mut broken = Vec::new();
    for path in files::below(root, &["md"])? {
        let text = fs::read_to_string(&path)?;
        let folder = path.parent().unwrap_or(root);
        for (index, line) in text.lines().enumerate() {
            for target in targets(line) {
                if !leads_somewhere(&path, folder, target) {
                    let name = path.strip_prefix(root).unwrap_or(&path).display();
                    broken.push(format!("{name}:{}: {target} leads nowhere", index + 1));
                }
            }
        }
    }
    Ok(broken)
}

/// Returns each page below `docs/` that no other page leads to.
///
/// # Errors
///
/// A file that cannot be read ends the check.
pub fn orphans(root: &Path) -> io::Result<Vec<String>> {
    let mut reached = BTreeSet::new();
    for path in files::below(root, &["md"])? {
        let folder = path.parent().unwrap_or(root);
        for target in fs::read_to_string(&path)?.lines().flat_map(targets) {
            let file = target.split('#').next().unwrap_or(target);
            let leads_to = folder.join(file).canonicalize().unwrap_or_default();
            if leads_to != path.canonicalize()? {
                reached.insert(leads_to);
            }
        }
    }
    let mut orphans = Vec::new();
    for page in files::below(&root.join("docs"), &["md"])? {
        let page = page.canonicalize()?;
        // A link to a folder shows the list of its pages.
        let by_folder = page.parent().is_some_and(|folder| reached.contains(folder));
        let is_reached = reached.contains(&page) || (by_folder && page.ends_with("README.md"));
        if !is_reached {
            orphans.push(page.strip_prefix(root).unwrap_or(&page).display().to_string());
        }
    }
    Ok(orphans)
}

fn leads_somewhere(page: &Path, folder: &Path, target: &str) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() { page.to_path_buf() } else { folder.join(file) };
    file.exists() && (anchor.is_empty() || anchors(&file).contains(anchor))
}

/// Returns each path between backticks in a Markdown file below `root` that is not there, as `file:line: path`.
///
/// A path is one word that begins with a folder of the repository, such as `entity/{transport,node}/tests`; `*` is any
/// name. What stands in capitals is chosen by the reader.
///
/// # Errors
///
/// A file that cannot be read ends the check.
pub fn broken_paths(root: &Path) -> io::Result<Vec<String>> {
    let mut broken = Vec::new();
    for code in documents::code(root)? {
        // Of a fence only what a reader types.
        let words = match code.form {
            Form::Span => vec![(code.line, code.text.clone())],
            Form::Fence(_) => documents::commands(&code)
                .into_iter()
                .flat_map(|line| line.words.into_iter().map(move |word| (line.line, word)))
                .collect(),
        };
        for (line, word) in words {
            for path in paths(&word).into_iter().filter(|path| !exists(root, path)) {
                broken.push(format!("{}:{line}: {path} is not there", code.file));
            }
        }
    }
    Ok(broken)
}

/// Folders of the root at which paths begin.
const FOLDERS: [&str; 9] =
    ["entity", "handfast", "peers", "stubs", "examples", "scenarios", "docs", "xtask", ".ci"];

fn paths(span: &str) -> Vec<String> {
    let is_path = FOLDERS
        .iter()
        .any(|folder| span.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
    let stands_for_another = span.split(['/', '.']).any(|part| {
        let is_word = part.len() > 1 && part != "README";
        is_word && part.chars().all(|letter| letter.is_ascii_uppercase())
    });
    if !is_path || stands_for_another || span.contains(char::is_whitespace) || span.contains("..") {
        return Vec::new();
    }
    let span = span.split(['#', ':']).next().unwrap_or(span);
    match (span.find('{'), span.find('}')) {
        (Some(open), Some(close)) if open < close => span[open + 1..close]
            .split(',')
            .map(|part| format!("{}{part}{}", &span[..open], &span[close + 1..]))
            .collect(),
        _ => vec![span.to_owned()],
    }
}

fn exists(root: &Path, path: &str) -> bool {
    let mut places = vec![root.to_path_buf()];
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let Some((before, after)) = part.split_once('*') else {
            places = places.into_iter().map(|place| place.join(part)).collect();
            continue;
        };
        let below = places.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
        let below = below.map(|entry| entry.path());
        places = below
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                name.starts_with(before) && name.ends_with(after.trim_start_matches('*'))
            })
            .collect();
    }
    places.iter().any(|place| place.exists())
}

fn targets(line: &str) -> Vec<&str> {
    line.match_indices("](")
        .filter_map(|(at, open)| {
            let rest = &line[at + open.len()..];
            rest.find(')').map(|end| &rest[..end])
        })
        .filter(|target| !target.contains(char::is_whitespace))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_leads_somewhere() {
        let broken = broken(&files::root()).unwrap();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn every_path_between_backticks_is_there() {
        let broken = broken_paths(&files::root()).unwrap();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }

    #[test]
    fn a_path_that_is_not_there_is_found() {
        let is_there = |span: &str| {
            let paths = paths(span);
            assert!(!paths.is_empty(), "{span} is a path");
            paths.iter().all(|path| exists(&files::root(), path))
        };
        assert!(is_there("entity/{transport,node}/tests") && is_there("handfast/*/Cargo.toml"));
        assert!(is_there("docs/protocol/1.1.md#sealing"));
        assert!(!is_there("entity/{transport,nodes}/tests") && !is_there("docs/guide/none.md"));
        assert!(paths("peers/NAME/src").is_empty() && paths("entity").is_empty());
    }

    #[test]
    fn every_page_is_led_to() {
        let orphans = orphans(&files::root()).unwrap();
        assert!(orphans.is_empty(), "no page leads to {}", orphans.join(", "));
    }

    #[test]
    fn a_link_to_nowhere_is_found() {
        let page = files::root().join("README.md");
        assert!(!leads_somewhere(&page, &files::root(), "docs/no-such-file.md"));
        assert!(!leads_somewhere(&page, &files::root(), "docs/protocol/1.1.md#no-such-heading"));
        assert!(leads_somewhere(&page, &files::root(), "docs/protocol/1.1.md#sealing"));
    }
}
