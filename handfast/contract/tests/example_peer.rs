//! The example of `docs/contract/` keeps the contract that it is an example of.
#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use handfast_contract::client::{Client, Output};
use handfast_contract::probe::{Action, Outcome, Probe};
use serde_json::{Value, json};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/contract/example_peer.py");

/// Time for anything an example peer does, its start included.
const PATIENCE: Duration = Duration::from_secs(30);

/// A started example peer; killed when dropped.
struct Peer {
    process: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    client: Client,
}

impl Peer {
    fn start(name: &str) -> Self {
        let mut process = Command::new("python3")
            .arg(EXAMPLE)
            .env("HANDFAST_NAME", name)
            .env("HANDFAST_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test needs python3");
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let stdin = process.stdin.take();
        Self { process, stdin, lines, client: Client::new() }
    }

    fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.client.request(method, params, PATIENCE, Duration::ZERO).unwrap()
    }

    /// The next thing that the peer says, which is not what we say.
    fn next(&mut self) -> Output {
        loop {
            match self.client.poll_output() {
                Some(Output::Write(line)) => {
                    self.stdin.as_mut().unwrap().write_all(&line).unwrap();
                }
                Some(output) => return output,
                None => {
                    let line = self.lines.recv_timeout(PATIENCE).expect("the peer says something");
                    self.client.handle_line(line.as_bytes());
                }
            }
        }
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        loop {
            match self.next() {
                Output::Answered { id: answered, outcome, .. } if answered == id => {
                    return outcome.unwrap();
                }
                Output::Violation(violation) => panic!("{violation}"),
                Output::Write(_)
                | Output::Answered { .. }
                | Output::TimedOut { .. }
                | Output::Event { .. } => {}
            }
        }
    }

    fn await_event(&mut self, wanted: &str) -> Value {
        loop {
            if let Output::Event { event, params, .. } = self.next()
                && event == wanted
            {
                return params;
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[test]
fn the_example_passes_the_probe() {
    let mut peer = Peer::start("a");
    let mut probe = Probe::new(0x1234_5678);
    loop {
        let outcome = match probe.next_action() {
            Action::Done => break,
            Action::Shutdown { .. } => {
                peer.ask("shutdown", json!({}));
                assert!(matches!(peer.next(), Output::Answered { outcome: Ok(_), .. }));
                Outcome::Exited(peer.process.wait().unwrap().code())
            }
            Action::Call { method, params, .. } => {
                peer.ask(&method, params);
                let answered = peer.next();
                let Output::Answered { outcome, .. } = answered else { panic!("{answered:?}") };
                Outcome::Answered(outcome)
            }
        };
        probe.on_outcome(outcome);
    }
    let report = probe.report();
    assert!(report.conforms(), "{:#?}", report.checks);
    assert!(report.checks.len() >= 9, "{:#?}", report.checks);
}

#[test]
fn two_examples_meet_and_talk() {
    let (mut a, mut b) = (Peer::start("a"), Peer::start("b"));
    let (contract, _) = (json!({"contract": "1"}), a.call("initialize", json!({"contract": "1"})));
    let address = b.call("initialize", contract)["addresses"]["http"].clone();
    a.call("peer.add", json!({"name": "b", "address": address}));
    let session = a.call("session.open", json!({"to": "b"}));
    assert_eq!(b.await_event("session.ready")["id"], session["id"]);
    a.call("message.send", json!({"to": "b", "body": {"text": "hello"}}));
    let received = b.await_event("message.received");
    assert_eq!(received["body"], json!({"text": "hello"}));
    let inbox = b.call("message.inbox", json!({"from": "a"}));
    assert_eq!(inbox["messages"][0]["session"], session["id"]);
    let shapes = handfast_contract::schema::Schema::entity();
    shapes.check_result("message.inbox", &inbox).unwrap();
    shapes.check_event("message.received", &received).unwrap();
    shapes.check_result("session.list", &b.call("session.list", json!({}))).unwrap();
}

#[test]
fn the_example_stays_within_a_hundred_lines() {
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    assert!(text.lines().count() <= 100, "{} lines", text.lines().count());
}
