//! `kill -9` of handfast at a random moment leaves no process.

use std::hash::{BuildHasher, RandomState};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::moments::{MOMENT_WITHIN, listen};
use crate::support::Project;

const ROUNDS: u64 = 50;

/// Peers that leave daemons behind and talk; the last call never ends, so that no run is over too soon.
const STEPS: &str = "[[step]]\nrole = \"a\"\ncall = \"leave-a-daemon\"\n\
    [[step]]\nrole = \"a\"\ncall = \"message.send\"\nwith = { to = \"b\", body = { text = \"x\" } }\n\
    [[step]]\nrole = \"b\"\ncall = \"leave-a-daemon\"\n\
    [[step]]\nrole = \"b\"\ncall = \"hang\"\nwithin = \"1h\"\n";

/// Things the peers say they do in one such run, the probe's included: a round is killed at one of them.
const MOMENTS: u64 = 19;

#[test]
fn fifty_times_kill_at_a_random_moment_leave_nothing() {
    let moments = listen();
    let project = Project::new(&format!("env = {{ FIXTURE_REPORT = \"{}\" }}\n", moments.address));
    let project = project.scenario("x", STEPS);
    // Another choice of moments each time; the failing round's moment is in the message.
    let chance = RandomState::new();
    for round in 0..ROUNDS {
        let moment = chance.hash_one(round) % MOMENTS;
        let mut handfast = project.command(&["run"]);
        let mut handfast = handfast.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for seen in 0..=moment {
            let line = moments.lines.recv_timeout(MOMENT_WITHIN);
            assert!(line.is_ok(), "round {round}: no moment {seen} on the way to {moment}");
        }
        handfast.kill().unwrap();
        handfast.wait().unwrap();
        project.assert_nothing_left();
        // What the peers of this round still said belongs to no other.
        while moments.lines.try_recv().is_ok() {}
    }
    let ran = project.run(&["list"]);
    assert_eq!(ran.code, 0, "{}", ran.error);
}

#[test]
fn ctrl_c_ends_a_run_in_order_and_a_second_one_at_once() {
    let moments = listen();
    let project = Project::new(&format!("env = {{ FIXTURE_REPORT = \"{}\" }}\n", moments.address));
    let project = project.scenario("x", STEPS);
    for times in [1, 2] {
        let handfast = project.command(&["run"]).stdout(Stdio::piped()).spawn().unwrap();
        while moments.lines.recv_timeout(MOMENT_WITHIN).unwrap() != "b hang" {}
        let pid = Pid::from_child(&handfast);
        for _ in 0..times {
            kill_process(pid, Signal::INT).unwrap();
        }
        let output = handfast.wait_with_output().unwrap();
        project.assert_nothing_left();
        assert_eq!(output.status.code(), Some(3));
        let text = String::from_utf8(output.stdout).unwrap();
        if times == 1 {
            assert!(text.contains("the run was interrupted"), "{text}");
            assert!(text.ends_with("\n0 passed, 1 failed\n"), "{text}");
        }
    }
}
