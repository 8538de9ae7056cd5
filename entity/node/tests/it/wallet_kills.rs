//! A change of passphrase that is killed leaves one readable file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use entity_crypto::entropy::Entropy;
use entity_crypto::signing::{PublicKey, SigningKey};
use entity_node::wallet_files::{DIRECTORY, DiskKeyFiles};
use entity_wallet::kdf::KdfParameters;
use entity_wallet::{KeyName, Passphrase, Protection, Wallet};
use entity_wire::time::Timestamp;

use crate::wallet_child::ToldChild;

const OLD: &str = "the old passphrase";
const NEW: &str = "the new passphrase";

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes()).unwrap()
}

fn name() -> KeyName {
    "a".parse().unwrap()
}

/// A wallet with one key under [`OLD`], and both passphrases in files.
fn home() -> (tempfile::TempDir, PublicKey) {
    let home = tempfile::tempdir().unwrap();
    let key = SigningKey::from_seed([5; 32]);
    let old = passphrase(OLD);
    let protection = Protection::Passphrase(&old, KdfParameters::LEAST);
    let files = DiskKeyFiles::open_for_changes(home.path()).unwrap();
    let (now, mut entropy) = (Timestamp::UNIX_EPOCH, Entropy::from_seed([1; 32]));
    Wallet::new(files).add(name(), &key, protection, now, &mut entropy).unwrap();
    write_private(&home.path().join("pass"), OLD);
    write_private(&home.path().join("new"), NEW);
    (home, key.public_key())
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Which of the two passphrases opens the key.
#[track_caller]
fn opened_by(data: &Path, key: PublicKey) -> &'static str {
    let wallet = Wallet::new(DiskKeyFiles::open(data).unwrap());
    assert_eq!(wallet.list().unwrap().len(), 1, "one file");
    let mut opens = [OLD, NEW].into_iter().filter(|text| {
        let unlocked = wallet.unlock(&name(), Some(&passphrase(text)));
        unlocked.is_ok_and(|unlocked| unlocked.key.public_key() == key)
    });
    let by = opens.next().expect("one passphrase opens the key");
    assert_eq!(opens.next(), None, "not both");
    by
}

#[test]
fn a_change_of_passphrase_killed_after_any_step_leaves_one_readable_file() {
    let mut outcomes = Vec::new();
    loop {
        let (home, key) = home();
        let order = format!("change {}", outcomes.len());
        let mut child = ToldChild::start(&order, home.path());
        let ended = child.process.wait().unwrap();
        outcomes.push(opened_by(home.path(), key));
        // What the kill left behind is in nobody's way.
        drop(DiskKeyFiles::open_for_changes(home.path()).unwrap());
        let left = fs::read_dir(home.path().join(DIRECTORY)).unwrap().count();
        assert_eq!(left, 3, "the key, the default and the lock");
        if ended.success() {
            break;
        }
    }
    // Five steps before the new file is in its place; it is there in the sixth and seventh, and at the end.
    assert_eq!(outcomes, [OLD, OLD, OLD, OLD, OLD, NEW, NEW, NEW]);
}

#[test]
fn a_change_of_passphrase_killed_at_random_moments_leaves_one_readable_file() {
    let (home, key) = home();
    let data = home.path();
    let mut moments = Entropy::from_seed([9; 32]);
    let mut current = OLD;
    for _ in 0..25 {
        let next = if current == OLD { NEW } else { OLD };
        write_private(&data.join("pass"), current);
        write_private(&data.join("new"), next);
        let mut child = Command::new(env!("CARGO_BIN_EXE_entity"))
            .args([
                "wallet",
                "passphrase",
                "--passphrase-file",
                "pass",
                "--new-passphrase-file",
                "new",
            ])
            .env("ENTITY_DATA_DIR", data)
            .current_dir(data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let [low, high] = moments.bytes();
        wait(Duration::from_millis(u64::from(u16::from_le_bytes([low, high])) % 700));
        child.kill().unwrap();
        child.wait().unwrap();
        current = opened_by(data, key);
    }
}

#[expect(clippy::disallowed_methods, reason = "the moment of a kill is what is random here")]
fn wait(time: Duration) {
    thread::sleep(time);
}
