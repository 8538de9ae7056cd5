//! Processor time: a share of one core, by the bandwidth control of the scheduler (kernel documentation, `sched-bwc`).

use std::io;

use handfast_faults::account::Line;

use super::groups::{Group, Version};
use super::line::{line, met};
use super::{InForce, LimitError};

const WHAT: &str = "the processor";

/// A period of the scheduler, in microseconds: its default, and what container engines use, so that a peer meets the pauses it would
/// meet there.
const PERIOD_US: u64 = 100_000;

/// The least share that is given: the kernel's smallest is 1 ms of a period.
const PERCENT_MIN: u64 = 1;

/// A share of a core that is in force.
#[derive(Debug)]
pub(super) struct Cpu {
    group: Group,
    percent: u64,
    before: Throttled,
}

#[derive(Clone, Copy, Debug, Default)]
struct Throttled {
    periods: u64,
    held_back: u64,
    us: u64,
}

impl Cpu {
    /// Puts it on; 100 % is one core.
    pub(super) fn apply(group: Group, percent: u64) -> io::Result<Self> {
        let percent = percent.max(PERCENT_MIN);
        let quota = percent.saturating_mul(PERIOD_US) / 100;
        let before = Throttled::read(&group)?;
        match group.version() {
            Version::One => {
                group.write("cpu.cfs_period_us", &PERIOD_US.to_string())?;
                group.write("cpu.cfs_quota_us", &quota.to_string())?;
            }
            Version::Two => group.write("cpu.max", &format!("{quota} {PERIOD_US}"))?,
        }
        Ok(Self { group, percent, before })
    }
}

impl InForce for Cpu {
    fn measured(&mut self) -> Vec<Line> {
        let asked = format!("{} % of a core", self.percent);
        let Ok(now) = Throttled::read(&self.group) else { return Vec::new() };
        let throttled = now.held_back.saturating_sub(self.before.held_back);
        let periods = now.periods.saturating_sub(self.before.periods);
        let held_back_ms = now.us.saturating_sub(self.before.us) / 1_000;
        let measured =
            format!("throttled in {throttled} of {periods} periods, for {held_back_ms} ms");
        vec![line("processor", asked, measured, met(throttled))]
    }

    fn undo(mut self: Box<Self>) -> Result<Vec<Line>, LimitError> {
        let lines = self.measured();
        let undone = match self.group.version() {
            Version::One => self.group.write("cpu.cfs_quota_us", "-1"),
            Version::Two => self.group.write("cpu.max", "max"),
        };
        undone.map_err(|source| LimitError::Refused { what: WHAT, source })?;
        Ok(lines)
    }
}

impl Throttled {
    fn read(group: &Group) -> io::Result<Self> {
        let count = |key| group.count("cpu.stat", key);
        let us = match group.version() {
            Version::One => count("throttled_time")? / 1_000,
            Version::Two => count("throttled_usec")?,
        };
        Ok(Self { periods: count("nr_periods")?, held_back: count("nr_throttled")?, us })
    }
}
