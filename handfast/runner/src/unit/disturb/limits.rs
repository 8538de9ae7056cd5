//! Limits on what a role's processes may use.

use handfast_faults::disturbance::Limit;
use handfast_scenario::name::RoleName;

use crate::unit::stage::Stage;
use crate::unit::step::StepError;

impl Stage {
    /// Puts a limit on a role.
    #[expect(clippy::unused_self, reason = "the lab cannot limit yet")]
    pub(super) fn limit(&self, _: usize, role: &RoleName, limit: &Limit) -> Result<(), StepError> {
        Err(StepError::Infra(format!("{role} cannot be left {limit}: not carried out yet")))
    }

    /// Takes a limit away.
    pub(super) async fn unlimit(&self, id: usize, _: &RoleName) -> Result<(), StepError> {
        self.lift(id)
    }

    /// Takes a limit away without more.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "none is ever in force yet")]
    pub(super) fn lift(&self, _: usize) -> Result<(), StepError> {
        Ok(())
    }
}
