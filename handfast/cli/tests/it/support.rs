//! A project in a folder of its own, and the program run in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tempfile::TempDir;

/// A project with the fixture as its only peer, called `py`.
pub(crate) struct Project {
    folder: TempDir,
}

/// What the program did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) error: String,
}

/// How long a process may take to be gone: far more than it needs, on a machine that is busy otherwise.
const GONE_WITHIN: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

impl Project {
    /// A project with the fixture as peer and these further lines in its file.
    pub(crate) fn new(more: &str) -> Self {
        let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/peer.py");
        let start = format!(
            "[peers.py]\nstart = [\"python3\", \"{}\"]\nversions = [\"1.0\"]\n",
            peer.display()
        );
        Self::bare(&format!("{start}{more}"))
    }

    /// A project with these lines in its file.
    pub(crate) fn bare(lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = Self { folder };
        project.write("handfast.toml", &format!("[project]\nname = \"test\"\n{lines}"));
        project.write("scenarios/README", "made for a test");
        project
    }

    /// Adds a scenario `test_unit_<name>` of two roles, with these steps.
    pub(crate) fn scenario(self, name: &str, steps: &str) -> Self {
        let text = format!("name = \"the scenario {name}\"\n[roles.a]\n[roles.b]\n{steps}");
        self.write(&format!("scenarios/test_unit_{name}.toml"), &text);
        self
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program in this project, in an environment that says nothing of the outside.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handfast"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_remove("CARGO")
            .env_remove("CARGO_TARGET_DIR")
            .env_remove("GITHUB_ACTIONS")
            .env_remove("GITHUB_STEP_SUMMARY")
            .env_remove("GITHUB_WORKSPACE");
        command.stdin(Stdio::null());
        command
    }

    /// Runs the program to its end and asserts that no process of it is left.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        self.assert_nothing_left();
        Ran {
            code: status.code().unwrap(),
            out: String::from_utf8(stdout).unwrap(),
            error: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Waits for the end of every process that has to do with this project; fails for one that stays.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for pid in left {
                assert!(is_gone(pid), "process {pid} is left: {:?}", command_line(pid));
            }
        }
    }

    /// The record of the last run.
    pub(crate) fn last_record(&self) -> PathBuf {
        let runs = fs::read_dir(self.path().join(".handfast/runs")).unwrap();
        // Ids of runs within one second have no order.
        let changed = |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).unwrap();
        runs.map(|run| run.unwrap().path()).max_by_key(changed).unwrap()
    }

    /// Every process whose command line or environment names the project's folder, which is nobody else's.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let marker = self.path().to_str().unwrap().as_bytes();
        let names = |path: PathBuf| {
            let text = fs::read(path).unwrap_or_default();
            text.windows(marker.len()).any(|window| window == marker)
        };
        let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap());
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let ours = pids.filter(|pid| {
            let folder = PathBuf::from(format!("/proc/{pid}"));
            names(folder.join("environ")) || names(folder.join("cmdline"))
        });
        ours.filter_map(Pid::from_raw).collect()
    }
}

/// Waits for the end of a process; `false` if it stays.
fn is_gone(pid: Pid) -> bool {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let mut polled = [PollFd::new(&process, PollFlags::IN)];
    poll(&mut polled, Some(&GONE_WITHIN)).unwrap() > 0
}

fn command_line(pid: Pid) -> String {
    let text = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ")
}

impl Ran {
    /// Asserts exit code and last line, and that the output has these parts.
    #[track_caller]
    pub(crate) fn check(&self, code: i32, closing: &str, parts: &[&str]) {
        let shown = format!("--- out\n{}\n--- error\n{}", self.out, self.error);
        assert_eq!(self.code, code, "{shown}");
        assert_eq!(self.out.lines().last().unwrap_or_default(), closing, "{shown}");
        for part in parts {
            assert!(self.out.contains(part), "{part:?} is missing in {shown}");
        }
    }
}
