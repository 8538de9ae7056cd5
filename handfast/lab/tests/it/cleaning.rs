//! Nothing a unit started outlives it, whoever dies first.

use std::fs::File;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use handfast_lab::{Clock, Lab, LabConfig};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{STAND_IN, TestLab, fixture, marked, python, run_id, wait_for_the_end_of};

#[tokio::test]
async fn a_daemon_that_a_peer_left_is_reported_and_ended() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "leaves-a-daemon")]).await;
    let a = unit.start("a").await.unwrap();
    let pids = marked(&lab.run);
    assert_eq!(pids.len(), 3, "reaper, peer and daemon");
    let reaper = unit.reaper_pid();
    let report = unit.close().await;
    assert!(report.clean);
    let left: Vec<u32> = report.left.iter().map(|process| process.pid).collect();
    let daemon = pids.iter().map(|pid| pid.unsigned_abs());
    let daemon: Vec<u32> = daemon.filter(|pid| ![reaper, a.pid()].contains(pid)).collect();
    assert_eq!(left, daemon);
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_dropped_unit_ends_its_processes() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "leaves-a-daemon"), ("b", "hangs-at-initialize")]).await;
    unit.start("a").await.unwrap();
    let pids = marked(&lab.run);
    assert!(pids.len() >= 3, "{pids:?}");
    drop(unit);
    wait_for_the_end_of(&pids);
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_killed_reaper_is_noticed_and_handfast_cleans_up_itself() {
    let lab = TestLab::open();
    let broken = lab.unit(&[("a", "leaves-a-daemon")]).await;
    let whole = lab.unit(&[("a", "good")]).await;
    let a = broken.start("a").await.unwrap();
    let before = marked(&lab.run);
    let bystander = whole.start("a").await.unwrap();
    kill(broken.reaper_pid());
    assert_eq!(a.exited().await, None);
    let report = broken.close().await;
    assert!(!report.clean);
    assert!(!report.left.is_empty(), "the daemon was left");
    let own: Vec<i32> =
        before.into_iter().filter(|&pid| pid.unsigned_abs() != whole.reaper_pid()).collect();
    wait_for_the_end_of(&own);
    assert_eq!(bystander.exit(), None);
    assert!(whole.close().await.clean);
    lab.check_nothing_is_left();
}

/// A stand-in for handfast whose two peers left a daemon each.
struct StandIn {
    process: Child,
    run: String,
    reaper: u32,
    lines: Lines<BufReader<ChildStdout>>,
}

impl StandIn {
    fn start(root: &Path) -> Self {
        let run = run_id();
        let mut process = Command::new(STAND_IN)
            .arg("start-and-wait")
            .arg(root)
            .arg(&run)
            .args([python(), "-I", "-S"])
            .arg(fixture())
            .arg("leaves-a-daemon")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        assert_eq!(lines.next().unwrap().unwrap(), "swept 0 0");
        let line = lines.next().unwrap().unwrap();
        let reaper = line.strip_prefix("reaper ").unwrap().parse().unwrap();
        Self { process, run, reaper, lines }
    }

    fn wait_until_ready(&mut self) {
        assert_eq!(self.lines.next().unwrap().unwrap(), "ready true true");
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn config(root: &Path) -> LabConfig {
    LabConfig {
        scratch_root: root.to_owned(),
        run: run_id(),
        reaper: vec![STAND_IN.into(), handfast_lab::reaper::ARGUMENT.into()],
        clock: Clock::start(),
    }
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[test]
fn killing_handfast_leaves_nothing_of_its_units() {
    let root = tempfile::tempdir().unwrap();
    let mut handfast = StandIn::start(root.path());
    handfast.wait_until_ready();
    let pids = marked(&handfast.run);
    assert_eq!(pids.len(), 5, "a reaper, two peers, two daemons");
    let unit = root.path().join(&handfast.run).join("0-waits");
    assert!(unit.is_dir());
    handfast.kill();
    wait_for_the_end_of(&pids);
    assert_eq!(marked(&handfast.run), Vec::<i32>::new());
    assert!(!unit.exists());
}

#[test]
fn killing_handfast_while_it_starts_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    for _ in 0..20 {
        let mut handfast = StandIn::start(root.path());
        // The peers are somewhere between being asked for and being ready.
        handfast.kill();
        wait_for_the_end_of(&[i32::try_from(handfast.reaper).unwrap()]);
        assert_eq!(marked(&handfast.run), Vec::<i32>::new());
        // The run's own folder is the next start's business; the stand-in asserts there is none.
        std::fs::remove_dir_all(root.path().join(&handfast.run)).unwrap();
    }
}

#[test]
fn what_a_killed_handfast_and_its_killed_reaper_left_is_swept_by_the_next_start() {
    let root = tempfile::tempdir().unwrap();
    let mut handfast = StandIn::start(root.path());
    handfast.wait_until_ready();
    let pids = marked(&handfast.run);
    // Stopped, the reaper cannot clean up when its lifeline breaks; then it dies, too.
    let reaper = Pid::from_raw(i32::try_from(handfast.reaper).unwrap()).unwrap();
    kill_process(reaper, Signal::STOP).unwrap();
    handfast.kill();
    kill(handfast.reaper);
    let folder = root.path().join(&handfast.run);
    assert!(folder.is_dir());
    assert!(!marked(&handfast.run).is_empty(), "the daemons are left");

    let (living, swept) = Lab::open(config(root.path())).unwrap();
    assert_eq!(swept.folders, [folder.as_path()]);
    assert!(swept.processes.len() >= 2, "{swept:?}");
    wait_for_the_end_of(&pids);
    assert_eq!(marked(&handfast.run), Vec::<i32>::new());
    assert!(!folder.exists());

    // A run that lives is left alone.
    let (_other, swept) = Lab::open(config(root.path())).unwrap();
    assert!(swept.is_empty(), "{swept:?}");
    drop(living);
}

#[test]
fn a_run_that_died_while_it_started_a_process_is_swept_too() {
    let root = tempfile::tempdir().unwrap();
    let dead = root.path().join("dead");
    std::fs::create_dir(&dead).unwrap();
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let mut lock = File::create(dead.join("lock")).unwrap();
    let inode = lock.metadata().unwrap().ino();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    write!(lock, "{}", gone.id()).unwrap();
    // As a process between its beginning and its program does, this one shares the lock for a while.
    let mut shares = Command::new("cat").stdin(Stdio::piped()).stdout(lock).spawn().unwrap();
    let lasts = shares.stdin.take();
    std::thread::scope(|scope| {
        let opened = scope.spawn(|| Lab::open(config(root.path())).unwrap());
        while !opened.is_finished() && !somebody_waits_for(inode) {
            std::thread::yield_now();
        }
        drop(lasts);
        let (_lab, swept) = opened.join().unwrap();
        assert_eq!(swept.folders, [dead.as_path()]);
    });
    shares.wait().unwrap();
}

/// Whether a lock is wanted of this file that another has: `proc_locks(5)`.
fn somebody_waits_for(inode: u64) -> bool {
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| line.contains("->") && line.contains(&format!(":{inode} ")))
}
