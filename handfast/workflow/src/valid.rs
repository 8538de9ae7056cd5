//! What both services' schemas, and we ourselves, have to say of a file.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::generate::Service;
use crate::{pins, yaml};

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// It is no YAML.
    #[error("it is no YAML: {0}")]
    Yaml(String),
    /// The service would not take it: where, and why; the first of these.
    #[error("{place}: {message}")]
    Schema {
        /// A path into the document, such as `/jobs/e2e/steps/3`.
        place: String,
        /// What is wrong there.
        message: String,
    },
}

/// Most complaints about one file; nobody reads more.
const COMPLAINTS_MAX: usize = 10;

/// Reads a file and holds it against the schema of its service.
///
/// # Errors
///
/// The first `COMPLAINTS_MAX` things that are wrong.
pub fn valid(service: Service, text: &str) -> Result<Value, Vec<Invalid>> {
    let document = yaml::read(text).map_err(|error| vec![Invalid::Yaml(error)])?;
    let schema = match service {
        Service::GitHub => include_str!("../schema/github-workflow.json"),
        Service::GitLab => include_str!("../schema/gitlab-ci.json"),
    };
    let unreadable =
        |message: String| vec![Invalid::Schema { place: "the schema".to_owned(), message }];
    let schema: Value =
        serde_json::from_str(schema).map_err(|error| unreadable(error.to_string()))?;
    let validator =
        jsonschema::validator_for(&schema).map_err(|error| unreadable(error.to_string()))?;
    let complaint = |error: jsonschema::ValidationError<'_>| Invalid::Schema {
        place: error.instance_path().to_string(),
        message: format!("{error:.200}"),
    };
    let complaints: Vec<Invalid> =
        validator.iter_errors(&document).take(COMPLAINTS_MAX).map(complaint).collect();
    if complaints.is_empty() { Ok(document) } else { Err(complaints) }
}

/// What is odd about the actions that a workflow uses, a sentence each.
pub fn oddities(workflow: &Value) -> BTreeSet<String> {
    let jobs = workflow["jobs"].as_object();
    let jobs = jobs.into_iter().flat_map(serde_json::Map::values);
    let used = jobs.flat_map(|job| {
        let steps = job["steps"].as_array();
        steps.into_iter().flatten().map(|step| &step["uses"]).chain([&job["uses"]])
    });
    used.filter_map(Value::as_str).filter_map(pins::oddity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &str = "runs-on: x\n    steps:\n      - uses: ";

    fn workflow(job: &str) -> String {
        format!("on: push\njobs:\n  a:\n    {job}\n")
    }

    #[test]
    fn what_a_service_would_refuse_is_refused_here() {
        let refused = |text: &str| valid(Service::GitHub, text).unwrap_err()[0].to_string();
        assert!(refused("a: [").contains("no YAML"));
        assert!(refused("on: push\n").contains("jobs"));
        assert!(refused(&workflow("timeout: 5")).contains("/jobs/a"));
        assert!(refused("on: push\njobs:\n  a: 1\n  a: 2\n").contains("duplicate"));
        assert!(valid(Service::GitLab, "a:\n  script: 7\n").is_err());
        assert!(valid(Service::GitLab, "a:\n  script: b\n").is_ok());
    }

    #[test]
    fn odd_actions_of_a_workflow_are_named() {
        let text = workflow(&format!("{STEPS}actions/checkout@v7"));
        let document = valid(Service::GitHub, &text).unwrap();
        let odd: Vec<String> = oddities(&document).into_iter().collect();
        assert_eq!(odd.len(), 1);
        assert!(odd[0].contains("actions/checkout@v7 is not pinned"));
    }
}
