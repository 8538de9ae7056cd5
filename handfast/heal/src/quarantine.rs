//! Quarantine: a test that runs and is told, and does not decide over the run, for as long as somebody answers for that.
//!
//! A quarantine is written down by people, in the file of known issues. What many runs say of the test ([`State`]) is held against it:
//! one that has been released or is broken is not in quarantine any more, whatever the file says.

use std::fmt;

use handfast_trend::flaky::test::State;
use jiff::civil::Date;

use crate::known::Known;
use crate::pattern::Pattern;

#[cfg(test)]
mod tests;

/// A test in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantined {
    /// Line of the file.
    pub line: usize,
    /// Which scenarios, or tests of suites as `suite/test`; with or without the variant in brackets.
    pub test: Pattern,
    /// Who looks after it.
    pub owner: String,
    /// Why, in a sentence.
    pub reason: String,
    /// Where it is being worked on.
    pub issue: String,
    /// The last day on which it counts.
    pub expires: Date,
}

/// Whether a test decides over its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing<'a> {
    /// It does: it is in no quarantine.
    Decides,
    /// It runs, its result is told, and decides nothing.
    Quarantined(&'a Quarantined),
    /// It decides, though the file has it in quarantine.
    Out {
        /// The entry that no longer holds.
        entry: &'a Quarantined,
        /// Why not.
        why: Out,
    },
}

/// Why a quarantine does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Out {
    /// Its last day is over.
    Expired,
    /// Many runs say that it is healthy again.
    Released,
    /// It fails every time: that is no flaky test.
    Broken,
}

impl Known {
    /// Whether a test decides over its run on the day `today`; `state` is what many runs say of it, where they do.
    ///
    /// The first entry of the file that is for the test counts. `test` is [`crate::failure::Subject::scenario`]. A caller that has not
    /// told the statistics of the quarantine, or knows no runs of the test, gives no state: there such a test counts as healthy.
    pub fn standing(&self, test: &str, state: Option<State>, today: Date) -> Standing<'_> {
        let bare = test.split_once('[').map_or(test, |(bare, _)| bare);
        let is_for = |entry: &&Quarantined| entry.test.fits(test) || entry.test.fits(bare);
        let Some(entry) = self.quarantined.iter().find(is_for) else { return Standing::Decides };
        let why = match state {
            _ if entry.expires < today => Out::Expired,
            Some(State::Healthy) => Out::Released,
            Some(State::Broken) => Out::Broken,
            Some(State::Suspect | State::Flaky | State::Quarantined) | None => {
                return Standing::Quarantined(entry);
            }
        };
        Standing::Out { entry, why }
    }

    /// Entries that do not hold, a sentence each, for the tests of a run and their states; and those that are for none of `tests`, which
    /// are all of the project.
    pub fn quarantine_notes(&self, tests: &[(&str, Option<State>)], today: Date) -> Vec<String> {
        let mut notes = Vec::new();
        for entry in &self.quarantined {
            let standings = tests.iter().map(|(test, state)| self.standing(test, *state, today));
            let mut is_used = false;
            let mut whys = Vec::new();
            for standing in standings {
                match standing {
                    Standing::Quarantined(used) => is_used |= used == entry,
                    Standing::Out { entry: used, why } if used == entry => whys.push(why),
                    Standing::Out { .. } | Standing::Decides => {}
                }
            }
            whys.sort_unstable();
            whys.dedup();
            // Of several tests that an entry is for, some may be healthy while others are not.
            whys.retain(|why| *why != Out::Released || !is_used);
            let place = format!("{}:{}: {}", self.file, entry.line, entry.test.as_str());
            notes.extend(whys.iter().map(|why| format!("{place} {why}")));
            if !is_used && whys.is_empty() {
                notes.push(format!(
                    "{place} is for no test, or an earlier entry is for the same: leave it out"
                ));
            }
        }
        notes
    }
}

impl fmt::Display for Out {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Expired => "has expired and decides again: mend it, or agree on another day",
            Self::Released => "is healthy again and decides: leave the entry out",
            Self::Broken => {
                "fails every time and decides: that is not flaky, mend it or make it a known issue"
            }
        })
    }
}
