//! Workflow commands: `::error file=..,line=..,title=..::message`, one line each.
//!
//! Source: <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions>. What a peer or a test says stands in
//! them, and must not become a command of its own: whatever has a meaning there is escaped.

use std::fmt::Write as _;

use super::failing::Failing;
use crate::quantity::{clipped, tame};

/// Errors that GitHub shows of one step.
pub const ANNOTATIONS_MAX: usize = 10;

/// Characters of one message: what fits where GitHub shows it.
const MESSAGE_CHARS_MAX: usize = 2_000;

/// Characters of a title.
const TITLE_CHARS_MAX: usize = 200;

/// The commands, each with its line feed. Files are relative to `prefix`, the project's place in the repository, such as `tests/`.
/// Of more than [`ANNOTATIONS_MAX`] failures the last command counts those that have none.
pub fn annotations(failing: &[Failing], prefix: &str) -> String {
    let told = if failing.len() > ANNOTATIONS_MAX { ANNOTATIONS_MAX - 1 } else { failing.len() };
    let mut text = String::new();
    for one in failing.iter().take(told) {
        let mut properties = Vec::new();
        if let Some(file) = &one.file {
            properties.push(format!("file={}", property(&format!("{prefix}{file}"))));
            properties.extend(one.line.map(|line| format!("line={line}")));
        }
        properties.push(format!("title={}", property(&clipped(&one.title, TITLE_CHARS_MAX))));
        let mut message = one.reason.clone();
        if let Some(again) = &one.again {
            message = format!("{}\nagain: {again}", clipped(&message, MESSAGE_CHARS_MAX));
        }
        let message = data(&clipped(&message, MESSAGE_CHARS_MAX * 2));
        // Writing to a text cannot fail.
        writeln!(text, "::error {}::{message}", properties.join(",")).unwrap_or_default();
    }
    if failing.len() > told {
        let more = failing.len() - told;
        let message = format!("{more} more failures; the summary of the job names them");
        writeln!(text, "::error title=and {more} more::{message}").unwrap_or_default();
    }
    text
}

/// What the console shows, so that nothing in it is a workflow command: a job reads both streams of a step, takes a line that begins with
/// `::` after blanks for one, and `##[` wherever it stands. Before the first goes a bar, into the second a space.
///
/// Whether characters that cannot be seen count for the job is not relied on.
pub fn disarmed(text: &str) -> String {
    let mut disarmed = String::with_capacity(text.len());
    for line in text.split_inclusive(['\n', '\r']) {
        let mut seen = line.chars().filter(char::is_ascii_graphic);
        let mut rest = line;
        if [seen.next(), seen.next()] == [Some(':'); 2] {
            rest = line.trim_start();
            disarmed.push_str(&line[..line.len() - rest.len()]);
            disarmed.push_str("| ");
        }
        let mut hashes = 0;
        for c in rest.chars() {
            if c == '[' && hashes > 1 {
                disarmed.push(' ');
            }
            match c {
                '#' => hashes += 1,
                ' ' => hashes = 0,
                c if c.is_ascii_graphic() => hashes = 0,
                _ => {}
            }
            disarmed.push(c);
        }
    }
    disarmed
}

/// A message in a workflow command.
pub(super) fn data(text: &str) -> String {
    let text: Vec<String> =
        text.split('\n').map(|line| tame(line.trim_end_matches('\r'))).collect();
    text.join("\n").replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property in a workflow command.
pub(super) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
