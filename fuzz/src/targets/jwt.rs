//! A token as it comes: `docs/protocol/1.0.md#peer-jwt`.

use entity_crypto::signing::SigningKey;
use entity_wire::jwt::{Expected, Unverified};
use entity_wire::time::Timestamp;

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "jwt",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 512,
        len_max: Some(entity_wire::jwt::TOKEN_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    let Ok(token) = Unverified::parse(text) else { return Outcome::Refused };
    let key = SigningKey::from_seed([0xA1; 32]).public_key();
    let now = Timestamp::UNIX_EPOCH;
    // Nobody signs here: whatever holds under the key of the golden tokens is one of them, and long over.
    assert!(
        token.verify(key, Expected::default(), now).is_err(),
        "a token of 1970 that nobody made"
    );
    Outcome::Taken
}

fn golden() -> Corpus {
    let recorded = corpus::json("entity/wire/tests/data/jwt.json");
    let of = |name: &str| recorded["peer_eddsa"][name].as_str().unwrap_or_default().to_owned();
    Corpus::of([of("token"), of("expired_token")])
}
