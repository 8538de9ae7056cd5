//! This test program as a child of its own tests: a process whose memory can be read and that can be killed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use entity_crypto::entropy::Entropy;
use entity_node::wallet_files::{DiskKeyFiles, Step, read_private};
use entity_wallet::kdf::KdfParameters;
use entity_wallet::{KeyName, Passphrase, Protection, Unlocked, Wallet};
use rustix::process::{Signal, getpid, kill_process};

/// What the child is told by.
const ORDER: &str = "ENTITY_TEST_CHILD";

/// A child that has been told something.
pub(crate) struct ToldChild {
    pub(crate) process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl ToldChild {
    /// Starts it in `data`, where the files `pass` and, for a change, `new` hold passphrases.
    pub(crate) fn start(order: &str, data: &Path) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "wallet_child::obey", "--nocapture", "--test-threads=1"])
            .env(ORDER, order)
            .current_dir(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, input, output: BufReader::new(output) }
    }

    /// Waits until it says so.
    pub(crate) fn expect(&mut self, word: &str) {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the child ended before {word}");
            if line.trim_end().ends_with(word) {
                return;
            }
        }
    }

    /// Lets it go on.
    pub(crate) fn go_on(&mut self) {
        self.input.write_all(b"\n").unwrap();
    }
}

impl Drop for ToldChild {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Does what the environment says; nothing in a run of the tests themselves.
#[test]
fn obey() {
    let Some(order) = std::env::var_os(ORDER) else { return };
    let order = order.into_string().unwrap();
    match order.split_once(' ') {
        None if order == "unlock" => unlock(),
        Some(("change", count)) => change(count.parse().unwrap()),
        None | Some(_) => panic!("{order}"),
    }
}

fn passphrase(file: &str) -> Passphrase {
    let bytes = read_private(File::open(file).unwrap(), Path::new(file)).unwrap();
    Passphrase::new(&bytes).unwrap()
}

fn name() -> KeyName {
    "a".parse().unwrap()
}

/// Says how far it is, and waits to be told to go on.
fn pause(word: &str) {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(format!("{word}\n").as_bytes()).and_then(|()| stdout.flush()).unwrap();
    drop(stdout);
    std::io::stdin().lock().read_line(&mut String::new()).unwrap();
}

/// Unlocks a key, signs, locks, and says so each time.
fn unlock() {
    let wallet = Wallet::new(DiskKeyFiles::open(Path::new(".")).unwrap());
    let Unlocked { key, info } = wallet.unlock(&name(), Some(&passphrase("pass"))).unwrap();
    pause("unlocked");
    for message in [b"one".as_slice(), b"two"] {
        info.public_key.verify(message, &key.sign(message)).unwrap();
    }
    pause("signed");
    drop(key);
    pause("locked");
}

/// Changes the passphrase, and dies after the step of this index, if there are so many.
fn change(dies_after: usize) {
    let mut steps = 0;
    let files = DiskKeyFiles::open_for_changes(Path::new(".")).unwrap();
    let files = files.watched(move |_: Step| {
        if steps == dies_after {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
        steps += 1;
    });
    let (old, new) = (passphrase("pass"), passphrase("new"));
    let new = Protection::Passphrase(&new, KdfParameters::LEAST);
    let mut entropy = Entropy::from_seed([3; 32]);
    Wallet::new(files).protect(&name(), Some(&old), new, &mut entropy).unwrap();
}
