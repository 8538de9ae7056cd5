//! Memory: what a peer and its children may hold, swap included. Beyond it the kernel takes back what it can, and then kills.

use std::io;

use handfast_faults::account::{Line, LineVerdict};

use super::groups::{Group, Version};
use super::line::{bytes, line, met};
use super::{InForce, LimitError};

const WHAT: &str = "memory";

/// No limit, as version 1 writes it.
const NO_LIMIT: &str = "-1";

/// A limit that is in force.
#[derive(Debug)]
pub(super) struct Memory {
    group: Group,
    asked: u64,
    before: Met,
}

/// What the kernel has counted since the group is there.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    /// Allocations that met the limit.
    limit: u64,
    kills: u64,
}

impl Memory {
    /// Puts it on. Version 1 refuses a limit below what is held and cannot be taken back (`EBUSY`); version 2 kills at once.
    pub(super) fn apply(group: Group, asked: u64) -> io::Result<Self> {
        let before = Met::read(&group)?;
        let memory = Self { group, asked, before };
        memory.put_on().inspect_err(|_| {
            // Half of it may be in force. If that stays, the unit's end takes it away; the caller hears the first error.
            drop(memory.release());
        })?;
        Ok(memory)
    }

    fn put_on(&self) -> io::Result<()> {
        let text = self.asked.to_string();
        match self.group.version() {
            Version::One => {
                // The peak of what was before says nothing about this limit.
                self.group.write("memory.max_usage_in_bytes", "0")?;
                self.group.write("memory.limit_in_bytes", &text)?;
                if self.group.has("memory.memsw.limit_in_bytes") {
                    self.group.write("memory.memsw.limit_in_bytes", &text)?;
                }
            }
            Version::Two => {
                if self.group.has("memory.swap.max") {
                    self.group.write("memory.swap.max", "0")?;
                }
                self.group.write("memory.max", &text)?;
            }
        }
        Ok(())
    }

    fn release(&self) -> io::Result<()> {
        match self.group.version() {
            Version::One => {
                // That of memory and swap is never below that of memory alone.
                if self.group.has("memory.memsw.limit_in_bytes") {
                    self.group.write("memory.memsw.limit_in_bytes", NO_LIMIT)?;
                }
                self.group.write("memory.limit_in_bytes", NO_LIMIT)
            }
            Version::Two => {
                self.group.write("memory.max", &self.group.unlimited("memory.max"))?;
                if self.group.has("memory.swap.max") {
                    self.group.write("memory.swap.max", "max")?;
                }
                Ok(())
            }
        }
    }
}

impl InForce for Memory {
    fn measured(&mut self) -> Vec<Line> {
        let Ok(now) = Met::read(&self.group) else { return Vec::new() };
        let limit = now.limit.saturating_sub(self.before.limit);
        let kills = now.kills.saturating_sub(self.before.kills);
        let peak = match self.group.version() {
            Version::One => self.group.number("memory.max_usage_in_bytes"),
            Version::Two => self.group.number("memory.peak"),
        };
        let at_most = peak.map(|peak| format!("at most {}, ", bytes(peak))).unwrap_or_default();
        let measured = format!("{at_most}limit met {limit} times, {kills} killed");
        let verdict = if self.is_in_force() { met(limit + kills) } else { LineVerdict::Missed };
        vec![line("memory", bytes(self.asked), measured, verdict)]
    }

    fn undo(mut self: Box<Self>) -> Result<Vec<Line>, LimitError> {
        let lines = self.measured();
        self.release().map_err(|source| LimitError::Refused { what: WHAT, source })?;
        Ok(lines)
    }
}

impl Memory {
    /// Whether the kernel still has the limit; it cuts it down to whole pages.
    fn is_in_force(&self) -> bool {
        let file = match self.group.version() {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        self.group.number(file).is_ok_and(|limit| limit <= self.asked)
    }
}

impl Met {
    fn read(group: &Group) -> io::Result<Self> {
        Ok(match group.version() {
            Version::One => Self {
                limit: group.number("memory.failcnt")?,
                kills: group.count("memory.oom_control", "oom_kill")?,
            },
            Version::Two => Self {
                limit: group.count("memory.events", "max")?,
                kills: group.count("memory.events", "oom_kill")?,
            },
        })
    }
}
