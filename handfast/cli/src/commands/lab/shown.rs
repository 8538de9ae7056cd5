//! How a calibration is shown.

use std::fmt::Write as _;

use handfast_lab::net::calibrate::{Cell, Line, Verdict};
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::tame;
use serde_json::json;

/// Wipes the line that moves.
pub(super) const WIPE: &str = "\r\u{1b}[K";

/// The table, a line at a time.
pub(super) struct Table {
    palette: Palette,
}

impl Table {
    /// In these colours.
    pub(super) fn new(palette: Palette) -> Self {
        Self { palette }
    }

    /// What the columns are.
    pub(super) fn head(&self) -> String {
        let head = format!(
            "{:<10}  {:<28}  {:<58}  {:<13}  {}",
            "", "asked", "measured", "verdict", "host: wakes late p50/p99/most, others use"
        );
        format!("{}\n", self.palette.paint(Ink::Strong, head))
    }

    /// What is being measured.
    pub(super) fn passing(cell: &Cell, index: usize, all: usize) -> String {
        format!("{WIPE}{} {}, {} of {all}", cell.group.name(), cell.name, index + 1)
    }

    /// One cell.
    pub(super) fn line(&self, line: &Line) -> String {
        let (ink, word) = match line.verdict {
            Verdict::Held => (Ink::Good, "held"),
            Verdict::Missed => (Ink::Bad, "MISSED"),
            Verdict::TooFew => (Ink::Doubtful, "too few"),
            Verdict::HostBusy => (Ink::Doubtful, "host too busy"),
        };
        let host = line.host;
        let host = format!(
            "{:.0}/{:.0}/{:.0} us, {:.0} %",
            host.late_p50_us, host.late_p99_us, host.late_most_us, host.others_percent
        );
        let mut text = format!(
            "{:<10}  {:<28}  {:<58}  {}  {}\n",
            line.group,
            line.name,
            line.measured,
            self.palette.paint(ink, format!("{word:<13}")),
            self.palette.paint(Ink::Faint, host)
        );
        if let Some(why) = &line.why {
            let why = format!("{:<10}  {} (asked for: {})", "", tame(why), line.aim);
            // Writing to a text cannot fail.
            writeln!(text, "{}", self.palette.paint(ink, why)).unwrap_or_default();
        }
        text
    }

    /// What came of it.
    pub(super) fn foot(&self, lines: &[Line], asked: usize, seed: u64) -> String {
        let count = |verdict| lines.iter().filter(|line| line.verdict == verdict).count();
        let (held, missed) = (count(Verdict::Held), count(Verdict::Missed));
        let (few, busy) = (count(Verdict::TooFew), count(Verdict::HostBusy));
        let mut text =
            format!("\n{held} held, {missed} missed, {busy} could not be told on this busy host");
        if few > 0 {
            write!(text, ", {few} had too few packets for every test").unwrap_or_default();
        }
        if lines.len() < asked {
            write!(text, ", {} not measured", asked - lines.len()).unwrap_or_default();
        }
        writeln!(text, "; seed {seed}").unwrap_or_default();
        if let Some(why) = lines.iter().find_map(|line| line.not_real_time.as_ref()) {
            let note = format!("the switch ran like any other thread, not before them: {why}");
            writeln!(text, "{}", self.palette.paint(Ink::Doubtful, tame(&note)))
                .unwrap_or_default();
        }
        text
    }
}

/// The table for a program.
pub(super) fn json(lines: &[Line], seed: u64, is_quick: bool) -> String {
    let table = json!({ "seed": seed, "quick": is_quick, "lines": lines });
    format!("{table:#}\n")
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use handfast_lab::net::calibrate::Host;

    use super::*;

    pub(in super::super) fn line(verdict: Verdict) -> Line {
        let why = (verdict != Verdict::Held).then(|| "another rate passes".to_owned());
        Line {
            group: "rate",
            name: "10 Mbit/s".to_owned(),
            measured: "9.998 Mbit/s, -0.02 %".to_owned(),
            figures: BTreeMap::from([("mbit_per_s", 9.998)]),
            aim: "within 2 %",
            verdict,
            why,
            host: Host {
                late_p50_us: 3.0,
                late_p99_us: 40.4,
                late_most_us: 800.0,
                others_percent: 2.5,
            },
            not_real_time: (verdict == Verdict::Missed).then(|| "not permitted".to_owned()),
        }
    }

    #[test]
    fn a_line_has_what_was_measured_its_verdict_and_the_host() {
        let table = Table::new(Palette::Plain);
        let text = table.line(&line(Verdict::Held));
        for part in ["rate", "10 Mbit/s", "9.998 Mbit/s, -0.02 %", "held", "3/40/800 us, 2 %"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(text.lines().count(), 1);
        let text = table.line(&line(Verdict::HostBusy));
        assert!(text.contains("host too busy"), "{text}");
        assert!(text.contains("another rate passes (asked for: within 2 %)"), "{text}");
    }

    #[test]
    fn the_foot_counts_and_names_what_the_host_does_not_allow() {
        let lines = [line(Verdict::Held), line(Verdict::Missed), line(Verdict::HostBusy)];
        let text = Table::new(Palette::Plain).foot(&lines, 5, 7);
        assert!(text.contains("1 held, 1 missed, 1 could not be told"), "{text}");
        assert!(text.contains("2 not measured; seed 7"), "{text}");
        assert!(text.contains("not before them: not permitted"), "{text}");
    }

    #[test]
    fn a_program_reads_the_same() {
        let text = json(&[line(Verdict::HostBusy)], 7, true);
        let table: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&table["seed"], &table["quick"]), (&7.into(), &true.into()));
        let line = &table["lines"][0];
        assert_eq!(line["verdict"], "host-busy");
        assert_eq!(line["figures"]["mbit_per_s"], 9.998);
        assert_eq!(line["host"]["late_p99_us"], 40.4);
    }
}
