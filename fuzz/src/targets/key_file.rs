//! A key file of ours, its form and, where it is not sealed, its key: `docs/protocol/1.1.md#key-file`.

use entity_wallet::files::FILE_LEN_MAX;
use entity_wallet::key_file::{self, Protected};

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "key_file",
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
    let Ok((info, protected)) = key_file::inspect(input) else {
        assert!(key_file::open(input, None).is_err(), "a key comes out of what is no key file");
        return Outcome::Refused;
    };
    // A sealed one would take a key derivation to open; that no changed byte opens is shown where the wallet is.
    if protected == Protected::None
        && let Ok((key, opened)) = key_file::open(input, None)
    {
        assert_eq!(opened, info, "a file says two things of its key");
        assert!(key.public_key() == info.public_key, "a file names another key than it has");
    }
    // One byte form: what is taken at all is, byte for byte, what this program writes.
    assert!(input.starts_with(b"{\n") && input.ends_with(b"\n}\n"));
    Outcome::Taken
}

/// The golden files.
pub(super) fn golden() -> Corpus {
    let vectors = corpus::json("docs/protocol/vectors/key_file.json");
    let file = |name: &str| vectors[name]["file"].as_str().unwrap_or_default().to_owned();
    Corpus::of([file("sealed"), file("plain"), file("handed_over")])
}
