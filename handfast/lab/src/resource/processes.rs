//! Processes and threads: a further one is refused with `EAGAIN`. The kernel counts both alike.
//!
//! Not by `RLIMIT_NPROC`: that counts what a user has on the whole machine, and does not hold for root.

use std::io;

use handfast_faults::account::Line;

use super::groups::Group;
use super::line::{line, met};
use super::{InForce, LimitError};

const WHAT: &str = "processes";

/// A limit that is in force.
#[derive(Debug)]
pub(super) struct Processes {
    group: Group,
    most: u64,
    before: u64,
}

impl Processes {
    /// Puts it on; what runs already stays, also where it is more.
    pub(super) fn apply(group: Group, most: u64) -> io::Result<Self> {
        let before = group.count("pids.events", "max")?;
        group.write("pids.max", &most.to_string())?;
        Ok(Self { group, most, before })
    }
}

impl InForce for Processes {
    fn measured(&mut self) -> Vec<Line> {
        let Ok(now) = self.group.count("pids.events", "max") else { return Vec::new() };
        let refused = now.saturating_sub(self.before);
        let running = self.group.number("pids.current").unwrap_or_default();
        let measured = format!("{refused} refused, {running} run");
        let asked = format!("{} with threads", self.most);
        vec![line("processes", asked, measured, met(refused))]
    }

    fn undo(mut self: Box<Self>) -> Result<Vec<Line>, LimitError> {
        let lines = self.measured();
        let undone = self.group.write("pids.max", &self.group.unlimited("pids.max"));
        undone.map_err(|source| LimitError::Refused { what: WHAT, source })?;
        Ok(lines)
    }
}
