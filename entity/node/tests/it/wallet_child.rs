//! This test program as a child of its own tests: a process whose memory can be read and that can be killed.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use entity_crypto::entropy::Entropy;
use entity_node::wallet_files::{DiskKeyFiles, Step, read_private};
use entity_wallet::kdf::KdfParameters;
use entity_wallet::{KeyName, Passphrase, Protection, Unlocked, Wallet};
use rustix::process::{Signal, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

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
        None if order == "unlock-and-lock" => unlock_and_lock(),
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

/// Unlocks a key, locks it at once, and has everything in the registers written to memory.
fn unlock_and_lock() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let entered = runtime.enter();
    let handled = signal(SignalKind::pipe()).unwrap();
    let wallet = Wallet::new(DiskKeyFiles::open(Path::new(".")).unwrap());
    let pass = passphrase("pass");
    drop(wallet.unlock(&name(), Some(&pass)).unwrap());
    registers_to_stack();
    drop((pass, handled, entered));
    pause("locked");
}

/// The kernel writes all registers onto the stack of a thread that gets a signal, and who writes into a pipe without a reader
/// gets one. Far below, where nothing that follows reaches.
#[inline(never)]
#[expect(clippy::large_stack_arrays, reason = "the depth is what is wanted")]
fn registers_to_stack() {
    let mut depth = [0_u8; 64 * 1024];
    black_box(&mut depth);
    let (reader, mut writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.write_all(b"?").unwrap_err();
    black_box(&mut depth);
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
