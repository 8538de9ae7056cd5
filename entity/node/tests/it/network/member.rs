//! One process, killed and started again in the same directory at the same address.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

/// Nothing takes this long unless it hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the identities of all members follow from, with their names.
pub(crate) const SEED: &str = "20261122";

/// A node.
pub(crate) struct Member {
    /// Its place among all.
    pub(crate) number: usize,
    home: TempDir,
    listen: String,
    key: String,
    process: Option<(Child, ChildStdin, Receiver<Value>)>,
    events: Vec<String>,
    last_request: u64,
}

impl Member {
    pub(crate) fn new(number: usize, k: usize) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("entity.toml"), format!("[dht]\nk = {k}\n")).unwrap();
        let (listen, key) = ("127.0.0.1:0".to_owned(), String::new());
        Self { number, home, listen, key, process: None, events: Vec::new(), last_request: 0 }
    }

    pub(crate) fn name(&self) -> String {
        name(self.number)
    }

    /// How others are told of it.
    pub(crate) fn entry(&self) -> String {
        format!("id={},address=http://{},key={}", self.name(), self.listen, self.key)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Starts the process, and waits until it is ready.
    pub(crate) fn start(&mut self, bootstrap: Option<&str>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entity"));
        command
            .args(["shim", "--test-peer", "--log", "error", "--protocol", "1.1", "--connect=false"])
            .arg("--dht")
            .arg("--config")
            .arg(self.home.path().join("entity.toml"))
            .env("HANDFAST_NAME", self.name())
            .env("HANDFAST_SEED", SEED)
            .env("HANDFAST_LISTEN", &self.listen)
            .env("HANDFAST_DATA_DIR", self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if let Some(bootstrap) = bootstrap {
            command.args(["--bootstrap", bootstrap]);
        }
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                // A line may be cut where the process was killed.
                let message = line.ok().and_then(|line| serde_json::from_str(&line).ok());
                if message.is_some_and(|message| sender.send(message).is_err()) {
                    return;
                }
            }
        });
        self.process = Some((child, input, lines));
        self.events.clear();
        let initialized = self.call("initialize", &json!({"contract": "1"}));
        let address = initialized["addresses"]["http"].as_str().unwrap();
        address.trim_start_matches("http://").trim_end_matches('/').clone_into(&mut self.listen);
        initialized["keys"]["ed25519"].as_str().unwrap().clone_into(&mut self.key);
    }

    /// Ends the process with SIGKILL.
    pub(crate) fn kill(&mut self) {
        let (mut child, ..) = self.process.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks, and returns the result.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last_request += 1;
        let id = self.last_request;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let (_, input, _) = self.process.as_mut().expect("it runs");
        input.write_all(format!("{request}\n").as_bytes()).unwrap();
        loop {
            let mut message = self.next();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{} {method}: {message}", self.name());
                return message["result"].take();
            }
        }
    }

    /// Waits until it has told of such an event since its start.
    pub(crate) fn event(&mut self, method: &str) {
        while !self.events.iter().any(|event| event == method) {
            self.next();
        }
    }

    /// Looks until there is what is looked for.
    pub(crate) fn until<T>(&mut self, look: impl Fn(&mut Self) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(seen) = look(self) {
                return seen;
            }
            assert!(begin.elapsed() < PATIENCE, "{} does not get there", self.name());
            self.listen_for(Duration::from_millis(100));
        }
    }

    /// Takes in what comes within a time.
    fn listen_for(&mut self, time: Duration) {
        let (.., lines) = self.process.as_ref().expect("it runs");
        if let Ok(message) = lines.recv_timeout(time) {
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        if let Some(method) = message["method"].as_str() {
            self.events.push(method.to_owned());
        }
    }

    fn next(&mut self) -> Value {
        let (.., lines) = self.process.as_ref().expect("it runs");
        let message = lines.recv_timeout(PATIENCE);
        let message =
            message.unwrap_or_else(|error| panic!("{} says nothing: {error}", self.name()));
        self.note(&message);
        message
    }

    /// What the process has used of the processors; nothing where it does not run.
    pub(crate) fn processor_time(&self) -> Duration {
        let Some((child, ..)) = &self.process else { return Duration::ZERO };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        // The name may have spaces; what follows its bracket has not.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // A hundred ticks a second on every Linux.
        Duration::from_millis(ticks * 10)
    }

    /// What it holds of the memory, in MiB; nothing where it does not run.
    pub(crate) fn resident_mib(&self) -> f64 {
        let Some((child, ..)) = &self.process else { return 0.0 };
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}

/// What a member is called.
pub(crate) fn name(number: usize) -> String {
    format!("n{number:02}")
}
