//! Nodes in this process, shims as processes, and raw HTTP.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use entity_crypto::signing::{PublicKey, SigningKey};
use entity_node::node::Node;
use entity_node::relay::BridgeConfig;
use entity_node::serve::{Serving, Start};
use entity_node::storage::Storage;
use entity_peer::Config;
use entity_peer::command::{AddPeer, Command as PeerCommand, CommandError, CommandResult, Send};
use entity_peer::config::AutoConnect;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use serde_json::json;

/// Nothing in these tests takes this long unless it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A node of this process that listens on a port of its own.
pub(crate) struct TestNode {
    pub(crate) name: &'static str,
    pub(crate) serving: Serving,
}

impl TestNode {
    /// Starts a node that opens sessions only when told, with the rest of `config` as given.
    pub(crate) fn start(name: &'static str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(name.parse().unwrap());
        config.auto_connect = AutoConnect::OnCommand;
        change(&mut config);
        let first = name.as_bytes()[0];
        let key = SigningKey::from_seed([first; 32]);
        let listen = "127.0.0.1:0".parse().unwrap();
        let serving = Serving::start(config, key, [first.wrapping_add(1); 32], listen).unwrap();
        Self { name, serving }
    }

    /// Starts a node that listens nowhere.
    pub(crate) fn start_without_port(name: &'static str, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(name, None, (BridgeConfig::default(), change))
    }

    /// Starts a node that listens there, if anywhere, and goes by relays as told.
    pub(crate) fn start_with(
        name: &'static str,
        listen: Option<SocketAddr>,
        (bridge, change): (BridgeConfig, impl FnOnce(&mut Config)),
    ) -> Self {
        let mut config = Config::new(name.parse().unwrap());
        config.auto_connect = AutoConnect::OnCommand;
        change(&mut config);
        let first = name.as_bytes()[0];
        let start = Start {
            config,
            key: SigningKey::from_seed([first; 32]),
            seed: [first.wrapping_add(1); 32],
            listen,
            kept: Storage::volatile(),
            bridge,
            data_dir: None,
        };
        let (serving, _) = Serving::restore(start).unwrap();
        Self { name, serving }
    }

    pub(crate) fn node(&self) -> &Node {
        self.serving.node()
    }

    pub(crate) fn key(&self) -> PublicKey {
        self.node().look(|peer, _| peer.public_key())
    }

    /// Makes this node know another.
    pub(crate) async fn add(&self, other: &Self) {
        let peer = AddPeer {
            name: other.name.parse().unwrap(),
            address: other.serving.http_address().to_owned(),
            key: Some(other.key()),
            connect: None,
        };
        assert_eq!(self.command(PeerCommand::AddPeer(peer)).await, Ok(CommandResult::Done));
    }

    pub(crate) async fn command(
        &self,
        command: PeerCommand,
    ) -> Result<CommandResult, CommandError> {
        tokio::time::timeout(PATIENCE, self.node().command(command)).await.unwrap()
    }

    pub(crate) async fn open(&self, other: &Self) -> Result<CommandResult, CommandError> {
        self.command(PeerCommand::OpenSession { to: other.name.parse().unwrap() }).await
    }

    pub(crate) async fn send(
        &self,
        other: &Self,
        text: &str,
    ) -> Result<CommandResult, CommandError> {
        let body = Object::new().with("text", text);
        let kind = MessageKind::Message;
        let to = other.name.parse().unwrap();
        self.command(PeerCommand::Send(Send::new(to, kind, body))).await
    }

    /// The `text` of every message in the inbox.
    pub(crate) fn inbox(&self) -> Vec<String> {
        let text = |body: &Object| body.get("text")?.as_str().map(str::to_owned);
        self.node().look(|peer, _| {
            peer.inbox(None, 0).filter_map(|received| text(&received.body)).collect()
        })
    }
}

/// Two nodes that know each other.
pub(crate) async fn acquainted(change: impl Fn(&mut Config)) -> (TestNode, TestNode) {
    let (a, b) = (TestNode::start("a", &change), TestNode::start("b", &change));
    a.add(&b).await;
    b.add(&a).await;
    (a, b)
}

/// Sends one raw request and returns status and body.
pub(crate) fn http(address: SocketAddr, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // A server that refuses early may close while we still write.
    drop(stream.write_all(body));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A shim as a process; it is killed when dropped.
pub(crate) struct Shim {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    last_id: u64,
    /// Events that came while an answer was awaited.
    pub(crate) events: Vec<serde_json::Value>,
}

impl Shim {
    pub(crate) fn command(name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entity"));
        command
            .args(["shim"])
            .env("ENTITY_LOG", "warn")
            .env("HANDFAST_NAME", name)
            .env("ENTITY_CONNECT", "false");
        command
    }

    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, output, last_id: 0, events: Vec::new() }
    }

    /// A test peer that has answered `initialize`, and what it answered.
    pub(crate) fn test_peer(name: &str, protocol: &str) -> (Self, serde_json::Value) {
        let mut command = Self::command(name);
        command.arg("--test-peer").env("HANDFAST_PROTOCOL", protocol).env("HANDFAST_SEED", "7");
        let mut shim = Self::spawn(command);
        let initialized = shim.call("initialize", json!({"contract": "1"}));
        (shim, initialized)
    }

    pub(crate) fn write(&mut self, line: &str) {
        self.input.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub(crate) fn read(&mut self) -> serde_json::Value {
        let mut line = String::new();
        assert!(self.output.read_line(&mut line).unwrap() > 0, "the shim closed its output");
        serde_json::from_str(&line).unwrap()
    }

    /// Starts a request and returns its id.
    pub(crate) fn request(&mut self, method: &str, params: serde_json::Value) -> u64 {
        self.last_id += 1;
        let request =
            json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params});
        self.write(&request.to_string());
        self.last_id
    }

    /// The answer to a request; events on the way are kept.
    pub(crate) fn answer(&mut self, id: u64) -> serde_json::Value {
        loop {
            let message = self.read();
            if message.get("method").is_some() {
                self.events.push(message);
            } else {
                assert_eq!(message["id"], id, "{message}");
                return message;
            }
        }
    }

    /// The answer to a request, or nothing where it ends without one.
    pub(crate) fn answer_or_end(&mut self, id: u64) -> Option<serde_json::Value> {
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            let message: serde_json::Value = serde_json::from_str(&line).unwrap();
            if message["id"] == id {
                return Some(message);
            }
        }
    }

    /// The result of a request.
    pub(crate) fn call(&mut self, method: &str, params: serde_json::Value) -> serde_json::Value {
        let id = self.request(method, params);
        let answer = self.answer(id);
        answer.get("result").unwrap_or_else(|| panic!("{method}: {answer}")).clone()
    }

    /// The error of a request.
    pub(crate) fn refused(&mut self, method: &str, params: serde_json::Value) -> serde_json::Value {
        let id = self.request(method, params);
        let answer = self.answer(id);
        answer.get("error").unwrap_or_else(|| panic!("{method}: {answer}")).clone()
    }

    /// The next event called `method`, with its parameters.
    pub(crate) fn event(&mut self, method: &str) -> serde_json::Value {
        loop {
            let wanted = self.events.iter().position(|event| event["method"] == method);
            if let Some(position) = wanted {
                return self.events.remove(position)["params"].clone();
            }
            let message = self.read();
            assert!(message.get("method").is_some(), "{message}");
            self.events.push(message);
        }
    }

    /// Closes standard input.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Ends it as `kill -9` does, and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, as an operator or a service manager does.
    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// The exit code, once it has ended.
    pub(crate) fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Shim {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes each of two initialized shims know the other.
pub(crate) fn introduce(a: (&mut Shim, &serde_json::Value), b: (&mut Shim, &serde_json::Value)) {
    let entry = |of: &serde_json::Value| json!({"name": of["name"], "address": of["addresses"]["http"], "key": of["keys"]["ed25519"]});
    a.0.call("peer.add", entry(b.1));
    b.0.call("peer.add", entry(a.1));
}
