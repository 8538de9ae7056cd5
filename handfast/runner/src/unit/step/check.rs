//! `check`: asks oracles about the history so far.

use handfast_scenario::Bindings;
use handfast_scenario::event::Outcome;
use handfast_scenario::step::OracleCall;

use super::{StepError, StepResult};
use crate::unit::stage::Stage;

impl Stage {
    /// Asks every oracle, also after one has failed: each is a finding of its own.
    pub(super) async fn check(
        &self,
        oracles: &[OracleCall],
        bindings: &mut Bindings,
    ) -> StepResult {
        self.hear_all_out().await;
        let events = self.journal().events();
        let mut failures = Vec::new();
        for oracle in oracles {
            let params = oracle.params.resolve(bindings)?;
            let outcome = handfast_oracle::judge(&oracle.name, &params, &events)
                .map_err(|error| StepError::Infra(error.to_string()))?;
            if let Outcome::Failed { reason } = &outcome {
                failures.push(format!("{}: {reason}", oracle.name));
            }
            self.journal().say_check(&oracle.name, outcome);
        }
        if failures.is_empty() { Ok(()) } else { Err(StepError::Failed(failures.join("\n"))) }
    }
}
