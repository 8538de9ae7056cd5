//! The links between roles.

use crate::unit::stage::Stage;
use crate::unit::step::StepError;

impl Stage {
    /// Brings the conditions that are in force onto a link.
    #[expect(clippy::unused_async, clippy::unused_self, reason = "the lab has no links yet")]
    pub(super) async fn change_links(
        &self,
        from: &str,
        to: &str,
        _both: bool,
    ) -> Result<(), StepError> {
        Err(StepError::Infra(format!("the link {from} -> {to} cannot be changed yet")))
    }
}
