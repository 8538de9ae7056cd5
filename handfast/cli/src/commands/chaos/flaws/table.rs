//! What came of each flaw, as lines, as a table of figures, and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use handfast_chaos::campaign::End;
use handfast_chaos::repeat::Rate;
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::{median, tame, time};
use handfast_runner::chaos::Ended;
use handfast_runner::selftest::Flaw;
use handfast_scenario::name::{PeerName, RoleName};
use serde_json::{Value, json};

use super::shown::{first_line, micros, rate};

/// One flaw.
pub(super) struct Row {
    peer: PeerName,
    flaw: Flaw,
    pub(super) fate: Fate,
    /// How long all searches for it took.
    searched: Duration,
    /// Tries of all of them.
    tries: u32,
    /// Scenarios in which the same was found without the flaw.
    pub(super) spoilt: Vec<String>,
}

/// Whether it was found.
pub(super) enum Fate {
    Found(Box<Found>),
    Missed,
}

/// A flaw that was found.
pub(super) struct Found {
    pub(super) scenario: String,
    pub(super) role: RoleName,
    pub(super) end: End,
    pub(super) id: String,
}

/// The figures of one that was found.
struct Figures<'a> {
    steps: [usize; 2],
    shrink_us: u64,
    shrink_tries: u32,
    is_minimal: bool,
    rates: [Rate; 2],
    reason: &'a str,
    after_us: u64,
}

impl Row {
    pub(super) fn new(peer: PeerName, flaw: Flaw) -> Self {
        let (fate, spoilt) = (Fate::Missed, Vec::new());
        Self { peer, flaw, fate, searched: Duration::ZERO, tries: 0, spoilt }
    }

    /// Adds what a campaign took until it found something, or gave up.
    pub(super) fn tried(&mut self, ended: &Ended) {
        self.tries += ended.report.tries;
        self.searched += match &ended.report.end {
            End::Found { found, .. } => found.after,
            End::Unsteady { .. } | End::Unclear { .. } | End::Nothing { .. } => ended.took,
        };
    }

    pub(super) fn is_found(&self) -> bool {
        matches!(self.fate, Fate::Found(_))
    }

    pub(super) fn line(&self, palette: Palette) -> String {
        let mut line = match self.figures() {
            Some((found, figures)) => format!(
                "{} {} {:<30} after {:>8} by {} ({}): {} -> {} disturbances in {}, {}/{} again: {}\n",
                palette.paint(Ink::Good, "found "),
                self.peer,
                self.flaw.name,
                time(micros(self.searched)),
                found.scenario,
                found.role,
                figures.steps[0],
                figures.steps[1],
                time(figures.shrink_us),
                figures.rates[1].failures,
                figures.rates[1].tries,
                first_line(figures.reason),
            ),
            None => format!(
                "{} {} {:<30} {} Nothing in {} tries and {}.\n",
                palette.paint(Ink::Bad, "MISSED"),
                self.peer,
                self.flaw.name,
                tame(&self.flaw.sentence),
                self.tries,
                time(micros(self.searched))
            ),
        };
        for scenario in &self.spoilt {
            let word = palette.paint(Ink::Doubtful, "not counted");
            // Writing to a text cannot fail.
            writeln!(
                line,
                "       {word} {scenario}: it fails without the flaw, too, or too seldom to tell"
            )
            .unwrap_or_default();
        }
        line
    }

    fn figures(&self) -> Option<(&Found, Figures<'_>)> {
        let Fate::Found(found) = &self.fate else { return None };
        let End::Found { found: first, shrunk, confirmed } = &found.end else { return None };
        let figures = Figures {
            steps: [first.failure.schedule.len(), shrunk.failure.schedule.len()],
            shrink_us: micros(shrunk.took),
            shrink_tries: shrunk.tries,
            is_minimal: shrunk.is_minimal,
            rates: [first.rate, *confirmed],
            reason: &shrunk.failure.reason,
            after_us: micros(self.searched),
        };
        Some((found, figures))
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "peer": self.peer.as_str(),
            "flaw": self.flaw.name.as_str(),
            "outcome": if self.is_found() { "found" } else { "missed" },
            "searched_us": micros(self.searched),
            "tries": self.tries,
            "fails_without_flaw": self.spoilt,
        });
        if let Some((found, figures)) = self.figures() {
            value["scenario"] = json!(found.scenario);
            value["role"] = json!(found.role.as_str());
            value["id"] = json!(found.id);
            value["reason"] = json!(figures.reason);
            value["steps"] = json!(figures.steps);
            value["shrink_us"] = json!(figures.shrink_us);
            value["shrink_tries"] = json!(figures.shrink_tries);
            value["is_minimal"] = json!(figures.is_minimal);
            value["found_rate"] = rate(figures.rates[0]);
            value["rate"] = rate(figures.rates[1]);
        }
        value
    }
}

/// The figures of all flaws.
pub(super) fn closing(rows: &[Row]) -> String {
    let figures: Vec<Figures<'_>> = rows.iter().filter_map(|row| Some(row.figures()?.1)).collect();
    let (found, all) = (figures.len(), rows.len());
    let minute = figures.iter().filter(|one| one.after_us <= 60_000_000).count();
    let missed: Vec<&str> =
        rows.iter().filter(|row| !row.is_found()).map(|row| row.flaw.name.as_str()).collect();
    let of =
        |value: &dyn Fn(&Figures<'_>) -> u64| -> Vec<u64> { figures.iter().map(value).collect() };
    let steps = |place: usize| -> Vec<u64> {
        figures.iter().map(|one| u64::try_from(one.steps[place]).unwrap_or(u64::MAX)).collect()
    };
    let total = figures.iter().fold(Rate::default(), |sum, one| sum.plus(one.rates[1]));
    let mut text = format!("{found} of {all} flaws found, {minute} of them within a minute");
    if !missed.is_empty() {
        write!(text, "; missed: {}", missed.join(", ")).unwrap_or_default();
    }
    text.push('\n');
    if found > 0 {
        let middle = |values: Vec<u64>| median(&values).unwrap_or_default();
        write!(
            text,
            "found after {} (median); shrunk from {} to {} disturbances in {} and {} tries (medians), at most {} left\n\
             played again: {total}\n",
            time(middle(of(&|one| one.after_us))),
            middle(steps(0)),
            middle(steps(1)),
            time(middle(of(&|one| one.shrink_us))),
            middle(of(&|one| u64::from(one.shrink_tries))),
            steps(1).iter().max().copied().unwrap_or_default(),
        )
        .unwrap_or_default();
    }
    text
}

/// Everything, for a machine.
pub(super) fn json(rows: &[Row]) -> String {
    let found = rows.iter().filter(|row| row.is_found()).count();
    let flaws: Vec<Value> = rows.iter().map(Row::json).collect();
    let mut text =
        serde_json::to_string_pretty(&json!({ "found": found, "of": rows.len(), "flaws": flaws }))
            .unwrap_or_default();
    text.push('\n');
    text
}
