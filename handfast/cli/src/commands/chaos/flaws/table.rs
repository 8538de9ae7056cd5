//! What came of each flaw, as a table, as figures, and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use handfast_chaos::campaign::End;
use handfast_chaos::repeat::Rate;
use handfast_report::palette::{Ink, Palette};
use handfast_report::quantity::{median, tame, time};
use handfast_runner::chaos::Ended;
use handfast_runner::selftest::Flaw;
use handfast_scenario::duration;
use handfast_scenario::name::{PeerName, RoleName};
use serde_json::{Value, json};

use super::super::shown::{first_line, micros, rate};

/// All flaws, and what is asked of them together.
pub(super) struct Table {
    all: usize,
    budget: Duration,
    min_found: u64,
    rows: Vec<Row>,
}

/// One flaw.
pub(super) struct Row {
    pub(super) peer: PeerName,
    pub(super) flaw: Flaw,
    pub(super) fate: Fate,
    /// How long all searches for it took, playing undisturbed before each of them included.
    pub(super) searched: Duration,
    /// Tries of all of them.
    tries: u32,
    /// What failed without the flaw, too, or too seldom: the scenario, and what did not hold.
    pub(super) spoilt: Vec<String>,
}

/// Whether it was found.
pub(super) enum Fate {
    /// By disturbances that the build without it stands.
    Found(Box<Found>),
    /// It shows without any.
    Undisturbed {
        /// Where.
        scenario: String,
        /// What did not hold.
        reason: String,
    },
    /// By nothing; why, where there is more to say than that.
    Missed(String),
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

impl Table {
    /// So many flaws are looked for, each for so long; so many of a hundred have to be found.
    pub(super) fn new(all: usize, budget: Duration, min_found: u64) -> Self {
        Self { all, budget, min_found, rows: Vec::new() }
    }

    pub(super) fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Which one is looked for now, as `3/25`.
    pub(super) fn next(&self) -> String {
        format!("{}/{}", self.rows.len() + 1, self.all)
    }

    /// Whether enough of those that were looked for were found.
    pub(super) fn is_good(&self) -> bool {
        let enough =
            u64::try_from(self.rows.len()).unwrap_or(u64::MAX).saturating_mul(self.min_found);
        u64::try_from(self.in_time()).unwrap_or(0).saturating_mul(100) >= enough
    }

    fn in_time(&self) -> usize {
        let budget_us = micros(self.budget);
        let figures = self.rows.iter().filter_map(Row::figures);
        figures.filter(|(_, figures)| figures.after_us <= budget_us).count()
    }

    /// What stands above the rows.
    pub(super) fn head(&self, seed: u64) -> String {
        format!(
            "{} planted flaws, {} for each, seed {seed}\n\n{:<34} {:>10} {:>6}  {:>8} {:>10}  {:>6}  by\n",
            self.all,
            duration::display(self.budget),
            "flaw",
            "found in",
            "tries",
            "steps",
            "shrunk in",
            "again",
        )
    }

    /// What stands below them.
    pub(super) fn closing(&self) -> String {
        let figures: Vec<Figures<'_>> =
            self.rows.iter().filter_map(|row| Some(row.figures()?.1)).collect();
        let mut text = "\n".to_owned();
        if !figures.is_empty() {
            text.push_str(&medians(&figures));
        }
        // Writing to a text cannot fail.
        for row in &self.rows {
            match &row.fate {
                Fate::Found(_) => {}
                Fate::Undisturbed { .. } => {
                    writeln!(text, "missed: {} shows undisturbed", row.flaw.name)
                        .unwrap_or_default();
                }
                Fate::Missed(_) => {
                    writeln!(text, "missed: {}: {}", row.flaw.name, tame(&row.flaw.sentence))
                        .unwrap_or_default();
                }
            }
        }
        if self.rows.len() < self.all {
            writeln!(text, "ended early: {} of {} were looked for", self.rows.len(), self.all)
                .unwrap_or_default();
        }
        let within = match self.budget.as_secs() {
            seconds if seconds < 120 => format!("{seconds} s"),
            _ => duration::display(self.budget),
        };
        writeln!(
            text,
            "{} of {} found within {within} (aim {} %)",
            self.in_time(),
            self.rows.len(),
            self.min_found
        )
        .unwrap_or_default();
        text
    }

    /// Everything, for a machine.
    pub(super) fn json(&self, seed: u64) -> String {
        let figures: Vec<Figures<'_>> =
            self.rows.iter().filter_map(|row| Some(row.figures()?.1)).collect();
        let middle = Medians::of(&figures);
        let value = json!({
            "seed": seed,
            "budget_us": micros(self.budget),
            "min_found": self.min_found,
            "found": self.in_time(),
            "of": self.rows.len(),
            "ended_early": self.rows.len() < self.all,
            "medians": {
                "found_us": middle.after_us,
                "steps": middle.steps,
                "shrink_us": middle.shrink_us,
                "again_percent": middle.again_percent,
            },
            "rate": rate(middle.total),
            "flaws": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        });
        let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl Row {
    pub(super) fn new(peer: PeerName, flaw: Flaw) -> Self {
        let fate = Fate::Missed(String::new());
        Self { peer, flaw, fate, searched: Duration::ZERO, tries: 0, spoilt: Vec::new() }
    }

    /// Adds what a campaign took until it found something, or gave up; it played undisturbed for `steady` at first.
    pub(super) fn tried(&mut self, ended: &Ended, steady: Duration) {
        self.tries += match &ended.report.end {
            End::Found { found, .. } => found.tries,
            End::Unsteady { .. } | End::Unclear { .. } | End::Nothing { .. } => ended.report.tries,
        };
        self.searched += match &ended.report.end {
            End::Found { found, .. } => steady + found.after,
            End::Unsteady { .. } | End::Unclear { .. } | End::Nothing { .. } => ended.took,
        };
    }

    pub(super) fn is_found(&self) -> bool {
        matches!(self.fate, Fate::Found(_))
    }

    /// Its row of the table.
    pub(super) fn line(&self, palette: Palette) -> String {
        let name = format!("{} {}", self.peer, self.flaw.name);
        let tries = self.tries;
        let mut line = match (&self.fate, self.figures()) {
            (Fate::Found(found), Some((_, figures))) => format!(
                "{name:<34} {:>10} {tries:>6}  {:>8} {:>10}  {:>6}  {} ({}): {}\n",
                time(figures.after_us),
                format!("{} -> {}", figures.steps[0], figures.steps[1]),
                time(figures.shrink_us),
                format!("{}/{}", figures.rates[1].failures, figures.rates[1].tries),
                found.scenario,
                found.role,
                first_line(figures.reason),
            ),
            (Fate::Undisturbed { scenario, reason }, _) => format!(
                "{name:<34} {} it shows undisturbed in {scenario}: {}\n",
                palette.paint(Ink::Bad, "    MISSED"),
                first_line(reason)
            ),
            (Fate::Found(_) | Fate::Missed(_), _) => format!(
                "{name:<34} {} {tries:>6}  nothing in {}\n",
                palette.paint(Ink::Bad, "    MISSED"),
                time(micros(self.searched))
            ),
        };
        if let Fate::Missed(why) = &self.fate
            && !why.is_empty()
        {
            // Writing to a text cannot fail.
            writeln!(line, "  {}", first_line(why)).unwrap_or_default();
        }
        for scenario in &self.spoilt {
            let word = palette.paint(Ink::Doubtful, "not counted");
            writeln!(
                line,
                "  {word}, since it fails without the flaw, too, or too seldom to tell: {scenario}"
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
        let outcome = match &self.fate {
            Fate::Found(_) => "found",
            Fate::Undisturbed { .. } => "undisturbed",
            Fate::Missed(_) => "missed",
        };
        let mut value = json!({
            "peer": self.peer.as_str(),
            "flaw": self.flaw.name.as_str(),
            "outcome": outcome,
            "searched_us": micros(self.searched),
            "tries": self.tries,
            "fails_without_flaw": self.spoilt,
        });
        match &self.fate {
            Fate::Undisturbed { scenario, reason } => {
                value["scenario"] = json!(scenario);
                value["reason"] = json!(reason);
            }
            Fate::Missed(why) => value["reason"] = json!(why),
            Fate::Found(_) => {}
        }
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

/// The middle of each figure; zeros where nothing was found.
#[derive(Debug, Default)]
struct Medians {
    after_us: u64,
    steps: [u64; 2],
    shrink_us: u64,
    again_percent: u64,
    /// Failures among all plays of smallest schedules.
    total: Rate,
}

impl Medians {
    fn of(figures: &[Figures<'_>]) -> Self {
        let middle = |value: &dyn Fn(&Figures<'_>) -> u64| {
            median(&figures.iter().map(value).collect::<Vec<_>>()).unwrap_or_default()
        };
        let steps =
            |place: usize| middle(&|one| u64::try_from(one.steps[place]).unwrap_or(u64::MAX));
        let percent = |rate: Rate| u64::from(rate.failures) * 100 / u64::from(rate.tries.max(1));
        Self {
            after_us: middle(&|one| one.after_us),
            steps: [steps(0), steps(1)],
            shrink_us: middle(&|one| one.shrink_us),
            again_percent: middle(&|one| percent(one.rates[1])),
            total: figures.iter().fold(Rate::default(), |sum, one| sum.plus(one.rates[1])),
        }
    }
}

fn medians(figures: &[Figures<'_>]) -> String {
    let Medians { after_us, steps, shrink_us, again_percent, total } = Medians::of(figures);
    format!(
        "medians: found in {}, {} -> {} disturbances in {}, failed again {again_percent} % of the time\nall smallest schedules: {total}\n",
        time(after_us),
        steps[0],
        steps[1],
        time(shrink_us),
    )
}

#[cfg(test)]
mod tests;
