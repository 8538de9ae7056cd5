//! `event`: waits for a notification.

use std::fmt::Write as _;

use handfast_scenario::Bindings;
use handfast_scenario::expectation::includes;
use handfast_scenario::name::{EventName, RoleName};
use handfast_scenario::step::AwaitEvent;
use serde_json::Value;

use super::call::save;
use super::{StepError, StepResult};
use crate::unit::stage::{Stage, deadline_text};

impl Stage {
    /// Requires that each role announces the event: waiting for a name that nobody says, or forbidding it, proves nothing.
    pub(super) fn announced(&self, event: &EventName, on: &[RoleName]) -> StepResult {
        let peers = self.peers();
        for role in on {
            let Some(peer) = peers.get(role) else { continue };
            let events = &peer.initialized().events;
            if !events.contains(event.as_str()) {
                let known: Vec<&str> = events.iter().map(String::as_str).collect();
                return Err(StepError::Infra(format!(
                    "{role} does not announce the event `{event}`; it announces {}",
                    known.join(", ")
                )));
            }
        }
        Ok(())
    }

    pub(super) async fn await_event(
        &self,
        event: &AwaitEvent,
        bindings: &mut Bindings,
    ) -> StepResult {
        let condition =
            event.condition.as_ref().map(|condition| condition.resolve(bindings)).transpose()?;
        let claims = async {
            let mut first = None;
            for role in &event.on {
                let fits = |name: &str, params: &Value| {
                    name == event.event.as_str()
                        && condition.as_ref().is_none_or(|condition| includes(params, condition))
                };
                let params = self.journal().claim(role, fits).await;
                first.get_or_insert(params);
            }
            first
        };
        match tokio::time::timeout(event.within, claims).await {
            Ok(Some(params)) => save(&event.save, &params, bindings),
            Ok(None) => Ok(()),
            Err(_) => Err(StepError::Failed(self.missing(event, condition.as_ref()))),
        }
    }

    /// What was expected, and what came instead.
    fn missing(&self, event: &AwaitEvent, condition: Option<&Value>) -> String {
        let like = condition.map(|condition| format!(" like {condition}")).unwrap_or_default();
        let within = deadline_text(event.within);
        let roles: Vec<&str> = event.on.iter().map(RoleName::as_str).collect();
        let mut text =
            format!("expected {}{like} from {} within {within}", event.event, roles.join(", "));
        for role in &event.on {
            let same = |name: &str, _: &Value| name == event.event.as_str();
            match self.journal().notice_since(role, 0, same) {
                Some(params) => write!(text, "\n{role} said {} {params}", event.event),
                None => write!(text, "\n{role} never said {}", event.event),
            }
            // Writing to a text cannot fail.
            .unwrap_or_default();
        }
        text
    }
}
