//! Limits on what a role's processes may use.

use handfast_faults::account::{Line, LineVerdict};
use handfast_faults::disturbance::Limit;
use handfast_lab::Limiting as _;
use handfast_scenario::event::{AccountLine, AccountVerdict};
use handfast_scenario::name::RoleName;

use crate::unit::chain;
use crate::unit::stage::Stage;
use crate::unit::step::StepError;

impl Stage {
    /// Puts a limit on a role: on what runs, and on what is started of it until the limit is lifted.
    pub(super) fn limit(&self, id: usize, role: &RoleName, limit: &Limit) -> Result<(), StepError> {
        let put_on = self.lab().limit(role.as_str(), limit);
        let in_force = put_on.map_err(|error| {
            StepError::Infra(format!("{role} cannot be left {limit}: {}", chain(&error)))
        })?;
        self.disturber().state().limits.insert(id, in_force);
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

fn account_line(line: Line) -> AccountLine {
    let verdict = match line.verdict {
        LineVerdict::Held => AccountVerdict::Held,
        LineVerdict::Missed => AccountVerdict::Missed,
        LineVerdict::TooFew => AccountVerdict::TooFew,
    };
    AccountLine { what: line.what, asked: line.asked, measured: line.measured, verdict }
}
