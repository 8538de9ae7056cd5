//! Nothing of a network outlives its run, whoever dies first and whenever.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use handfast_lab::net::{Ask, Means, Owner};
use handfast_lab::{Clock, Lab, LabConfig, Swept};
use rustix::fs::{CWD, FileType, Mode};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{STAND_IN, marked, not_here, run_id, wait_for_the_end_of};

/// Lines that `network-and-wait` prints until it is ready: what was swept, reaper, holder, two peers, ready.
const LINES: u64 = 6;

/// A stand-in for handfast with two peers in networks of their own, which keep nothing of their environment.
struct StandIn {
    process: Child,
    run: String,
    lines: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl StandIn {
    fn start(root: &Path, peer: &[&str]) -> Self {
        let run = run_id();
        let mut process = Command::new(STAND_IN)
            .arg("network-and-wait")
            .arg(root)
            .arg(&run)
            .args(peer)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, run, lines, said: Vec::new() }
    }

    fn wait_for_lines(&mut self, count: u64) {
        for _ in 0..count {
            self.said.push(self.lines.next().unwrap().unwrap());
        }
    }

    /// The process that a line names after this word.
    fn pid(&self, word: &str) -> Option<i32> {
        let line = self.said.iter().find_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
        line.map(|pid| pid.parse().unwrap())
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn open(root: &Path) -> (Lab, Swept) {
    let config = LabConfig {
        scratch_root: root.to_owned(),
        run: run_id(),
        reaper: vec![STAND_IN.into(), handfast_lab::reaper::ARGUMENT.into()],
        clock: Clock::start(),
    };
    Lab::open(config).unwrap()
}

/// The networks that these processes are in, besides our own.
fn networks_of(pids: impl IntoIterator<Item = i32>) -> BTreeSet<PathBuf> {
    let own = fs::read_link("/proc/self/ns/net").unwrap();
    let network = |pid| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
    pids.into_iter().filter_map(network).filter(|network| *network != own).collect()
}

/// Processes that are in one of these networks, or hold a descriptor of one.
fn holding(networks: &BTreeSet<PathBuf>) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let processes =
        entries.filter(|entry| entry.file_name().to_str().unwrap().parse::<i32>().is_ok());
    let mut holding = Vec::new();
    for process in processes {
        let descriptors = fs::read_dir(process.path().join("fd")).into_iter().flatten();
        let descriptors = descriptors.filter_map(|entry| Some(entry.ok()?.path()));
        for link in descriptors.chain([process.path().join("ns/net")]) {
            if fs::read_link(&link).is_ok_and(|network| networks.contains(&network)) {
                holding.push(link.display().to_string());
            }
        }
    }
    holding
}

/// Mounts and interfaces that would keep a network, or be one of its ends, in our own.
#[track_caller]
fn check_that_nothing_has_a_name() {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let ours = |line: &&str| line.contains("handfast") && line.contains("nsfs");
    assert_eq!(mounts.lines().find(ours), None);
    let interfaces = fs::read_to_string("/proc/self/net/dev").unwrap();
    assert!(!interfaces.contains("handfast"), "{interfaces}");
}

/// Kills a stand-in at a moment that follows from the seed, `rounds` times, and lets the next start show that nothing is left.
fn kill_at_random_moments(rounds: u64, seed: u64) {
    let root = tempfile::tempdir().unwrap();
    let mut state = seed;
    for round in 0..rounds {
        let mut handfast = StandIn::start(root.path(), &["sleep", "600"]);
        // A number of lines, and then so many turns of doing nothing, up to what the next line takes.
        handfast.wait_for_lines(random(&mut state) % (LINES + 1));
        for _ in 0..random(&mut state) % 4000 {
            std::thread::yield_now();
        }
        let pids = marked(&handfast.run);
        let networks =
            networks_of(pids.iter().copied().chain(handfast.pid("a")).chain(handfast.pid("b")));
        handfast.kill();
        let context = format!("seed {seed}, round {round}, after {:?}", handfast.said);
        let (lab, _swept) = open(root.path());
        // The holder ends without the next start; its end is that of the interfaces.
        wait_for_the_end_of(&Vec::from_iter(handfast.pid("holder")));
        assert_eq!(marked(&handfast.run), Vec::<i32>::new(), "{context}");
        assert_eq!(holding(&networks), Vec::<String>::new(), "{context}");
        assert!(!root.path().join(&handfast.run).exists(), "{context}");
        check_that_nothing_has_a_name();
        drop(lab);
    }
}

/// `SplitMix64`.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Ten as part of all tests; two hundred with `--release`.
const ROUNDS: u64 = if cfg!(debug_assertions) { 10 } else { 200 };

#[test]
fn killed_at_a_random_moment_again_and_again_it_leaves_no_network() {
    if has_namespaces() {
        kill_at_random_moments(ROUNDS, 1);
    }
}

#[test]
fn what_left_its_environment_behind_is_found_by_the_network_it_is_in() {
    if !has_namespaces() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let news = root.path().join("news");
    let mode = Mode::RUSR | Mode::WUSR;
    rustix::fs::mknodat(CWD, &news, FileType::Fifo, mode, 0).unwrap();
    let script = format!("sleep 600 & echo $! > {}; wait", news.display());
    let mut handfast = StandIn::start(root.path(), &["sh", "-c", &script]);
    let mut daemons = Vec::new();
    while daemons.len() < 2 {
        let news = BufReader::new(File::open(&news).unwrap()).lines();
        daemons.extend(news.map(|line| line.unwrap().parse::<i32>().unwrap()));
    }
    handfast.wait_for_lines(LINES);
    let networks = networks_of(daemons.clone());
    assert_eq!(networks.len(), 2);
    // A stopped reaper does nothing when its lifeline breaks; then it dies, and the peers with it, but not what they left.
    let reaper = Pid::from_raw(handfast.pid("reaper").unwrap()).unwrap();
    kill_process(reaper, Signal::STOP).unwrap();
    handfast.kill();
    kill_process(reaper, Signal::KILL).unwrap();
    let (_lab, swept) = open(root.path());
    let ended: Vec<i32> = swept.processes.iter().map(|left| left.pid.cast_signed()).collect();
    assert!(daemons.iter().all(|daemon| ended.contains(daemon)), "{daemons:?} {swept:?}");
    wait_for_the_end_of(&daemons);
    assert_eq!(holding(&networks), Vec::<String>::new());
}

/// Whether there is anything to kill; says by name where not.
fn has_namespaces() -> bool {
    let reaper = vec![STAND_IN.into(), handfast_lab::reaper::ARGUMENT.into()];
    let owner = Owner { reaper, run: run_id(), dir: PathBuf::from("/nowhere"), ask: Ask::Auto };
    let means = Means::find(&owner);
    if !means.has_packets() {
        not_here(&means.to_string());
    }
    means.has_packets()
}
