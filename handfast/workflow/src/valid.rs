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
    /// A job waits for one that is not there. The service would refuse the whole file.
    #[error("the job {job} needs the job {needed}, which is not there")]
    Needs {
        /// Who waits.
        job: String,
        /// For whom.
        needed: String,
    },
}

/// Most complaints about one file; nobody reads more.
const COMPLAINTS_MAX: usize = 10;

/// Reads a file and holds it against the schema of its service; every job that another one needs has to be there.
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
    let complaints = if complaints.is_empty() { dangling(service, &document) } else { complaints };
    if complaints.is_empty() { Ok(document) } else { Err(complaints) }
}

/// The needs of jobs that nobody can meet.
fn dangling(service: Service, document: &Value) -> Vec<Invalid> {
    let jobs = match service {
        Service::GitHub => &document["jobs"],
        // Another file may have the job.
        Service::GitLab if !document["include"].is_null() => return Vec::new(),
        Service::GitLab => document,
    };
    let is_there = |name: &str| {
        let is_hidden = service == Service::GitLab && name.starts_with('.');
        !is_hidden && jobs.get(name).is_some_and(Value::is_object)
    };
    let mut complaints = Vec::new();
    for (job, fields) in jobs.as_object().into_iter().flatten() {
        let needed = needed(&fields["needs"]).into_iter().filter(|needed| !is_there(needed));
        let complaint =
            |needed: &str| Invalid::Needs { job: job.clone(), needed: needed.to_owned() };
        complaints.extend(needed.map(complaint));
    }
    complaints.truncate(COMPLAINTS_MAX);
    complaints
}

/// The jobs of the same file that have to be there.
fn needed(needs: &Value) -> Vec<&str> {
    let entries = match needs {
        Value::Array(entries) => entries.as_slice(),
        Value::String(_) | Value::Object(_) => std::slice::from_ref(needs),
        Value::Null | Value::Bool(_) | Value::Number(_) => &[],
    };
    let elsewhere = |need: &&Value| {
        need["optional"] == true || !need["pipeline"].is_null() || !need["project"].is_null()
    };
    let named = entries.iter().filter(|need| !elsewhere(need));
    named.filter_map(|need| need.as_str().or_else(|| need["job"].as_str())).collect()
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
    fn a_job_that_needs_one_that_is_not_there_is_refused() {
        let refused = |service, text: &str| valid(service, text).unwrap_err()[0].to_string();
        for needs in ["b", "[a, b]"] {
            let text = workflow(&format!("needs: {needs}\n    {STEPS}x/y@z"));
            let told = refused(Service::GitHub, &text);
            assert_eq!(told, "the job a needs the job b, which is not there");
            assert!(
                valid(
                    Service::GitHub,
                    &text.replace(
                        "jobs:",
                        "jobs:\n  b:\n    runs-on: x\n    steps:\n      - run: echo"
                    )
                )
                .is_ok()
            );
        }
        let job = |needs: &str| format!("a:\n  script: b\n  needs: [{needs}]\n");
        for needs in ["b", "{job: b}", "{job: b, optional: false}", ".c"] {
            let text = format!(".c: {{script: c}}\n{}", job(needs));
            assert!(refused(Service::GitLab, &text).contains("the job a needs the job"), "{needs}");
            assert!(valid(Service::GitLab, &format!("include: x.yml\n{text}")).is_ok());
        }
        for needs in [
            "",
            "{job: b, optional: true}",
            "{pipeline: $UP, job: b}",
            "{project: x/y, ref: m, job: b, artifacts: true}",
        ] {
            let document = valid(Service::GitLab, &job(needs));
            assert!(document.is_ok(), "{needs}: {document:?}");
        }
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
