//! rust-libp2p as a process that is asked line by line: `bench/libp2p`, outside of the workspace.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::processes::Process;

/// Its driver, connected with an answering process of its own.
pub(crate) struct Libp2p {
    _process: Process,
    lines: RefCell<(ChildStdin, BufReader<ChildStdout>)>,
}

/// Builds the program and returns where it lies.
pub(crate) fn build() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/libp2p/Cargo.toml");
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--release", "--locked", "--message-format", "json-render-diagnostics"]);
    command.arg("--manifest-path").arg(manifest);
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "bench/libp2p does not build");
    let messages = String::from_utf8(output.stdout).unwrap();
    let mut programs = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    programs.next_back().unwrap()
}

impl Libp2p {
    /// Starts it on the cores that this thread may use.
    pub(crate) fn start(program: &Path) -> Self {
        let mut command = Command::new(program);
        let command = command.arg("drive").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { _process: Process(child), lines: RefCell::new((input, output)) }
    }

    /// Its answer to a question that has one.
    pub(crate) fn ask(&self, question: &str) -> f64 {
        self.ask_all(question)[0]
    }

    /// The numbers of its answer.
    pub(crate) fn ask_all(&self, question: &str) -> Vec<f64> {
        let (input, output) = &mut *self.lines.borrow_mut();
        input.write_all(format!("{question}\n").as_bytes()).unwrap();
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let numbers: Vec<_> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert!(!numbers.is_empty(), "rust-libp2p ended at {question:?}");
        numbers
    }
}
