//! Scenario files with other disturbances: everything else of the text stays as it was written.

use std::fmt::Write as _;

use handfast_faults::conditions::Cut;
use handfast_faults::disturbance::{Cue, Disturbance, Limit, What, When};
use handfast_faults::units;
use serde_json::{Map, Value, json};

use crate::document;
use crate::duration;

/// Why a text cannot get other disturbances.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    /// It is no TOML.
    #[error("the text is not TOML")]
    NotToml,
    /// They are written as one list, `disturbance = [..]`, in place of tables.
    #[error("the disturbances are a list in the head; write them as [[disturbance]]")]
    List,
    /// A value of a disturbance has no form in TOML.
    #[error("disturbance {name:?} has a value that TOML cannot say")]
    Value {
        /// Its name.
        name: String,
    },
}

/// The text of a scenario file with these disturbances in place of its own.
///
/// They stand where its first one stood, otherwise before its first step. What is written reads back as the same disturbances
/// (spans in microseconds).
///
/// # Errors
///
/// [`RewriteError`].
pub fn with_disturbances(text: &str, disturbances: &[Disturbance]) -> Result<String, RewriteError> {
    let mut tables = String::new();
    for disturbance in disturbances {
        table(&mut tables, disturbance)?;
    }
    let (before, after) = without(text);
    let mut whole = before;
    if !whole.is_empty() && !whole.ends_with("\n\n") {
        whole.push_str(if whole.ends_with('\n') { "\n" } else { "\n\n" });
    }
    whole.push_str(&tables);
    whole.push_str(&after);
    let rest = document::parse(&whole).map_err(|_| RewriteError::NotToml)?.to_json();
    let written = rest["disturbance"].as_array().map_or(0, Vec::len);
    if written == disturbances.len() { Ok(whole) } else { Err(RewriteError::List) }
}

/// One `[[disturbance]]` with an empty line behind it, as a person would write it.
///
/// # Errors
///
/// [`RewriteError::Value`].
pub fn table(to: &mut String, disturbance: &Disturbance) -> Result<(), RewriteError> {
    let wrong = || RewriteError::Value { name: disturbance.name.clone() };
    to.push_str("[[disturbance]]\n");
    for (key, value) in fields(disturbance) {
        let value = toml::Value::try_from(value).map_err(|_| wrong())?;
        // Writing to a text cannot fail.
        let _ = writeln!(to, "{key} = {value}");
    }
    to.push('\n');
    Ok(())
}

fn fields(disturbance: &Disturbance) -> Vec<(&'static str, Value)> {
    let mut fields = Vec::new();
    if disturbance.name != disturbance.what.to_string() {
        fields.push(("name", json!(disturbance.name)));
    }
    match &disturbance.when {
        When::At(at) => fields.push(("at", json!(duration::display(*at)))),
        When::On { cue, after } => {
            fields.push(("when", self::cue(cue)));
            if !after.is_zero() {
                fields.push(("after", json!(duration::display(*after))));
            }
        }
    }
    if let Some(lasts) = disturbance.lasts {
        fields.push(("for", json!(duration::display(lasts))));
    }
    fields.push(what(&disturbance.what));
    fields
}

fn cue(cue: &Cue) -> Value {
    match cue {
        Cue::Notification { role, event, includes } => {
            let mut when = json!({ "event": event, "role": role });
            if let Some(includes) = includes {
                when["where"] = includes.clone();
            }
            when
        }
        Cue::Message { from, to, message_type, nth } => {
            let mut when = json!({ "from": from, "to": to, "nth": nth });
            if let Some(message_type) = message_type {
                when["type"] = json!(message_type);
            }
            when
        }
    }
}

fn what(what: &What) -> (&'static str, Value) {
    match what {
        What::Network { from, to, both, change } => {
            let mut fields = ends(from, to, *both);
            if let Value::Object(change) = json!(change) {
                fields.extend(change);
            }
            ("network", Value::Object(fields))
        }
        What::Cut { from, to, both, how } => {
            let how = match how {
                Cut::Silent => "silent",
                Cut::Reset => "reset",
            };
            let mut fields = ends(from, to, *both);
            fields.insert("how".to_owned(), json!(how));
            ("cut", Value::Object(fields))
        }
        What::Kill { role } => ("kill", json!(role)),
        What::Pause { role } => ("pause", json!(role)),
        What::CrashLoop { role, times, every } => {
            let every = duration::display(*every);
            ("crash-loop", json!({ "role": role, "times": times, "every": every }))
        }
        What::Clock { role, offset_ms } => {
            ("clock", json!({ "role": role, "offset": format!("{offset_ms}ms") }))
        }
        What::Limit { role, what } => {
            let (key, value) = limit(what);
            ("limit", json!({ "role": role, key: value }))
        }
    }
}

fn ends(from: &str, to: &str, both: bool) -> Map<String, Value> {
    let mut fields = Map::new();
    if both {
        fields.insert("between".to_owned(), json!([from, to]));
    } else {
        fields.insert("from".to_owned(), json!(from));
        fields.insert("to".to_owned(), json!(to));
    }
    fields
}

fn limit(limit: &Limit) -> (&'static str, Value) {
    match limit {
        Limit::Cpu { percent } => ("cpu", json!(format!("{percent}%"))),
        Limit::Memory { bytes } => ("memory", json!(units::display_bytes(*bytes))),
        Limit::Processes { most } => ("processes", json!(most)),
        Limit::Descriptors { most } => ("descriptors", json!(most)),
        Limit::DiskFull => ("disk", json!("full")),
        Limit::DiskSlow { bytes_per_s } => {
            ("disk", json!(format!("{}/s", units::display_bytes(*bytes_per_s))))
        }
    }
}

/// What stands before and behind the place of the disturbances, without these.
fn without(text: &str) -> (String, String) {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let is_header = |line: &str| line.starts_with('[');
    let is_ours =
        |line: &str| line.starts_with("[[disturbance]]") || line.starts_with("[disturbance.");
    // Lines of comment above a header belong to it.
    let above = |header: usize| {
        let comments = lines[..header].iter().rev().take_while(|line| line.starts_with('#'));
        header - comments.count()
    };
    let headers = || (0..lines.len()).filter(|at| is_header(lines[*at]));
    let first_ours = headers().find(|at| is_ours(lines[*at]));
    let first_step = headers().find(|at| lines[*at].starts_with("[[step"));
    let place = first_ours.or(first_step).map_or(lines.len(), above);
    let mut kept = vec![true; lines.len()];
    for start in headers().filter(|at| is_ours(lines[*at])) {
        let end =
            headers().find(|at| *at > start && !is_ours(lines[*at])).map_or(lines.len(), above);
        kept[above(start)..end].fill(false);
    }
    let part = |range: std::ops::Range<usize>| {
        range.filter(|at| kept[*at]).map(|at| lines[at]).collect::<String>()
    };
    (part(0..place), part(place..lines.len()))
}

#[cfg(test)]
mod tests;
