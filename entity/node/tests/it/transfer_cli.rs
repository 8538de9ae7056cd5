//! `entity transfer`, as a person and as a program sees it, against two running nodes.

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::cli::{Run, check, command, entity, stdout};

/// A node and one that knows it and sends to it.
struct Pair {
    home: tempfile::TempDir,
    receiver: Option<Run>,
    _sender: Run,
}

impl Pair {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        for name in ["r", "s"] {
            let data = home.path().join(name);
            std::fs::create_dir(&data).unwrap();
            check(&entity(&data, &["wallet", "create", name, "--unprotected"]), 0, "");
        }
        let receives = home.path().join("r");
        let limits = "[transfers]\nsize = \"3MiB\"\n";
        std::fs::write(receives.join("entity.toml"), limits).unwrap();
        let receiver = Run::start(&receives, &["--protocol", "1.1", "--trust", "first-use"]);
        let key =
            json_of(&receives, &["wallet", "show"])["public_key"].as_str().unwrap().to_owned();
        let peer = format!("id=r,address={},key={key}", receiver.address());
        let sender = Run::start(&home.path().join("s"), &["--protocol", "1.1", "--peer", &peer]);
        Self { home, receiver: Some(receiver), _sender: sender }
    }

    fn data(&self) -> std::path::PathBuf {
        self.home.path().join("s")
    }

    fn file(&self, name: &str, len: usize) -> Vec<u8> {
        let bytes: Vec<u8> = (0..=250).cycle().take(len).collect();
        std::fs::write(self.data().join(name), &bytes).unwrap();
        bytes
    }
}

fn json_of(data: &Path, arguments: &[&str]) -> Value {
    let output = entity(data, &[arguments, &["--json"]].concat());
    check(&output, 0, "");
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn a_file_is_sent_followed_and_listed_on_both_sides() {
    let pair = Pair::start();
    let bytes = pair.file("notes.txt", 1_500_000);
    let sent = json_of(&pair.data(), &["transfer", "send", "notes.txt", "--to", "r"]);
    assert_eq!(
        (&sent["state"], &sent["received"], &sent["name"]),
        (&json!("done"), &json!(1_500_000), &json!("notes.txt"))
    );
    let receives = pair.home.path().join("r");
    let listed = json_of(&receives, &["transfer", "list"]);
    let [arrived] = listed["transfers"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&arrived["id"], &arrived["state"]), (&sent["id"], &json!("done")));
    assert_eq!(std::fs::read(arrived["path"].as_str().unwrap()).unwrap(), bytes);
    // For a person; no bar and no colours without a terminal.
    let sent = entity(&pair.data(), &["transfer", "send", "notes.txt", "--to", "r"]);
    check(&sent, 0, "");
    assert_eq!(stdout(&sent), "r has all 1500000 bytes, durably\n");
    assert!(sent.stderr.is_empty(), "{}", String::from_utf8_lossy(&sent.stderr));
    let listed = stdout(&entity(&receives, &["transfer", "list"]));
    assert_eq!(listed.matches("100.0 % of 1464 KiB  from s: notes.txt").count(), 2, "{listed}");
}

#[test]
fn a_receiver_refuses_what_its_file_of_settings_does_not_allow() {
    let pair = Pair::start();
    pair.file("fits", 3 << 20);
    pair.file("large", (3 << 20) + 1);
    check(&entity(&pair.data(), &["transfer", "send", "fits", "--to", "r"]), 0, "");
    let refused = entity(&pair.data(), &["transfer", "send", "large", "--to", "r"]);
    check(&refused, 1, "failed to send it to r: too_large help: it is larger than the peer takes");
    let listed = json_of(&pair.data(), &["transfer", "list"]);
    assert_eq!(listed["transfers"][1]["reason"], "too_large", "{listed}");
}

#[test]
fn ctrl_c_ends_the_waiting_and_cancel_the_transfer() {
    let mut pair = Pair::start();
    pair.file("data", 1_000_000);
    // Nobody is there, so that it stays open.
    drop(pair.receiver.take());
    let waiting = command(&pair.data(), &["transfer", "send", "data", "--to", "r"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = loop {
        let listed = json_of(&pair.data(), &["transfer", "list"]);
        if let Some(id) = listed["transfers"][0]["id"].as_str() {
            break id.to_owned();
        }
    };
    // It asked before it began to listen for the signal; where that comes first, it ends by it.
    let interrupt = ["-INT", &waiting.id().to_string()].map(str::to_owned);
    assert!(std::process::Command::new("kill").args(&interrupt).status().unwrap().success());
    let waited = waiting.wait_with_output().unwrap();
    if waited.status.code().is_some() {
        check(&waited, 0, &format!("the node goes on sending {id}"));
    }
    let open = json_of(&pair.data(), &["transfer", "list"]);
    assert_eq!(open["transfers"][0]["state"], "open");
    check(&entity(&pair.data(), &["transfer", "cancel", &id]), 0, "");
    let ended = json_of(&pair.data(), &["transfer", "list"]);
    assert_eq!(ended["transfers"][0]["reason"], "cancelled");
    check(&entity(&pair.data(), &["transfer", "cancel", &id]), 1, "failed to find transfer");
}

#[test]
fn mistakes_with_transfers_say_what_to_do() {
    let pair = Pair::start();
    let send = |file: &str, to: &str| entity(&pair.data(), &["transfer", "send", file, "--to", to]);
    pair.file("data", 10);
    check(&send("missing", "r"), 2, "failed to send missing: No such file");
    check(&send(".", "r"), 2, "failed to send .: it is no regular file");
    check(&send("data", "nobody"), 1, "UNKNOWN_RECIPIENT");
    let nowhere = tempfile::tempdir().unwrap();
    check(&entity(nowhere.path(), &["transfer", "list"]), 4, "start it with `entity run`");
    let detached = json_of(&pair.data(), &["transfer", "send", "data", "--to", "r", "--detach"]);
    assert_eq!(detached["id"].as_str().unwrap().len(), 36);
}
