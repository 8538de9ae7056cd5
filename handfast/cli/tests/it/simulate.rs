//! `handfast simulate`: what a simulator says is shown, Ctrl-C ends it in order, and what it ends with is an exit code.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Project;

/// A project whose simulator is this script.
fn project(script: &str) -> Project {
    let project =
        Project::bare("[simulator]\nstart = [\"python3\", \"-u\", \"${root}/simulator.py\"]\n");
    let begin = "import json, sys\norder = json.loads(sys.stdin.readline())\n\
                 def say(**line): print(json.dumps(line), flush=True)\n";
    project.write("simulator.py", &format!("{begin}{script}"));
    project
}

const REPORT: &str = "say(report=dict(seed=order['seed'], history='00ff', outcome=outcome, broken=broken, \
                      figures={}, lines=['history    00ff', str(order['nodes']) + ' nodes'], cost={}))\n";

#[test]
fn a_run_that_passed_shows_its_figures_and_how_it_runs_again() {
    let script = format!("outcome, broken = 'passed', None\n{REPORT}");
    let ran = project(&script).run(&["simulate", "dht", "--nodes", "50", "--seed", "7"]);
    let again = "again      handfast simulate dht --nodes 50 --lookups 20000 --records 1000 --minutes 30 --loss 5 --lifetime 120 --dead 20 --seed 7";
    ran.check(0, "passed: every law held", &["history    00ff", "50 nodes", again]);
}

#[test]
fn a_law_that_does_not_hold_is_a_failure_of_the_product() {
    let script = format!("outcome, broken = 'failed', 'the books differ'\n{REPORT}");
    project(&script).run(&["simulate", "dht"]).check(1, "failed: the books differ", &[]);
}

#[test]
fn a_machine_gets_the_report_as_json_and_progress_goes_elsewhere() {
    let progress = "say(progress=dict(what='paying', share=0.5, detail='1 of 2'))\n";
    let script = format!("{progress}outcome, broken = 'passed', None\n{REPORT}");
    let ran = project(&script).run(&["simulate", "dht", "--json", "--seed", "3"]);
    assert_eq!(ran.code, 0, "{}", ran.error);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&report["history"], &report["seed"]), (&"00ff".into(), &3.into()), "{report}");
    assert!(ran.error.contains("paying 50 %, 1 of 2"), "{}", ran.error);
}

#[test]
fn a_simulator_that_ends_without_a_report_is_infrastructure() {
    let script = "sys.stderr.write('no memory\\n')\nsys.exit(9)\n";
    let ran = project(script).run(&["simulate", "dht"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.error);
    assert!(ran.error.contains("ended without a report"), "{}", ran.error);
    assert!(ran.error.contains("no memory"), "{}", ran.error);
}

#[test]
fn a_project_without_a_simulator_is_told_how_to_name_one() {
    let ran = Project::bare("").run(&["simulate", "peers"]);
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.error);
    assert!(ran.error.contains("[simulator] start"), "{}", ran.error);
}

#[test]
fn ctrl_c_ends_a_simulation_in_order_and_names_what_was_done() {
    let wait = "say(progress=dict(what='paying', share=0.25, detail='1 of 4'))\nsys.stdin.read()\n";
    let script = format!("{wait}outcome, broken = 'ended-early', None\n{REPORT}");
    let project = project(&script);
    let mut command = project.command(&["simulate", "dht"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut error = BufReader::new(child.stderr.take().unwrap());
    // It is under way as soon as it says so.
    let mut line = String::new();
    while !line.contains("paying 25 %") {
        line.clear();
        assert_ne!(error.read_line(&mut line).unwrap(), 0, "it ended before it began");
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{out}");
    assert!(out.contains("history    00ff") && out.contains("ended early"), "{out}");
    project.assert_nothing_left();
}

/// A simulator that plays a scenario as often as it is told, refuses one that is named so, and sees another one fail with a seed.
const PLAYER: &str = "name = order['file']\nbad = 'falls' in name\n\
    outcome = 'refused' if 'odd' in name else 'failed' if bad else 'passed'\n\
    broken = name + ' cannot be played' if 'odd' in name else 'seed 9 of it: b has nothing' if bad else None\n\
    runs = 0 if 'odd' in name else order['seeds']\n\
    say(report=dict(seed=order['seed'], history='00ff', outcome=outcome, broken=broken, lines=[], cost=dict(wall_s=1.5),\n\
        failed_seed=9 if bad else None, figures=dict(runs=runs, failed=1 if bad else 0)))\n";

const STEP: &str = "[[step]]\nrole = \"a\"\ncall = \"peer.list\"\n";

#[test]
fn of_a_folder_every_scenario_is_played_that_can_be() {
    let project = project(PLAYER).scenario("one", STEP).scenario("odd", STEP);
    let ran = project.run(&["simulate", "--scenario", "scenarios", "--seeds", "5", "--seed", "7"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.error);
    let last =
        "5 runs of 1 scenarios in 3.00 s, 0 failed; 1 scenarios cannot be played in virtual time\n";
    assert_eq!(ran.out, last);
    for line in
        ["passed    test_unit_one.toml 5 runs in 1.50 s", "left out  test_unit_odd.toml cannot"]
    {
        assert!(ran.error.contains(line), "{line:?} is missing in {}", ran.error);
    }
}

#[test]
fn a_seed_that_fails_is_named_with_the_line_that_plays_it_again() {
    let project = project(PLAYER).scenario("one", STEP).scenario("falls", STEP);
    let ran = project.run(&["simulate", "--scenario", "scenarios", "--seeds", "5", "--seed", "7"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.error);
    let again = "failed: seed 9 of it: b has nothing\n  handfast simulate --scenario scenarios/test_unit_falls.toml --seeds 1 --seed 9\n\
        10 runs of 2 scenarios in 3.00 s, 1 failed; 0 scenarios cannot be played in virtual time\n";
    assert_eq!(ran.out, again);
    let ran = project.run(&["simulate", "--scenario", "scenarios", "--seeds", "5", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&json["runs"], &json["scenarios"][0]["failed_seed"]), (&10.into(), &9.into()));
}
