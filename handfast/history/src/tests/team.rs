//! The same questions to a machine's history and to that of a team, on a real server.

use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::{Questions, Team, TestName};

/// A server of this test alone: a folder, a socket in it, no port.
struct Server {
    folder: TempDir,
    programs: PathBuf,
    user: Option<u32>,
}

/// `nobody`, as whom the server runs where the tests are root, which it refuses to be.
const NOBODY: u32 = 65_534;

impl Server {
    /// Starts one; nothing where Debian's package is not installed.
    fn start() -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let mut programs = versions.map(|version| version.path().join("bin"));
        let programs = programs.find(|folder| folder.join("initdb").is_file())?;
        let folder = tempfile::tempdir().unwrap();
        let is_root = std::fs::metadata(folder.path()).unwrap().uid() == 0;
        let user = is_root.then_some(NOBODY);
        if let Some(user) = user {
            chown(folder.path(), Some(user), Some(user)).unwrap();
        }
        let server = Self { folder, programs, user };
        server.call("initdb", &["--auth", "trust", "--username", "ci", "--no-sync", "-D"]);
        let options = format!(
            "-c listen_addresses= -c fsync=off -c unix_socket_directories={}",
            server.folder.path().display()
        );
        let log = server.folder.path().join("log");
        let log = log.to_str().unwrap();
        server.call("pg_ctl", &["start", "--wait", "--log", log, "--options", &options, "-D"]);
        Some(server)
    }

    /// Calls a program of the package as the server's user, the folder of the data behind its words.
    fn call(&self, program: &str, words: &[&str]) {
        let mut command = match self.user {
            None => Command::new(self.programs.join(program)),
            Some(user) => {
                let mut command = Command::new("setpriv");
                let (user, group) = (format!("--reuid={user}"), format!("--regid={user}"));
                command.args([&user, &group, "--clear-groups"]);
                command.arg(self.programs.join(program));
                command
            }
        };
        command.args(words).arg(self.data()).current_dir("/").stdout(std::process::Stdio::null());
        assert!(command.status().unwrap().success(), "{program} {words:?}");
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn url(&self) -> String {
        let folder = self.folder.path().to_str().unwrap().replace('/', "%2F");
        format!("postgresql://ci@{folder}/postgres")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.call("pg_ctl", &["stop", "--mode", "immediate", "-D"]);
    }
}

/// Two runs, of which one is not over.
fn machine(folder: &Path, names: [&str; 2]) -> History {
    let mut history = History::open(folder).unwrap();
    for (at, name) in (0..).zip(names) {
        history.begin(&RunRow { started_unix_us: at, ..run(name) }).unwrap();
        history.plan(name, &[], &[cell("x")]).unwrap();
        history.judged(name, &result("x", failed(), 100 + at)).unwrap();
        let test = TestRow {
            suite: "s".to_owned(),
            test: "t\0u".to_owned(),
            kind: "passed".to_owned(),
            duration_us: 5,
            ended_unix_us: 100 + at,
        };
        history.tested(name, &[test]).unwrap();
    }
    let end = EndRow { exit: "passed".to_owned(), summary: "{}".to_owned(), duration_us: 9 };
    history.end(names[0], &end).unwrap();
    history.flaky(names[0], "", "x").unwrap();
    let measured = MeasurementRow {
        unit: "load".to_owned(),
        name: "latency_p99".to_owned(),
        machine: "m".to_owned(),
        value: 1.5,
        measured_in: "us".to_owned(),
        taken_unix_us: 100,
    };
    history.measured(names[0], &[measured]).unwrap();
    let incident = IncidentRow {
        incident: format!("of {}", names[0]),
        subject: "load".to_owned(),
        class: "worse".to_owned(),
        good_commit: None,
        bad_commit: Some("b".to_owned()),
        detail: "{}".to_owned(),
        opened_unix_us: 100,
    };
    history.opened(names[0], &incident).unwrap();
    history
}

#[test]
#[expect(clippy::print_stderr, reason = "what this machine lacks is named")]
fn a_team_has_what_its_machines_have_once_and_answers_as_they_do() {
    let Some(server) = Server::start() else {
        eprintln!("not tested here: no PostgreSQL server; `apt-get install postgresql` brings one");
        return;
    };
    let team = Team::open(&server.url()).unwrap();
    assert_eq!(team.extent().unwrap().runs, 0);
    let (one, two) = (folder(), folder());
    let history = machine(one.path(), ["r1", "r2"]);
    let taken = team.take(&history).unwrap();
    assert_eq!((taken.added, taken.known), (13, 0));
    // The run that is over is not sent again; of the other one everything is known.
    assert_eq!(team.take(&history).unwrap().added, 0);
    let unit = TestName { suite: None, test: "x".to_owned() };
    assert_eq!(team.last_runs(9).unwrap(), history.last_runs(9).unwrap());
    assert_eq!(team.outcomes(&unit, 9).unwrap(), history.outcomes(&unit, 9).unwrap());
    let measured = history.measured_names().unwrap();
    assert_eq!(team.measured_names().unwrap(), measured);
    assert_eq!(
        team.measurements(&measured[0], 9).unwrap(),
        history.measurements(&measured[0], 9).unwrap()
    );
    for subject in [None, Some("load"), Some("other")] {
        let there = team.open_incidents(subject).unwrap();
        assert_eq!(there, history.open_incidents(subject).unwrap());
    }
    for name in ["x", "s: ", "nothing of the kind"] {
        let (there, here) = (team.named(name, 9).unwrap(), history.named(name, 9).unwrap());
        assert_eq!(there.count, here.count, "{name}");
    }
    let test = team.named("s: ", 9).unwrap().tests.remove(0);
    assert_eq!(test.test, "t\u{fffd}u", "a text that PostgreSQL cannot hold");
    assert_eq!(team.outcomes(&test, 1).unwrap()[0].run, "r2");
    // Another machine, and the rest of a run that was not over.
    let mut history = history;
    let end = EndRow { exit: "passed".to_owned(), summary: "{}".to_owned(), duration_us: 9 };
    history.end("r2", &end).unwrap();
    assert_eq!(team.take(&history).unwrap().added, 1);
    team.take(&machine(two.path(), ["r3", "r4"])).unwrap();
    drop(team);
    let again = Team::open(&server.url()).unwrap();
    assert_eq!(again.extent().unwrap().runs, 4);
    let mut client = postgres::Client::connect(&server.url(), postgres::NoTls).unwrap();
    for change in ["DELETE FROM handfast.runs", "UPDATE handfast.results SET kind = 'passed'"] {
        let error = client.batch_execute(change).unwrap_err();
        assert!(format!("{error:?}").contains("the history only grows"), "{error:?}");
    }
    client.batch_execute("INSERT INTO handfast.format VALUES (999)").unwrap();
    let error = Team::open(&server.url()).unwrap_err().to_string();
    assert!(error.contains("format 999"), "{error}");
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let folder = folder();
    let place = folder.path().to_str().unwrap().replace('/', "%2F");
    let url = format!("postgresql://ci:secret@{place}/handfast");
    let error = Team::open(&url).unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("handfast on /") && !text.contains("secret"), "{text}");
}
