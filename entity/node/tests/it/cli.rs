//! The command line of the program.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use entity_node::admin::ask;
use serde_json::json;

pub(crate) fn entity(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).output().unwrap()
}

pub(crate) fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entity"));
    command.args(arguments).env("ENTITY_DATA_DIR", data).current_dir(data);
    command
}

#[track_caller]
pub(crate) fn check(output: &Output, code: i32, on_error: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{error}");
    // Long lines are wrapped.
    let words = error.replace('│', "").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(on_error), "{error}");
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn terminate(child: &Child) {
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// A running `entity run` that is killed when dropped; it has said that it is ready.
pub(crate) struct Run {
    child: Child,
    ready: serde_json::Value,
}

impl Run {
    pub(crate) fn start(data: &Path, arguments: &[&str]) -> Self {
        let all: Vec<_> =
            ["run", "--log-format", "json"].iter().chain(arguments).copied().collect();
        let mut child = command(data, &all)
            .env("ENTITY_LISTEN", "127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = loop {
            let line: serde_json::Value =
                serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            if line["fields"]["message"] == "ready" {
                break line["fields"].clone();
            }
        };
        // Keeps the pipe open and empty.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, ready }
    }

    pub(crate) fn address(&self) -> String {
        format!("http://{}", self.ready["address"].as_str().unwrap())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn every_command_has_help_with_examples() {
    let data = tempfile::tempdir().unwrap();
    let commands: &[&[&str]] = &[
        &[],
        &["run"],
        &["wallet"],
        &["wallet", "create"],
        &["wallet", "list"],
        &["wallet", "show"],
        &["wallet", "passphrase"],
        &["wallet", "import"],
        &["wallet", "export"],
        &["wallet", "convert"],
        &["wallet", "rotate"],
        &["wallet", "verify-handover"],
        &["wallet", "default"],
        &["wallet", "remove"],
        &["peers"],
        &["send"],
        &["route"],
        &["queue"],
        &["task"],
        &["transfer"],
        &["dht"],
        &["dht", "put"],
        &["dht", "get"],
        &["dht", "find"],
        &["dht", "table"],
        &["dht", "leave"],
        &["jwt"],
        &["jwt", "issue"],
        &["jwt", "verify"],
        &["token"],
        &["token", "open"],
        &["token", "issue"],
        &["token", "transfer"],
        &["token", "burn"],
        &["token", "balance"],
        &["token", "accounts"],
        &["token", "pending"],
        &["token", "history"],
        &["token", "statement"],
        &["token", "certificate"],
        &["token", "audit"],
        &["token", "verify"],
        &["moltbook"],
        &["moltbook", "status"],
        &["moltbook", "budget"],
        &["moltbook", "profile"],
        &["moltbook", "read"],
        &["moltbook", "post"],
        &["moltbook", "comment"],
        &["moltbook", "verify"],
        &["moltbook", "check"],
        &["shim"],
    ];
    for arguments in commands {
        let output = entity(data.path(), &[*arguments, &["--help"]].concat());
        check(&output, 0, "");
        let help = stdout(&output);
        assert!(help.contains("Examples:") && help.contains("entity"), "{arguments:?}: {help}");
        assert!(!help.contains('\u{1b}'), "no colours without a terminal");
    }
    check(&entity(data.path(), &[]), 2, "Usage: entity <COMMAND>");
    check(&entity(data.path(), &["fly"]), 2, "unrecognized subcommand 'fly'");
}

/// The whole text, so that a change of the command line is seen in review.
#[test]
fn the_help_of_the_program_is_this() {
    let data = tempfile::tempdir().unwrap();
    let expected = "\
A peer of the Entity protocol, versions 1.0 and 1.1

Usage: entity <COMMAND>

Commands:
  run       Run the peer until Ctrl-C or SIGTERM
  wallet    Keep the keys of this entity: make, show, protect, rotate, import, export
  peers     Show whom the running node knows, or forget one
  send      Send one message from the running node and wait for its answer
  outbox    Show the durable messages that wait until the other side has them
  route     Show which layer a message to each peer takes now, and which relays are suspected
  queue     Show what is kept for others: the mailboxes of a relay, and own durable messages by
            recipient
  task      Delegate tasks to peers, and end those that peers delegated
  transfer  Send files to peers, and see what comes and goes
  token     Move tokens, and see what moved
  dht       Find entities by id or capability, store and read records
  jwt       Issue and verify tokens by which peers show who they are
  moltbook  Read and write on Moltbook, within its budgets
  shim      Speak the peer contract on standard input and output
  help      Print this message or the help of the given subcommand(s)

Options:
  -h, --help     Print help
  -V, --version  Print version

Examples:
  entity wallet create                      make the key of this entity
  entity run --listen 127.0.0.1:8001        run the peer
  entity peers                              show whom the running peer knows
  entity send entity-b --body '{\"text\":\"hello\"}'

Exit codes:
  0  done
  1  refused: by the other peer, by the running node, or a wrong passphrase
  2  usage or configuration
  3  the system: address in use, key missing, no rights
  4  no node is running in the data directory
";
    assert_eq!(stdout(&entity(data.path(), &["--help"])), expected);
}

#[test]
fn mistakes_have_their_exit_code_and_say_what_to_do() {
    let data = tempfile::tempdir().unwrap();
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    check(&entity(data.path(), &["run"]), 3, "make one with `entity wallet create`");
    check(&entity(data.path(), &["peers"]), 4, "start it with `entity run`");
    check(
        &entity(data.path(), &["run", "--protocol", "2.0"]),
        2,
        "[possible values: 1.0, 1.1, both]",
    );
    check(&entity(data.path(), &["run", "--config", "none.toml"]), 2, "name an existing file");
    check(&entity(data.path(), &["run", "--log", "=,="]), 2, "--log info");
    check(&entity(data.path(), &["run", "--peer", "id=b"]), 2, "`address=..` is missing");
    std::fs::write(data.path().join("entity.toml"), "id = 'a'\nprotocl = 'both'\n").unwrap();
    let output = entity(data.path(), &["run"]);
    check(&output, 2, "unknown field `protocl`");
    check(&output, 2, "entity.toml:2:1");
    std::fs::remove_file(data.path().join("entity.toml")).unwrap();
    check(&entity(data.path(), &["wallet", "create", "--unprotected"]), 0, "");
    check(&entity(data.path(), &["send", "b", "--body", "{"]), 2, "write a JSON object");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    check(
        &entity(data.path(), &["run", "--listen", &address]),
        3,
        "give another address with --listen",
    );
}

/// A data directory with a key in its wallet, and that key.
fn with_key(home: &Path, name: &str) -> (PathBuf, String) {
    let data = home.join(name);
    std::fs::create_dir(&data).unwrap();
    let made = entity(&data, &["wallet", "create", "--unprotected", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&stdout(&made)).unwrap();
    (data, made["public_key"].as_str().unwrap().to_owned())
}

#[test]
fn two_running_programs_talk_and_are_administered_by_their_owner() {
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ((data_a, key_a), (data_b, key_b)) =
        (with_key(homes.0.path(), "a"), with_key(homes.1.path(), "b"));
    let common = ["--protocol", "1.0", "--connect=false"];
    // Both must know each other's address, so `a` listens on a port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let peer_a = format!("id=a,address=http://{port},key={key_a}");
    let b = Run::start(&data_b, &[&common[..], &["--id", "b", "--peer", &peer_a]].concat());
    let peer_b = format!("id=b,address={},key={key_b}", b.address());
    let mut a = Run::start(
        &data_a,
        &[&common[..], &["--id", "a", "--peer", &peer_b, "--listen", &port.to_string()]].concat(),
    );
    let socket = data_a.join("admin").join("socket");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let sent = entity(&data_a, &["send", "b", "--body", r#"{"text":"hello"}"#, "--json"]);
    check(&sent, 0, "");
    let sent: serde_json::Value = serde_json::from_str(&stdout(&sent)).unwrap();
    assert_eq!((&sent["status"], &sent["version"]), (&json!(200), &json!("1.0")));
    let peers = entity(&data_b, &["peers"]);
    assert!(stdout(&peers).contains(&key_a), "{}", stdout(&peers));
    check(&entity(&data_a, &["send", "nobody"]), 1, "UNKNOWN_RECIPIENT");
    check(&entity(&data_a, &["run"]), 3, "another node runs in it");
    terminate(&a.child);
    assert_eq!(a.child.wait().unwrap().code(), Some(0));
    assert!(!socket.exists(), "the socket goes with the node");
    check(&entity(&data_a, &["peers"]), 4, "reach a running node");
}

/// So many that a node needs a while to write them all down.
const CONFIGURED: usize = 300;

#[test]
fn a_node_that_says_it_is_ready_knows_every_configured_peer() {
    let home = tempfile::tempdir().unwrap();
    let (data, _) = with_key(home.path(), "a");
    let peer = |n| format!("[[peers]]\nid = \"p{n}\"\naddress = \"http://127.0.0.1:9\"\n");
    let file: String = (0..CONFIGURED).map(peer).collect();
    std::fs::write(data.join("entity.toml"), file).unwrap();
    let _a = Run::start(&data, &["--connect=false"]);
    let known = ask(&data, "peer.list", &json!({})).unwrap();
    let known: serde_json::Value = serde_json::from_str(known.get()).unwrap();
    assert_eq!(known["peers"].as_array().unwrap().len(), CONFIGURED);
}

#[test]
fn a_task_is_delegated_and_done_by_the_command_line() {
    let homes = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ((data_a, key_a), (data_b, key_b)) =
        (with_key(homes.0.path(), "a"), with_key(homes.1.path(), "b"));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let peer_a = format!("id=a,address=http://{port},key={key_a}");
    let b = Run::start(&data_b, &["--connect=false", "--id", "b", "--peer", &peer_a]);
    let peer_b = format!("id=b,address={},key={key_b}", b.address());
    let listen = port.to_string();
    let _a = Run::start(&data_a, &["--id", "a", "--peer", &peer_b, "--listen", &listen]);

    check(&entity(&data_b, &["task", "able", "text.count"]), 0, "");
    check(&entity(&data_a, &["task", "delegate", "b", "w", "--input", "[}"]), 2, "read --input");
    let id = "6b7c3e0e-6a9f-4a38-9f62-6d3c1c1c1c1c";
    let words = ["delegate", "b", "count", "--capability", "text.count", "--reward", "100"];
    let delegated = entity(&data_a, &[&["task"], &words[..], &["--id", id]].concat());
    check(&delegated, 0, "");
    assert!(stdout(&delegated).contains(id));
    wait_for_task(&data_b, &format!("{id}  accepted  from a: count"));
    check(&entity(&data_b, &["task", "complete", id, r#"{"words":2}"#]), 0, "");
    wait_for_task(&data_a, &format!("{id}  done      to b: count\n    {{\"words\":2}}"));
    check(&entity(&data_b, &["task", "complete", id, r#"{"words":3}"#]), 1, "the task is over");
    let listed = entity(&data_a, &["task", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&stdout(&listed)).unwrap();
    assert_eq!(listed["tasks"][0]["reward"], "100");
}

/// Asks for the tasks until they read so.
#[track_caller]
fn wait_for_task(data: &Path, text: &str) {
    let mut seen = String::new();
    // Each question is a process, so this takes seconds.
    for _ in 0..1_000 {
        seen = stdout(&entity(data, &["task", "list"]));
        if seen.contains(text) {
            return;
        }
    }
    panic!("{seen}");
}
