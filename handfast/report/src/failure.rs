//! A unit that did not pass: the reason first, then what led to it, then how to see it again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::{Verdict, VerdictKind};

use crate::book::{Failure, UnitPage};
use crate::palette::{Ink, Palette};
use crate::quantity::{tame, time};

/// The whole block of a unit that did not pass; empty for one that passed or has not ended.
///
/// `command` is how the program was called (see [`repeat_command`]).
pub fn block(page: &UnitPage, command: &[String], palette: Palette) -> String {
    let Some(end) = &page.end else { return String::new() };
    let kind = end.verdict.kind();
    if kind == VerdictKind::Passed {
        return String::new();
    }
    let mut text = String::new();
    let title = palette.paint(Ink::Strong, page.title());
    let _ = writeln!(text, "{} {title}  {}", palette.verdict(kind), time(end.duration_us));
    reason(&mut text, page, &end.verdict, palette);
    if matches!(kind, VerdictKind::Unsupported | VerdictKind::Absent | VerdictKind::DidNotFit) {
        return text;
    }
    text.push_str(&page.accounts.text(palette));
    axis(&mut text, page, palette);
    logs(&mut text, page, palette);
    let again = repeat_command(page, command);
    let _ = writeln!(text, "  {} {again}", palette.paint(Ink::Strong, "again:"));
    text
}

/// The command that runs only this unit again, with the same peers in the same roles.
pub fn repeat_command(page: &UnitPage, command: &[String]) -> String {
    again(&page.unit, &page.peers, command)
}

/// The command that runs only the unit `unit` with these peers; `command` is how the program was called.
pub(crate) fn again(
    unit: &UnitId,
    peers: &BTreeMap<RoleName, PeerName>,
    command: &[String],
) -> String {
    let ours = ["run", "replay", "matrix", "merge"];
    let program = command.iter().take_while(|word| !ours.contains(&word.as_str()));
    let mut words: Vec<String> = program.cloned().collect();
    if words.is_empty() {
        words.push("handfast".to_owned());
    }
    words.push("run".to_owned());
    words.push(quoted(scenario_id(unit.as_str())));
    for (role, peer) in peers {
        words.push(format!("--peer {role}={peer}"));
    }
    words.extend(unit.seed().map(|seed| format!("--seed {seed}")));
    words.join(" ")
}

/// The part of a unit's id that a filter of the command line understands: the peers and the round of a
/// repeated run are behind it.
fn scenario_id(unit: &str) -> &str {
    let end = [" (", " #"].into_iter().filter_map(|mark| unit.find(mark)).min();
    end.map_or(unit, |end| &unit[..end])
}

fn reason(text: &mut String, page: &UnitPage, verdict: &Verdict, palette: Palette) {
    let whole = verdict.reason();
    let mut shown = false;
    for failure in &page.failures {
        let (head, reason) = match failure {
            Failure::Step { step, at, reason } => {
                (format!("{}:{} step {}: {}", page.file, at.line, step.0, at.text), reason)
            }
            Failure::Check { check, reason } => (format!("{} check {check}", page.file), reason),
        };
        let _ = writeln!(text, "  {}", palette.paint(Ink::Bad, tame(&head)));
        indented(text, reason, "    ");
        shown = shown || *reason == whole;
    }
    if !shown {
        let _ = writeln!(text, "  {}", palette.paint(Ink::Bad, &page.file));
        indented(text, &whole, "    ");
    }
    for (step, at) in &page.open_steps {
        let _ = writeln!(
            text,
            "  not done: {}:{} step {}: {}",
            page.file,
            at.line,
            step.0,
            tame(&at.text)
        );
    }
    for warning in &page.warnings {
        let _ = writeln!(text, "  {} {}", palette.paint(Ink::Doubtful, "warning:"), tame(warning));
    }
}

fn axis(text: &mut String, page: &UnitPage, palette: Palette) {
    if page.moments.is_empty() {
        return;
    }
    let heading = format!("last events, ms since the start ({}):", page.cast());
    let _ = writeln!(text, "  {}", palette.paint(Ink::Strong, heading));
    for moment in &page.moments {
        let _ = writeln!(text, "  {}", moment.line());
    }
}

fn logs(text: &mut String, page: &UnitPage, palette: Palette) {
    for (role, lines) in &page.logs {
        let heading = format!("end of the log of {role}:");
        let _ = writeln!(text, "  {}", palette.paint(Ink::Strong, heading));
        for line in lines {
            let _ = writeln!(text, "    {}", palette.paint(Ink::Faint, line));
        }
    }
}

fn indented(text: &mut String, block: &str, indent: &str) {
    for line in block.lines() {
        let _ = writeln!(text, "{indent}{}", tame(line));
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_reason_stands_before_what_led_to_it() {
        let book = sample::failed_run();
        let text = block(&book.units()[0], &["handfast".to_owned()], Palette::Plain);
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part:?} in {text}"));
        assert!(at("scenarios/x.toml:7 step 2: expect session.list") < at("expected ready"));
        assert!(at("expected ready") < at("last events"));
        assert!(at("last events") < at("end of the log of a"));
        assert!(at("end of the log of a") < at("again: handfast run u1 --peer a=entity"));
    }

    #[test]
    fn the_reason_is_told_once() {
        let book = sample::failed_run();
        let text = block(&book.units()[0], &[], Palette::Plain);
        assert_eq!(text.matches("expected ready").count(), 1, "{text}");
    }

    #[test]
    fn a_passed_unit_has_no_block() {
        let book = sample::passed_run();
        assert_eq!(block(&book.units()[0], &[], Palette::Plain), "");
    }

    #[test]
    fn the_command_keeps_the_words_before_run() {
        let book = sample::failed_run();
        let command = ["cargo", "handfast", "run", "--all"].map(str::to_owned);
        let again = repeat_command(&book.units()[0], &command);
        assert_eq!(again, "cargo handfast run u1 --peer a=entity --peer b=entity");
        let command = ["handfast", "merge", "shards"].map(str::to_owned);
        let again = repeat_command(&book.units()[0], &command);
        assert_eq!(again, "handfast run u1 --peer a=entity --peer b=entity");
    }

    #[test]
    fn a_unit_with_a_seed_of_its_own_is_repeated_with_it() {
        let unit = UnitId::new("x/y (a=rust, b=python)").with_seed(14);
        let cast = |role, peer| (RoleName::new(role).unwrap(), PeerName::new(peer).unwrap());
        let peers = [cast("a", "rust"), cast("b", "python")].into();
        let again = again(&unit, &peers, &[]);
        assert_eq!(again, "handfast run x/y --peer a=rust --peer b=python --seed 14");
    }

    #[test]
    fn the_filter_is_the_scenario_alone() {
        assert_eq!(scenario_id("x/y[a=1.0] (a=rust, b=python) #3"), "x/y[a=1.0]");
        assert_eq!(scenario_id("x/y"), "x/y");
    }

    #[test]
    fn odd_names_are_quoted_for_the_shell() {
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
