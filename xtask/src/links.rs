//! Relative links between Markdown files.

use std::path::Path;
use std::{fs, io};

use crate::citations::anchors;
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

fn leads_somewhere(page: &Path, folder: &Path, target: &str) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if file.is_empty() { page.to_path_buf() } else { folder.join(file) };
    file.exists() && (anchor.is_empty() || anchors(&file).contains(anchor))
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
    fn a_link_to_nowhere_is_found() {
        let page = files::root().join("README.md");
        assert!(!leads_somewhere(&page, &files::root(), "docs/no-such-file.md"));
        assert!(!leads_somewhere(&page, &files::root(), "docs/protocol/1.1.md#no-such-heading"));
        assert!(leads_somewhere(&page, &files::root(), "docs/protocol/1.1.md#sealing"));
    }
}
