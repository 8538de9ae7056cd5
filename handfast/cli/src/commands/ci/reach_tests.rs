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

#[test]
fn a_job_that_runs_less_is_missed() {
    let loaded = repository();
    let file = committed(&loaded, Service::GitHub);
    let change = |edit: &dyn Fn(&mut Value)| {
        let mut changed = file.clone();
        edit(&mut changed["jobs"]);
        missing(&loaded, Service::GitHub, &changed)
    };
    let text = |from: &str, to: &str| {
        let text = serde_json::to_string(&file).unwrap();
        assert!(text.contains(from), "{from}");
        let changed = serde_json::from_str(&text.replace(from, to)).unwrap();
        missing(&loaded, Service::GitHub, &changed)
    };
    for [daily, full] in [
        change(&|jobs| jobs["integration"]["if"] = false.into()),
        change(&|jobs| jobs["integration"]["if"] = "${{ github.actor == 'x' }}".into()),
        change(&|jobs| {
            jobs["matrix"]["strategy"]["matrix"] = serde_json::json!({ "shard": ["1/2"] });
        }),
        change(&|jobs| jobs["matrix"]["env"]["SHARD"] = "1/2".into()),
        text("run --category integration", "run --category integration message"),
        text("run --category integration", "run --category integration --nonsense"),
        text("run --suite simulation", "list simulation"),
        text("run token/", "run token/test_e2e"),
    ] {
        assert!(!daily.is_empty() && !full.is_empty());
    }
    let [daily, full] = text("matrix --fresh --shard", "matrix --fresh message --shard");
    assert!(daily.is_empty() && !full.is_empty(), "only the full regression runs less");
}
