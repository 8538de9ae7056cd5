//! What stands as code in the Markdown files: fences and spans, and the command lines in them.

use std::path::Path;
use std::{fs, io};

use crate::files;

/// A piece of code in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The document, relative to the root of the repository.
    pub file: String,
    /// Its line, or the first line inside the fence, from 1.
    pub line: usize,
    /// Span or fence.
    pub form: Form,
    /// The code, without its marks.
    pub text: String,
}

/// How code stands in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// Between backticks, within a line.
    Span,
    /// A block, with the word that says its language; empty where none does.
    Fence(String),
}

/// One command of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The document, relative to the root of the repository.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// Program and arguments, without quotes, redirections and variables set before it.
    pub words: Vec<String>,
}

/// All code of all Markdown files below `root`, and of the comments in TOML files and Rust sources, by file and line.
///
/// # Errors
///
/// A file that cannot be read ends the walk.
pub fn code(root: &Path) -> io::Result<Vec<Code>> {
    let mut found = Vec::new();
    for path in files::below(root, &["md", "toml", "rs"])? {
        let text = fs::read_to_string(&path)?;
        let file = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        let extension = path.extension().and_then(|extension| extension.to_str());
        found.extend(match extension {
            Some("toml") => code_of(&file, &comments(&text, &["#"])),
            Some("rs") => code_of(&file, &comments(&text, &["//!", "///"])),
            _ => code_of(&file, &text),
        });
    }
    Ok(found)
}

/// The lines that are comments, without their mark; all other lines are empty.
fn comments(text: &str, marks: &[&str]) -> String {
    let comment = |line: &str| {
        let line = line.trim_start();
        let comment = marks.iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or_default();
        comment.to_owned() + "\n"
    };
    text.lines().map(comment).collect()
}

/// The code of one document.
pub fn code_of(file: &str, text: &str) -> Vec<Code> {
    let mut found: Vec<Code> = Vec::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside;
            if inside {
                let form = Form::Fence(language.trim().to_owned());
                found.push(Code {
                    file: file.to_owned(),
                    line: line_number + 1,
                    form,
                    text: String::new(),
                });
            }
        } else if inside {
            if let Some(fence) = found.last_mut() {
                fence.text.push_str(line);
                fence.text.push('\n');
            }
        } else {
            let spans = spans(line).into_iter().map(|text| Code {
                file: file.to_owned(),
                line: line_number,
                form: Form::Span,
                text: text.to_owned(),
            });
            found.extend(spans);
        }
    }
    found
}

/// What stands between backticks; a pair of two encloses single ones.
fn spans(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some(start) = rest.find('`') {
        let after = &rest[start..];
        let ticks = after.len() - after.trim_start_matches('`').len();
        let inner = &after[ticks..];
        let Some(end) = inner.find(&"`".repeat(ticks)) else { break };
        found.push(&inner[..end]);
        rest = &inner[end + ticks..];
    }
    found
}

/// The commands that a piece of code tells a reader to type.
///
/// Spans and the lines of `sh` fences; of other fences the lines after a `$ `. Comments are left out, lines that end with
/// a backslash go on.
pub fn commands(code: &Code) -> Vec<CommandLine> {
    let is_shell = match &code.form {
        Form::Span => true,
        Form::Fence(language) => ["sh", "bash", "shell"].contains(&language.as_str()),
    };
    let mut found = Vec::new();
    let mut open = String::new();
    for (index, line) in code.text.lines().enumerate() {
        let typed = match (line.trim_start().strip_prefix("$ "), is_shell) {
            (Some(typed), _) => typed,
            (None, true) => line,
            (None, false) => continue,
        };
        if let Some(typed) = typed.strip_suffix('\\') {
            open.push_str(typed);
            continue;
        }
        let whole = std::mem::take(&mut open) + typed;
        found.extend(split(&whole).into_iter().map(|words| CommandLine {
            file: code.file.clone(),
            line: code.line + index,
            words,
        }));
    }
    found
}

/// The commands of a line of a shell: words, with quotes taken away.
///
/// What GitHub fills in (`${{ matrix.shard }}`) becomes `1/4`: documents have it for shards alone.
pub fn split(line: &str) -> Vec<Vec<String>> {
    let line = filled_in(line);
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(mark), _) if letter == mark => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(letter),
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            // `2>&1` is a redirection.
            (None, '&') if word.as_ref().is_some_and(|word| word.ends_with('>')) => {
                word.get_or_insert_default().push(letter);
            }
            (None, ';' | '|' | '&') => {
                push(&mut commands, word.take());
                commands.push(Vec::new());
            }
            (None, letter) if letter.is_whitespace() => push(&mut commands, word.take()),
            (None, letter) => word.get_or_insert_default().push(letter),
        }
    }
    push(&mut commands, word.take());
    commands.into_iter().map(only_words).filter(|words| !words.is_empty()).collect()
}

fn filled_in(line: &str) -> String {
    let mut parts = line.split("${{");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str("1/4");
        filled.push_str(part.split_once("}}").map_or("", |(_, rest)| rest));
    }
    filled
}

fn push(commands: &mut [Vec<String>], word: Option<String>) {
    if let (Some(command), Some(word)) = (commands.last_mut(), word) {
        command.push(word);
    }
}

/// Takes away what a shell does not pass on: variables set in front, redirections.
fn only_words(words: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let redirection = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
        if redirection.starts_with(['>', '<']) {
            if redirection.trim_start_matches(['>', '<', '&']).is_empty() {
                words.next();
            }
        } else if !(kept.is_empty() && is_variable(&word)) {
            kept.push(word);
        }
    }
    kept
}

fn is_variable(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    let is_letter = |letter: char| letter.is_ascii_uppercase() || letter == '_';
    !name.is_empty() && name.chars().all(|letter| is_letter(letter) || letter.is_ascii_digit())
}

/// Whether a word stands for another one that the reader chooses: `NAME`, `FILTER`, `[FILTER]`, `N`.
pub fn is_placeholder(word: &str) -> bool {
    let word = word.trim_start_matches('[').trim_end_matches(['.', ']']);
    word.is_empty() || word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[&[&str]]) {
        assert_eq!(split(line), expected, "{line}");
    }

    #[test]
    fn a_line_is_split_as_a_shell_splits_it() {
        check(
            "handfast run 'ab*' --peer b=python  # late",
            &[&["handfast", "run", "ab*", "--peer", "b=python"]],
        );
        check("cd x && A_B=1 ./y > z 2>&1 | w", &[&["cd", "x"], &["./y"], &["w"]]);
        check("x 'TC#5' \"a b\"", &[&["x", "TC#5", "a b"]]);
        check("# nothing", &[]);
        check("x --shard ${{ matrix.shard }} y", &[&["x", "--shard", "1/4", "y"]]);
    }

    #[test]
    fn spans_and_fences_are_found_with_their_lines() {
        let text = "a `b` and ``c `d` ``\n```sh\nx \\\n  y\n```\n```text\nno\n$ yes\n```\n";
        let code = code_of("f.md", text);
        let shown: Vec<_> = code.iter().map(|code| (code.line, code.text.as_str())).collect();
        assert_eq!(shown, [(1, "b"), (1, "c `d` "), (3, "x \\\n  y\n"), (7, "no\n$ yes\n")]);
        let commands: Vec<_> = code.iter().flat_map(commands).collect();
        let words: Vec<_> = commands.iter().map(|line| (line.line, line.words.join(" "))).collect();
        let expected = [(1, "b"), (1, "c `d`"), (4, "x y"), (8, "yes")];
        assert_eq!(words, expected.map(|(line, words)| (line, words.to_owned())));
    }

    #[test]
    fn comments_are_documents_and_what_is_not_is_none() {
        let text = comments("a = 1 # `x`\n# `y`\n", &["#"]);
        assert_eq!(code_of("f.toml", &text)[0].text, "y");
        assert_eq!(code_of("f.toml", &text)[0].line, 2);
    }

    #[test]
    fn a_placeholder_is_all_capitals() {
        for word in ["NAME", "[FILTER]", "FILTER...", "N"] {
            assert!(is_placeholder(word), "{word}");
        }
        for word in ["TC-05", "S3-S2", "security/", "Name"] {
            assert!(!is_placeholder(word), "{word}");
        }
    }
}
