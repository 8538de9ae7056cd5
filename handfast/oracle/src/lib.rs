//! Oracles: checks over the whole recorded history of a unit.
//!
//! Each is a pure function of [`Recorded`] events and its parameters. An oracle that says that
//! something did *not* happen also demands proof that it could have: without a captured message,
//! "no plaintext on the wire" is a failure, not a pass.
//!
//! Reading order: [`history`] is what all of them look at; then one file an oracle. A new oracle is a
//! file with a `check` function and a row in the table of [`judge`].

pub mod history;
pub mod spelling;

mod bank;
mod books;
mod calls;
mod descriptors_steady;
mod exactly_once;
mod frames;
mod in_time;
mod linear;
mod memory_per_message;
mod no_lost_write;
mod no_nonce_reuse;
mod no_plaintext;
mod no_server_error;
mod on_the_wire;
mod one_session_id;
mod order;
mod params;
mod ready;
mod recovery;
mod refusals_logged;
mod refused_never_delivered;
mod tasks_once;
mod tokens_conserved;
mod untouched;
mod usage;
mod wire_signed;

use std::collections::BTreeSet;

use handfast_scenario::Recorded;
use handfast_scenario::event::Outcome;
use serde_json::Value;

use crate::history::History;
use crate::params::Params;

/// Why an oracle could not be asked: the scenario is wrong, not the product.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OracleError {
    /// No oracle has this name.
    #[error("there is no oracle {name}; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// All names.
        known: String,
    },
    /// A parameter is missing, unknown or of the wrong kind.
    #[error("the oracle {name} {problem}")]
    Params {
        /// The oracle.
        name: String,
        /// What is wrong, such as `needs markers = [..]`.
        problem: String,
    },
}

type Check = fn(&History<'_>, &Params<'_>) -> Result<Finding, OracleError>;

/// What a check says: `Err` holds the reason.
type Finding = Result<(), String>;

/// All oracles.
const ORACLES: [(&str, Check); 21] = [
    ("bank", bank::check),
    ("descriptors-steady", descriptors_steady::check),
    ("exactly-once", exactly_once::check),
    ("in-time", in_time::check),
    ("linearizable", linear::check),
    ("memory-per-message", memory_per_message::check),
    ("no-lost-write", no_lost_write::check),
    ("no-nonce-reuse", no_nonce_reuse::check),
    ("no-plaintext", no_plaintext::check),
    ("no-server-error", no_server_error::check),
    ("on-the-wire", on_the_wire::check),
    ("one-session-id", one_session_id::check),
    ("order", order::check),
    ("ready", ready::check),
    ("recovery", recovery::check),
    ("refusals-logged", refusals_logged::check),
    ("refused-never-delivered", refused_never_delivered::check),
    ("tasks-once", tasks_once::check),
    ("tokens-conserved", tokens_conserved::check),
    ("untouched", untouched::check),
    ("wire-signed", wire_signed::check),
];

/// The names that a scenario's `check` may use.
pub fn names() -> BTreeSet<String> {
    ORACLES.iter().map(|(name, _)| (*name).to_owned()).collect()
}

/// Asks the oracle `name` about the events of one unit.
///
/// `params` is a table, or `null` for none.
///
/// # Errors
///
/// [`OracleError`] if there is no such oracle or it cannot be asked like this.
pub fn judge(name: &str, params: &Value, events: &[Recorded]) -> Result<Outcome, OracleError> {
    let Some((name, check)) = ORACLES.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = ORACLES.iter().map(|(known, _)| *known).collect();
        return Err(OracleError::Unknown { name: name.to_owned(), known: known.join(", ") });
    };
    let params = Params::new(name, params)?;
    let finding = check(&History::new(events), &params)?;
    Ok(match finding {
        Ok(()) => Outcome::Passed,
        Err(reason) => Outcome::Failed { reason },
    })
}

#[cfg(test)]
mod story;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_unknown_oracle_names_the_known_ones() {
        let error = judge("no-such", &Value::Null, &[]).unwrap_err();
        assert!(error.to_string().contains("no-plaintext"), "{error}");
    }

    #[test]
    fn an_unknown_parameter_is_refused() {
        let error = judge("order", &json!({ "form": "a" }), &[]).unwrap_err();
        assert_eq!(error.to_string(), "the oracle order does not know form");
    }

    /// A check that passes over nothing would pass over everything that was missed.
    #[test]
    fn no_oracle_passes_over_an_empty_history() {
        for name in names() {
            let params = match name.as_str() {
                "no-plaintext" => json!({ "markers": ["a-secret-text"] }),
                "on-the-wire" => json!({ "has": { "version": "1.1" } }),
                "memory-per-message" => json!({ "at_most": "2KiB" }),
                "untouched" => json!({ "from": "a", "via": "r", "to": "b" }),
                "in-time" | "ready" | "recovery" => json!({ "at_most": "500ms" }),
                _ => Value::Null,
            };
            let outcome = judge(&name, &params, &[]).unwrap();
            assert!(matches!(outcome, Outcome::Failed { .. }), "{name} passed");
        }
    }
}
