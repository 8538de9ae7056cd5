//! What a peer keeps across its ends, as processes.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::Shim;

/// A shim of `name` that keeps its files in `data`.
fn command(name: &str, data: &Path) -> Command {
    let mut command = Shim::command(name);
    command.arg("--test-peer").env("HANDFAST_SEED", "7").env("HANDFAST_DATA_DIR", data);
    command
}

fn start(data: &Path) -> Shim {
    let mut shim = Shim::spawn(command("a", data));
    shim.call("initialize", json!({"contract": "1"}));
    shim
}

fn add(shim: &mut Shim, name: &str) {
    // Nobody listens there.
    shim.call("peer.add", json!({"name": name, "address": "http://127.0.0.1:9"}));
}

fn peers(shim: &mut Shim) -> Vec<String> {
    let listed = shim.call("peer.list", json!({}));
    let name = |peer: &Value| peer["name"].as_str().unwrap().to_owned();
    listed["peers"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn what_was_answered_is_there_after_kill_9() {
    let data = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..5 {
        let mut shim = start(data.path());
        assert_eq!(peers(&mut shim), expected);
        for place in 0..3 {
            let name = format!("peer-{round}-{place}");
            add(&mut shim, &name);
            expected.push(name);
        }
        shim.kill();
    }
    assert_eq!(peers(&mut start(data.path())), expected);
}

fn files(data: &Path) -> Vec<String> {
    let name =
        |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(data).unwrap().map(name).collect();
    names.retain(|name| name.starts_with("entity.db"));
    names.sort();
    names
}

#[track_caller]
fn check_graceful(end: impl FnOnce(&mut Shim)) {
    let data = tempfile::tempdir().unwrap();
    let mut shim = start(data.path());
    add(&mut shim, "b");
    assert_eq!(files(data.path()), ["entity.db", "entity.db-log", "entity.db-wal"]);
    end(&mut shim);
    assert_eq!(shim.exit_code(), Some(0));
    assert_eq!(files(data.path()), ["entity.db"], "the log is brought into the file");
    assert_eq!(peers(&mut start(data.path())), ["b"]);
}

#[test]
fn however_a_peer_is_asked_to_end_it_closes_its_store() {
    check_graceful(|shim| drop(shim.call("shutdown", json!({}))));
    check_graceful(Shim::close_input);
    check_graceful(|shim| shim.terminate());
}

#[test]
fn shutdown_is_answered_once_the_store_is_closed() {
    let data = tempfile::tempdir().unwrap();
    let mut shim = start(data.path());
    add(&mut shim, "b");
    assert_eq!(shim.call("shutdown", json!({})), json!({}));
    assert_eq!(files(data.path()), ["entity.db"], "the log is brought into the file");
    assert_eq!(shim.exit_code(), Some(0));
}

#[test]
fn a_peer_that_ends_in_order_goes_on_with_the_next_number() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let mut b = Shim::spawn(command("b", folders[1].path()));
    let listens = b.call("initialize", json!({"contract": "1"}));
    let mut a = Shim::spawn(command("a", folders[0].path()));
    let opens = a.call("initialize", json!({"contract": "1"}));
    let entry = |name: &str, told: &Value| json!({"name": name, "address": told["addresses"]["http"], "key": told["keys"]["ed25519"]});
    a.call("peer.add", entry("b", &listens));
    b.call("peer.add", entry("a", &opens));
    let send = |shim: &mut Shim| {
        let sent = shim.call("message.send", json!({"to": "b", "body": {"text": "hello"}}));
        sent["number"].as_u64().unwrap()
    };
    assert_eq!([send(&mut a), send(&mut a)], [1, 2]);
    drop(a.call("shutdown", json!({})));
    assert_eq!(a.exit_code(), Some(0));
    // Answers go to the address that the other side knows.
    let mut again = command("a", folders[0].path());
    let address = opens["addresses"]["http"].as_str().unwrap();
    again.env("HANDFAST_LISTEN", address.trim_start_matches("http://"));
    let mut a = Shim::spawn(again);
    a.call("initialize", json!({"contract": "1"}));
    assert_eq!(send(&mut a), 3);
}

/// Runs a shim that is expected to refuse its start.
fn refused(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    // Lines are broken where they fit.
    let text = String::from_utf8(output.stderr).unwrap().replace('│', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_store_that_is_in_use_or_of_another_peer_is_refused_and_not_touched() {
    let data = tempfile::tempdir().unwrap();
    let mut shim = start(data.path());
    add(&mut shim, "b");
    let text = refused(command("a", data.path()));
    assert!(text.contains("another process uses it"), "{text}");
    assert!(text.contains("stop the other one"), "{text}");
    shim.kill();
    let text = refused(command("other", data.path()));
    assert!(text.contains("it belongs to the peer with the key"), "{text}");
    assert_eq!(peers(&mut start(data.path())), ["b"]);
}

/// The shell takes away the room for files and the signal that would end a process which wants more.
#[test]
fn a_peer_whose_disk_is_full_ends_and_says_so_and_goes_on_when_there_is_room() {
    let data = tempfile::tempdir().unwrap();
    let inner = command("a", data.path());
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\" 2>\"$ERRORS\""]);
    limited.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        limited.env(name, value.unwrap());
    }
    let errors = data.path().join("errors");
    limited.env("ERRORS", &errors);
    let mut shim = Shim::spawn(limited);
    shim.call("initialize", json!({"contract": "1"}));

    let mut kept = Vec::new();
    loop {
        let name = format!("peer-{:04}", kept.len());
        let id = shim.request("peer.add", json!({"name": name, "address": "http://127.0.0.1:9"}));
        let Some(answer) = shim.answer_or_end(id) else { break };
        if answer.get("error").is_some() {
            break;
        }
        kept.push(name);
        assert!(kept.len() < 1000, "the limit is not reached");
    }
    assert_eq!(shim.exit_code(), Some(3));
    let text = fs::read_to_string(errors).unwrap();
    assert!(text.contains("the journal failed"), "{text}");

    let found = peers(&mut start(data.path()));
    // The last one was not acknowledged; it may be there or not.
    assert_eq!(found[..kept.len()], kept);
    assert!(found.len() <= kept.len() + 1);
}

#[test]
fn a_second_signal_ends_a_peer_that_waits_for_an_open_request() {
    let data = tempfile::tempdir().unwrap();
    let errors = data.path().join("errors");
    let mut command = command("a", data.path());
    command.args(["--log", "info"]).stderr(fs::File::create(&errors).unwrap());
    let mut shim = Shim::spawn(command);
    let initialized = shim.call("initialize", json!({"contract": "1"}));
    let address = initialized["addresses"]["http"].as_str().unwrap();
    let mut open = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
    open.write_all(b"POST /message HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{").unwrap();
    let says = |text: &str| {
        while !fs::read_to_string(&errors).unwrap().contains(text) {
            std::thread::yield_now();
        }
    };
    shim.terminate();
    says("stopping");
    shim.terminate();
    says("ending at once");
    assert_eq!(shim.exit_code(), Some(0));
}

/// A shim whose identity is in the wallet of its folder.
fn start_with_wallet(data: &Path) -> (Shim, Value) {
    let mut command = Shim::command("a");
    command.arg("--test-peer").env_remove("HANDFAST_SEED").env("HANDFAST_DATA_DIR", data);
    let mut shim = Shim::spawn(command);
    let told = shim.call("initialize", json!({"contract": "1"}));
    (shim, told["keys"]["ed25519"].clone())
}

fn rotate(data: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entity"));
    command.args(["wallet", "rotate"]).env("ENTITY_DATA_DIR", data).stdin(Stdio::null());
    assert!(command.output().unwrap().status.success());
}

#[test]
fn a_node_whose_key_was_rotated_goes_on_with_its_store() {
    let data = tempfile::tempdir().unwrap();
    let (mut shim, first) = start_with_wallet(data.path());
    add(&mut shim, "b");
    let message = json!({"to": "b", "body": {"text": "for b"}, "durable": true});
    let kept = shim.call("message.send", message)["id"].clone();
    drop(shim.call("shutdown", json!({})));
    assert_eq!(shim.exit_code(), Some(0));
    rotate(data.path());
    rotate(data.path());
    let (mut shim, third) = start_with_wallet(data.path());
    assert_ne!(first, third);
    assert_eq!(peers(&mut shim), ["b"]);
    let waiting = shim.call("outbox.list", json!({}));
    assert_eq!((&waiting["size"], &waiting["messages"][0]["id"]), (&json!(1), &kept));
}

#[test]
fn a_member_of_a_committee_is_told_to_go_on_with_the_key_before() {
    let data = tempfile::tempdir().unwrap();
    let (mut shim, member) = start_with_wallet(data.path());
    let tokens = json!([{"token": "AGT", "issuer": member, "cap": "1000"}]);
    let genesis = json!({"committee": [member], "tokens": tokens});
    let opened = shim.call("token.open", json!({ "genesis": genesis }));
    drop(shim.call("shutdown", json!({})));
    assert_eq!(shim.exit_code(), Some(0));
    rotate(data.path());
    let mut command = Shim::command("a");
    command.arg("--test-peer").env_remove("HANDFAST_SEED").env("HANDFAST_DATA_DIR", data.path());
    let text = refused(command);
    assert!(text.contains("nobody votes in its place"), "{opened} {text}");
    assert!(text.contains("go on with the key before"), "{text}");
}
