//! Runs that are red and green and killed, and a Slack with bad weather.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use handfast_fakeslack::weather::Odds;
use handfast_fakeslack::{FakeSlack, Settings, Weather};
use handfast_notify::clock::unix_us;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use tempfile::TempDir;

use crate::laws::{self, Outcome};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// Incidents that have to come about.
    pub(crate) incidents: u64,
    /// Whatever is chosen by chance follows from it, except the moments at which the system does things.
    pub(crate) seed: u64,
    /// Projects at the same time.
    pub(crate) workers: u64,
    /// Within what half of everything has to be told, where that can be asked: not beside other tests.
    pub(crate) half_within: Option<Duration>,
}

/// Bad weather: of a hundred requests some 18 do not go well.
const WEATHER: Odds = Odds {
    limited: 40,
    error: 20,
    unavailable: 30,
    silent: 3,
    silent_after: 3,
    reset_before: 30,
    reset_after: 50,
    slow: 100,
};

/// What was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kill {
    /// Nothing.
    Nothing,
    /// The runner.
    Runner,
    /// Every courier of the project.
    Courier,
    /// Both.
    Both,
    /// The runner's process group.
    Group,
}

/// A run that began.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    /// Its id.
    pub(crate) run: String,
    /// What it was news of.
    pub(crate) subject: String,
    /// Whether it was to be red.
    pub(crate) red: bool,
    /// Its exit code, if it lived to say it.
    pub(crate) exit: Option<i32>,
    /// When something of it was killed, microseconds since the Unix epoch.
    pub(crate) killed_unix_us: Option<i64>,
}

/// What one worker did.
pub(crate) struct Played {
    /// Its project.
    pub(crate) folder: TempDir,
    /// Its runs.
    pub(crate) begun: Vec<Begun>,
    /// How often what was killed.
    pub(crate) kills: BTreeMap<Kill, u64>,
    /// What went wrong beside the laws.
    pub(crate) trouble: Vec<String>,
}

/// Plays until there are as many incidents as asked for, and looks whether the laws held.
pub(crate) fn run(order: &Order, handfast: &Path) -> Outcome {
    let settings = Settings {
        // Ten times what Slack takes: three hundred incidents come in minutes here.
        limits: handfast_fakeslack::Limits {
            pace: Duration::from_millis(100),
            tier3_a_minute: 500,
            ..Default::default()
        },
        ..Settings::default()
    };
    let token = settings.token.clone();
    let slack = FakeSlack::start(settings, Weather::seeded(order.seed, WEATHER)).unwrap();
    let began = unix_us();
    let played: Vec<Played> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..order.workers)
            .map(|number| {
                let worker = Worker::new(number, order, handfast, &slack, &token);
                scope.spawn(move || worker.play())
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    laws::look(order, &slack, &played, unix_us() - began)
}

struct Worker {
    number: u64,
    incidents: u64,
    dice: u64,
    handfast: PathBuf,
    folder: TempDir,
    env: [(&'static str, String); 2],
    begun: Vec<Begun>,
    seen: BTreeSet<String>,
    kills: BTreeMap<Kill, u64>,
}

/// A suite that is red as long as there is a file `red`, the second one after a while.
const SUITE: &str = r#"sleep "$2"
if [ -f red ]; then
  echo '<testsuites><testsuite name="s"><testcase classname="c" name="t"><failure message="it is red">it is red</failure></testcase></testsuite></testsuites>' > "$1.xml"
  exit 1
fi
echo '<testsuites><testsuite name="s"><testcase classname="c" name="t"/></testsuite></testsuites>' > "$1.xml"
"#;

/// Longest time for a run with its courier, and for what is left at the end.
const WITHIN: Duration = Duration::from_mins(4);

impl Worker {
    fn new(number: u64, order: &Order, handfast: &Path, slack: &FakeSlack, token: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let suite = |name: &str, category: &str, seconds: &str| {
            format!(
                "[[suites]]\nname = \"{name}\"\nkind = \"junit\"\ncategory = \"{category}\"\n\
                 command = [\"sh\", \"suite.sh\", \"{name}\", \"{seconds}\"]\nreport = \"{name}.xml\"\n"
            )
        };
        let project = format!(
            "[project]\nname = \"w{number}\"\n{}{}\
             [[notify.channels]]\nname = \"team\"\nkind = \"slack-bot\"\nchannel = \"C0FAKE001\"\napi = \"{}\"\nsecret = {{ env = \"TRIAL_TOKEN\" }}\n\
             [[notify.channels]]\nname = \"hook\"\nkind = \"slack-webhook\"\nsecret = {{ env = \"TRIAL_HOOK\" }}\n",
            suite("first", "unit", "0.02"),
            suite("second", "integration", "0.2"),
            slack.api()
        );
        fs::write(folder.path().join("handfast.toml"), project).unwrap();
        fs::write(folder.path().join("suite.sh"), SUITE).unwrap();
        fs::create_dir(folder.path().join("scenarios")).unwrap();
        let share = order.incidents.div_ceil(order.workers);
        Self {
            number,
            incidents: share,
            dice: order.seed.wrapping_mul(0x9E37_79B9).wrapping_add(number),
            handfast: handfast.to_owned(),
            folder,
            env: [("TRIAL_TOKEN", token.to_owned()), ("TRIAL_HOOK", slack.webhook())],
            begun: Vec::new(),
            seen: BTreeSet::new(),
            kills: BTreeMap::new(),
        }
    }

    fn play(mut self) -> Played {
        let mut trouble = Vec::new();
        let mut subject = 0;
        while laws::incidents(self.folder.path()) < self.incidents && subject < self.incidents * 4 {
            subject += 1;
            let name = format!("w{}s{subject}e", self.number);
            self.one(&name, true);
            if self.roll(4) == 0 {
                self.one(&name, true);
            }
            if self.roll(3) == 0 {
                self.one(&name, false);
            }
        }
        // What died together with its courier is found by the next start; this is one.
        let within = format!("{}s", WITHIN.as_secs());
        let delivered = self.command(&["notify", "deliver", "--within", &within]).output().unwrap();
        if !delivered.status.success() {
            let said = String::from_utf8_lossy(&delivered.stderr).into_owned();
            trouble.push(format!("notify deliver: {} {said}", delivered.status));
        }
        for pid in couriers(self.folder.path()) {
            if !ends(pid, WITHIN) {
                trouble.push(format!("the courier {pid:?} does not end"));
            }
        }
        Played { folder: self.folder, begun: self.begun, kills: self.kills, trouble }
    }

    /// One run, and perhaps a kill in its midst.
    fn one(&mut self, subject: &str, red: bool) {
        let mark = self.folder.path().join("red");
        if red {
            fs::write(&mark, "").unwrap();
        } else {
            drop(fs::remove_file(&mark));
        }
        let kill = match self.roll(8) {
            0 => Kill::Courier,
            1 => Kill::Both,
            2 => Kill::Group,
            3 | 4 => Kill::Runner,
            _ => Kill::Nothing,
        };
        let notify = format!("--notify={subject}");
        let mut command = self.command(&["run", "--all", &notify]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut runner = command.spawn().unwrap();
        let moment = Duration::from_millis(self.roll(700));
        let mut killed = None;
        if kill != Kill::Nothing && !ends(Pid::from_child(&runner), moment) {
            killed = Some(unix_us());
            self.strike(kill, &runner);
            *self.kills.entry(kill).or_default() += 1;
        }
        let exit = wait(&mut runner);
        self.note(subject, red, exit, killed);
    }

    fn strike(&self, kill: Kill, runner: &Child) {
        let pid = Pid::from_child(runner);
        let runner_dies = matches!(kill, Kill::Runner | Kill::Both);
        if matches!(kill, Kill::Courier | Kill::Both) {
            for courier in couriers(self.folder.path()) {
                // It may have ended in the meantime.
                let _ = kill_process(courier, Signal::KILL);
            }
        }
        if runner_dies {
            let _ = kill_process(pid, Signal::KILL);
        }
        if kill == Kill::Group {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    /// Notes the run by its record, which the outbox knows nothing of.
    fn note(&mut self, subject: &str, red: bool, exit: Option<i32>, killed_unix_us: Option<i64>) {
        let runs = fs::read_dir(self.folder.path().join(".handfast/runs"));
        for entry in runs.into_iter().flatten().flatten() {
            let run = entry.file_name().to_string_lossy().into_owned();
            let events = fs::read_to_string(entry.path().join("events.jsonl")).unwrap_or_default();
            if events.contains("run_started") && self.seen.insert(run.clone()) {
                let subject = subject.to_owned();
                self.begun.push(Begun { run, subject, red, exit, killed_unix_us });
            }
        }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.handfast);
        command.args(words).current_dir(self.folder.path()).stdin(Stdio::null());
        command.envs(self.env.iter().map(|(name, value)| (*name, value.as_str())));
        command.env_remove("CARGO").env_remove("GITHUB_SERVER_URL").env_remove("CI_JOB_URL");
        command.env_remove("GITHUB_ACTIONS").env_remove("GITHUB_STEP_SUMMARY");
        command
    }

    /// A number below `below`, from the seed.
    fn roll(&mut self, below: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % below
    }
}

/// The exit code of a process, if it had one.
fn wait(child: &mut Child) -> Option<i32> {
    assert!(ends(Pid::from_child(child), WITHIN), "handfast does not end");
    child.wait().unwrap().code()
}

/// Waits for the end of a process, at most so long; whether it ended.
fn ends(pid: Pid, within: Duration) -> bool {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let mut polled = [PollFd::new(&process, PollFlags::IN)];
    let within = Timespec {
        tv_sec: i64::try_from(within.as_secs()).unwrap(),
        tv_nsec: i64::from(within.subsec_nanos()),
    };
    poll(&mut polled, Some(&within)).unwrap() > 0
}

/// The couriers of a project.
fn couriers(root: &Path) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.get(1) == Some(&b"__courier".as_slice())
            && words.get(2) == Some(&root.to_str().unwrap().as_bytes())
    });
    ours.filter_map(Pid::from_raw).collect()
}
