//! Limits act on real processes, show that they did, and are gone afterwards.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use handfast_faults::account::{Line, LineVerdict};
use handfast_faults::disturbance::Limit;
use handfast_lab::{Exit, InForce, LimitError, Limiting, Peer, RoleConfig, Unit, UnitConfig};
use serde_json::{Value, json};

use crate::support::{LONG, TestLab, role};

const MIB: u64 = 1 << 20;

/// A unit whose role `a` may be limited in these ways, and its peer.
async fn limited(lab: &TestLab, limits: &[Limit]) -> (Unit, Arc<Peer>) {
    let role = RoleConfig { limits: limits.to_vec(), ..role("a", "good") };
    let config =
        UnitConfig { name: "limits".to_owned(), roles: vec![role], ..UnitConfig::default() };
    let unit = lab.lab.unit(config).await.unwrap();
    let peer = unit.start("a").await.unwrap();
    (unit, peer)
}

async fn carry_out(peer: &Peer, code: &str) -> Value {
    peer.call("do", json!({ "code": code }), LONG).await.unwrap()
}

/// Puts a limit on. Where the host cannot, it says so by name, and what is asserted is that nothing is pretended.
#[expect(clippy::print_stderr, reason = "what the host lacks is named")]
fn on(unit: &Unit, limit: Limit) -> Option<Box<dyn InForce>> {
    match unit.limit("a", &limit) {
        Ok(in_force) => Some(in_force),
        Err(LimitError::NotPossible { what, why }) => {
            eprintln!("not possible on this host: {what}: {why}");
            assert!(!why.is_empty());
            assert!(unit.limit("a", &limit).is_err());
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[track_caller]
fn only(lines: Vec<Line>) -> Line {
    let [line] = <[Line; 1]>::try_from(lines).unwrap();
    line
}

/// The control groups of a run, wherever they are.
fn groups_of(run: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from("/sys/fs/cgroup")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if entry.file_name().to_string_lossy().starts_with(&format!("handfast-{run}-")) {
                    found.push(entry.path());
                }
                folders.push(entry.path());
            }
        }
    }
    found
}

#[tokio::test]
async fn a_share_of_the_processor_throttles_and_is_undone() {
    let lab = TestLab::open();
    let limit = Limit::Cpu { percent: 20 };
    let (unit, peer) = limited(&lab, &[limit]).await;
    let Some(mut in_force) = on(&unit, limit) else { return };
    assert_eq!(only(in_force.measured()).asked, "20 % of a core");
    let burn = "
import time
began, used = time.monotonic(), time.process_time()
while time.monotonic() < began + 0.5: pass
result = (time.process_time() - used) / (time.monotonic() - began)
";
    let share = carry_out(&peer, burn).await.as_f64().unwrap();
    assert!(share < 0.5, "{share}");
    let line = only(in_force.undo().unwrap());
    assert_eq!(line.verdict, LineVerdict::Held, "{line:?}");
    unit.close().await;
    lab.check_nothing_is_left();
    assert_eq!(groups_of(&lab.run), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_unit_that_is_dropped_together_with_its_run_leaves_no_group() {
    let lab = TestLab::open();
    let run = lab.run.clone();
    let (unit, peer) = limited(&lab, &[Limit::Memory { bytes: MIB }]).await;
    drop((peer, unit, lab));
    assert_eq!(groups_of(&run), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_limit_that_nobody_comes_near_is_not_called_met() {
    let lab = TestLab::open();
    let limits = [Limit::Memory { bytes: 512 * MIB }, Limit::Processes { most: 500 }];
    let (unit, _peer) = limited(&lab, &limits).await;
    for limit in limits {
        let Some(in_force) = on(&unit, limit) else { continue };
        let line = only(in_force.undo().unwrap());
        assert_eq!(line.verdict, LineVerdict::TooFew, "{line:?}");
    }
}

#[tokio::test]
async fn a_peer_that_dies_for_want_of_memory_is_told_from_one_that_is_killed() {
    let lab = TestLab::open();
    let limit = Limit::Memory { bytes: 64 * MIB };
    let (unit, peer) = limited(&lab, &[limit]).await;
    let Some(mut in_force) = on(&unit, limit) else { return };
    let died = peer.call("do", json!({ "code": "x = b'1' * (1 << 28)" }), LONG).await;
    assert!(died.is_err());
    assert_eq!(peer.exited().await, Some(Exit::OutOfMemory));
    let line = only(in_force.measured());
    assert_eq!(line.verdict, LineVerdict::Held, "{line:?}");
    assert!(line.measured.ends_with(" 1 killed"), "{line:?}");

    // Its next process is in the same group.
    let again = unit.start("a").await.unwrap();
    let died = again.call("do", json!({ "code": "x = b'1' * (1 << 28)" }), LONG).await;
    assert!(died.is_err());
    assert_eq!(again.exited().await, Some(Exit::OutOfMemory));

    let third = unit.start("a").await.unwrap();
    let line = only(in_force.undo().unwrap());
    assert!(line.measured.ends_with(" 2 killed"), "{line:?}");
    assert_eq!(carry_out(&third, "result = len(b'1' * (1 << 27))").await, 1 << 27);
    let died =
        third.call("do", json!({ "code": "import os; os.kill(os.getpid(), 9)" }), LONG).await;
    assert!(died.is_err());
    assert_eq!(third.exited().await, Some(Exit::Signal(9)));
}

#[tokio::test]
async fn a_thread_too_many_is_refused() {
    let lab = TestLab::open();
    let limit = Limit::Processes { most: 8 };
    let (unit, peer) = limited(&lab, &[limit]).await;
    let Some(in_force) = on(&unit, limit) else { return };
    let start = "
import threading
stop = threading.Event()
result = 0
try:
    for _ in range(20):
        threading.Thread(target=stop.wait, daemon=True).start()
        result += 1
except RuntimeError: pass
stop.set()
";
    let started = carry_out(&peer, start).await.as_u64().unwrap();
    assert!(started < 8, "{started}");
    let line = only(in_force.undo().unwrap());
    assert_eq!(line.verdict, LineVerdict::Held, "{line:?}");
    assert_eq!(carry_out(&peer, start).await, 20);
}

const OPEN: &str = "
import os
files, result = [], 0
try:
    while len(files) < 100: files.append(os.open('/dev/null', os.O_RDONLY))
except OSError as error: result = error.errno
looked = __import__('time').sleep(0.1)
for file in files: os.close(file)
";
const EMFILE: i32 = 24;

#[tokio::test]
async fn a_descriptor_too_many_is_refused_also_after_a_restart() {
    let lab = TestLab::open();
    let (unit, peer) = limited(&lab, &[]).await;
    let in_force = unit.limit("a", &Limit::Descriptors { most: 40 }).unwrap();
    assert_eq!(carry_out(&peer, OPEN).await, EMFILE);
    unit.kill("a").await.unwrap();
    let peer = unit.start("a").await.unwrap();
    assert_eq!(carry_out(&peer, OPEN).await, EMFILE);
    let line = only(in_force.undo().unwrap());
    assert_eq!(
        (line.verdict, line.asked.as_str()),
        (LineVerdict::Held, "40 a process"),
        "{line:?}"
    );
    assert_eq!(carry_out(&peer, OPEN).await, 0);
}

#[tokio::test]
async fn a_role_that_does_not_run_or_is_not_there_cannot_be_limited() {
    let lab = TestLab::open();
    let unit = lab.unit(&[("a", "good")]).await;
    let refused = unit.limit("a", &Limit::Descriptors { most: 40 });
    assert!(matches!(refused.err(), Some(LimitError::NotRunning { .. })));
    let refused = unit.limit("x", &Limit::DiskFull);
    assert!(matches!(refused.err(), Some(LimitError::NoSuchRole { .. })));
    for limit in [Limit::Memory { bytes: MIB }, Limit::DiskFull, Limit::Cpu { percent: 5 }] {
        let refused = unit.limit("a", &limit);
        assert!(matches!(refused.err(), Some(LimitError::NotPrepared { .. })), "{limit:?}");
    }
}

const ENOSPC: i32 = 28;
const WRITE: &str = "
import os
file = os.open(os.environ['HANDFAST_DATA_DIR'] + '/file', os.O_CREAT | os.O_WRONLY | os.O_APPEND)
try: result = os.write(file, b'x' * 100_000)
finally: os.close(file)
";

#[tokio::test]
async fn a_full_disk_refuses_what_is_written_and_keeps_what_was() {
    let lab = TestLab::open();
    let (unit, peer) = limited(&lab, &[Limit::DiskFull]).await;
    let Some(in_force) = on(&unit, Limit::DiskFull) else { return };
    // A file is made, and nothing fits into it.
    assert_eq!(carry_out(&peer, WRITE).await, json!({ "errno": ENOSPC }));
    unit.kill("a").await.unwrap();
    let peer = unit.start("a").await.unwrap();
    assert_eq!(carry_out(&peer, WRITE).await, json!({ "errno": ENOSPC }));
    let line = only(in_force.undo().unwrap());
    assert_eq!(line.verdict, LineVerdict::Held, "{line:?}");
    assert_eq!(carry_out(&peer, WRITE).await, 100_000);
    let seen = unit.folder("a").unwrap();
    assert_eq!(fs::metadata(seen.join("file")).unwrap().len(), 100_000);
    let names: Vec<_> =
        fs::read_dir(seen).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file"], "the peer sees nothing that is not its own");
    assert_eq!(
        fs::read_dir(unit.dir().join("a")).unwrap().count(),
        0,
        "it is on a disk of its own"
    );
    let report = unit.close().await;
    assert!(report.clean, "{report:?}");
    lab.check_nothing_is_left();
}

#[tokio::test]
async fn a_slow_disk_lets_a_peer_wait_that_syncs() {
    let lab = TestLab::open();
    let limit = Limit::DiskSlow { bytes_per_s: 512 * 1024 };
    let (unit, peer) = limited(&lab, &[limit]).await;
    let Some(in_force) = on(&unit, limit) else { return };
    let sync = "
import os, time
file = os.open(os.environ['HANDFAST_DATA_DIR'] + '/file', os.O_CREAT | os.O_WRONLY)
began = time.monotonic()
os.write(file, b'x' * 400_000)
os.fsync(file)
result = time.monotonic() - began
";
    let took = carry_out(&peer, sync).await.as_f64().unwrap();
    let line = only(in_force.undo().unwrap());
    assert!(took > 0.5, "{took} s: {line:?}");
    assert_eq!(line.verdict, LineVerdict::Held, "{line:?}");
}
