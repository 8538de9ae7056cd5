//! A secret is in the environment or the file that names it, and nowhere else: not in an output, the command line of a process, a record or the outbox.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use handfast_fakeslack::{FakeSlack, Limits, Settings, Weather};

use crate::support::Project;

const SECRETS: [&str; 4] =
    ["xoxb-fake-token", "fakewebhooksecret", "HIDDENADDRESS", "HIDDENHEADER"];

/// Kept back for a while by the step that waits in vain, so that its processes can be looked at.
const RED: &str = "[[step]]\nevent = \"message.received\"\non = \"b\"\nwhere = { from = \"a\" }\nwithin = \"1s\"\n";

fn check(place: &str, bytes: &[u8]) {
    for secret in SECRETS {
        let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "{secret} stands in {place}");
    }
}

fn check_folder(folder: &Path) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += check_folder(&path);
        } else if path.is_file() && path.file_name().unwrap() != "hook" {
            check(&path.display().to_string(), &fs::read(&path).unwrap());
            files += 1;
        }
    }
    files
}

/// Looks at the command line of every process of the program; returns whether there is a courier.
fn check_command_lines() -> bool {
    let program = Path::new(env!("CARGO_BIN_EXE_handfast")).canonicalize().unwrap();
    let mut courier = false;
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // A process may be gone by now, or be somebody else's.
        let is_ours = fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == program);
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if !is_ours {
            continue;
        }
        check(&entry.path().display().to_string(), &line);
        courier |= String::from_utf8_lossy(&line).contains("__courier");
    }
    courier
}

fn project(slack: &FakeSlack) -> Project {
    let project = Project::new(&format!(
        "[[notify.channels]]\nname = \"bot\"\nkind = \"slack-bot\"\nchannel = \"C0FAKE001\"\napi = \"{}\"\nsecret = {{ env = \"TOKEN\" }}\n\
         [[notify.channels]]\nname = \"hook\"\nkind = \"slack-webhook\"\nsecret = {{ file = \"hook\" }}\n\
         [[notify.channels]]\nname = \"any\"\nkind = \"webhook\"\nsecret = {{ env = \"ADDRESS\" }}\nheaders = {{ Authorization = {{ env = \"HEADER\" }} }}\n\
         [[notify.channels]]\nname = \"gone\"\nkind = \"slack-webhook\"\nsecret = {{ env = \"GONE\" }}\n",
        slack.api()
    ));
    project.write("hook", &slack.webhook());
    project.scenario("x", RED)
}

#[test]
fn a_secret_stands_nowhere_but_where_it_is_kept() {
    // The test's message comes right after the run's, which a Slack with its usual pace would not take.
    let limits = Limits { pace: Duration::ZERO, ..Limits::default() };
    let settings = Settings { limits, ..Settings::default() };
    let slack = FakeSlack::start(settings, Weather::default()).unwrap();
    let project = project(&slack);
    let mut couriers = 0;
    for arguments in [&["run", "--notify=daily"][..], &["notify", "test"], &["notify", "status"]] {
        let mut command = project.command(arguments);
        command
            .env("TOKEN", "xoxb-fake-token")
            .env("ADDRESS", format!("{}/HIDDENADDRESS", slack.hook()))
            .env("HEADER", "Bearer HIDDENHEADER")
            // Refused by the service, so that its refusal is told and kept, too.
            .env("GONE", format!("http://{}/services/HIDDENADDRESS", slack.address()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            couriers += usize::from(check_command_lines());
        }
        let mut said = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut said).unwrap();
        child.stderr.take().unwrap().read_to_end(&mut said).unwrap();
        check(&format!("what {arguments:?} says"), &said);
    }
    assert!(couriers > 0, "a courier was looked at");
    assert_eq!(slack.messages("C0FAKE001").len(), 2, "the failure and the test were told");
    assert!(check_folder(project.path()) >= 6, "the record and the outbox were looked at");
}
