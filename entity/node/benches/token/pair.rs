//! Two nodes as processes that are the committee of a ledger.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::median;
use crate::processes::Process;

/// One node, spoken to line by line.
struct Node {
    process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    last: u64,
    entry: Value,
    key: String,
    _home: TempDir,
}

/// A, which pays, and B, which is paid.
pub(crate) struct Pair {
    a: Node,
    b: Node,
    /// The accounts of A.
    accounts: Vec<String>,
    paid: u64,
}

/// How fast many payments went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Payments a second.
    pub(crate) per_second: f64,
    /// Processor time of both nodes for one, in microseconds: what else the machine does leaves it nearly as it is.
    pub(crate) nodes_us: f64,
    /// Milliseconds from the command to its answer that half of them took at most.
    pub(crate) p50_ms: f64,
    /// The same of 99 in 100.
    pub(crate) p99_ms: f64,
}

/// Given to each account at the start: enough for every payment of 1.
const START: u64 = 1_000_000;

impl Node {
    fn start(name: &str, more: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_entity"))
            .args([
                "shim",
                "--test-peer",
                "--seed",
                "7",
                "--log",
                "error",
                "--protocol",
                "1.1",
                "--connect=true",
            ])
            .args(more)
            .env("HANDFAST_NAME", name)
            .env("HANDFAST_DATA_DIR", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (entry, key) = (Value::Null, String::new());
        let mut node =
            Self { process: Process(child), input, output, last: 0, entry, key, _home: home };
        let initialized = node.call("initialize", &json!({"contract": "1"}));
        let key = &initialized["keys"]["ed25519"];
        node.entry = json!({"name": name, "address": initialized["addresses"]["http"], "key": key, "connect": true});
        key.as_str().unwrap().clone_into(&mut node.key);
        node
    }

    fn request(&mut self, method: &str, params: &Value) -> u64 {
        self.last += 1;
        let request =
            json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params});
        self.input.write_all(format!("{request}\n").as_bytes()).unwrap();
        self.last
    }

    /// The next answer, whatever it answers.
    fn answer(&mut self) -> Value {
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the node ended");
            // Events are many, and only answers count here.
            if line.starts_with(r#"{"jsonrpc":"2.0","id""#) {
                let answer: Value = serde_json::from_str(&line).unwrap();
                assert!(answer.get("error").is_none(), "{answer}");
                return answer;
            }
        }
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        let id = self.request(method, params);
        let mut answer = self.answer();
        assert_eq!(answer["id"], id);
        answer["result"].take()
    }
}

impl Pair {
    /// Two nodes with a ledger; A has so many accounts with enough in each.
    pub(crate) fn start(accounts: u32) -> Self {
        Self::start_with(accounts, &[])
    }

    /// The same with more arguments for both nodes.
    pub(crate) fn start_with(accounts: u32, more: &[&str]) -> Self {
        let (mut a, mut b) = (Node::start("a", more), Node::start("b", more));
        let (of_a, of_b) = (a.entry.clone(), b.entry.clone());
        a.call("peer.add", &of_b);
        b.call("peer.add", &of_a);
        let account = |a: &mut Node, index: u32| {
            let key = a.call("token.account", &json!({"index": index}))["key"].clone();
            key.as_str().unwrap().to_owned()
        };
        let issuer = account(&mut a, accounts + 1);
        let accounts: Vec<_> = (1..=accounts).map(|index| account(&mut a, index)).collect();
        let genesis = json!({
            "committee": [a.key, b.key],
            "tokens": [{"token": "AGT", "issuer": issuer, "cap": "1000000000000"}],
        });
        for node in [&mut a, &mut b] {
            node.call("token.open", &json!({"genesis": genesis}));
        }
        let mut pair = Self { a, b, accounts, paid: 0 };
        for account in pair.accounts.clone() {
            let issue = json!({"to": account, "amount": START.to_string()});
            pair.a.call("token.issue", &issue);
        }
        // The first payment of an account asks the members what they know of it.
        pair.many_at_a_time(pair.accounts.len());
        pair
    }

    /// Milliseconds that half of some payments took at most, one after the other.
    pub(crate) fn one_at_a_time(&mut self, count: usize) -> f64 {
        let one = |_| {
            let payment = self.payment(0);
            let start = Instant::now();
            let paid = self.a.call("token.transfer", &payment);
            assert_eq!(paid["state"], "applied");
            start.elapsed().as_secs_f64() * 1e3
        };
        median((0..count).map(one).collect())
    }

    /// Pays with one order in flight on each account of A.
    pub(crate) fn many_at_a_time(&mut self, count: usize) -> Rate {
        let accounts = self.accounts.len();
        let before = self.processor_us();
        let first = self.a.last + 1;
        let start = Instant::now();
        let mut begun = 0;
        for account in 0..accounts.min(count) {
            let payment = self.payment(account);
            self.a.request("token.transfer", &payment);
            begun += 1;
        }
        // Which account a request is of, and since when, by its place after the first.
        let mut account_of: Vec<(usize, Instant)> = (0..begun).map(|at| (at, start)).collect();
        let mut took_ms = Vec::with_capacity(count);
        for _ in 0..count {
            let answer = self.a.answer();
            assert_eq!(answer["result"]["state"], "applied", "{answer}");
            let place = usize::try_from(answer["id"].as_u64().unwrap() - first).unwrap();
            let (account, since) = account_of[place];
            took_ms.push(since.elapsed().as_secs_f64() * 1e3);
            if begun < count {
                let payment = self.payment(account);
                self.a.request("token.transfer", &payment);
                account_of.push((account, Instant::now()));
                begun += 1;
            }
        }
        let per_second = count as f64 / start.elapsed().as_secs_f64();
        let nodes_us = (self.processor_us() - before) / count as f64;
        took_ms.sort_by(f64::total_cmp);
        let part = |of_hundred: usize| took_ms[(took_ms.len() - 1) * of_hundred / 100];
        Rate { per_second, nodes_us, p50_ms: part(50), p99_ms: part(99) }
    }

    /// Processor time of both nodes so far.
    fn processor_us(&self) -> f64 {
        self.a.process.processor_us() + self.b.process.processor_us()
    }

    /// Resident memory of both nodes.
    pub(crate) fn memory_mib(&self) -> (f64, f64) {
        (self.a.process.resident_mib(), self.b.process.resident_mib())
    }

    /// All of it has happened: both ledgers agree.
    pub(crate) fn check(&mut self) {
        let key = self.b.key.clone();
        let balance = self.a.call("token.balance", &json!({"of": key}));
        assert_eq!(balance["balance"], json!(self.paid.to_string()));
        while self.b.call("token.balance", &json!({}))["balance"] != balance["balance"] {}
        for node in [&mut self.a, &mut self.b] {
            assert_eq!(node.call("token.audit", &json!({}))["tokens"][0]["holds"], true);
        }
    }

    fn payment(&mut self, account: usize) -> Value {
        self.paid += 1;
        let id = format!("00000000-0000-4000-8000-{:012x}", self.paid);
        json!({"from": self.accounts[account], "to": self.b.key, "amount": "1", "id": id})
    }
}
