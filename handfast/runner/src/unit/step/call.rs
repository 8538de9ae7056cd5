//! `call`: asks a role for something.

use std::collections::BTreeMap;

use handfast_contract::RpcError;
use handfast_lab::CallError;
use handfast_scenario::Bindings;
use handfast_scenario::expectation::difference;
use handfast_scenario::step::{Call, Expected};
use handfast_scenario::template::{Path, Template};
use serde_json::{Value, json};

use super::{StepError, StepResult};
use crate::unit::stage::{Stage, deadline_text};

impl Stage {
    pub(super) async fn ask(&self, call: &Call, bindings: &mut Bindings) -> StepResult {
        let params = call.params.resolve(bindings)?;
        let answer = self.call(&call.role, &call.method, params, call.within).await;
        match &call.outcome {
            Expected::Ok { returns } => {
                let result = answer.map_err(|error| unexpected(call, &error))?;
                includes("the result", &result, returns.as_ref(), bindings)?;
                save(&call.save, &result, bindings)
            }
            Expected::Refused { like } => match answer {
                Ok(result) => {
                    Err(StepError::Failed(format!("expected a refusal, it was done: {result}")))
                }
                Err(CallError::Refused(error)) => {
                    includes("the refusal", &refusal(&error), like.as_ref(), bindings)
                }
                Err(error) => {
                    Err(StepError::of_call(&call.role, &call.method, &error, "expected a refusal"))
                }
            },
            Expected::Unknown => match answer {
                Ok(result) => save(&call.save, &result, bindings),
                Err(error @ (CallError::Unsupported { .. } | CallError::Denied { .. })) => {
                    Err(unexpected(call, &error))
                }
                Err(_) => Ok(()),
            },
        }
    }
}

fn unexpected(call: &Call, error: &CallError) -> StepError {
    let context = if matches!(error, CallError::TimedOut { .. }) {
        format!("expected an answer within {}", deadline_text(call.within))
    } else {
        format!("expected {} to do {}", call.role, call.method)
    };
    StepError::of_call(&call.role, &call.method, error, &context)
}

/// What a scenario compares a refusal with.
fn refusal(error: &RpcError) -> Value {
    let (code, status, detail) = match error.refusal() {
        Some(refusal) => (Some(refusal.code), refusal.status, refusal.detail),
        None => (None, None, None),
    };
    json!({ "code": code, "status": status, "detail": detail, "message": error.message })
}

/// Whether a value includes what the scenario says, and if not, where it differs.
pub(super) fn includes(
    what: &str,
    value: &Value,
    like: Option<&Template>,
    bindings: &mut Bindings,
) -> StepResult {
    let Some(like) = like else { return Ok(()) };
    let like = like.resolve(bindings)?;
    match difference(value, &like) {
        None => Ok(()),
        Some(difference) => Err(StepError::Failed(format!(
            "expected {what} to include {like}\n{difference}\nit was {value}"
        ))),
    }
}

/// Binds the named parts of a value.
pub(super) fn save(
    names: &BTreeMap<String, Path>,
    value: &Value,
    bindings: &mut Bindings,
) -> StepResult {
    for (name, path) in names {
        let path = path.resolve(bindings)?;
        let Some(part) = path.find(value) else {
            return Err(StepError::Failed(format!(
                "expected {path} in the result, it was {value}"
            )));
        };
        bindings.set(name.clone(), part.clone());
    }
    Ok(())
}
