//! Asked beside measured: what the network and the disturbances of a unit were to do, and what they did.

use std::fmt::Write as _;

use handfast_scenario::event::{AccountLine, AccountVerdict, NetworkMeans};
use handfast_scenario::{Recorded, RunEvent};
use serde::Serialize;

use crate::palette::{Ink, Palette};
use crate::quantity::{tame, time};

/// The accounts of one unit. Shape as JSON: `{network, accounts, left_out}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Accounts {
    network: Option<Network>,
    #[serde(rename = "accounts")]
    pages: Vec<Account>,
    left_out: u64,
}

/// The network that a unit had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Network {
    /// How it was made.
    pub means: NetworkMeans,
    /// What the scenario asked of it from the beginning; empty: nothing.
    pub asked: String,
    /// What could only be approximated.
    pub approximated: Vec<String>,
}

/// One link or disturbance over one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// What it is about, such as `a -> b`.
    pub subject: String,
    /// How long it was in force, microseconds.
    pub lasted_us: u64,
    /// What was asked and measured.
    pub lines: Vec<AccountLine>,
}

impl Accounts {
    /// Accounts kept of a unit; the record has all of them.
    pub const PAGES_MAX: usize = 64;

    /// Reads an event of the unit.
    pub fn read(&mut self, recorded: &Recorded) {
        if let RunEvent::NetworkStarted { means, asked, approximated, .. } = &recorded.event {
            let (means, asked) = (means.clone(), asked.clone());
            self.network = Some(Network { means, asked, approximated: approximated.clone() });
        }
        let RunEvent::Account { subject, from_us, until_us, lines, .. } = &recorded.event else {
            return;
        };
        if self.pages.len() == Self::PAGES_MAX {
            self.left_out += 1;
            return;
        }
        let lasted_us = until_us.saturating_sub(*from_us);
        self.pages.push(Account { subject: subject.clone(), lasted_us, lines: lines.clone() });
    }

    /// Whether the unit had neither a network of its own nor anything to account for.
    pub fn is_empty(&self) -> bool {
        self.network.is_none() && self.pages.is_empty()
    }

    /// The network, where the unit had one of its own.
    pub fn network(&self) -> Option<&Network> {
        self.network.as_ref()
    }

    /// The accounts, in their order.
    pub fn pages(&self) -> &[Account] {
        &self.pages
    }

    /// How many are only in the record.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// One sentence on the network; empty without one.
    pub fn network_line(&self) -> String {
        let Some(network) = &self.network else { return String::new() };
        let asked =
            if network.asked.is_empty() { String::new() } else { format!(", {}", network.asked) };
        let approximated = match network.approximated.as_slice() {
            [] => String::new(),
            some => format!("; only approximated: {}", some.join(", ")),
        };
        format!("network by {}{asked}{approximated}", network.means)
    }

    /// The table for a terminal, each line with its end; empty where there is nothing.
    pub fn text(&self, palette: Palette) -> String {
        let mut text = String::new();
        if self.is_empty() {
            return text;
        }
        if self.network.is_some() {
            // Writing to a text cannot fail, here and below.
            let line = palette.paint(Ink::Faint, tame(&self.network_line()));
            let _ = writeln!(text, "  {line}");
        }
        let rows = self.rows();
        let widths = widths(&rows);
        for row in &rows {
            let cells = row.cells.iter().zip(widths);
            let cells: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
            let ink = if row.missed { Ink::Bad } else { Ink::Faint };
            let line = cells.join("  ");
            let _ = writeln!(text, "  {}", palette.paint(ink, line.trim_end()));
        }
        if self.left_out > 0 {
            let _ = writeln!(text, "  {} more accounts are in the record", self.left_out);
        }
        text
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        if self.pages.is_empty() {
            return rows;
        }
        let head = ["", "for", "", "asked", "measured", ""].map(str::to_owned);
        rows.push(Row { cells: head, missed: false });
        for page in &self.pages {
            for (index, line) in page.lines.iter().enumerate() {
                let first = index == 0;
                let subject = if first { tame(&page.subject) } else { String::new() };
                let lasted = if first { time(page.lasted_us) } else { String::new() };
                let verdict = line.verdict.as_str().to_owned();
                let parts = [&line.what, &line.asked, &line.measured].map(|part| tame(part));
                let [what, asked, measured] = parts;
                let missed = line.verdict == AccountVerdict::Missed;
                let cells = [subject, lasted, what, asked, measured, verdict];
                rows.push(Row { cells, missed });
            }
        }
        rows
    }
}

struct Row {
    cells: [String; 6],
    missed: bool,
}

fn widths(rows: &[Row]) -> [usize; 6] {
    let mut widths = [0; 6];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(&row.cells) {
            *width = cell.chars().count().max(*width);
        }
    }
    widths
}

#[cfg(test)]
mod tests {
    use handfast_scenario::plan::UnitId;

    use super::*;

    fn account(subject: &str, verdict: AccountVerdict) -> Recorded {
        let line = |what: &str, verdict| AccountLine {
            what: what.to_owned(),
            asked: "2 %".to_owned(),
            measured: "2.1 % of 4,000".to_owned(),
            verdict,
        };
        let event = RunEvent::Account {
            unit: UnitId::new("u1"),
            subject: subject.to_owned(),
            from_us: 1_000_000,
            until_us: 3_500_000,
            lines: vec![line("loss", verdict), line("delay", AccountVerdict::Held)],
        };
        Recorded { at_us: 0, event }
    }

    #[test]
    fn asked_stands_beside_measured_and_a_miss_is_seen() {
        let mut accounts = Accounts::default();
        accounts.read(&account("a -> b", AccountVerdict::Missed));
        let expected = concat!(
            "          for            asked  measured\n",
            "  a -> b  2.50 s  loss   2 %    2.1 % of 4,000  missed\n",
            "                  delay  2 %    2.1 % of 4,000  held\n",
        );
        assert_eq!(accounts.text(Palette::Plain), expected);
    }

    #[test]
    fn a_network_says_what_it_only_approximates() {
        let mut accounts = Accounts::default();
        let event = RunEvent::NetworkStarted {
            unit: UnitId::new("u1"),
            means: NetworkMeans::Proxies { why: "no user namespaces".to_owned() },
            asked: "lte".to_owned(),
            approximated: vec!["loss".to_owned(), "mtu".to_owned()],
        };
        accounts.read(&Recorded { at_us: 0, event });
        assert_eq!(
            accounts.text(Palette::Plain),
            "  network by proxies (no user namespaces), lte; only approximated: loss, mtu\n"
        );
        assert!(accounts.pages().is_empty() && !accounts.is_empty());
    }

    #[test]
    fn a_unit_keeps_so_many_accounts_and_says_how_many_more_there_are() {
        let mut accounts = Accounts::default();
        for number in 0..Accounts::PAGES_MAX + 3 {
            accounts.read(&account(&number.to_string(), AccountVerdict::TooFew));
        }
        assert_eq!(accounts.pages().len(), Accounts::PAGES_MAX);
        assert_eq!(accounts.left_out(), 3);
        assert!(accounts.text(Palette::Plain).ends_with("  3 more accounts are in the record\n"));
    }

    #[test]
    fn nothing_asked_is_nothing_told() {
        assert_eq!(Accounts::default().text(Palette::Plain), "");
    }
}
