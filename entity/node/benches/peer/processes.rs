//! The program as a process, optionally on one core.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use entity_crypto::entropy::Entropy;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_node::wallet_files::DiskKeyFiles;
use entity_wallet::{Protection, Wallet};
use entity_wire::time::Timestamp;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A process that ends with this value.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Process {
    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Process {
    /// The most memory that was resident so far, in MiB.
    pub(crate) fn resident_most_mib(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }

    /// Processor time spent so far, in microseconds. The system counts it in ticks of 10 ms.
    pub(crate) fn processor_us(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        // User and system time are the 14th and 15th field; the first after the name is the third.
        fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<f64>().unwrap() * 1e4)
            .sum()
    }
}

/// A peer to write into a configuration file.
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) address: String,
    pub(crate) key: PublicKey,
}

/// `entity run` with an identity and a directory of its own, ready.
pub(crate) struct Run {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) key: PublicKey,
    _home: TempDir,
}

impl Run {
    /// Starts the hardened 1.0 peer `name` that knows `peers` and leaves pings alone.
    pub(crate) fn start(name: &str, peers: &[Known]) -> Self {
        const RATES: &str = "[rate_limits.ping]\nburst = 1000000\nper_second = 1000000\n";
        Self::start_with(name, peers, "protocol = '1.0'\n", RATES)
    }

    /// Starts the peer `name` that knows `peers`, with these settings and, behind its peers, these tables.
    pub(crate) fn start_with(name: &str, peers: &[Known], settings: &str, tables: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let key = SigningKey::from_seed([b's'; 32]);
        let mut wallet = Wallet::new(DiskKeyFiles::open_for_changes(&data).unwrap());
        let (now, mut entropy) = (Timestamp::UNIX_EPOCH, Entropy::from_seed([b'e'; 32]));
        wallet.add("s".parse().unwrap(), &key, Protection::None, now, &mut entropy).unwrap();
        drop(wallet);
        let config = home.path().join("entity.toml");
        std::fs::write(&config, configuration(name, &data, peers, settings) + tables).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_entity"));
        command.arg("run").arg("--config").arg(&config).args(["--log-format", "json"]);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let process = Process(child);
        let address = loop {
            let line: Value = serde_json::from_str(&log.next().unwrap().unwrap()).unwrap();
            if line["fields"]["message"] == "ready" {
                break line["fields"]["address"].as_str().unwrap().parse().unwrap();
            }
        };
        // Keeps the pipe open and empty.
        std::thread::spawn(move || log.for_each(drop));
        Self { process, address, key: key.public_key(), _home: home }
    }
}

fn configuration(name: &str, data: &Path, peers: &[Known], settings: &str) -> String {
    let mut text = format!(
        "id = '{name}'\nlisten = '127.0.0.1:0'\nconnect = false\ndata_dir = '{}'\n{settings}",
        data.display()
    );
    for Known { name, address, key } in peers {
        let entry = format!("[[peers]]\nid = '{name}'\naddress = '{address}'\nkey = '{key}'\n");
        text.push_str(&entry);
    }
    text
}

/// `entity shim`, spoken to line by line.
pub(crate) struct Shim {
    _process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shim {
    pub(crate) fn start(name: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entity"));
        command
            .args(["shim", "--log", "error", "--protocol", "1.0", "--connect=false"])
            .env("HANDFAST_NAME", name);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) =
            (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { _process: Process(child), input, output }
    }

    pub(crate) fn initialize(&mut self) -> Value {
        self.call("initialize", &json!({"contract": "1"}))
    }

    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.input.write_all(format!("{request}\n").as_bytes()).unwrap();
        loop {
            let mut line = String::new();
            self.output.read_line(&mut line).unwrap();
            let mut answer: Value = serde_json::from_str(&line).unwrap();
            if answer.get("id").is_some() {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
            }
        }
    }
}

/// Runs `start` so that every process it starts lives on one core.
pub(crate) fn on_one_core<T>(start: impl FnOnce() -> T) -> T {
    on_core(0, start)
}

/// Runs `start` so that every process and thread it starts lives on that core of those that there are, or on the last.
pub(crate) fn on_core<T>(number: usize, start: impl FnOnce() -> T) -> T {
    let all = sched_getaffinity(None).unwrap();
    let cores: Vec<_> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
    let mut one = CpuSet::new();
    one.set(cores[number.min(cores.len() - 1)]);
    sched_setaffinity(None, &one).unwrap();
    let outcome = start();
    sched_setaffinity(None, &all).unwrap();
    outcome
}
