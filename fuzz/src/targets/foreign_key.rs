//! Key files of other programs, and the one reader that tells them apart: `docs/protocol/1.0.md#older-key-files`.

use entity_crypto::signing::SigningKey;
use entity_wallet::files::FILE_LEN_MAX;
use entity_wallet::foreign::{self, Format, pkcs8};
use serde_json::json;

use super::key_file;
use crate::corpus::Corpus;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "foreign_key",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 256 * 1024,
        held_per_byte: 64,
        worked_per_byte: 512,
        len_max: Some(FILE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(read) = foreign::read(input, None) else { return Outcome::Refused };
    assert_eq!(Format::of(input), Some(read.format), "a file is of two formats");
    // Passed on as a seed or as PEM it is the same key.
    let seed = foreign::write_seed(&read.key);
    let pem = pkcs8::write(&read.key, pkcs8::Version::V1);
    for written in [seed.as_slice(), pem.as_bytes()] {
        match foreign::read(written, None) {
            Ok(again) => assert!(again.key.public_key() == read.key.public_key()),
            Err(error) => panic!("a key that was written is refused: {error}"),
        }
    }
    Outcome::Taken
}

fn golden() -> Corpus {
    let key = SigningKey::from_seed([7; 32]);
    let versions = [pkcs8::Version::V1, pkcs8::Version::V2];
    let pems = versions.map(|version| pkcs8::write(&key, version).as_bytes().to_vec());
    let older = json!({
        "version": 1, "entity_id": "entity-a", "encrypted": false,
        "public_key": key.public_key().to_hex(), "private_key": key.seed_hex().as_str(),
        "created_at": "2026-01-02T03:04:05+00:00",
    });
    let ours = key_file::golden().entries().iter().skip(1).cloned().collect::<Vec<_>>();
    Corpus::of(pems)
        .and([foreign::write_seed(&key).to_vec(), older.to_string().into_bytes()])
        .and(ours)
}
