//! What is in the memory of a process that has unlocked a key and locked it again: the same as in its core dump.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::digest;
use curve25519_dalek::scalar::Scalar;
use entity_crypto::encoding::{base64_decode_array, base64_encode, hex_encode};
use entity_crypto::entropy::Entropy;
use entity_crypto::signing::SigningKey;
use entity_node::seed::from_system;
use entity_node::wallet_files::DiskKeyFiles;
use entity_wallet::kdf::KdfParameters;
use entity_wallet::{KeyName, Passphrase, Protection, Wallet};
use entity_wire::time::Timestamp;

use crate::wallet_child::ToldChild;

/// A form in which a secret could be left behind, and its bytes, any run of which of this length gives it away.
struct Trace {
    form: &'static str,
    bytes: Vec<u8>,
    run: usize,
}

impl Trace {
    fn runs(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.windows(self.run)
    }
}

/// As much as one register holds.
const REGISTER: usize = 8;

fn traces_of_seed(seed: &[u8; 32]) -> Vec<Trace> {
    let expanded = digest::digest(&digest::SHA512, seed);
    let (scalar, prefix) = expanded.as_ref().split_at(32);
    let mut clamped: [u8; 32] = scalar.try_into().unwrap();
    clamped[0] &= 0b1111_1000;
    clamped[31] = clamped[31] & 0b0111_1111 | 0b0100_0000;
    let reduced = Scalar::from_bytes_mod_order(clamped).to_bytes();
    let hex = hex_encode(seed);
    let mut reversed_hex = String::new();
    for byte in seed.iter().rev() {
        write!(reversed_hex, "{byte:02x}").unwrap();
    }
    let reversed = |bytes: &[u8]| bytes.iter().rev().copied().collect::<Vec<_>>();
    let words_swapped =
        seed.chunks(REGISTER).flat_map(|word| word.iter().rev().copied()).collect::<Vec<_>>();
    let utf16 = hex.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let trace = |form, bytes, run| Trace { form, bytes, run };
    let mut traces = vec![
        trace("raw seed", seed.to_vec(), REGISTER),
        trace("reversed seed", reversed(seed), REGISTER),
        trace("seed in big-endian words", words_swapped, REGISTER),
        trace("hex", hex.clone().into_bytes(), 16),
        trace("upper-case hex", hex.to_uppercase().into_bytes(), 16),
        trace("reversed hex", reversed_hex.into_bytes(), 16),
        trace("UTF-16 hex", utf16, 32),
        trace("first half of the expanded seed", scalar.to_vec(), REGISTER),
        trace("clamped scalar", clamped.to_vec(), REGISTER),
        trace("reduced scalar", reduced.to_vec(), REGISTER),
        trace("second half of the expanded seed", prefix.to_vec(), REGISTER),
        trace("reversed scalar", reversed(&clamped), REGISTER),
    ];
    // Wherever the seed begins within a longer base64 text, as in PEM.
    for (form, skip) in [("base64", 0), ("base64, one in", 2), ("base64, two in", 1)] {
        let whole = (32 - skip) / 3 * 3;
        let text = base64_encode(&seed[skip..skip + whole]);
        traces.push(trace(form, text.into_bytes(), 16));
    }
    traces
}

/// Which traces are in the memory of a process that it can write to; the rest is as it is in files.
fn found(process: u32, traces: &[Trace]) -> Vec<&'static str> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found = Vec::new();
    let mut scanned = 0;
    for map in maps.lines() {
        let mut words = map.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let parse = |text| u64::from_str_radix(text, 16).unwrap();
        let mut bytes = vec![0; usize::try_from(parse(end) - parse(start)).unwrap()];
        memory.read_exact_at(&mut bytes, parse(start)).unwrap();
        scanned += bytes.len();
        found.extend(forms_in(&bytes, traces));
    }
    assert!(scanned > 1024 * 1024, "the memory was read");
    found.sort_unstable();
    found.dedup();
    found
}

/// The traces of which any run is in memory.
fn forms_in<'a>(
    memory: &[u8],
    traces: &'a [Trace],
) -> impl Iterator<Item = &'static str> + use<'a> {
    let begin = |bytes: &[u8]| usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let mut begins = vec![false; 1 << 16];
    for run in traces.iter().flat_map(Trace::runs) {
        begins[begin(run)] = true;
    }
    let mut found = vec![false; traces.len()];
    for at in 0..memory.len().saturating_sub(1) {
        // Most of memory is nothing like it.
        if begins[begin(&memory[at..])] {
            for (trace, found) in traces.iter().zip(&mut found) {
                *found |= trace.runs().any(|run| memory[at..].starts_with(run));
            }
        }
    }
    traces.iter().zip(found).filter_map(|(trace, found)| found.then_some(trace.form))
}

/// A wallet with one key, whose passphrase is in a file beside it, and all that must not be found of it.
fn home() -> (tempfile::TempDir, Vec<Trace>) {
    // Nothing of these is in the program itself.
    let seed = from_system().unwrap();
    let hiragana = from_system().unwrap().map(|byte| char::from_u32(0x3041 + u32::from(byte % 64)));
    let hiragana: String = hiragana.into_iter().flatten().collect();
    let words = format!("{}{hiragana}", hex_encode(&from_system().unwrap()));
    let home = tempfile::tempdir().unwrap();
    let passphrase = Passphrase::new(words.as_bytes()).unwrap();
    let key = SigningKey::from_seed(seed);
    let files = DiskKeyFiles::open_for_changes(home.path()).unwrap();
    let mut wallet = Wallet::new(files);
    let protection = Protection::Passphrase(&passphrase, KdfParameters::LEAST);
    let name: KeyName = "a".parse().unwrap();
    let mut entropy = Entropy::from_seed(from_system().unwrap());
    wallet.add(name, &key, protection, Timestamp::UNIX_EPOCH, &mut entropy).unwrap();
    let pass = home.path().join("pass");
    fs::write(&pass, &words).unwrap();
    fs::set_permissions(&pass, fs::Permissions::from_mode(0o600)).unwrap();

    let mut traces = traces_of_seed(&seed);
    let derived = derived(home.path(), words.as_bytes());
    traces.push(Trace { form: "passphrase", bytes: words.into_bytes(), run: REGISTER });
    traces.push(Trace { form: "derived key", bytes: derived, run: REGISTER });
    (home, traces)
}

#[test]
fn a_process_that_has_locked_a_key_holds_it_in_no_form() {
    let (home, traces) = home();
    let mut child = ToldChild::start("unlock", home.path());
    let process = child.process.id();
    child.expect("unlocked");
    // The scan can fail: here the seed has to be.
    let unlocked = found(process, &traces);
    assert!(unlocked.contains(&"raw seed"), "{unlocked:?}");
    assert!(
        !unlocked.contains(&"passphrase") && !unlocked.contains(&"derived key"),
        "{unlocked:?}"
    );
    child.go_on();
    child.expect("signed");
    assert!(found(process, &traces).contains(&"raw seed"));
    child.go_on();
    child.expect("locked");
    assert_eq!(found(process, &traces), [""; 0]);
}

#[test]
fn the_registers_of_a_process_that_has_locked_a_key_hold_it_in_no_form() {
    let (home, traces) = home();
    let mut child = ToldChild::start("unlock-and-lock", home.path());
    child.expect("locked");
    assert_eq!(found(child.process.id(), &traces), [""; 0]);
}

/// The key that the file is sealed under, computed here.
fn derived(data: &std::path::Path, passphrase: &[u8]) -> Vec<u8> {
    let file: serde_json::Value =
        serde_json::from_slice(&fs::read(data.join("keys/a.key")).unwrap()).unwrap();
    let salt: [u8; 32] = base64_decode_array(file["salt"].as_str().unwrap()).unwrap();
    let parameters = Params::new(8 * 1024, 1, 1, Some(32)).unwrap();
    let mut key = vec![0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters)
        .hash_password_into(passphrase, &salt, &mut key)
        .unwrap();
    key
}
