//! `kill -9` of handfast at a random moment of a run in networks of its own leaves none of them, and the next start says so.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use handfast_lab::net::{Ask, Means, Owner};
use rustix::process::Pid;

use crate::moments::{MOMENT_WITHIN, listen_at};
use crate::support::Project;

/// Ten as part of all tests; two hundred with `--release`.
const ROUNDS: u64 = if cfg!(debug_assertions) { 10 } else { 200 };

/// The same moments each time.
const SEED: u64 = 7;

/// Links with something under way, peers that leave daemons behind and talk; the last call never ends.
const SCENARIO: &str = "name = \"they talk until they are killed\"\nnetwork = { delay = \"3ms\" }\n\
    [roles.a]\n[roles.b]\n\
    [[step]]\nrole = \"a\"\ncall = \"leave-a-daemon\"\n\
    [[step]]\nrole = \"a\"\ncall = \"message.send\"\nwith = { to = \"b\", body = { text = \"x\" } }\n\
    [[step]]\nrole = \"b\"\ncall = \"leave-a-daemon\"\n\
    [[step]]\nrole = \"b\"\ncall = \"hang\"\nwithin = \"1h\"\n";

/// Things the peers say they do in one such run, the probe's included: a round is killed at one of them, or a little later.
const MOMENTS: u64 = 19;

/// Turns of doing nothing after a moment: up to what the next one takes.
const TURNS: u64 = 4000;

#[test]
fn again_and_again_killed_at_a_random_moment_it_leaves_no_network() {
    let folder = tempfile::tempdir().unwrap();
    let moments = listen_at(&folder.path().join("moments"));
    let project = Project::new(&format!("env = {{ FIXTURE_REPORT = \"{}\" }}\n", moments.address));
    project.write("scenarios/test_unit_x.toml", SCENARIO);
    let mut state = SEED;
    let mut seen = 0;
    for round in 0..ROUNDS {
        let moment = random(&mut state) % MOMENTS;
        let mut handfast = project.command(&["run"]);
        let said = File::create(folder.path().join("said")).unwrap();
        let mut handfast = handfast.stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap();
        for heard in 0..=moment {
            let line = moments.lines.recv_timeout(MOMENT_WITHIN);
            let said = || fs::read_to_string(folder.path().join("said")).unwrap();
            assert!(line.is_ok(), "round {round}: no moment {heard} of {moment}: {}", said());
        }
        for _ in 0..random(&mut state) % TURNS {
            std::thread::yield_now();
        }
        let networks = networks_of(&project.processes());
        seen += networks.len();
        handfast.kill().unwrap();
        handfast.wait().unwrap();
        project.assert_nothing_left();
        let context = format!("seed {SEED}, round {round}, moment {moment}");
        assert_eq!(holding(&networks), Vec::<String>::new(), "{context}");
        // What the peers of this round still said belongs to no other.
        while moments.lines.try_recv().is_ok() {}
    }
    if has_namespaces() {
        assert!(seen > 0, "no round had a network");
    }
    check_the_next_start(&project);
}

/// Nothing but its own folder is left by a run that comes after all of them, and it does not even have that when it is over.
#[track_caller]
fn check_the_next_start(project: &Project) {
    let quick = "name = \"quick\"\n[roles.a]\n[[step]]\nrole = \"a\"\ncall = \"message.inbox\"\n";
    project.write("scenarios/test_unit_x.toml", quick);
    project.run(&["run"]);
    let scratch = fs::read_dir(project.path().join(".handfast/scratch")).unwrap();
    let left: Vec<_> = scratch.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["lock"]);
    let interfaces = fs::read_to_string("/proc/self/net/dev").unwrap();
    assert!(!interfaces.contains("handfast"), "{interfaces}");
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(project.path().to_str().unwrap()), "{mounts}");
}

/// Whether this host gives any; says by name where not: then the rounds above are about proxies.
#[expect(
    clippy::print_stdout,
    reason = "who reads the test's output is to know what it did not show"
)]
fn has_namespaces() -> bool {
    let reaper = vec![env!("CARGO_BIN_EXE_handfast").into(), handfast_lab::reaper::ARGUMENT.into()];
    let dir = PathBuf::from("/nowhere");
    let means = Means::find(&Owner { reaper, run: "asks".to_owned(), dir, ask: Ask::Auto });
    if !means.has_packets() {
        println!("NOT HERE: {means}");
    }
    means.has_packets()
}

/// The networks that these processes are in, besides our own.
fn networks_of(pids: &[Pid]) -> BTreeSet<PathBuf> {
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let network = |pid: &Pid| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    pids.iter().filter_map(network).filter(|network| *network != own).collect()
}

/// What is in one of these networks, or holds a descriptor of one.
fn holding(networks: &BTreeSet<PathBuf>) -> Vec<String> {
    let mut holding = Vec::new();
    for process in fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let descriptors = fs::read_dir(process.path().join("fd")).into_iter().flatten();
        let descriptors = descriptors.filter_map(|entry| Some(entry.ok()?.path()));
        let is_held = |link: &Path| fs::read_link(link).is_ok_and(|to| networks.contains(&to));
        let links = descriptors.chain([process.path().join("ns/net")]);
        holding.extend(links.filter(|link| is_held(link)).map(|link| link.display().to_string()));
    }
    holding
}

/// `SplitMix64`.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
