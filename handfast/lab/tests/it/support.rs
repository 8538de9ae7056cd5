//! What the tests of the lab share.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use handfast_lab::{
    Clock, Fact, Lab, LabConfig, Observation, Reader, RoleConfig, Unit, UnitConfig,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Far above what anything in these tests takes: reaching it is a failure, not a wait.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) const STAND_IN: &str = env!("CARGO_BIN_EXE_handfast-lab-stand-in");

/// A lab in a folder of its own.
pub(crate) struct TestLab {
    pub(crate) lab: Lab,
    pub(crate) run: String,
    pub(crate) root: tempfile::TempDir,
}

impl TestLab {
    pub(crate) fn open() -> Self {
        let root = tempfile::tempdir().unwrap();
        let run = run_id();
        let config = LabConfig {
            scratch_root: root.path().to_owned(),
            run: run.clone(),
            reaper: vec![STAND_IN.into(), handfast_lab::reaper::ARGUMENT.into()],
            clock: Clock::start(),
        };
        let (lab, swept) = Lab::open(config).unwrap();
        assert!(swept.is_empty());
        Self { lab, run, root }
    }

    /// A unit whose roles are played by the fixture peer with these behaviours.
    pub(crate) async fn unit(&self, behaviours: &[(&str, &str)]) -> Unit {
        let roles = behaviours.iter().map(|&(name, behaviour)| role(name, behaviour)).collect();
        let config = UnitConfig { name: "test unit".to_owned(), roles, ..UnitConfig::default() };
        self.lab.unit(config).await.unwrap()
    }

    /// Asserts that no process carries the run's marker any more.
    #[track_caller]
    pub(crate) fn check_nothing_is_left(&self) {
        assert_eq!(marked(&self.run), Vec::<i32>::new());
        let folders = fs::read_dir(self.root.path().join(&self.run)).unwrap();
        let names: Vec<_> = folders.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["lock"]);
    }
}

pub(crate) fn run_id() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/peer.py")
}

/// The interpreter itself: what is found in `PATH` may be a script that starts other programs first,
/// and these tests count processes.
pub(crate) fn python() -> &'static str {
    static PYTHON: LazyLock<String> = LazyLock::new(|| {
        let program = "import sys; print(sys.executable, end='')";
        let found = std::process::Command::new("python3").args(["-I", "-c", program]).output();
        String::from_utf8(found.unwrap().stdout).unwrap()
    });
    &PYTHON
}

pub(crate) fn role(name: &str, behaviour: &str) -> RoleConfig {
    RoleConfig {
        name: name.to_owned(),
        program: python().to_owned(),
        // Isolated and without site packages: the interpreter starts in half the time.
        args: ["-I", "-S", fixture().to_str().unwrap(), behaviour].map(str::to_owned).to_vec(),
        env: BTreeMap::new(),
        ready_within: Some(LONG),
        ..RoleConfig::default()
    }
}

/// The processes whose environment carries the marker of a run.
pub(crate) fn marked(run: &str) -> Vec<i32> {
    let marker = format!("HANDFAST_RUN={run}");
    let entries = fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == marker.as_bytes())
    })
    .collect()
}

/// Waits until none of these processes lives.
#[track_caller]
pub(crate) fn wait_for_the_end_of(pids: &[i32]) {
    for &pid in pids {
        let Ok(handle) = pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) else {
            continue;
        };
        let within = Timespec { tv_sec: 30, tv_nsec: 0 };
        let ended = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&within)).unwrap();
        assert_eq!(ended, 1, "process {pid} still lives");
    }
}

/// Waits for the first fact that `wanted` accepts.
pub(crate) async fn wait_for(
    reader: &mut Reader,
    wanted: impl Fn(&Fact) -> bool,
) -> std::sync::Arc<Observation> {
    let search = async {
        loop {
            let observation = reader.next().await.expect("the log ended without the fact");
            if wanted(&observation.fact) {
                return observation;
            }
        }
    };
    tokio::time::timeout(LONG, search).await.expect("the fact never came")
}

/// Says what a test cannot be about on this host.
#[expect(
    clippy::print_stdout,
    reason = "who reads the test's output is to know what it did not show"
)]
pub(crate) fn not_here(what: &str) {
    println!("NOT HERE: {what}");
}
