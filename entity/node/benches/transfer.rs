//! How fast a large file goes from one node to another, beside what its envelopes allow:
//! `cargo bench -p entity-node --bench transfer [-- --quick]`.
//!
//! - *ceiling*: all cores do nothing but make and take such envelopes: seal and sign the plaintext of a chunk of 64 KiB, then
//!   verify, open and read it, by the code that sessions use. Nothing is encoded into the chunk, hashed, sent or written.
//! - *transfer*: two processes, each with a store and files of its own, from the answer to `transfer.send` (the file has been
//!   read and hashed by then, which has a line of its own) until the sender hears that the receiver has all of it, durably.
//!
//! The ceiling is measured before and after; the share is that of their mean. On a machine that has other things to do both are
//! slower, and not alike, so the same is said in processor time as well: what all cores would do in a second of their own,
//! user and system time of both processes counted. Resident memory of both is looked at all along.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot measure ends")]
#![expect(clippy::print_stdout, reason = "the result of a benchmark is what it prints")]
#![expect(clippy::cast_precision_loss, reason = "sizes and times far below 2^52 are divided")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the time and waits")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use entity_crypto::entropy::Entropy;
use entity_crypto::sealing::SealingKey;
use entity_crypto::signing::SigningKey;
use entity_wire::decode::{DecodeRules, Decoded, decode};
use entity_wire::id::{Generation, MessageNumber, Nonce, Sequence, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::chunk::{Piece, TransferId};
use entity_wire::payload::sealed::{Plaintext, Sealed};
use entity_wire::time::Timestamp;
use entity_wire::v1_1::{Draft, Header};
use serde_json::{Value, json};

const CHUNK: usize = 64 * 1024;

fn main() {
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    let mib: usize = if is_quick { 128 } else { 1_024 };
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    write_random(&file, mib);
    let before = ceiling();
    let measured = transfer(home.path(), &file, mib, &[]);
    let after = ceiling();
    let ceiling = f64::midpoint(before.rate, after.rate);
    let (before_rate, after_rate) = (before.rate, after.rate);
    println!(
        "envelopes of 64 KiB, all cores      {before_rate:8.1} MB/s before, {after_rate:.1} MB/s after"
    );
    println!("reading and hashing the file        {:8.1} MB/s", measured.hashing);
    println!("transfer of {mib:5} MiB               {:8.1} MB/s", measured.rate);
    let share = 100.0 * measured.rate / ceiling;
    println!(
        "  share of the ceiling              {share:8.1} %      aim >= 50  {}",
        verdict(share >= 50.0)
    );
    let ceiling = f64::midpoint(before.by_processor, after.by_processor);
    println!("envelopes, in processor time        {ceiling:8.1} MB/s");
    println!("transfer, in processor time         {:8.1} MB/s", measured.by_processor);
    let [of_sender, of_receiver] = measured.us_per_mb;
    println!("  of its sender and its receiver    {of_sender:8.1} us/MB, {of_receiver:.1} us/MB");
    let share = 100.0 * measured.by_processor / ceiling;
    println!(
        "  share of the ceiling              {share:8.1} %      aim >= 50  {}",
        verdict(share >= 50.0)
    );
    for (side, peak) in [("sender", measured.peaks.0), ("receiver", measured.peaks.1)] {
        let verdict = verdict(peak <= 40.0);
        println!("  memory of the {side:8} (peak)     {peak:8.1} MiB    aim <= 40  {verdict}");
    }
}

fn verdict(is_passed: bool) -> &'static str {
    if is_passed { "pass" } else { "short" }
}

pub(crate) fn write_random(path: &Path, mib: usize) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut entropy = Entropy::from_seed([1; 32]);
    let mut block = vec![0; 1 << 20];
    for _ in 0..mib {
        for part in block.chunks_exact_mut(1_024) {
            part.copy_from_slice(&entropy.bytes::<1_024>());
        }
        file.write_all(&block).unwrap();
    }
    file.sync_all().unwrap();
}

/// Megabytes of chunks a second: by the clock, and as if all cores did nothing else.
struct Ceiling {
    rate: f64,
    by_processor: f64,
}

/// Makes and takes envelopes on all cores.
fn ceiling() -> Ceiling {
    let cores = thread::available_parallelism().unwrap().get();
    let (count, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let spent = processor_us(std::process::id());
    let span = Duration::from_secs(3);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let envelope = Envelopes::new();
                while !stop.load(Ordering::Relaxed) {
                    envelope.make_and_take();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(span);
        stop.store(true, Ordering::Relaxed);
    });
    let bytes = count.load(Ordering::Relaxed) as f64 * CHUNK as f64;
    let spent = processor_us(std::process::id()) - spent;
    Ceiling { rate: bytes / span.as_secs_f64() / 1e6, by_processor: bytes * cores as f64 / spent }
}

/// Processor time that a process has spent, in microseconds. The system counts it in ticks of 10 ms.
fn processor_us(id: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    // User and system time are the 14th and 15th field; the first after the name is the third.
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap() * 1e4).sum()
}

struct Envelopes {
    key: SigningKey,
    sealing: SealingKey,
    plaintext: Plaintext,
    header: Header,
}

impl Envelopes {
    fn new() -> Self {
        let data: Vec<u8> = (0..=u8::MAX).cycle().take(CHUNK).collect();
        let body = Piece::new(&data).into_object(TransferId::from_random([1; 16]), 7);
        Self {
            key: SigningKey::from_seed([2; 32]),
            sealing: SealingKey::new([3; 32]),
            plaintext: Plaintext { number: MessageNumber::new(9), ack: 3, durable: None, body },
            header: Header {
                kind: MessageKind::Chunk,
                sender: "a".parse().unwrap(),
                recipient: "b".parse().unwrap(),
                session: SessionId::from_random([4; 16]),
                sequence: Sequence::new(12).unwrap(),
                timestamp: Timestamp::from_micros(1_700_000_000_000_000),
                nonce: Nonce::from_bytes([5; 16]),
                expires_at: None,
            },
        }
    }

    fn make_and_take(&self) {
        let generation = Generation::ZERO;
        let mut draft = Draft { header: self.header.clone(), payload: Object::new() };
        let sealed = self.sealing.seal(
            &[0; 12],
            &draft.associated_data(generation),
            &self.plaintext.to_vec(),
        );
        draft.payload = Sealed { generation, sealed }.to_object();
        let signed = draft.sign(&self.key);
        let Ok(Decoded::V1_1(unverified)) = decode(&DecodeRules::V1_1, &signed.body) else {
            panic!("it was made just now")
        };
        let envelope = unverified.verify(&self.key.public_key()).unwrap();
        let sealed = Sealed::from_object(envelope.payload()).unwrap();
        let associated = envelope.associated_data(generation);
        let opened = self.sealing.open(&[0; 12], &associated, &sealed.sealed).unwrap();
        assert_eq!(Plaintext::from_slice(&opened).unwrap().number, self.plaintext.number);
    }
}

pub(crate) struct Measured {
    hashing: f64,
    pub(crate) rate: f64,
    by_processor: f64,
    /// Processor time of the sender and of the receiver, in microseconds for each megabyte.
    pub(crate) us_per_mb: [f64; 2],
    pub(crate) peaks: (f64, f64),
}

/// Sends a file of so many MiB from one node to another, both started with `more`.
pub(crate) fn transfer(home: &Path, file: &Path, mib: usize, more: &[&str]) -> Measured {
    let mut a = Shim::start("a", &home.join("a"), more);
    let mut b = Shim::start("b", &home.join("b"), more);
    let (of_a, of_b) = (a.initialize(), b.initialize());
    for (shim, name, other) in [(&mut a, "b", &of_b), (&mut b, "a", &of_a)] {
        let (address, key) = (&other["addresses"]["http"], &other["keys"]["ed25519"]);
        shim.call("peer.add", &json!({ "name": name, "address": address, "key": key }));
    }
    a.call("session.open", &json!({ "to": "b" }));
    let peaks = Peaks::default();
    let stop = AtomicBool::new(false);
    let ids = [a.process.id(), b.process.id()];
    let bytes = mib as f64 * f64::from(1 << 20);
    let (hashing, rate, spent) = thread::scope(|scope| {
        let (peaks, stop) = (&peaks, &stop);
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                peaks.look(ids);
                thread::sleep(Duration::from_millis(20));
            }
        });
        let began = Instant::now();
        a.call("transfer.send", &json!({ "to": "b", "path": file }));
        let hashed = Instant::now();
        let spent = || ids.map(processor_us);
        let before = spent();
        let done = a.wait_for("transfer.");
        let end = Instant::now();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(done["params"]["state"], "done", "{done}");
        let rate = |span: Duration| bytes / span.as_secs_f64() / 1e6;
        let [a, b] = spent();
        (rate(hashed - began), rate(end - hashed), [a - before[0], b - before[1]])
    });
    let arrived = b.call("transfer.list", &json!({}))["transfers"][0].take();
    let path = arrived["path"].as_str().unwrap();
    assert!(same(file, Path::new(path)), "it arrived identical");
    let cores = thread::available_parallelism().unwrap().get();
    let by_processor = bytes * cores as f64 / (spent[0] + spent[1]);
    let us_per_mb = spent.map(|us| us * 1e6 / bytes);
    Measured { hashing, rate, by_processor, us_per_mb, peaks: peaks.mib() }
}

fn same(one: &Path, other: &Path) -> bool {
    let status = Command::new("cmp").arg(one).arg(other).status().unwrap();
    status.success()
}

/// The highest resident memory of two processes, in KiB.
#[derive(Default)]
struct Peaks([AtomicU64; 2]);

impl Peaks {
    fn look(&self, ids: [u32; 2]) {
        for (peak, id) in self.0.iter().zip(ids) {
            let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
            peak.fetch_max(line.trim().trim_end_matches(" kB").parse().unwrap(), Ordering::Relaxed);
        }
    }

    fn mib(&self) -> (f64, f64) {
        let [a, b] = &self.0;
        (a.load(Ordering::Relaxed) as f64 / 1_024.0, b.load(Ordering::Relaxed) as f64 / 1_024.0)
    }
}

/// `entity shim`, spoken to line by line.
struct Shim {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Shim {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Shim {
    fn start(name: &str, data_dir: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entity"));
        command
            // A test peer has its identity from a seed, and asks for no passphrase.
            .args(["shim", "--test-peer", "--seed", "transfer", "--log", "warn"])
            .args(["--protocol", "1.1", "--connect=false"])
            .args(more)
            .env("HANDFAST_NAME", name)
            .env("HANDFAST_DATA_DIR", data_dir);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output }
    }

    fn initialize(&mut self) -> Value {
        self.call("initialize", &json!({ "contract": "1" }))
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        self.input.write_all(format!("{request}\n").as_bytes()).unwrap();
        loop {
            let mut line = self.line();
            if line.get("id").is_some() {
                assert!(line.get("error").is_none(), "{method}: {line}");
                return line["result"].take();
            }
        }
    }

    fn wait_for(&mut self, event: &str) -> Value {
        loop {
            let line = self.line();
            if line["method"].as_str().is_some_and(|method| method.starts_with(event)) {
                return line;
            }
        }
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}
