//! The regions of a file: what handfast has written stands between two marks, everything else is somebody's own.

use std::collections::BTreeSet;

/// Generated lines and their name, which no other region of the file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Its name, such as `job e2e`.
    pub name: String,
    /// Mark, lines, mark; each with the end of its line.
    pub text: String,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Somebody's own lines, or empty ones; maybe no line at all.
    Own(String),
    /// A region.
    Generated(Region),
}

/// A file in its parts: own, generated, own, ..., own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts(pub Vec<Part>);

/// Marks that make no regions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct MarkError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with its mark.
    pub message: String,
}

const BEGIN: &str = "# >>> handfast: ";
const END: &str = "# <<< handfast: ";

impl Region {
    /// Lines between marks that are indented like them.
    pub fn new(name: &str, indent: usize, lines: &str) -> Self {
        let blanks = " ".repeat(indent);
        let text = format!("{blanks}{BEGIN}{name}\n{lines}{blanks}{END}{name}\n");
        Self { name: name.to_owned(), text }
    }
}

impl Parts {
    /// Finds the regions of a text.
    ///
    /// # Errors
    ///
    /// A mark without its other one, a region in a region, and two of one name.
    pub fn parse(text: &str) -> Result<Self, MarkError> {
        let mut parts = Vec::new();
        let mut own = String::new();
        let mut open: Option<(usize, Region)> = None;
        let mut seen = BTreeSet::new();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let at = index + 1;
            let error = |message: String| MarkError { line: at, message };
            match (mark(line), open.take()) {
                (Some(Mark::Begin(name)), None) => {
                    if !seen.insert(name.to_owned()) {
                        return Err(error(format!("a second region {name:?} begins here")));
                    }
                    parts.push(Part::Own(std::mem::take(&mut own)));
                    open = Some((at, Region { name: name.to_owned(), text: line.to_owned() }));
                }
                (Some(Mark::End(name)), Some((_, mut region))) if region.name == name => {
                    region.text.push_str(line);
                    parts.push(Part::Generated(region));
                }
                (Some(Mark::Begin(name) | Mark::End(name)), Some((began, region))) => {
                    let within = format!("the region {:?} of line {began}", region.name);
                    return Err(error(format!("the mark of {name:?} stands within {within}")));
                }
                (Some(Mark::End(name)), None) => {
                    return Err(error(format!("the region {name:?} ends here and began nowhere")));
                }
                (None, Some((began, mut region))) => {
                    region.text.push_str(line);
                    open = Some((began, region));
                }
                (None, None) => own.push_str(line),
            }
        }
        if let Some((line, region)) = open {
            return Err(MarkError {
                line,
                message: format!("the region {:?} has no end", region.name),
            });
        }
        parts.push(Part::Own(own));
        Ok(Self(parts))
    }

    /// The region of that name.
    pub fn region(&self, name: &str) -> Option<&Region> {
        self.regions().find(|region| region.name == name)
    }

    /// The regions, in the order of the file.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.0.iter().filter_map(|part| match part {
            Part::Generated(region) => Some(region),
            Part::Own(_) => None,
        })
    }

    /// The file again, byte by byte.
    pub fn text(&self) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Own(text) => text.as_str(),
                Part::Generated(region) => region.text.as_str(),
            })
            .collect()
    }

    /// The line, from 1, in which a region begins.
    pub fn line_of(&self, name: &str) -> Option<usize> {
        let mut line = 1;
        for part in &self.0 {
            let text = match part {
                Part::Generated(region) if region.name == name => return Some(line),
                Part::Generated(region) => &region.text,
                Part::Own(text) => text,
            };
            line += text.matches('\n').count();
        }
        None
    }
}

enum Mark<'a> {
    Begin(&'a str),
    End(&'a str),
}

fn mark(line: &str) -> Option<Mark<'_>> {
    let line = line.trim();
    let begin = line.strip_prefix(BEGIN).map(Mark::Begin);
    begin.or_else(|| line.strip_prefix(END).map(Mark::End))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn refused(text: &str, line: usize, part: &str) {
        let error = Parts::parse(text).unwrap_err();
        assert!(error.line == line && error.message.contains(part), "{error}");
    }

    #[test]
    fn marks_that_make_no_regions_are_refused_where_they_stand() {
        refused("x\n# >>> handfast: a\n", 2, "has no end");
        refused("# <<< handfast: a\n", 1, "began nowhere");
        refused("# >>> handfast: a\n# >>> handfast: b\n", 2, "within");
        refused("# >>> handfast: a\n# <<< handfast: b\n", 2, "within");
        let twice = "# >>> handfast: a\n# <<< handfast: a\n".repeat(2);
        refused(&twice, 3, "a second region");
    }

    #[test]
    fn a_region_is_found_with_its_line() {
        let text = "mine\n\n  # >>> handfast: job a\n  a:\n  # <<< handfast: job a\nmine, too";
        let parts = Parts::parse(text).unwrap();
        assert_eq!(parts.region("job a"), Some(&Region::new("job a", 2, "  a:\n")));
        assert_eq!(parts.line_of("job a"), Some(3));
        assert_eq!(parts.text(), text);
    }

    proptest! {
        #[test]
        fn a_text_is_its_parts(lines in prop::collection::vec("(# (>>>|<<<) handfast: [ab]|[a-z ]{0,4})\n?", 0..12)) {
            let text = lines.concat();
            if let Ok(parts) = Parts::parse(&text) {
                prop_assert_eq!(parts.text(), text);
            }
        }
    }
}
