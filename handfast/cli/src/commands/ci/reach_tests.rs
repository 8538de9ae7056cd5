//! Every scenario, cell and suite of this repository runs in the workflow that is committed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use handfast_workflow::Service;
use handfast_workflow::calls::{Call, Occasion, calls};
use handfast_workflow::yaml;
use serde_json::Value;

use super::super::setting;
use super::*;

fn repository() -> Loaded {
    Loaded::find(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap()
}

fn committed(loaded: &Loaded, service: Service) -> Value {
    let ci = loaded.project.ci.as_ref().unwrap();
    let file = match service {
        Service::GitHub => ci.workflow.clone(),
        Service::GitLab => ci.gitlab.clone().unwrap(),
    };
    yaml::read(&fs::read_to_string(loaded.root.join(file)).unwrap()).unwrap()
}

/// What of the project no job of the file runs, on a day and in a full regression.
fn missing(loaded: &Loaded, service: Service, file: &Value) -> [BTreeSet<Item>; 2] {
    [Occasion::Daily, Occasion::Full].map(|on| {
        let calls = calls(&setting(loaded).unwrap(), service, file, on);
        let reached = reached(loaded, &calls);
        let everything = everything(loaded, on == Occasion::Full).unwrap();
        everything.difference(&reached).cloned().collect()
    })
}

/// The jobs that run something of the project.
fn runners(loaded: &Loaded, service: Service, file: &Value) -> BTreeSet<String> {
    let all = calls(&setting(loaded).unwrap(), service, file, Occasion::Daily);
    let runs = |call: &&Call| matches!(call.words[0].as_str(), "run" | "matrix");
    all.iter().filter(runs).map(|call| call.job.clone()).collect()
}

fn jobs(service: Service, file: &mut Value) -> &mut serde_json::Map<String, Value> {
    match service {
        Service::GitHub => file["jobs"].as_object_mut().unwrap(),
        Service::GitLab => file.as_object_mut().unwrap(),
    }
}

const BOTH: [Service; 2] = [Service::GitHub, Service::GitLab];

#[test]
fn every_scenario_every_cell_and_every_suite_runs() {
    let loaded = repository();
    let everything = everything(&loaded, true).unwrap();
    let count = |is: fn(&Item) -> bool| everything.iter().filter(|item| is(item)).count();
    assert_eq!(count(|item| matches!(item, Item::Scenario(_))), loaded.scenarios.len());
    assert!(loaded.scenarios.len() > 100 && count(|item| matches!(item, Item::Cell(_))) > 300);
    assert_eq!(count(|item| matches!(item, Item::Suite(_))), loaded.project.suites.len());
    for service in BOTH {
        let file = committed(&loaded, service);
        assert_eq!(missing(&loaded, service, &file), [BTreeSet::new(), BTreeSet::new()]);
    }
}

#[test]
fn a_job_that_is_taken_out_is_missed() {
    let loaded = repository();
    for service in BOTH {
        let file = committed(&loaded, service);
        let runners = runners(&loaded, service, &file);
        assert!(runners.len() >= 9, "{runners:?}");
        for job in runners {
            let mut without = file.clone();
            jobs(service, &mut without).remove(&job).unwrap();
            let [daily, full] = missing(&loaded, service, &without);
            assert!(!daily.is_empty() && !full.is_empty(), "nobody misses {job}");
        }
    }
}

/// What is missing after an edit of the jobs.
fn after(
    loaded: &Loaded,
    service: Service,
    file: &Value,
    edit: &dyn Fn(&mut serde_json::Map<String, Value>),
) -> [BTreeSet<Item>; 2] {
    let mut changed = file.clone();
    edit(jobs(service, &mut changed));
    assert_ne!(&changed, file, "nothing was edited");
    missing(loaded, service, &changed)
}

/// What is missing after one text of the file became another.
fn replaced(
    loaded: &Loaded,
    service: Service,
    file: &Value,
    (from, to): (&str, &str),
) -> [BTreeSet<Item>; 2] {
    let text = serde_json::to_string(file).unwrap();
    assert!(text.contains(from), "{from}");
    missing(loaded, service, &serde_json::from_str(&text.replace(from, to)).unwrap())
}

/// The step of the job that calls handfast.
fn call<'a>(jobs: &'a mut serde_json::Map<String, Value>, job: &str) -> &'a mut Value {
    let steps = jobs[job]["steps"].as_array_mut().unwrap();
    let runs = |step: &&mut Value| step["run"].as_str().is_some_and(|run| run.contains(" run "));
    steps.iter_mut().find(runs).unwrap()
}

#[test]
fn a_job_that_runs_less_is_missed() {
    let loaded = repository();
    let file = committed(&loaded, Service::GitHub);
    let change = |edit: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        after(&loaded, Service::GitHub, &file, edit)
    };
    let text = |from: &str, to: &str| replaced(&loaded, Service::GitHub, &file, (from, to));
    for (at, [daily, full]) in [
        change(&|jobs| jobs["integration"]["if"] = false.into()),
        change(&|jobs| jobs["integration"]["if"] = "${{ github.actor == 'x' }}".into()),
        change(&|jobs| jobs["integration"]["continue-on-error"] = true.into()),
        change(&|jobs| jobs["integration"]["continue-on-error"] = "${{ true }}".into()),
        change(&|jobs| call(jobs, "integration")["continue-on-error"] = true.into()),
        change(&|jobs| {
            jobs["matrix"]["strategy"]["matrix"] = serde_json::json!({ "shard": ["1/2"] });
        }),
        change(&|jobs| jobs["matrix"]["env"]["SHARD"] = "1/2".into()),
        text("run --category integration", "run --category integration message"),
        text("run --category integration", "run --category integration --nonsense"),
        text("run --category integration", "run --category integration --shard 1/9"),
        text("run --category integration", "run --shard=1/9 --category integration"),
        text("--shard \\\"$SHARD\\\" --shard-plan", "--shard 1/9 --shard-plan"),
        text("run --suite optimised", "list optimised"),
        text("run --suite optimised", "run --suite optimised --shard 2/2"),
        text("run token/", "run token/test_e2e"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(!daily.is_empty() && !full.is_empty(), "the edit {at}");
    }
    let [daily, full] = text("matrix --fresh --shard", "matrix --fresh message --shard");
    assert!(daily.is_empty() && !full.is_empty(), "only the full regression runs less");
    for [daily, full] in [
        change(&|jobs| jobs["integration"]["continue-on-error"] = false.into()),
        text("run --category integration", "run --category integration --shard 1/1"),
    ] {
        assert!(daily.is_empty() && full.is_empty(), "nothing runs less");
    }
}

#[test]
fn a_job_of_gitlab_that_runs_less_is_missed() {
    let loaded = repository();
    let file = committed(&loaded, Service::GitLab);
    let change = |edit: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        after(&loaded, Service::GitLab, &file, edit)
    };
    let text = |from: &str, to: &str| replaced(&loaded, Service::GitLab, &file, (from, to));
    for (at, [daily, full]) in [
        change(&|jobs| jobs["integration"]["when"] = "manual".into()),
        change(&|jobs| jobs["integration"]["allow_failure"] = true.into()),
        change(&|jobs| {
            jobs["integration"]["allow_failure"] = serde_json::json!({ "exit_codes": [1] });
        }),
        change(&|jobs| jobs["matrix"]["allow_failure"] = true.into()),
        change(&|jobs| {
            let job = jobs.remove("integration").unwrap();
            jobs.insert(".integration".to_owned(), job);
        }),
        change(&|jobs| {
            let job = &mut jobs["integration"];
            job["parallel"] = serde_json::json!({ "matrix": [{ "SHARD": ["1/9"] }] });
            let script = job["script"].as_array_mut().unwrap().last_mut().unwrap();
            *script = format!("{} --shard \"$SHARD\"", script.as_str().unwrap()).into();
        }),
        text("run --category integration", "run --category integration message"),
        text("run --category integration", "run --category integration --shard 1/9"),
        text("run --suite optimised", "list optimised"),
        text("run token/", "run token/test_e2e"),
    ]
    .into_iter()
    .enumerate()
    {
        assert!(!daily.is_empty() && !full.is_empty(), "the edit {at}");
    }
}
