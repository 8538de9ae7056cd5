use std::path::Path;
use std::{env, fs};

use super::*;

const PASSPHRASE: &str = "パスワード🔑 pass";

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes()).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed([byte; 32])
}

fn info(name: &str, key: &SigningKey) -> KeyInfo {
    KeyInfo {
        name: name.parse().unwrap(),
        purpose: Purpose::Identity,
        public_key: key.public_key(),
        created_at: at(1_795_332_118),
        handover: None,
    }
}

/// A file with everything in it: a name with escapes, and a hand-over.
fn full(protection: Protection<'_>) -> Zeroizing<Vec<u8>> {
    let (old, new) = (key(1), key(2));
    let name = r#"entity-b:日本/"test" \ id"#;
    let handover = Handover::sign(name.parse().unwrap(), &old, &new, at(1_795_332_000)).unwrap();
    let info = KeyInfo { handover: Some(handover), ..info(name, &new) };
    seal(&info, &new, protection, &mut Entropy::from_seed([9; 32]))
}

fn protected() -> Zeroizing<Vec<u8>> {
    full(Protection::Passphrase(&passphrase(PASSPHRASE), KdfParameters::LEAST))
}

/// Compares with a file in `tests/data/golden`. With `ENTITY_WRITE_GOLDEN` in the environment it is written instead.
#[expect(clippy::disallowed_methods, reason = "a switch of the test itself")]
fn check_golden(file: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden").join(file);
    if env::var("ENTITY_WRITE_GOLDEN").is_ok() {
        fs::write(&path, bytes).unwrap();
    }
    let golden = fs::read(&path).unwrap();
    assert_eq!(String::from_utf8_lossy(bytes), String::from_utf8_lossy(&golden), "{file}");
}

#[test]
fn key_files_have_fixed_bytes() {
    check_golden("protected.key", &protected());
    check_golden("unprotected.key", &full(Protection::None));
    let (key, passphrase) = (key(3), passphrase("correct horse battery staple"));
    let protection = Protection::Passphrase(&passphrase, KdfParameters::DEFAULT);
    let plain = seal(&info("entity-a", &key), &key, protection, &mut Entropy::from_seed([7; 32]));
    check_golden("default_parameters.key", &plain);
}

#[test]
fn a_key_file_opens_to_the_key_and_says_what_was_put_in() {
    for (bytes, passphrase) in
        [(protected(), Some(passphrase(PASSPHRASE))), (full(Protection::None), None)]
    {
        let (key, read) = open(&bytes, passphrase.as_ref()).unwrap();
        assert_eq!(key.seed(), &[2; 32]);
        assert_eq!(read, inspect(&bytes).unwrap().0);
        assert_eq!(read.handover.unwrap().old_key(), self::key(1).public_key());
        assert_eq!(read.name.as_str(), r#"entity-b:日本/"test" \ id"#);
    }
}

#[test]
fn a_passphrase_is_needed_and_it_must_be_the_right_one() {
    let bytes = protected();
    assert_eq!(open(&bytes, None).unwrap_err(), KeyFileError::PassphraseNeeded);
    let wrong = passphrase("パスワード🔑 pasS");
    assert_eq!(open(&bytes, Some(&wrong)).unwrap_err(), KeyFileError::NotOpened);
    // A passphrase for a file that needs none does no harm.
    assert!(open(&full(Protection::None), Some(&wrong)).is_ok());
}

#[test]
fn the_parameters_in_the_file_are_honoured() {
    let (key, passphrase) = (key(3), passphrase(PASSPHRASE));
    let kdf = KdfParameters::new(9 * 1024, 2, 3).unwrap();
    let protection = Protection::Passphrase(&passphrase, kdf);
    let bytes = seal(&info("a", &key), &key, protection, &mut Entropy::from_seed([1; 32]));
    assert_eq!(inspect(&bytes).unwrap().1, Protected::Passphrase(kdf));
    assert!(open(&bytes, Some(&passphrase)).is_ok());
}

#[test]
fn the_same_key_is_never_written_twice_alike() {
    let mut entropy = Entropy::from_seed([1; 32]);
    let (key, passphrase) = (key(3), passphrase(PASSPHRASE));
    let protection = Protection::Passphrase(&passphrase, KdfParameters::LEAST);
    let mut file = || seal(&info("a", &key), &key, protection, &mut entropy).to_vec();
    let (first, second) = (file(), file());
    let sealed = |file: &[u8]| {
        let text = String::from_utf8_lossy(file).into_owned();
        text.lines().find(|line| line.contains("\"sealed\"")).unwrap().to_owned()
    };
    assert_ne!(sealed(&first), sealed(&second));
}

/// A file without that byte, with each of `values` in its place, and with each of `added` before it.
fn one_byte_changes(bytes: &[u8], index: usize, values: &[u8], added: &[u8]) -> Vec<Vec<u8>> {
    let with =
        |removed: usize, added: &[u8]| [&bytes[..index], added, &bytes[index + removed..]].concat();
    let replaced = values.iter().map(|value| with(1, &[*value]));
    let mut changed: Vec<_> =
        replaced.chain(added.iter().map(|value| with(0, &[*value]))).collect();
    changed.push(with(1, &[]));
    // The same value in its own place is no change.
    changed.retain(|other| other != bytes);
    changed
}

/// What could pass as the same JSON: another digit, letter, case, space, quote.
const LIKELY: &[u8] = b" \t\n\"\\09aA+/=";

#[test]
fn every_single_byte_change_of_an_unprotected_file_is_refused() {
    let key = key(3);
    let plain = seal(&info("a", &key), &key, Protection::None, &mut Entropy::from_seed([1; 32]));
    let all: Vec<u8> = (0..=255).collect();
    for (bytes, values) in [(plain, all.as_slice()), (full(Protection::None), LIKELY)] {
        for index in 0..bytes.len() {
            for changed in one_byte_changes(&bytes, index, values, LIKELY) {
                assert!(open(&changed, None).is_err(), "{}", String::from_utf8_lossy(&changed));
            }
            assert!(open(&bytes[..index], None).is_err());
        }
    }
}

#[test]
fn every_single_byte_change_of_a_protected_file_is_refused() {
    let bytes = protected();
    let reached_the_seal: usize = std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            scope.spawn({
                let bytes = &bytes;
                move || refused(bytes, half)
            })
        });
        halves.map(|half| half.join().unwrap()).into_iter().sum()
    });
    // Else the seal has not been tried at all.
    assert!(reached_the_seal > 500, "{reached_the_seal}");
}

/// Changes every second byte in each of its bits, and returns how often only the seal could tell.
fn refused(bytes: &[u8], half: usize) -> usize {
    let passphrase = passphrase(PASSPHRASE);
    let mut reached_the_seal = 0;
    for index in (half..bytes.len()).step_by(2) {
        let bits: Vec<u8> = (0..8).map(|bit| bytes[index] ^ 1 << bit).collect();
        for changed in one_byte_changes(bytes, index, &bits, b" 0A") {
            let error = open(&changed, Some(&passphrase)).unwrap_err();
            reached_the_seal += usize::from(error == KeyFileError::NotOpened);
        }
    }
    reached_the_seal
}

#[test]
fn the_same_json_in_another_spelling_is_refused() {
    let bytes = full(Protection::None);
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let respelt = [
        text.replace("\": ", "\":"),
        text.replace('\n', "\r\n"),
        text.trim_end().to_owned(),
        format!("\u{feff}{text}"),
        text.replace("日", "\\u65e5"),
        text.replace(
            "\"purpose\": \"identity\",\n",
            "\"purpose\": \"identity\",\n  \"purpose\": \"identity\",\n",
        ),
        text.replace("identity", "identit\\u0079"),
        text.replace("\"seed\": ", "\"kdf\": null,\n  \"seed\": "),
    ];
    for respelt in respelt {
        assert_ne!(respelt, text);
        assert!(open(respelt.as_bytes(), None).is_err(), "{respelt}");
    }
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(open(serde_json::to_string_pretty(&value).unwrap().as_bytes(), None).is_err());
}

#[test]
fn parameters_out_of_bounds_are_refused_before_anything_is_computed() {
    let text = String::from_utf8(protected().to_vec()).unwrap();
    for (from, to, parameter) in [
        ("\"kdf_memory_kib\": 8192", "\"kdf_memory_kib\": 4294967295", "kdf_memory_kib"),
        ("\"kdf_memory_kib\": 8192", "\"kdf_memory_kib\": 8", "kdf_memory_kib"),
        ("\"kdf_passes\": 1", "\"kdf_passes\": 4294967295", "kdf_passes"),
        ("\"kdf_lanes\": 1", "\"kdf_lanes\": 0", "kdf_lanes"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        let error = inspect(changed.as_bytes()).unwrap_err();
        assert!(matches!(error, KeyFileError::Kdf(out) if out.parameter == parameter), "{error}");
    }
}

#[test]
fn a_file_with_the_hand_over_to_another_key_is_refused() {
    let other = key(5);
    let handover = inspect(&full(Protection::None)).unwrap().0.handover;
    assert_ne!(handover.as_ref().unwrap().new_key(), other.public_key());
    let info = KeyInfo { handover, ..info("x", &other) };
    let bytes = seal(&info, &other, Protection::None, &mut Entropy::from_seed([1; 32]));
    assert_eq!(inspect(&bytes).unwrap_err(), KeyFileError::Malformed("handover"));
}

#[test]
fn a_seal_of_another_length_is_refused_before_anything_is_computed() {
    let text = String::from_utf8(protected().to_vec()).unwrap();
    let sealed = text.split("\"sealed\": \"").nth(1).unwrap().split('"').next().unwrap();
    for other in ["", &sealed[4..], &format!("AAAA{sealed}"), &"AAAA".repeat(2000)] {
        let error = inspect(text.replace(sealed, other).as_bytes()).unwrap_err();
        assert_eq!(error, KeyFileError::Malformed("sealed"));
    }
}

#[test]
fn a_file_cannot_be_made_to_say_that_it_is_not_protected() {
    // The seed of another key with everything else of the file: the check is no secret, so the public key has to tell.
    let mine = String::from_utf8(full(Protection::None).to_vec()).unwrap();
    let other = key(5);
    let theirs =
        seal(&info("x", &other), &other, Protection::None, &mut Entropy::from_seed([1; 32]));
    let theirs = String::from_utf8(theirs.to_vec()).unwrap();
    let line = |text: &str, field: &str| {
        text.lines().find(|line| line.contains(&format!("\"{field}\""))).unwrap().to_owned()
    };
    let swapped = mine.replace(&line(&mine, "seed"), &line(&theirs, "seed"));
    let Parsed { info, envelope } = Parsed::read(swapped.as_bytes()).unwrap();
    let Envelope::None { seed, .. } = envelope else { panic!("it is not protected") };
    let check = check_of(&info, &seed);
    let forged = render(&info, &Form::None { seed: &seed, check: &check });
    assert_eq!(open(&forged, None).unwrap_err(), KeyFileError::KeyMismatch);
}

#[test]
fn an_error_repeats_nothing_of_the_file() {
    let seed = "02".repeat(32);
    let text = String::from_utf8(full(Protection::None).to_vec()).unwrap();
    for changed in [
        text.replace("\"seed\": ", "\"salt\": "),
        text.replace(&seed, &seed.to_uppercase().replace('2', "x")),
        text.replace(&format!("\"{seed}\""), &format!("[\"{seed}\"]")),
    ] {
        let error = open(changed.as_bytes(), None).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("0202"), "{error:?}");
    }
}
