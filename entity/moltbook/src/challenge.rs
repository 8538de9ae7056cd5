//! Questions of the service that somebody has to answer.
//!
//! A write may be answered by a question, and stays hidden until the right answer has come, within five minutes. Ten failures in a row
//! suspend the account, and a question that nobody answers is a failure too. This program shows the question to whoever runs it and takes
//! the answer from them; it never looks for one itself. What it does by itself is to count, and to stop writing long before the tenth.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::inbound::Untrusted;
use crate::moment::Moment;

/// How long the service waits for an answer.
pub const ANSWER_WITHIN: Duration = Duration::from_mins(5);
/// From this many failures in a row, open questions counted as such, nothing more is written. The service suspends at ten.
pub const FAILURES_MAX: usize = 5;
/// Most questions that are kept.
pub const OPEN_MAX: usize = 16;
/// Longest text of a question, in characters.
pub const TEXT_MAX: usize = 2_000;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// By which it is answered.
    pub code: String,
    /// The question.
    pub text: Untrusted,
    /// How the service wants the answer to look.
    pub instructions: Option<Untrusted>,
    /// The post or comment that stays hidden until then.
    pub about: Option<String>,
}

/// What the service said of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Right; what was hidden is published.
    Right,
    /// Wrong, too late, unknown or given before: all count as a failure, because the service may count them so.
    Failed,
}

/// The questions that wait, and how many have failed since the last right answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenges {
    failures: u16,
    open: Vec<Open>,
}

/// One question that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// By which it is answered.
    pub code: String,
    /// The question.
    pub text: Untrusted,
    /// How the service wants the answer to look.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instructions: Option<Untrusted>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub about: Option<String>,
    /// When it came.
    #[serde(rename = "issued_us")]
    pub issued: Moment,
    /// When it is too late.
    #[serde(rename = "until_us")]
    pub until: Moment,
}

/// Why nothing is written for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{failures} challenges in a row have failed and {open} wait for an answer; the service suspends the account at 10 failures"
)]
pub struct Gate {
    /// Since the last right answer.
    pub failures: u16,
    /// That wait.
    pub open: usize,
}

impl Challenges {
    /// How many have failed since the last right answer.
    pub fn failures(&self) -> u16 {
        self.failures
    }

    /// Those that wait, oldest first.
    pub fn open(&self) -> &[Open] {
        &self.open
    }

    /// Whether a write may bring another one.
    pub(crate) fn gate(&self) -> Result<(), Gate> {
        let (failures, open) = (self.failures, self.open.len());
        if usize::from(failures) + open >= FAILURES_MAX {
            Err(Gate { failures, open })
        } else {
            Ok(())
        }
    }

    pub(crate) fn issue(&mut self, challenge: Challenge, now: Moment) {
        let Challenge { code, text, instructions, about } = challenge;
        if self.open.iter().any(|open| open.code == code) {
            return;
        }
        if self.open.len() == OPEN_MAX {
            self.open.remove(0);
            self.fail();
        }
        let until = now.plus(ANSWER_WITHIN);
        self.open.push(Open { code, text, instructions, about, issued: now, until });
    }

    pub(crate) fn expire(&mut self, now: Moment) {
        let before = self.open.len();
        self.open.retain(|open| now < open.until);
        for _ in self.open.len()..before {
            self.fail();
        }
    }

    pub(crate) fn judge(&mut self, code: &str, verdict: Verdict) {
        self.open.retain(|open| open.code != code);
        match verdict {
            Verdict::Right => self.failures = 0,
            Verdict::Failed => self.fail(),
        }
    }

    pub(crate) fn forget_failures(&mut self) {
        self.failures = 0;
    }

    pub(crate) fn shift(&mut self, shift: i64) {
        for open in &mut self.open {
            open.issued = open.issued.shifted(shift);
            open.until = open.until.shifted(shift);
        }
    }

    pub(crate) fn move_back(&mut self, since: Moment, missed: i64) {
        for open in self.open.iter_mut().filter(|open| open.issued < since) {
            open.until = open.until.shifted(-missed);
        }
    }

    /// What in a kept list cannot be.
    pub(crate) fn check(&self, saved: Moment) -> Result<(), &'static str> {
        if self.open.len() > OPEN_MAX {
            return Err("the number of challenges");
        }
        if self.open.iter().any(|open| open.issued > saved) {
            return Err("a challenge of later than the book");
        }
        Ok(())
    }

    fn fail(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }
}
