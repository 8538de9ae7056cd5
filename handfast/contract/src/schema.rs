//! The shapes of the Entity contract, from `docs/contract/entity.schema.json`.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::{Value, json};

/// The document, as published.
pub const ENTITY_SCHEMA: &str = include_str!("../../../docs/contract/entity.schema.json");

/// The compiled shapes.
#[derive(Debug)]
pub struct Schema {
    methods: BTreeMap<String, Shapes>,
    events: BTreeMap<String, Validator>,
}

#[derive(Debug)]
struct Shapes {
    params: Validator,
    result: Validator,
}

/// Why a value does not have its shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The contract does not have that method or event.
    #[error("the contract has no {name}")]
    Unknown {
        /// The name.
        name: String,
    },
    /// The value breaks a rule of the shape.
    #[error("{name} at {place}: {reason}")]
    Mismatch {
        /// The method or event.
        name: String,
        /// JSON pointer to the place, `/` for the whole.
        place: String,
        /// Which rule.
        reason: String,
    },
}

impl Schema {
    /// The Entity contract.
    ///
    /// # Panics
    ///
    /// Never in a build whose tests have passed: the document is part of the program.
    pub fn entity() -> Self {
        let document: Value = serde_json::from_str(ENTITY_SCHEMA).expect("tested document");
        let names = |part: &str| {
            let part = document[part].as_object().expect("tested document");
            part.keys().cloned().collect::<Vec<_>>()
        };
        let shape = |pointer: String| {
            let schema = json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$ref": format!("#{pointer}"),
                "$defs": document["$defs"],
                "methods": document["methods"],
                "events": document["events"],
            });
            jsonschema::validator_for(&schema).expect("tested document")
        };
        let method = |name: String| {
            let params = shape(format!("/methods/{}/params", escape(&name)));
            let result = shape(format!("/methods/{}/result", escape(&name)));
            (name, Shapes { params, result })
        };
        let event = |name: String| {
            let validator = shape(format!("/events/{}", escape(&name)));
            (name, validator)
        };
        Self {
            methods: names("methods").into_iter().map(method).collect(),
            events: names("events").into_iter().map(event).collect(),
        }
    }

    /// Checks the parameters of a method.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] names the first place that is wrong.
    pub fn check_params(&self, method: &str, params: &Value) -> Result<(), ShapeError> {
        let shapes = self.methods.get(method).ok_or_else(|| unknown(method))?;
        check(method, &shapes.params, params)
    }

    /// Checks the result of a method.
    ///
    /// # Errors
    ///
    /// As [`Schema::check_params`].
    pub fn check_result(&self, method: &str, result: &Value) -> Result<(), ShapeError> {
        let shapes = self.methods.get(method).ok_or_else(|| unknown(method))?;
        check(method, &shapes.result, result)
    }

    /// Checks the parameters of an event, the counter not among them.
    ///
    /// # Errors
    ///
    /// As [`Schema::check_params`].
    pub fn check_event(&self, event: &str, params: &Value) -> Result<(), ShapeError> {
        let validator = self.events.get(event).ok_or_else(|| unknown(event))?;
        check(event, validator, params)
    }

    /// The methods of the contract.
    pub fn methods(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().map(String::as_str)
    }

    /// The events of the contract.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.events.keys().map(String::as_str)
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unknown(name: &str) -> ShapeError {
    ShapeError::Unknown { name: name.to_owned() }
}

fn check(name: &str, validator: &Validator, value: &Value) -> Result<(), ShapeError> {
    match validator.iter_errors(value).next() {
        None => Ok(()),
        Some(error) => {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "/".to_owned() } else { place };
            Err(ShapeError::Mismatch { name: name.to_owned(), place, reason: error.to_string() })
        }
    }
}

#[cfg(test)]
mod tests;
