use serde_json::Value as Json;

use super::*;

fn golden() -> Json {
    serde_json::from_str(include_str!("../../tests/data/jwt.json")).unwrap()
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed([byte; 32])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

const NOW: i64 = 1_795_332_118;

fn verify(token: &str, aud: Option<&str>, now: i64) -> Result<Claims, JwtError> {
    let expected = Expected { aud, aud_required: false };
    Unverified::parse(token)?.verify(key(0xa1).public_key(), expected, at(now))
}

/// A token with these parts, signed by the right key.
fn signed(header: &str, claims: &str) -> String {
    let signed =
        format!("{}.{}", base64url_encode(header.as_bytes()), base64url_encode(claims.as_bytes()));
    let signature = base64url_encode(&key(0xa1).sign(signed.as_bytes()).to_bytes());
    format!("{signed}.{signature}")
}

#[test]
fn the_token_of_an_earlier_peer_verifies_as_it_does_there_and_ours_is_the_same() {
    let golden = &golden()["peer_eddsa"];
    let token = golden["token"].as_str().unwrap();
    let draft = Draft { sub: "entity-a", aud: Some("entity-b"), lifetime: LIFETIME_MAX };
    assert_eq!(draft.issue(&key(0xa1), at(NOW)).unwrap(), token);
    let claims = verify(token, Some("entity-b"), NOW).unwrap();
    assert_eq!((claims.iat, claims.exp), (NOW, NOW + 300));
    assert_eq!((claims.sub.as_str(), claims.aud.as_deref()), ("entity-a", Some("entity-b")));
    // The table of what the earlier peer accepts.
    let table = &golden["verify"];
    let accepted = |outcome: Result<Claims, JwtError>| Json::from(outcome.is_ok());
    assert_eq!(accepted(verify(token, Some("entity-b"), NOW)), table["right audience"]);
    assert_eq!(accepted(verify(token, Some("entity-x"), NOW)), table["wrong audience"]);
    assert_eq!(accepted(verify(token, None, NOW)), table["no audience given"]);
    let other = Unverified::parse(token).unwrap();
    let other = other.verify(key(0xb2).public_key(), Expected::default(), at(NOW));
    assert_eq!(other, Err(JwtError::Signature));
    assert_eq!(accepted(other), table["wrong key"]);
    let expired = verify(golden["expired_token"].as_str().unwrap(), Some("entity-b"), NOW);
    assert_eq!(expired, Err(JwtError::Expired));
    assert_eq!(accepted(expired), table["expired token"]);
}

#[test]
fn a_token_of_another_algorithm_is_refused_whatever_key_it_would_verify_with() {
    let hs256 = golden()["api_server_hs256"]["token"].as_str().unwrap().to_owned();
    assert_eq!(Unverified::parse(&hs256).unwrap_err().code(), "JWT_ALGORITHM");
    let claims = format!(r#"{{"sub":"a","iat":{NOW},"exp":{},"iss":"peer-service"}}"#, NOW + 300);
    for algorithm in ["none", "HS256", "ES256", "eddsa", "Ed25519", ""] {
        let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
        let refused = verify(&signed(&header, &claims), None, NOW);
        assert_eq!(refused, Err(JwtError::Algorithm), "{algorithm}");
    }
    for header in [
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"EdDSA","typ":"JOSE"}"#,
        r#"{"alg":"EdDSA","crit":["x"]}"#,
        r#"{"alg":"EdDSA","typ":"JWT","kid":"x"}"#,
        r#"{"alg":"EdDSA","alg":"none"}"#,
        "[]",
    ] {
        assert_eq!(
            verify(&signed(header, &claims), None, NOW),
            Err(JwtError::Malformed),
            "{header}"
        );
    }
    assert!(verify(&signed(r#"{"alg":"EdDSA"}"#, &claims), None, NOW).is_ok());
}

#[test]
fn a_token_is_good_for_its_time_and_a_minute_around_it() {
    let draft = Draft { sub: "a", aud: None, lifetime: LIFETIME_MAX };
    let token = draft.issue(&key(0xa1), at(NOW)).unwrap();
    for (now, expected) in [
        (NOW - 61, Err(JwtError::NotYetValid)),
        (NOW - 60, Ok(())),
        (NOW, Ok(())),
        (NOW + 359, Ok(())),
        (NOW + 360, Err(JwtError::Expired)),
    ] {
        assert_eq!(verify(&token, None, now).map(|_| ()), expected, "{}", now - NOW);
    }
}

#[test]
fn a_token_has_to_say_what_a_peer_says() {
    let with = |claims: String| verify(&signed(r#"{"alg":"EdDSA"}"#, &claims), Some("b"), NOW);
    let exp = NOW + 300;
    let rest = format!(r#""iat":{NOW},"exp":{exp}"#);
    let peer = r#""iss":"peer-service""#;
    for (claims, error) in [
        (format!(r#"{{"sub":"a",{rest},"iss":"someone"}}"#), JwtError::Issuer),
        (format!(r#"{{"sub":"a",{rest}}}"#), JwtError::Malformed),
        (format!("{{{rest},{peer}}}"), JwtError::Malformed),
        (format!(r#"{{"sub":"",{rest},{peer}}}"#), JwtError::Malformed),
        (format!(r#"{{"sub":7,{rest},{peer}}}"#), JwtError::Malformed),
        (format!(r#"{{"sub":"a","iat":{NOW},{peer}}}"#), JwtError::Malformed),
        (format!(r#"{{"sub":"a","iat":{NOW}.5,"exp":{exp},{peer}}}"#), JwtError::Malformed),
        (format!(r#"{{"sub":"a","iat":"{NOW}","exp":{exp},{peer}}}"#), JwtError::Malformed),
        (format!(r#"{{"sub":"a","iat":{NOW},"exp":{},{peer}}}"#, NOW + 301), JwtError::Lifetime),
        (format!(r#"{{"sub":"a","iat":{NOW},"exp":{NOW},{peer}}}"#), JwtError::Lifetime),
        (format!(r#"{{"sub":"a","iat":{},"exp":{exp},{peer}}}"#, i64::MIN), JwtError::Lifetime),
        (format!(r#"{{"sub":"a",{rest},{peer},"aud":"x"}}"#), JwtError::Audience),
        (format!(r#"{{"sub":"a",{rest},{peer},"aud":["b"]}}"#), JwtError::Malformed),
        (format!(r#"{{"sub":"a","sub":"b",{rest},{peer}}}"#), JwtError::Malformed),
    ] {
        assert_eq!(with(claims.clone()), Err(error), "{claims}");
    }
    assert!(with(format!(r#"{{"sub":"a",{rest},{peer},"other":[1]}}"#)).is_ok());
    let required = Expected { aud: Some("b"), aud_required: true };
    let token = signed(r#"{"alg":"EdDSA"}"#, &format!(r#"{{"sub":"a",{rest},{peer}}}"#));
    let token = Unverified::parse(&token).unwrap();
    let refused = token.verify(key(0xa1).public_key(), required, at(NOW));
    assert_eq!(refused, Err(JwtError::Audience));
}

#[test]
fn no_character_of_a_token_can_be_changed() {
    let draft = Draft { sub: "a", aud: Some("b"), lifetime: LIFETIME_MAX };
    let token = draft.issue(&key(0xa1), at(NOW)).unwrap();
    for index in 0..token.len() {
        for letter in ['A', 'b', '0', '_', '=', '.', ' '] {
            let mut changed = token.clone();
            changed.replace_range(index..=index, &letter.to_string());
            if changed != token {
                assert!(verify(&changed, Some("b"), NOW).is_err(), "{changed}");
            }
        }
    }
    for text in ["", ".", "..", "a.b.c", &format!("{token}."), &"a".repeat(TOKEN_LEN_MAX + 1)] {
        assert_eq!(verify(text, None, NOW), Err(JwtError::Malformed), "{text:?}");
    }
}

#[test]
fn what_cannot_be_verified_is_not_issued() {
    let issue = |sub: &str, lifetime| {
        let lifetime = Duration::from_secs(lifetime);
        Draft { sub, aud: None, lifetime }.issue(&key(1), at(NOW)).map(|_| ())
    };
    assert_eq!(issue("a", 0), Err(JwtError::Lifetime));
    assert_eq!(issue("a", 301), Err(JwtError::Lifetime));
    assert_eq!(issue("", 1), Err(JwtError::Malformed));
    assert_eq!(issue(&"a".repeat(257), 1), Err(JwtError::Malformed));
    assert_eq!(issue(&"a".repeat(256), 1), Ok(()));
}
