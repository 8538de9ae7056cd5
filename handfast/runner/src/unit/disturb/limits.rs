//! Limits on what a role's processes may use.
//!
//! Some limits end a peer: the kernel kills one that has no memory left, and one whose disk is full may rather end than go on without
//! keeping what it promised. That is what was asked for and no breakdown; the role is started again when its limit is lifted, as a
//! supervisor would.

use std::time::Duration;

use handfast_faults::account::{Line, LineVerdict};
use handfast_faults::disturbance::Limit;
use handfast_lab::{Exit, Limiting as _};
use handfast_scenario::event::{AccountLine, AccountVerdict};
use handfast_scenario::name::RoleName;
use tokio::time::timeout;

use super::act::millis;
use crate::unit::chain;
use crate::unit::stage::Stage;
use crate::unit::step::StepError;

/// How long a peer that found no space may take to end, after there is space again (measured: one that finishes its
/// open connections first takes 5 s).
const ENDS_WITHIN: Duration = Duration::from_secs(8);

/// An end of a peer to which a limit leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::unit) enum Excuse {
    /// The kernel killed it for want of memory.
    OutOfMemory,
    /// It ended by itself, in an orderly way.
    ByItself,
}

impl Excuse {
    /// The one that a limit gives. A peer that dies for want of processor, processes or descriptors has none: others wait and try again.
    fn of(limit: &Limit) -> Option<Self> {
        match limit {
            Limit::Memory { .. } => Some(Self::OutOfMemory),
            Limit::DiskFull => Some(Self::ByItself),
            Limit::Cpu { .. }
            | Limit::Processes { .. }
            | Limit::Descriptors { .. }
            | Limit::DiskSlow { .. } => None,
        }
    }

    /// Whether a peer that ended in this way has it.
    pub(in crate::unit) fn fits(self, exit: Exit) -> bool {
        match self {
            Self::OutOfMemory => exit == Exit::OutOfMemory,
            Self::ByItself => matches!(exit, Exit::Code(_)),
        }
    }
}

impl Stage {
    /// Puts a limit on a role: on what runs, and on what is started of it until the limit is lifted.
    pub(super) fn limit(&self, id: usize, role: &RoleName, limit: &Limit) -> Result<(), StepError> {
        let excuse = Excuse::of(limit);
        // Before it is in force: the end may come at once.
        if let Some(excuse) = excuse {
            self.journal().excuse(id, role, excuse);
        }
        let put_on = self.lab().limit(role.as_str(), limit);
        let in_force = put_on.map_err(|error| {
            self.journal().no_excuse(id);
            StepError::Infra(format!("{role} cannot be left {limit}: {}", chain(&error)))
        })?;
        self.disturber().state().limits.insert(id, in_force);
        Ok(())
    }

    /// Takes a limit away, and starts the role again if that was its end.
    pub(super) async fn unlimit(&self, id: usize, role: &RoleName) -> Result<(), StepError> {
        self.lift(id)?;
        let peer = self.lab().peer(role.as_str());
        if let (Some(Excuse::ByItself), Some(peer)) = (self.journal().excuse_of(id), peer) {
            // One that lasts is not waited for any longer.
            drop(timeout(ENDS_WITHIN, peer.exited()).await);
        }
        let has_excuse = self.journal().excuse_of(id).is_some();
        let keeps_down = self.disturber().hampers(role);
        if has_excuse && !keeps_down && self.is_down(role) {
            let began = self.now();
            self.start_disturbed(role).await?;
            let took = millis(self.now().saturating_sub(began));
            let line = AccountLine {
                what: "peer".to_owned(),
                asked: "started again if it ends of it".to_owned(),
                measured: format!("ended of it, ready again after {took}"),
                verdict: AccountVerdict::Held,
            };
            self.note(id, |page, _| page.lines.push(line));
        }
        // Not before: the journal hears of an end later than whoever waits for the process.
        self.journal().no_excuse(id);
        Ok(())
    }

    /// Takes a limit away and keeps what was measured of it; one that was never in force is away.
    pub(super) fn lift(&self, id: usize) -> Result<(), StepError> {
        let Some(in_force) = self.disturber().state().limits.remove(&id) else { return Ok(()) };
        let lines = in_force.undo().map_err(|error| StepError::Infra(chain(&error)))?;
        let lines: Vec<AccountLine> = lines.into_iter().map(account_line).collect();
        self.note(id, |page, _| page.lines.extend(lines));
        Ok(())
    }
}

/// A line of the lab as the record has it.
pub(super) fn account_line(line: Line) -> AccountLine {
    let verdict = match line.verdict {
        LineVerdict::Held => AccountVerdict::Held,
        LineVerdict::Missed => AccountVerdict::Missed,
        LineVerdict::TooFew => AccountVerdict::TooFew,
    };
    AccountLine { what: line.what, asked: line.asked, measured: line.measured, verdict }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_to_which_a_limit_leads_is_excused() {
        let memory = Excuse::of(&Limit::Memory { bytes: 1 }).unwrap();
        let disk = Excuse::of(&Limit::DiskFull).unwrap();
        let cases = [
            (memory, Exit::OutOfMemory, true),
            (memory, Exit::Signal(9), false),
            (memory, Exit::Code(1), false),
            (disk, Exit::Code(3), true),
            (disk, Exit::Signal(6), false),
            (disk, Exit::OutOfMemory, false),
        ];
        for (excuse, exit, expected) in cases {
            assert_eq!(excuse.fits(exit), expected, "{excuse:?} {exit}");
        }
        assert_eq!(Excuse::of(&Limit::Descriptors { most: 8 }), None);
    }
}
