//! Runs with small budgets, of which some are killed, and what must hold after each.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use handfast_scenario::{Recorded, RunEvent};
use rusqlite::Connection;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::support::Project;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// How many runs.
    pub(crate) runs: u64,
    /// Whatever is chosen by chance follows from it, except the moments at which the system does things.
    pub(crate) seed: u64,
    /// Projects at the same time.
    pub(crate) workers: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Runs that were carried out.
    pub(crate) runs: u64,
    /// Those of them that were killed before their end.
    pub(crate) killed: u64,
    /// Those that ended with 6.
    pub(crate) spent: u64,
    /// Results that were told on the console.
    pub(crate) told: usize,
    /// Results in records.
    pub(crate) kept: usize,
    /// What did not fit.
    pub(crate) did_not_fit: usize,
    /// The most that a run took beyond its budget.
    pub(crate) over: Duration,
    /// Laws that were broken, a sentence each.
    pub(crate) broken: Vec<String>,
}

/// The most that a run may take beyond its budget.
const OVER_MAX: Duration = Duration::from_secs(2);

/// Longest time for a run.
const WITHIN: Duration = Duration::from_mins(2);

/// Plays all runs and looks after each whether the laws held.
pub(crate) fn run(order: &Order) -> Outcome {
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let share =
            |number| (0..order.runs).filter(move |run| run % order.workers == number).count();
        let workers: Vec<_> = (0..order.workers)
            .map(|number| {
                let dice = Dice(order.seed.wrapping_mul(0x9E37_79B9).wrapping_add(number));
                scope.spawn(move || Worker::new(dice).play(share(number)))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let mut all = Outcome::default();
    for one in outcomes {
        all.runs += one.runs;
        all.killed += one.killed;
        all.spent += one.spent;
        all.told += one.told;
        all.kept += one.kept;
        all.did_not_fit += one.did_not_fit;
        all.over = all.over.max(one.over);
        all.broken.extend(one.broken);
    }
    all
}

impl Outcome {
    pub(crate) fn report(&self) -> String {
        format!(
            "{} runs, {} of them killed, {} with a spent budget; {} results told, {} kept, {} did not fit; at most {} ms beyond a budget",
            self.runs,
            self.killed,
            self.spent,
            self.told,
            self.kept,
            self.did_not_fit,
            self.over.as_millis()
        )
    }
}

struct Worker {
    dice: Dice,
    project: Project,
    outcome: Outcome,
    seen: BTreeSet<String>,
}

impl Worker {
    fn new(dice: Dice) -> Self {
        let project = Project::bare("");
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/peer.py");
        project.write("peer.py", &fs::read_to_string(fixture).unwrap());
        Self { dice, project, outcome: Outcome::default(), seen: BTreeSet::new() }
    }

    fn play(mut self, runs: usize) -> Outcome {
        for _ in 0..runs {
            self.one();
        }
        self.outcome
    }

    /// One run of a suite that is drawn anew, and perhaps a kill in its midst.
    fn one(&mut self) {
        let budget = Duration::from_millis(1_000 + self.dice.below(2_000));
        self.lay_out(budget);
        let console = self.project.path().join("console.txt");
        let mut command = self.project.command(&["run", "--all"]);
        command.stdout(File::create(&console).unwrap()).stderr(Stdio::null());
        let mut handfast = command.spawn().unwrap();
        let moment = Duration::from_millis(self.dice.below(4_500));
        let is_killed = self.dice.below(2) == 0 && !ends(&handfast, moment);
        if is_killed {
            handfast.kill().unwrap();
            self.outcome.killed += 1;
        }
        if !ends(&handfast, WITHIN) {
            self.broken("", "handfast does not end");
            handfast.kill().unwrap();
        }
        let code = handfast.wait().unwrap().code();
        self.project.assert_nothing_left();
        self.outcome.runs += 1;
        self.outcome.spent += u64::from(code == Some(6));
        let told = told(&fs::read_to_string(console).unwrap());
        self.look(budget, is_killed, &told);
    }

    /// Some scenarios and suites, one category.
    fn lay_out(&mut self, budget: Duration) {
        let folder = self.project.path().join("scenarios");
        fs::remove_dir_all(folder).unwrap();
        self.project.write("scenarios/README", "made for a trial");
        for number in 0..=self.dice.below(3) {
            let (lines, steps) = match self.dice.below(8) {
                0 => ("", call("hang", "within = \"1h\"")),
                1 => ("", call("crash", "")),
                2 => ("alone = true\n", String::new()),
                3 => ("uses = { ports = 2 }\n", String::new()),
                4 | 5 => {
                    let within = 100 + self.dice.below(900);
                    let more = format!("within = \"{within}ms\"\noutcome = \"unknown\"");
                    ("timeout = \"2s\"\n", call("hang", &more))
                }
                _ => ("", String::new()),
            };
            let text =
                format!("name = \"the scenario s{number}\"\n{lines}[roles.a]\n[roles.b]\n{steps}");
            self.project.write(&format!("scenarios/test_unit_s{number}.toml"), &text);
        }
        let mut text = format!(
            "[project]\nname = \"trial\"\n[peers.py]\nstart = [\"python3\", \"peer.py\"]\n[resources]\nports = 3\n\
             [categories.unit]\nbudget = \"{}ms\"\nparallel = {}\n",
            budget.as_millis(),
            1 + self.dice.below(3)
        );
        for number in 0..self.dice.below(3) {
            let seconds = [0, 0, 1, 600][usize::try_from(self.dice.below(4)).unwrap()];
            let test = "<testcase name=\\\"t\\\"/><testcase name=\\\"u\\\"/>";
            let _ = write!(
                text,
                "[[suites]]\nname = \"q{number}\"\nkind = \"junit\"\ncategory = \"unit\"\nreport = \"q{number}.xml\"\n\
                 command = [\"sh\", \"-c\", \"sleep {seconds}; echo '<testsuite>{test}</testsuite>' > q{number}.xml\"]\n"
            );
        }
        self.project.write("handfast.toml", &text);
    }

    /// Looks at the record of the run, if it came so far that it has one, and at the history.
    fn look(&mut self, budget: Duration, is_killed: bool, told: &BTreeSet<String>) {
        let runs = fs::read_dir(self.project.path().join(".handfast/runs"));
        let names = runs.into_iter().flatten().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let new: Vec<String> = names.filter(|name| !self.seen.contains(name)).collect();
        self.seen.extend(new.iter().cloned());
        let run = new.first().cloned().unwrap_or_default();
        let file = self.project.path().join(".handfast/runs").join(&run).join("events.jsonl");
        let text = fs::read_to_string(file).unwrap_or_default();
        // Of a run that was killed the last line may be torn.
        let events: Vec<Recorded> =
            text.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
        if !is_killed && !matches!(events.last(), Some(last) if is_end(&last.event)) {
            self.broken(&run, "the record of a run that was not killed has no end");
        }
        let over = took(&events).saturating_sub(budget);
        self.outcome.over = self.outcome.over.max(over);
        if over > OVER_MAX {
            self.broken(&run, &format!("it took {over:?} beyond its budget of {budget:?}"));
        }
        let results: BTreeSet<String> =
            events.iter().filter_map(|event| name(&event.event)).collect();
        self.outcome.told += told.len();
        self.outcome.kept += results.len();
        self.outcome.did_not_fit += text.matches("\"verdict\":\"did_not_fit\"").count();
        for lost in told.difference(&results) {
            self.broken(&run, &format!("{lost} was told and is not in the record"));
        }
        let history = self.history(&run);
        for lost in told.difference(&history) {
            self.broken(&run, &format!("{lost} was told and is not in the history"));
        }
        // A kill may come between the two, of which the record is first.
        let lost = results.difference(&history).count();
        if lost > usize::from(is_killed) {
            self.broken(&run, &format!("{lost} results of the record are not in the history"));
        }
    }

    /// The results of a run that the history has.
    fn history(&self, run: &str) -> BTreeSet<String> {
        let path = self.project.path().join(".handfast/history.db");
        if run.is_empty() || !path.exists() {
            return BTreeSet::new();
        }
        let history = Connection::open(path).unwrap();
        let mut found = BTreeSet::new();
        let queries = [
            "SELECT unit FROM results WHERE run = ?1",
            "SELECT 'suite ' || suite FROM suite_results WHERE run = ?1",
            "SELECT 'suite ' || suite || ' ' || test FROM suite_tests WHERE run = ?1",
        ];
        for query in queries {
            let mut statement = history.prepare(query).unwrap();
            let rows = statement.query_map([run], |row| row.get::<_, String>(0)).unwrap();
            found.extend(rows.map(|row| row.unwrap()));
        }
        found
    }

    fn broken(&mut self, run: &str, what: &str) {
        self.outcome.broken.push(format!("run {run}: {what}"));
    }
}

fn call(method: &str, more: &str) -> String {
    format!("[[step]]\nrole = \"a\"\ncall = \"{method}\"\n{more}\n")
}

/// The result that an event is, by name.
fn name(event: &RunEvent) -> Option<String> {
    if let RunEvent::UnitEnded { unit, .. } = event {
        return Some(unit.to_string());
    }
    if let RunEvent::SuiteEnded { suite, .. } = event {
        return Some(format!("suite {suite}"));
    }
    let RunEvent::SuiteTest { suite, test, .. } = event else { return None };
    Some(format!("suite {suite} {test}"))
}

fn is_end(event: &RunEvent) -> bool {
    matches!(event, RunEvent::RunEnded { .. })
}

/// From the first beginning of a unit or suite to the last thing that was heard.
fn took(events: &[Recorded]) -> Duration {
    let is_first = |recorded: &&Recorded| {
        matches!(recorded.event, RunEvent::UnitStarted { .. } | RunEvent::SuiteStarted { .. })
    };
    let first = events.iter().find(is_first).map(|recorded| recorded.at_us);
    let last = events.last().map(|recorded| recorded.at_us);
    let took = last.zip(first).map(|(last, first)| last.saturating_sub(first));
    Duration::from_micros(took.unwrap_or_default())
}

/// The results that the console named, of whole lines.
fn told(console: &str) -> BTreeSet<String> {
    let words = ["PASS", "FAIL", "HUNG", "INFRA", "NOFIT"];
    let whole = console.rfind('\n').map_or("", |end| &console[..end]);
    let lines = whole
        .lines()
        .filter(|line| line.split_whitespace().next().is_some_and(|word| words.contains(&word)));
    let named = |line: &str| {
        let after = |mark: &str| {
            let rest = line.split_once(mark)?.1;
            rest.split([' ', ':']).next().map(str::to_owned)
        };
        let unit = after("the scenario ").map(|name| format!("test_unit_{name}"));
        unit.or_else(|| after("  suite ").map(|name| format!("suite {name}")))
    };
    lines.filter_map(named).collect()
}

/// Waits for the end of a process, at most so long; whether it ended.
pub(crate) fn ends(child: &Child, within: Duration) -> bool {
    let Ok(process) = pidfd_open(Pid::from_child(child), PidfdFlags::empty()) else { return true };
    let mut polled = [PollFd::new(&process, PollFlags::IN)];
    let within = Timespec {
        tv_sec: i64::try_from(within.as_secs()).unwrap(),
        tv_nsec: i64::from(within.subsec_nanos()),
    };
    poll(&mut polled, Some(&within)).unwrap() > 0
}

/// Numbers of a seed.
#[derive(Debug, Clone, Copy)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}
