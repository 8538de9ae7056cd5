//! What a token says, its signature being good: the input is the claims, signed here.

use entity_crypto::encoding::base64url_encode;
use entity_crypto::signing::SigningKey;
use entity_wire::jwt::{Claims, Draft, Expected, LIFETIME_MAX, Unverified};
use entity_wire::time::Timestamp;

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "jwt_claims",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds { held: 64 * 1024, held_per_byte: 64, worked_per_byte: 512, len_max: None },
};

/// When the tokens of the corpus are good.
fn now() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

fn target(input: &[u8]) -> Outcome {
    let key = SigningKey::from_seed([7; 32]);
    let header = base64url_encode(br#"{"alg":"EdDSA","typ":"JWT"}"#);
    let signed = format!("{header}.{}", base64url_encode(input));
    let signature = base64url_encode(&key.sign(signed.as_bytes()).to_bytes());
    let Ok(token) = Unverified::parse(&format!("{signed}.{signature}")) else {
        return Outcome::Refused;
    };
    let Ok(claims) = token.verify(key.public_key(), Expected::default(), now()) else {
        return Outcome::Refused;
    };
    let lifetime = claims.exp.checked_sub(claims.iat).and_then(|lifetime| lifetime.try_into().ok());
    assert!(lifetime.is_some_and(|seconds: u64| (1..=LIFETIME_MAX.as_secs()).contains(&seconds)));
    // Issued here with the same words, it says the same.
    let Claims { sub, aud, .. } = &claims;
    let draft = Draft { sub, aud: aud.as_deref(), lifetime: LIFETIME_MAX };
    if let Ok(issued) = draft.issue(&key, now()) {
        let again = Unverified::parse(&issued);
        let again =
            again.and_then(|again| again.verify(key.public_key(), Expected::default(), now()));
        assert_eq!(again.map(|again| (again.sub, again.aud)), Ok((sub.clone(), aud.clone())));
    }
    Outcome::Taken
}

fn golden() -> Corpus {
    Corpus::of(corpus::lines("fuzz/corpus/jwt_claims.jsonl"))
}
