//! What a peer says of itself when it is ready.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::CONTRACT_VERSION;

/// The result of `initialize`, which is also the peer's readiness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initialized {
    /// Version of the contract; has to be [`CONTRACT_VERSION`].
    pub contract: String,
    /// The name under which the peer knows itself: `HANDFAST_NAME`.
    pub name: String,
    /// The program's own version.
    pub version: String,
    /// The protocol versions that it speaks as configured.
    pub protocol_versions: Vec<String>,
    /// The methods that it offers, `initialize` and `shutdown` included or not.
    pub methods: BTreeSet<String>,
    /// The notifications that it may send.
    #[serde(default)]
    pub events: BTreeSet<String>,
    /// Where it listens, by layer: `{"http": "http://127.0.0.1:41234"}`.
    pub addresses: BTreeMap<String, String>,
    /// Its public keys, by algorithm: `{"ed25519": "<64 hex digits>"}`.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
}

/// Why an answer to `initialize` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InitializeError {
    /// It does not have the shape.
    #[error("the result of initialize does not have its shape: {0}")]
    Shape(#[source] serde_json::Error),
    /// The peer speaks another contract.
    #[error("the peer speaks contract {found}, this handfast speaks {CONTRACT_VERSION}")]
    Contract {
        /// The version it names.
        found: String,
    },
}

impl Initialized {
    /// The method and parameters that lead to it.
    pub fn request() -> (&'static str, Value) {
        ("initialize", json!({"contract": CONTRACT_VERSION}))
    }

    /// Reads the result of `initialize`.
    ///
    /// # Errors
    ///
    /// [`InitializeError`]; nothing further may be asked of the peer.
    pub fn from_result(result: &Value) -> Result<Self, InitializeError> {
        let initialized = Self::deserialize(result).map_err(InitializeError::Shape)?;
        if initialized.contract != CONTRACT_VERSION {
            return Err(InitializeError::Contract { found: initialized.contract });
        }
        Ok(initialized)
    }

    /// Whether the peer offers a method. The three every peer has are offered unsaid.
    pub fn offers(&self, method: &str) -> bool {
        ["initialize", "shutdown", "$/cancel"].contains(&method) || self.methods.contains(method)
    }

    /// The address of its first layer, by the layer's name; where there is one layer, that one.
    pub fn address(&self) -> Option<&str> {
        self.addresses.get("http").or_else(|| self.addresses.values().next()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Value {
        json!({
            "contract": "1", "name": "a", "version": "0.1.0", "protocol_versions": ["1.1"],
            "methods": ["session.open"], "addresses": {"http": "http://127.0.0.1:1"}, "more": 1
        })
    }

    #[test]
    fn what_a_later_contract_adds_is_ignored() {
        let initialized = Initialized::from_result(&answer()).unwrap();
        assert!(initialized.offers("session.open") && initialized.offers("shutdown"));
        assert!(!initialized.offers("dht.put"));
        assert_eq!(initialized.address(), Some("http://127.0.0.1:1"));
    }

    #[track_caller]
    fn check_refused(change: impl FnOnce(&mut Value), expected: &str) {
        let mut result = answer();
        change(&mut result);
        assert_eq!(Initialized::from_result(&result).unwrap_err().to_string(), expected);
    }

    #[test]
    fn another_contract_is_refused() {
        check_refused(
            |answer| answer["contract"] = json!("2"),
            "the peer speaks contract 2, this handfast speaks 1",
        );
    }

    #[test]
    fn a_missing_field_is_named() {
        check_refused(
            |answer| answer["addresses"] = json!("x"),
            "the result of initialize does not have its shape: invalid type: string \"x\", expected a map",
        );
    }
}
