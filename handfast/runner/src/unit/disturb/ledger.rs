//! What was asked of disturbances, beside what was measured.

use std::collections::BTreeMap;
use std::time::Duration;

use handfast_faults::disturbance::What;
use handfast_scenario::RunEvent;
use handfast_scenario::event::{AccountLine, AccountVerdict};

use crate::unit::micros;
use crate::unit::stage::{Stage, deadline_text};

/// A page for each disturbance that was begun.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pages: BTreeMap<usize, Page>,
}

/// What was seen of one disturbance. Times are on the run's clock.
#[derive(Debug, Default, Clone)]
pub(super) struct Page {
    began: Duration,
    applied: Option<Duration>,
    undone: Option<Duration>,
    facts: Vec<String>,
    /// What whoever carried it out has measured.
    pub(super) lines: Vec<AccountLine>,
}

impl Page {
    pub(super) fn begins(&mut self, now: Duration) {
        self.began = now;
    }

    pub(super) fn applied(&mut self, now: Duration) {
        self.applied = Some(now);
    }

    pub(super) fn undone(&mut self, now: Duration) {
        self.undone.get_or_insert(now);
    }

    /// The peer runs again.
    pub(super) fn back(&mut self, now: Duration) {
        if let Some(applied) = self.applied {
            let away = now.saturating_sub(applied);
            self.fact(&format!("ready again after {}", super::act::millis(away)));
        }
    }

    /// Something that was seen, a few words; what begins with the same word, or counts the same, takes the place of the earlier.
    pub(super) fn fact(&mut self, fact: &str) {
        let counted = |text: &str| text.split_once(" of ").map(|(_, rest)| rest.to_owned());
        let is_count = counted(fact).is_some();
        self.facts.retain(|other| !is_count || counted(other) != counted(fact));
        self.facts.retain(|other| other.split(' ').next() != fact.split(' ').next());
        self.facts.push(fact.to_owned());
    }
}

impl Stage {
    /// Notes something on the page of a disturbance.
    pub(super) fn note(&self, id: usize, change: impl FnOnce(&mut Page, Duration)) {
        let now = self.now();
        change(self.disturber().state().ledger.pages.entry(id).or_default(), now);
    }

    /// Says what was asked and measured of every disturbance on processes, clocks and resources; what was asked of links stands in the
    /// accounts of the links. The first miss is returned.
    pub(in crate::unit) fn settle_accounts(&self) -> Option<String> {
        let pages = self.disturber().state().ledger.pages.clone();
        let mut missed = self.settle_links();
        for (id, page) in pages {
            let Some(asked) = self.disturber().asked.get(id) else { continue };
            let disturbance = &asked.disturbance;
            if matches!(disturbance.what, What::Network { .. } | What::Cut { .. }) {
                continue;
            }
            let Some(applied) = page.applied else { continue };
            let until = page.undone.unwrap_or_else(|| self.now());
            let mut lines = page.lines.clone();
            if lines.is_empty() {
                let lasts = disturbance.lasts.map(|lasts| format!(" for {}", deadline_text(lasts)));
                lines.push(AccountLine {
                    what: disturbance.what.kind().to_owned(),
                    asked: format!("{}{}", disturbance.what, lasts.unwrap_or_default()),
                    measured: measured(&page, disturbance.lasts.is_some(), until, applied),
                    verdict: AccountVerdict::Held,
                });
            }
            let miss = lines.iter().find(|line| line.verdict == AccountVerdict::Missed);
            if let Some(line) = miss
                && missed.is_none()
            {
                let AccountLine { what, asked, measured, .. } = line;
                missed = Some(format!(
                    "{}: {what}: asked {asked}, measured {measured}",
                    disturbance.name
                ));
            }
            self.journal().say(RunEvent::Account {
                unit: self.journal().unit().clone(),
                subject: disturbance.name.clone(),
                from_us: micros(page.began),
                until_us: micros(until),
                lines,
            });
        }
        missed
    }
}

fn measured(page: &Page, has_end: bool, until: Duration, applied: Duration) -> String {
    let mut facts = page.facts.clone();
    if has_end {
        let lasted = until.saturating_sub(applied);
        facts.push(format!("in force for {:.3} s", lasted.as_secs_f64()));
    }
    if facts.is_empty() { "done".to_owned() } else { facts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_goes_on_takes_the_place_of_the_last() {
        let mut page = Page::default();
        for fact in ["gone after 1.0 ms", "1 of 3 crashes", "2 of 3 crashes", "3 of 3 crashes"] {
            page.fact(fact);
        }
        assert_eq!(page.facts, ["gone after 1.0 ms", "3 of 3 crashes"]);
    }

    #[test]
    fn the_first_end_counts() {
        let mut page = Page::default();
        page.applied(Duration::from_secs(1));
        page.undone(Duration::from_secs(3));
        page.undone(Duration::from_secs(9));
        let until = page.undone.unwrap();
        assert_eq!(measured(&page, true, until, Duration::from_secs(1)), "in force for 2.000 s");
        assert_eq!(measured(&page, false, until, Duration::from_secs(1)), "done");
    }
}
