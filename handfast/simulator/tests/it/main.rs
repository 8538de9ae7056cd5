//! The program as `handfast simulate` starts it.
#![expect(clippy::unwrap_used, reason = "the helpers of the tests are tests, too")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use serde_json::{Value, json};

/// Few peers, few payments.
fn peers(seed: u64) -> Value {
    json!({
        "seed": seed, "network": "peers", "peers": 8, "payments": 10, "span_s": 20,
        "loss_per_mille": 20, "lifetime_s": 30, "defect": null,
    })
}

/// Few nodes, few lookups.
fn dht(seed: u64) -> Value {
    json!({
        "seed": seed, "network": "dht", "nodes": 150, "lookups": 60, "records": 20, "span_s": 120,
        "dead_percent": 10, "loss_per_mille": 2, "lifetime_s": null, "grown": false, "defect": null,
    })
}

fn with(mut order: Value, field: &str, value: impl Into<Value>) -> Value {
    order[field] = value.into();
    order
}

/// Starts the program with its order; it goes on while the input is there.
fn start(order: &Value) -> (Child, ChildStdin) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_handfast-simulator"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{order}").unwrap();
    (child, input)
}

/// Runs an order to its end: exit code and report.
fn run(order: &Value) -> (i32, Value) {
    let (child, input) = start(order);
    let output = child.wait_with_output().unwrap();
    drop(input);
    let text = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap();
    (output.status.code().unwrap(), last["report"].clone())
}

#[test]
fn the_same_seed_has_the_same_history_and_another_seed_another() {
    for order in [peers, dht] {
        let (code, report) = run(&order(5));
        assert_eq!((code, &report["outcome"]), (0, &"passed".into()), "{report}");
        let history = report["history"].as_str().unwrap();
        assert_eq!(history.len(), 16, "{history}");
        assert_eq!(run(&order(5)).1["history"], history);
        assert_ne!(run(&order(6)).1["history"], history);
    }
}

#[test]
fn a_report_has_its_figures_and_its_cost() {
    let (_, report) = run(&dht(5));
    let figure = |name: &str| report["figures"][name].as_f64().unwrap();
    assert!(figure("lookups") > 50.0 && figure("success") >= 0.999, "{report}");
    let (hops, theory) = (figure("hops_per_lookup"), figure("hops_per_lookup_theory"));
    assert!((hops - theory).abs() < 2.0, "{report}");
    let cost = |name: &str| report["cost"][name].as_f64().unwrap();
    assert!(cost("wall_s") > 0.0 && cost("processor_s") > 0.0, "{report}");
    assert!(cost("memory_peak_bytes") > 1e6, "{report}");
    assert!(report["lines"].as_array().unwrap().len() > 5);
}

#[test]
fn stale_records_that_win_are_a_failure() {
    let order = with(with(dht(5), "defect", "stale-wins"), "lookups", 300);
    let (code, report) = run(&order);
    assert_eq!((code, &report["outcome"]), (1, &"failed".into()), "{report}");
    assert!(report["broken"].as_str().unwrap().contains("found what they had to"), "{report}");
}

#[test]
fn a_run_whose_input_ends_reports_what_was_done_until_then() {
    // It would take hours.
    let endless = with(with(dht(5), "lookups", 5_000_000), "nodes", 2_000);
    let (mut child, input) = start(&endless);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(first["progress"]["share"].as_f64().unwrap() < 1.0, "{first}");
    drop(input);
    let last = lines.last().unwrap().unwrap();
    let report: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(report["report"]["outcome"], "ended-early", "{report}");
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn an_order_that_cannot_be_read_is_refused_with_the_fix() {
    let (child, input) = start(&json!({ "seed": 1, "network": "chain" }));
    let output = child.wait_with_output().unwrap();
    drop(input);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("chain") && error.contains("handfast simulate"), "{error}");
}
