//! `check`: asks oracles about the history so far.

use handfast_lab::Usage;
use handfast_oracle::spelling::Spellings;
use handfast_scenario::event::{Outcome, SearchPlace};
use handfast_scenario::name::RoleName;
use handfast_scenario::step::OracleCall;
use handfast_scenario::{Bindings, RunEvent};
use serde_json::Value;

use super::{StepError, StepResult};
use crate::unit::search;
use crate::unit::stage::Stage;

impl Stage {
    /// Asks every oracle, also after one has failed: each is a finding of its own.
    pub(super) async fn check(
        &self,
        oracles: &[OracleCall],
        bindings: &mut Bindings,
    ) -> StepResult {
        self.hear_all_out().await;
        let mut failures = Vec::new();
        for oracle in oracles {
            let params = oracle.params.resolve(bindings)?;
            self.search(&params)?;
            let events = self.journal().events();
            let outcome = handfast_oracle::judge(&oracle.name, &params, &events)
                .map_err(|error| StepError::Infra(error.to_string()))?;
            if let Outcome::Failed { reason } = &outcome {
                failures.push(format!("{}: {reason}", oracle.name));
            }
            self.journal().say_check(&oracle.name, outcome);
        }
        if failures.is_empty() { Ok(()) } else { Err(StepError::Failed(failures.join("\n"))) }
    }

    /// Measures what the processes of roles hold, for oracles that ask what has become of it.
    pub(super) fn measure(&self, roles: &[RoleName]) -> StepResult {
        for role in roles {
            let peer = self.lab().peer(role.as_str()).filter(|peer| peer.exit().is_none());
            let Some(peer) = peer else {
                return Err(StepError::Infra(format!(
                    "{role} does not run, and cannot be measured"
                )));
            };
            let usage = Usage::of(peer.pid()).map_err(|error| {
                StepError::Infra(format!("the processes of {role} cannot be measured: {error}"))
            })?;
            self.journal().say(RunEvent::Measured {
                unit: self.journal().unit().clone(),
                role: role.clone(),
                descriptors: usage.descriptors,
                memory_bytes: usage.memory_bytes,
            });
        }
        Ok(())
    }

    /// Looks through logs and folders of all roles, where an oracle asks what they have of its markers: an oracle sees
    /// events alone.
    fn search(&self, params: &Value) -> StepResult {
        let wanted = [("logs", SearchPlace::Log), ("stores", SearchPlace::Files)];
        let markers = params["markers"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (_, place) in wanted.iter().filter(|(key, _)| params[*key] == true) {
            for marker in markers.iter().filter_map(Value::as_str) {
                let spellings = Spellings::new(marker);
                for (role, peer) in self.peers() {
                    let (count, found) = match place {
                        SearchPlace::Log => search::log(&peer.log(), &spellings),
                        SearchPlace::Files => {
                            let folder =
                                self.lab().folder(role.as_str()).unwrap_or(self.lab().dir());
                            search::files(folder, &spellings).map_err(|error| {
                                StepError::Infra(format!("search the folder of {role}: {error}"))
                            })?
                        }
                    };
                    self.journal().say(RunEvent::Searched {
                        unit: self.journal().unit().clone(),
                        role,
                        place: *place,
                        marker: marker.to_owned(),
                        count,
                        found,
                    });
                }
            }
        }
        Ok(())
    }
}
