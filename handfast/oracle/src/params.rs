//! The parameters of an oracle.

use std::time::Duration;

use handfast_scenario::duration;
use serde_json::{Map, Value};

use crate::OracleError;

/// A table of parameters of the oracle `name`.
pub(crate) struct Params<'a> {
    name: &'a str,
    table: Option<&'a Map<String, Value>>,
}

impl<'a> Params<'a> {
    pub(crate) fn new(name: &'a str, value: &'a Value) -> Result<Self, OracleError> {
        match value {
            Value::Null => Ok(Self { name, table: None }),
            Value::Object(table) => Ok(Self { name, table: Some(table) }),
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(problem(name, "takes a table of parameters".to_owned()))
            }
        }
    }

    /// Refuses parameters other than these, so that a slip of the pen is not a weaker check.
    pub(crate) fn only(&self, known: &[&str]) -> Result<(), OracleError> {
        let mut keys = self.table.iter().flat_map(|table| table.keys());
        match keys.find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(self.problem(format!("does not know {key}"))),
            None => Ok(()),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, OracleError> {
        let wrong = || self.problem(format!("needs {key} = [\"..\"], a list of texts"));
        let list = self.get(key).and_then(Value::as_array).ok_or_else(wrong)?;
        let texts: Option<Vec<String>> =
            list.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        texts.filter(|texts| !texts.is_empty()).ok_or_else(wrong)
    }

    /// The same, where it may be left out.
    pub(crate) fn optional_texts(&self, key: &str) -> Result<Option<Vec<String>>, OracleError> {
        self.get(key).map(|_| self.texts(key)).transpose()
    }

    /// A text that may be left out.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, OracleError> {
        let wrong = || self.problem(format!("needs {key} = \"..\", a text"));
        self.get(key).map(|value| value.as_str().ok_or_else(wrong)).transpose()
    }

    /// A table with at least one field.
    pub(crate) fn filled_table(&self, key: &str) -> Result<&'a Value, OracleError> {
        let table = self.get(key);
        table
            .filter(|value| value.as_object().is_some_and(|fields| !fields.is_empty()))
            .ok_or_else(|| self.problem(format!("needs {key} = {{ .. }}, a table of fields")))
    }

    /// The same, where it may be left out.
    pub(crate) fn optional_table(&self, key: &str) -> Result<Option<&'a Value>, OracleError> {
        self.get(key).map(|_| self.filled_table(key)).transpose()
    }

    /// A number from 1 that may be left out.
    pub(crate) fn count(&self, key: &str) -> Result<Option<usize>, OracleError> {
        let wrong = || self.problem(format!("needs {key} = .., a number from 1"));
        let Some(value) = self.get(key) else { return Ok(None) };
        let count = value.as_u64().filter(|count| *count > 0);
        count.and_then(|count| usize::try_from(count).ok()).map(Some).ok_or_else(wrong)
    }

    /// A list of durations; empty where it is left out.
    pub(crate) fn durations(&self, key: &str) -> Result<Vec<Duration>, OracleError> {
        if self.get(key).is_none() {
            return Ok(Vec::new());
        }
        let texts = self.texts(key)?;
        let durations: Result<Vec<_>, _> = texts.iter().map(|text| duration::parse(text)).collect();
        durations.map_err(|error| self.problem(format!("cannot read {key}: {error}")))
    }

    pub(crate) fn duration(&self, key: &str) -> Result<Duration, OracleError> {
        let text = self.get(key).and_then(Value::as_str);
        let text =
            text.ok_or_else(|| self.problem(format!("needs {key} = \"..\", such as \"500ms\"")))?;
        duration::parse(text).map_err(|error| self.problem(format!("cannot read {key}: {error}")))
    }

    /// A number of bytes with its unit, such as `2KiB`.
    pub(crate) fn size(&self, key: &str) -> Result<u64, OracleError> {
        let wrong = || self.problem(format!("needs {key} = \"..\", a size such as \"2KiB\""));
        let text = self.get(key).and_then(Value::as_str).ok_or_else(wrong)?;
        let units = [("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
        let parts = units.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
        let (number, bytes) = parts.ok_or_else(wrong)?;
        let number = number.trim().parse::<u64>().ok().filter(|number| *number > 0);
        number.and_then(|number| number.checked_mul(*bytes)).ok_or_else(wrong)
    }

    /// A duration that may be left out.
    pub(crate) fn optional_duration(&self, key: &str) -> Result<Option<Duration>, OracleError> {
        self.get(key).map(|_| self.duration(key)).transpose()
    }

    /// True or false; false where it is left out.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, OracleError> {
        let wrong = || self.problem(format!("needs {key} = true or false"));
        self.get(key).map_or(Ok(false), |value| value.as_bool().ok_or_else(wrong))
    }

    pub(crate) fn problem(&self, problem: impl Into<String>) -> OracleError {
        OracleError::Params { name: self.name.to_owned(), problem: problem.into() }
    }

    fn get(&self, key: &str) -> Option<&'a Value> {
        self.table.and_then(|table| table.get(key))
    }
}

fn problem(name: &str, problem: String) -> OracleError {
    OracleError::Params { name: name.to_owned(), problem }
}
