//! Peers are measured and judged as their users see it, on peers that are as slow as they are told to be.

use serde_json::Value;

use crate::support::{Project, Ran};
use crate::telling::{CHANNEL, told};

/// What makes `py` no peer that is measured, but one that thinks this long about a handshake, beyond an alert of 600 ms or not.
fn paced(handshake: &str) -> String {
    format!(
        "[peers.paced]\nstart = [\"${{handfast}}\", \"perf\", \"peer\", \"--handshake\", \"{handshake}\"]\nversions = [\"paced\"]\n\
         [perf]\npeers = [\"paced\"]\n[perf.aims]\nhandshake = {{ target = \"550ms\", alert = \"600ms\" }}\n\
         latency = {{ target = \"5s\", alert = \"9s\" }}\nthroughput = {{ target = 2, alert = 1 }}\n"
    )
}

fn json(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.error);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn a_slow_peer_is_one_incident_until_it_is_well_again() {
    let (slack, project) = told();
    let lines = std::fs::read_to_string(project.path().join("handfast.toml")).unwrap();
    project.write("handfast.toml", &format!("{lines}{}", paced("700ms")));
    let run = ["perf", "run", "--rounds", "1", "--notify", "--json"];
    let first = json(&project.run(&run), 1);
    let [message] = slack.messages(CHANNEL).try_into().unwrap();
    assert!(message.text.contains("perf"), "{}", message.text);
    let opened = first["opened"].as_array().unwrap();
    assert_eq!(opened.len(), 1, "{first:#}");
    assert_eq!(opened[0]["subject"], "perf paced -> paced: handshake");
    let handshake = &first["pairs"][0]["findings"][0];
    assert_eq!(handshake["further_looks"].as_array().unwrap().len(), 2, "{handshake:#}");

    let again = project.run(&["perf", "run", "--rounds", "1"]);
    let closing = "1 measured, 0 new incidents, 0 warnings, 1 still open";
    again.check(1, closing, &["limits of the same rounds", "still open: handshake", "< 550 ms"]);
    let seen = json(&project.run(&["perf", "history", "--json"]), 0);
    assert_eq!(seen["open"].as_array().unwrap().len(), 1, "{seen:#}");

    project.write("handfast.toml", &format!("{lines}{}", paced("0s")));
    let well = project.run(&["perf", "run", "--rounds", "1", "--notify"]);
    assert!(slack.messages(CHANNEL).len() >= 2, "well again, in the thread");
    let closing = "1 measured, 0 new incidents, 0 warnings, 0 still open";
    well.check(0, closing, &["closed: handshake is well again"]);
    let seen = json(&project.run(&["perf", "history", "handshake", "--json"]), 0);
    assert_eq!(seen["open"], Value::Array(Vec::new()));
    assert!(!seen["series"].as_array().unwrap().is_empty());
}

#[test]
fn who_cannot_be_measured_is_named() {
    let project = Project::bare("[peers.gone]\nstart = [\"not-there\"]\n");
    let ran = project.run(&["perf", "run", "gone"]);
    assert!(ran.code == 3 && ran.error.contains("not-there"), "{}", ran.error);
    let ran = project.run(&["perf", "run", "nobody"]);
    assert!(ran.code == 2 && ran.error.contains("it has gone"), "{}", ran.error);
    let ran = project.run(&["perf", "history"]);
    assert!(ran.code == 0 && ran.out.contains("nothing was measured yet"), "{}", ran.out);
}

#[test]
fn the_peer_that_is_planted_keeps_the_contract() {
    let ran = Project::bare(&paced("0s")).run(&["probe", "paced"]);
    ran.check(0, "paced keeps the peer contract", &["kept   an unknown method is answered -32601"]);
}
