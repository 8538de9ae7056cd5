//! A tree as text.

use std::fmt::Write as _;

use super::{Field, Item, Yaml};

/// Writes the fields of a table, `indent` blanks before each.
pub fn write_fields(out: &mut String, fields: &[Field], indent: usize) {
    for field in fields {
        for line in &field.above {
            push_line(out, indent, &format!("# {line}"));
        }
        // A workflow's triggers: bare by custom, and a text for every reader of YAML 1.2.
        let key = if field.key == "on" { "on".to_owned() } else { scalar(&field.key) };
        push(out, indent);
        out.push_str(&key);
        out.push(':');
        value(out, &field.value, &field.note, indent);
    }
}

/// Writes what follows a key, from the colon to the end of the line or lines.
fn value(out: &mut String, value: &Yaml, note: &str, indent: usize) {
    match value {
        Yaml::Nothing => end(out, note),
        Yaml::Table(fields) if !fields.is_empty() => {
            end(out, note);
            write_fields(out, fields, indent + 2);
        }
        Yaml::List(items) if !items.is_empty() => {
            end(out, note);
            write_items(out, items, indent + 2);
        }
        Yaml::Text(text) => match block(text, indent + 2) {
            Some(block) => {
                out.push_str(" |");
                end(out, note);
                out.push_str(&block);
            }
            None => inline(out, value, note),
        },
        Yaml::Boolean(_) | Yaml::Number(_) | Yaml::List(_) | Yaml::Table(_) => {
            inline(out, value, note);
        }
    }
}

fn inline(out: &mut String, value: &Yaml, note: &str) {
    out.push(' ');
    out.push_str(&short(value));
    end(out, note);
}

fn write_items(out: &mut String, items: &[Item], indent: usize) {
    for item in items {
        push(out, indent);
        out.push('-');
        match &item.value {
            Yaml::Table(fields) if !fields.is_empty() => {
                let mut table = String::new();
                write_fields(&mut table, fields, indent + 2);
                // The first key stands beside the dash; a comment above it would stand before the entry.
                out.push(' ');
                out.push_str(table.trim_start());
            }
            Yaml::List(items) if !items.is_empty() => {
                end(out, "");
                write_items(out, items, indent + 2);
            }
            Yaml::Nothing | Yaml::Boolean(_) | Yaml::Number(_) | Yaml::List(_) | Yaml::Table(_) => {
                inline(out, &item.value, &item.note);
            }
            Yaml::Text(_) => value(out, &item.value, &item.note, indent),
        }
    }
}

/// A value in one line.
fn short(value: &Yaml) -> String {
    match value {
        Yaml::Nothing => "null".to_owned(),
        Yaml::Boolean(boolean) => boolean.to_string(),
        Yaml::Number(number) => number.to_string(),
        Yaml::Text(text) => scalar(text),
        Yaml::List(_) => "[]".to_owned(),
        Yaml::Table(_) => "{}".to_owned(),
    }
}

/// A text of several lines as they are; `None` if it has one line, or lines that would not come back.
fn block(text: &str, indent: usize) -> Option<String> {
    let body = text.strip_suffix('\n')?;
    let lines: Vec<&str> = body.split('\n').collect();
    let comes_back = |line: &str| !line.contains(unprintable) && !line.ends_with(' ');
    let begins = lines.first().is_some_and(|line| !line.is_empty() && !line.starts_with(' '));
    let ends = lines.last().is_some_and(|line| !line.is_empty());
    if !begins || !ends || !lines.iter().all(|line| comes_back(line)) {
        return None;
    }
    let mut out = String::new();
    for line in lines {
        if line.is_empty() {
            out.push('\n');
        } else {
            push_line(&mut out, indent, line);
        }
    }
    Some(out)
}

/// A text in one line: bare where every reader takes it for a text, in quotes otherwise.
fn scalar(text: &str) -> String {
    if text.contains(unprintable) {
        return double_quoted(text);
    }
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}

/// What has no form of its own in YAML: control characters, and what some readers take for the end of a line.
fn unprintable(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn double_quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            // Writing to a text cannot fail.
            letter if unprintable(letter) => {
                write!(quoted, "\\U{:08X}", u32::from(letter)).unwrap_or_default();
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let begins = first.is_ascii_alphabetic() || matches!(first, '$' | '/' | '_' | '.');
    let inside = |letter: char| {
        letter.is_ascii_alphanumeric() || "$/_.@%+=;(){}'\"<>|&!*?~^ -,[]#:\\".contains(letter)
    };
    let misread = text.contains(": ") || text.contains(" #") || text.ends_with([':', ' ']);
    begins && text.chars().all(inside) && !misread && !is_other(text)
}

/// What some reader, of YAML 1.1 or 1.2, takes for no text.
fn is_other(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let lower = text.to_ascii_lowercase();
    WORDS.contains(&lower.as_str()) || lower.starts_with('.') && lower.len() <= 5
}

fn end(out: &mut String, note: &str) {
    if !note.is_empty() {
        out.push_str(" # ");
        out.push_str(note);
    }
    out.push('\n');
}

fn push(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn push_line(out: &mut String, indent: usize, line: &str) {
    push(out, indent);
    out.push_str(line);
    out.push('\n');
}
