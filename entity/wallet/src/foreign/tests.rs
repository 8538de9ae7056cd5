use std::fs;
use std::path::Path;

use entity_crypto::encoding::hex_encode;
use entity_crypto::entropy::Entropy;
use entity_wire::time::Timestamp;
use serde::Deserialize;

use super::*;
use crate::key_file::{KeyInfo, Protection, Purpose};
use pkcs8::Version;

#[derive(Deserialize)]
struct Expected {
    samples: Vec<Sample>,
    negative_and_quirks: Vec<Quirk>,
}

#[derive(Deserialize)]
struct Sample {
    kind: String,
    file: String,
    entity_id: Option<String>,
    password: Option<String>,
    private_key_hex: String,
    public_key_hex: String,
}

#[derive(Deserialize)]
struct Quirk {
    file: Option<String>,
    password: Option<String>,
    error: Option<String>,
    result: Option<String>,
}

fn sample(file: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keystores");
    fs::read(folder.join(file)).unwrap()
}

fn expected() -> Expected {
    serde_json::from_slice(&sample("EXPECTED.json")).unwrap()
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes()).unwrap()
}

fn at() -> Timestamp {
    Timestamp::from_micros(1_795_332_118_000_000)
}

const CORRECT: &str = "correct horse battery staple";

#[test]
fn every_sample_of_both_older_formats_reads_to_the_expected_key() {
    let samples = expected().samples;
    assert_eq!(samples.len(), 6);
    for sample in samples {
        let passphrase = sample.password.as_deref().map(passphrase);
        let read = read(&self::sample(&sample.file), passphrase.as_ref()).unwrap();
        assert_eq!(hex_encode(read.key.seed()), sample.private_key_hex, "{}", sample.file);
        assert_eq!(read.key.public_key().to_hex(), sample.public_key_hex);
        assert_eq!(read.id, sample.entity_id);
        let format = match sample.kind.as_str() {
            "WalletKeyStore" => Format::OlderKeystore,
            "WalletManager" => Format::OlderWallet,
            other => panic!("{other}"),
        };
        assert_eq!(read.format, format);
        assert_eq!(
            read.notes.contains(&Note::Unprotected),
            sample.password.is_none(),
            "{}",
            sample.file
        );
    }
}

#[test]
fn every_negative_sample_is_refused_with_an_error_of_its_own() {
    let mut seen = 0;
    for quirk in expected().negative_and_quirks {
        let (Some(file), Some(error)) = (quirk.file, quirk.error) else { continue };
        let passphrase = quirk.password.as_deref().map(passphrase);
        let refused = read(&sample(&file), passphrase.as_ref()).unwrap_err();
        let (expected, code) = match error.split_once(": ").unwrap().1 {
            "Invalid password or corrupted key data" => (ForeignError::NotOpened, "KEY_NOT_OPENED"),
            "Password required for encrypted key file" => {
                (ForeignError::PassphraseNeeded, "KEY_PASSPHRASE_NEEDED")
            }
            "Unsupported keystore version: 2" => (ForeignError::Version(2), "KEY_VERSION"),
            "Key validation failed: Public key mismatch: key file may be corrupted" => {
                (ForeignError::KeyMismatch, "KEY_MISMATCH")
            }
            other => panic!("{other}"),
        };
        assert_eq!((refused, refused.code()), (expected, code), "{file}");
        seen += 1;
    }
    assert_eq!(seen, 5);
}

#[test]
fn both_tolerances_of_the_earlier_reader_are_kept_and_noted() {
    let quirks: Vec<_> = expected()
        .negative_and_quirks
        .into_iter()
        .filter(|quirk| quirk.result.is_some())
        .map(|quirk| quirk.file.unwrap())
        .collect();
    assert_eq!(quirks, ["quirk_iterations_field_ignored.key", "quirk_entity_id_not_bound.key"]);
    let entity_a = "89e05e12e10c40751dd730df9b7a31086e05b2e84526f4fe9a8e228d7b848a18";
    let rounds = read(&sample(&quirks[0]), Some(&passphrase(CORRECT))).unwrap();
    assert_eq!(rounds.key.public_key().to_hex(), entity_a);
    assert_eq!(rounds.notes, [Note::IdNotAuthenticated, Note::RoundsIgnored { said: 1000 }]);
    let unbound = read(&sample(&quirks[1]), Some(&passphrase(CORRECT))).unwrap();
    assert_eq!(unbound.key.public_key().to_hex(), entity_a);
    assert_eq!(unbound.id.as_deref(), Some("someone_else"));
    assert_eq!(unbound.notes, [Note::IdNotAuthenticated]);
}

#[test]
fn malformed_older_files_are_refused_by_the_field_that_is_wrong() {
    let text = String::from_utf8(sample("entity_a.key")).unwrap();
    for (from, to, field) in [
        ("\"AES-256-GCM\"", "\"AES-128-GCM\"", "algorithm"),
        ("\"PBKDF2-SHA256\"", "\"scrypt\"", "kdf"),
        ("\"encrypted\": true,", "", "encrypted"),
        ("\"salt\": \"AAOO", "\"salt\": \"", "salt"),
        ("\"nonce\": \"KhfS", "\"nonce\": \"Khf\\u0053", "one of its fields"),
        ("\"nonce\": \"KhfS", "\"nonce\": \"", "nonce"),
        (
            "\"encrypted_private_key\": \"oHQZ",
            "\"encrypted_private_key\": \"!",
            "encrypted_private_key",
        ),
        ("\"version\": 1", "\"version\": \"1\"", "version"),
    ] {
        let changed = text.replace(from, to);
        assert_ne!(changed, text);
        let refused = read(changed.as_bytes(), Some(&passphrase(CORRECT))).unwrap_err();
        assert_eq!((refused, refused.code()), (ForeignError::Malformed(field), "KEY_MALFORMED"));
    }
    let plain = String::from_utf8(sample("entity_plain.key")).unwrap();
    let upper = plain.replace("cb63873f", "CB63873F");
    assert_eq!(read(upper.as_bytes(), None).unwrap_err(), ForeignError::Malformed("private_key"));
}

#[test]
fn what_we_write_in_older_formats_reads_back() {
    let (key, passphrase) = (SigningKey::from_seed([5; 32]), passphrase("か\u{3099} 🔑 pass"));
    let mut entropy = Entropy::from_seed([1; 32]);
    let keystore = older::write_keystore("日本", &key, &passphrase, at(), &mut entropy);
    let wallet = older::write_wallet(&key, &passphrase, &mut entropy);
    for (bytes, format, id) in
        [(keystore, Format::OlderKeystore, Some("日本")), (wallet, Format::OlderWallet, None)]
    {
        let read = read(&bytes, Some(&passphrase)).unwrap();
        assert_eq!(read.key.public_key(), key.public_key());
        assert_eq!((read.format, read.id.as_deref()), (format, id));
    }
}

#[test]
fn each_format_is_told_by_its_beginning() {
    let key = SigningKey::from_seed([5; 32]);
    let info = KeyInfo {
        name: "a".parse().unwrap(),
        purpose: Purpose::Identity,
        public_key: key.public_key(),
        created_at: at(),
        handover: None,
    };
    let ours = key_file::seal(&info, &key, Protection::None, &mut Entropy::from_seed([1; 32]));
    let seed = write_seed(&key);
    let commented = [b"# Identity of an entity\n".as_slice(), &seed].concat();
    let pem = pkcs8::write(&key, Version::V1);
    let cases: [(&[u8], Format); 6] = [
        (&ours, Format::EntityKey),
        (&seed, Format::SeedHex),
        (&commented, Format::SeedHex),
        (pem.as_bytes(), Format::Pkcs8Pem),
        (&sample("entity_plain.key"), Format::OlderKeystore),
        (&sample("wallet_1.json"), Format::OlderWallet),
    ];
    for (bytes, format) in cases {
        assert_eq!(Format::of(bytes), Some(format));
    }
    for bytes in [&ours[..], &seed, &commented, pem.as_bytes()] {
        assert_eq!(read(bytes, None).unwrap().key.public_key(), key.public_key());
    }
    let two_seeds = [&seed[..], &seed[..]].concat();
    let nothing: [&[u8]; 6] =
        [b"", b"secret", b"\xff", b"# x\n", &two_seeds, &vec![b'{'; FILE_LEN_MAX + 1]];
    for bytes in nothing {
        assert_eq!(read(bytes, None).unwrap_err().code(), "KEY_MALFORMED");
    }
    let upper = String::from_utf8(seed.to_vec()).unwrap().to_uppercase().replace('5', "A");
    let refused = read(upper.as_bytes(), None).unwrap_err();
    assert_eq!(refused, ForeignError::Malformed("the seed in lower case"));
}

/// RFC 8410 section 10.3: the same key in both versions.
const RFC_8410_V1: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
-----END PRIVATE KEY-----
";
const RFC_8410_V2: &str = "-----BEGIN PRIVATE KEY-----
MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC
oB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrB
Z9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PRIVATE KEY-----
";

#[test]
fn pem_of_both_versions_reads_and_writes() {
    let key = pkcs8::read(RFC_8410_V1.as_bytes()).unwrap();
    let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
    assert_eq!(key.public_key().to_hex(), public);
    assert_eq!(pkcs8::read(RFC_8410_V2.as_bytes()).unwrap().public_key().to_hex(), public);
    assert_eq!(pkcs8::write(&key, Version::V1).as_str(), RFC_8410_V1);
    let second = pkcs8::write(&key, Version::V2);
    assert_eq!(pkcs8::read(second.as_bytes()).unwrap().public_key().to_hex(), public);
}

#[test]
fn pem_that_is_something_else_is_refused() {
    let key = SigningKey::from_seed([5; 32]);
    let pem = pkcs8::write(&key, Version::V2);
    let other = RFC_8410_V2.replace("Z9w7lshQhqowtrbLDFw4rXAxZuE=", "Z9w7lshQhqowtrbLDFw4rXAxZuA=");
    assert_eq!(read(other.as_bytes(), None).unwrap_err(), ForeignError::KeyMismatch);
    let encrypted = pem.replace("PRIVATE", "ENCRYPTED PRIVATE");
    assert_eq!(read(encrypted.as_bytes(), None).unwrap_err(), ForeignError::PemEncrypted);
    for text in [
        pem.replace("PRIVATE", "PUBLIC"),
        pem.replace("K2Vw", "K2Vv"),
        pem.lines().next().unwrap().to_owned(),
        pem.replace("-----END", "-----"),
    ] {
        assert_eq!(read(text.as_bytes(), None).unwrap_err().code(), "KEY_MALFORMED", "{text}");
    }
}
