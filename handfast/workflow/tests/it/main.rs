//! Whole files: their bytes, and that both services would take whatever a project can say.

#![expect(clippy::unwrap_used, reason = "the helpers of the tests are tests, too")]

use std::fs;
use std::path::Path;

use handfast_scenario::scenario::Vocabulary;
use handfast_scenario::{Project, Scenario};
use handfast_workflow::setting::Setting;
use handfast_workflow::valid::{oddities, valid};
use handfast_workflow::{Generated, Service, generate, gitlab};
use proptest::prelude::*;

const SMALL: &str = r#"
[project]
name = "small"
[peers.a]
start = ["a"]
flaws = { list = ["a"], start = ["a"], plant = ["${flaw}"] }
[matrix]
peers = ["a"]
[[suites]]
name = "own"
kind = "cargo"
category = "unit"
[[notify.channels]]
name = "team"
kind = "slack-webhook"
secret = { env = "SLACK_URL" }
[ci]
gitlab = ".gitlab-ci.yml"
image = "debian:13"
handfast = ["handfast"]
setup = [["./prepare", "it's all"]]
cache = ["build", "~/.cache/x"]
cache_key = ["lock"]
notify = true
[ci.jobs.token-transfer]
kind = "scenarios"
run = ["token/"]
only_full = true
"#;

fn scenarios() -> Vec<Scenario> {
    let text = "name = \"x\"\n[roles.a]\n[roles.b]\n";
    let files = ["test_integration_x.toml", "token/test_e2e_y.toml"];
    let read = |file: &str| Scenario::parse(file, text, &Vocabulary::default()).unwrap();
    files.into_iter().flat_map(read).collect()
}

fn files(project: &str) -> Result<Vec<Generated>, String> {
    let project = Project::parse("handfast.toml", project).map_err(|p| p.to_plain_text())?;
    let scenarios = scenarios();
    let setting = Setting::new(&project, &scenarios).map_err(|error| error.to_string())?;
    generate(&setting).map_err(|error| error.to_string())
}

/// Compares with the bytes that are kept. `HANDFAST_GOLDEN=write` keeps new ones, to be looked at before they are committed.
#[track_caller]
fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    if std::env::var_os("HANDFAST_GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&path, text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(path).unwrap(), "{name}");
}

#[test]
fn the_files_of_a_small_project_have_exactly_these_bytes() {
    for file in files(SMALL).unwrap() {
        let name = match file.service {
            Service::GitHub => "small.github.yml",
            Service::GitLab => "small.gitlab.yml",
        };
        check(name, &file.parts.text());
    }
    let project = Project::parse("handfast.toml", SMALL).unwrap();
    let scenarios = scenarios();
    let setting = Setting::new(&project, &scenarios).unwrap();
    let child = gitlab::child(&setting, &["1/2".to_owned(), "2/2".to_owned()]);
    valid(Service::GitLab, &child).unwrap();
    check("small.child.yml", &child);
}

#[test]
fn no_job_may_write_and_only_one_sees_a_secret() {
    let [github, _] = files(SMALL).unwrap().try_into().unwrap();
    let document = valid(Service::GitHub, &github.parts.text()).unwrap();
    assert_eq!(document["permissions"], serde_json::json!({}));
    let mut told = 0;
    for (name, job) in document["jobs"].as_object().unwrap() {
        let read_only = serde_json::json!({ "contents": "read" });
        let nothing = serde_json::json!({});
        assert!([read_only, nothing].contains(&job["permissions"]), "{name}");
        assert!(job["timeout-minutes"].as_u64().unwrap() <= 360, "{name}");
        let has_secret = job.to_string().contains("secrets.");
        assert_eq!(has_secret, name == "tell", "{name}");
        told += usize::from(has_secret);
        for step in job["steps"].as_array().unwrap() {
            let script = step["run"].as_str().unwrap_or_default();
            assert!(!script.contains("${{"), "an expression in a script of {name}: {script}");
        }
    }
    assert_eq!(told, 1);
}

#[test]
fn the_gate_waits_for_every_job_but_the_one_that_tells() {
    let [github, _] = files(SMALL).unwrap().try_into().unwrap();
    let document = valid(Service::GitHub, &github.parts.text()).unwrap();
    let jobs = document["jobs"].as_object().unwrap();
    let gate = &jobs["gate"];
    let mut judged: Vec<&str> = jobs.keys().map(String::as_str).collect();
    judged.retain(|job| !["gate", "tell"].contains(job));
    let mut needs: Vec<&str> =
        gate["needs"].as_array().unwrap().iter().map(|need| need.as_str().unwrap()).collect();
    needs.sort_unstable();
    assert_eq!(needs, judged);
    assert_eq!(gate["if"], "${{ always() }}");
    let results = gate["steps"][0]["env"]["RESULTS"].as_str().unwrap();
    for job in judged {
        assert!(results.contains(&format!("{job} ${{{{ needs.{job}.result }}}}")), "{job}");
    }
}

#[test]
fn on_gitlab_a_plan_that_failed_is_told() {
    let [_, gitlab] = files(SMALL).unwrap().try_into().unwrap();
    let document = valid(Service::GitLab, &gitlab.parts.text()).unwrap();
    let (plan, tell) = (&document["plan"], &document["tell"]);
    let need = serde_json::json!({ "job": "plan", "optional": true });
    assert!(tell["needs"].as_array().unwrap().contains(&need));
    let told = tell["script"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(told.starts_with("jobs=\"plan "), "{told}");
    // Its last line leaves what tells that all went well, which is kept only then.
    let last = plan["script"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(last.contains("> .handfast/jobs/plan/"), "{last}");
    assert!(plan["artifacts"]["paths"].as_array().unwrap().contains(&".handfast/jobs/plan".into()));
    assert!(plan["artifacts"]["when"].is_null(), "only on success");
}

/// What a project can say in `[ci]`, with texts that YAML and shells have their own ideas about.
fn configuration() -> impl Strategy<Value = String> {
    let text = || "[ -~]{1,12}".prop_map(|text| format!("{text:?}"));
    let texts = move || {
        prop::collection::vec(text(), 0..4).prop_map(|texts| format!("[{}]", texts.join(", ")))
    };
    let jobs = prop::collection::vec(("[a-z][a-z0-9_-]{0,8}", texts(), any::<bool>()), 0..4);
    let switches = (any::<bool>(), any::<bool>(), any::<bool>());
    (text(), texts(), texts(), texts(), jobs, (1..201_usize, 1..91_usize), switches).prop_map(
        |(runner, branches, setup, cache, jobs, (shards, days), (matrix, notify, image))| {
            let mut out = "[project]\nname = \"x\"\n[peers.a]\nstart = [\"a\"]\n".to_owned();
            if matrix {
                out.push_str("[matrix]\npeers = [\"a\"]\n");
            }
            if notify {
                out.push_str("[[notify.channels]]\nname = \"n\"\nkind = \"slack-webhook\"\nsecret = { env = \"A\" }\n");
            }
            out = format!(
                "{out}[ci]\ngitlab = \"g.yml\"\nrunner = {runner}\nbranches = {branches}\ncache = {cache}\nsetup = [[\"a\"], [\"b\", {}]]\nshards_max = {shards}\nartifacts_days = {days}\nnotify = {notify}\n",
                setup.trim_matches(['[', ']'])
            );
            if image {
                out.push_str("image = \"a:b\"\n");
            }
            for (name, run, only_full) in jobs {
                out = format!("{out}[ci.jobs.{name:?}]\nkind = \"scenarios\"\nrun = {run}\nonly_full = {only_full}\n");
            }
            out
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_project_says_makes_files_that_both_services_take(project in configuration()) {
        if let Ok(files) = files(&project) {
            for file in &files {
                let text = file.parts.text();
                let document = valid(file.service, &text);
                prop_assert!(document.is_ok(), "{:?} {}\n{}", document, project, text);
                prop_assert!(file.service == Service::GitLab || oddities(&document.unwrap()).is_empty());
            }
            prop_assert_eq!(Ok(files), self::files(&project), "the same bytes again");
        }
    }
}
