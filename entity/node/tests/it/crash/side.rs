//! One process, killed and started again in the same directory at the same address.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::plan::Who;

/// What a process wrote: a message, or nothing at its end.
pub(crate) struct Line {
    pub(crate) who: Who,
    /// Which start of the process wrote it.
    pub(crate) start: u64,
    pub(crate) message: Option<Value>,
}

/// One side of the payments.
pub(crate) struct Side {
    pub(crate) who: Who,
    pub(crate) home: TempDir,
    seed: u64,
    listen: String,
    lines: Sender<Line>,
    process: Option<(Child, ChildStdin)>,
    /// Counts the starts.
    pub(crate) start: u64,
    last_request: u64,
}

impl Side {
    pub(crate) fn new(who: Who, seed: u64, lines: Sender<Line>) -> Self {
        Self {
            who,
            home: tempfile::tempdir().unwrap(),
            seed,
            listen: "127.0.0.1:0".to_owned(),
            lines,
            process: None,
            start: 0,
            last_request: 0,
        }
    }

    /// Starts the process; its answer to the returned request says that it is ready.
    pub(crate) fn start(&mut self) -> u64 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_entity"))
            .args(["shim", "--test-peer", "--log", "error", "--protocol", "1.1", "--connect=true"])
            .env("HANDFAST_NAME", self.who.name())
            .env("HANDFAST_SEED", format!("{}", self.seed))
            .env("HANDFAST_LISTEN", &self.listen)
            .env("HANDFAST_DATA_DIR", self.home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        self.start += 1;
        let (who, start, lines) = (self.who, self.start, self.lines.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                // A line may be cut where the process was killed.
                let message = line.ok().and_then(|line| serde_json::from_str(&line).ok());
                if message.is_some() && lines.send(Line { who, start, message }).is_err() {
                    return;
                }
            }
            drop(lines.send(Line { who, start, message: None }));
        });
        self.process = Some((child, input));
        self.request("initialize", &json!({"contract": "1"}))
    }

    /// Keeps the address for the following starts.
    pub(crate) fn stays_at(&mut self, address: &str) {
        address.trim_start_matches("http://").trim_end_matches('/').clone_into(&mut self.listen);
    }

    /// Ends the process with SIGKILL.
    pub(crate) fn kill(&mut self) {
        let (mut child, _input) = self.process.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Writes a request and returns its id. A process that is dying does not read it any more.
    pub(crate) fn request(&mut self, method: &str, params: &Value) -> u64 {
        self.last_request += 1;
        let id = self.last_request;
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        if let Some((_, input)) = &mut self.process {
            input.write_all(format!("{request}\n").as_bytes()).unwrap();
        }
        id
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}
