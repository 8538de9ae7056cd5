use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use super::{ExpressionError, FUNCTIONS, Fresh, Names, Value, compute, part};

fn names() -> Names {
    let message = json!({ "a": { "b": [1, 2] }, "text": "hi", "signature": "s" });
    Names::from([
        ("m".to_owned(), Value::Json(message)),
        ("bytes".to_owned(), Value::Bytes(vec![0xab, 1])),
    ])
}

#[track_caller]
fn gives(template: Json, expected: Json) {
    assert_eq!(part(&template, &names(), &mut Fresh::seeded([7; 32])), Ok(expected), "{template}");
}

#[track_caller]
fn fails(template: Json, expected: &str) {
    let error = part(&template, &names(), &mut Fresh::seeded([7; 32])).unwrap_err();
    assert!(error.to_string().contains(expected), "{error} for {template}");
}

#[test]
fn a_name_stands_for_its_value_and_a_path_for_a_field_of_it() {
    gives(
        json!({ "x": "$m.a.b", "y": ["$m.text", "$$m", 3] }),
        json!({ "x": [1, 2], "y": ["hi", "$m", 3] }),
    );
    fails(json!("$m.a.c"), "nothing is called $m.a.c");
    fails(json!("$n"), "nothing is called $n");
}

#[test]
fn bytes_become_texts_before_they_become_part_of_a_message() {
    gives(json!(["=hex-of", ["=cat", "$bytes", "hi", ["=hex", "00"]]]), json!("ab01686900"));
    gives(json!(["=base64", "$bytes"]), json!("qwE="));
    gives(json!(["=hex-of", ["=lp", "hi"]]), json!("000000026869"));
    gives(json!(["=hex-of", ["=slice", ["=unbase64", "AQIDBA=="], 1, 3]]), json!("0203"));
    fails(json!(["x", "$bytes"]), "make them a text");
    fails(json!(["=slice", "hi", 1, 3]), "`=slice` has no result");
    fails(json!(["=hex", "0"]), "`=hex` has no result");
}

#[test]
fn messages_are_changed_field_by_field() {
    gives(
        json!(["=with", "$m", "a.c", "new"]),
        json!({ "a": { "b": [1, 2], "c": "new" }, "text": "hi", "signature": "s" }),
    );
    gives(json!(["=without", "$m", "signature", "a.b"]), json!({ "a": {}, "text": "hi" }));
    gives(json!(["=pick", "$m", "text"]), json!({ "text": "hi" }));
    gives(json!(["=among", ["z", "x"], ["x", "y"]]), json!(["x"]));
    gives(json!(["=equal", ["=json", "{\"a\": 1}"], { "a": 1 }]), json!(true));
    gives(
        json!(["=hex-of", ["=canonical", { "b": 1, "a": "é" }]]),
        json!(hex::encode(r#"{"a":"\u00e9","b":1}"#)),
    );
    fails(json!(["=without", "$m", "not-there"]), "`=without` has no result");
    fails(json!(["=pick", "$m", "not-there"]), "`=pick` has no result");
}

// RFC 5869, case 1; RFC 8032, test 2; RFC 7748, section 6.1.
#[test]
fn cryptography_is_that_of_the_standards() {
    let prk = json!([
        "=extract",
        ["=hex", "000102030405060708090a0b0c"],
        ["=hex", "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"]
    ]);
    let okm =
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    gives(json!(["=hex-of", ["=expand", prk, ["=hex", "f0f1f2f3f4f5f6f7f8f9"], 42]]), json!(okm));
    let seed = json!(["=hex", "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"]);
    let key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    gives(json!(["=hex-of", ["=ed25519-public", seed]]), json!(key));
    let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    gives(json!(["=hex-of", ["=sign", seed, "r"]]), json!(signature));
    gives(json!(["=verify", ["=hex", key], "r", ["=hex", signature]]), json!(true));
    gives(json!(["=verify", ["=hex", key], "s", ["=hex", signature]]), json!(false));
    fails(json!(["=x25519-public", "too short"]), "`=x25519-public` has no result");
    let alice = json!(["=hex", "77076d0a7318a57d3c16c17251b26645df4c4d92d82b8fd1a6bb3c2b1a2c2a2a"]);
    let shared = json!(["=x25519", alice, ["=x25519-public", ["=sha256", "bob"]]]);
    let same = json!(["=x25519", ["=sha256", "bob"], ["=x25519-public", alice]]);
    gives(json!(["=equal", shared, same]), json!(true));
    fails(json!(["=x25519", alice, ["=hex", "00".repeat(32)]]), "`=x25519` has no result");
}

#[test]
fn what_is_sealed_opens_unchanged_and_not_otherwise() {
    let (key, nonce) = (json!(["=sha256", "k"]), json!(["=hex", "00".repeat(12)]));
    let sealed = json!(["=seal", key, nonce, "about", "plain"]);
    gives(
        json!(["=equal", ["=open", key, nonce, "about", sealed], ["=cat", "plain"]]),
        json!(true),
    );
    fails(json!(["=base64", ["=open", key, nonce, "other", sealed]]), "`=open` has no result");
}

#[test]
fn fresh_bytes_differ_each_time_and_are_the_recorded_ones_in_a_recording() {
    let template =
        json!([["=hex-of", ["=fresh", "x", 16]], ["=hex-of", ["=fresh", "x", 16]], ["=uuid", "x"]]);
    let mut seeded = Fresh::seeded([1; 32]);
    let Ok(Json::Array(values)) = part(&template, &Names::new(), &mut seeded) else { panic!() };
    assert_ne!(values[0], values[1]);
    assert_eq!(values[2].as_str().unwrap().len(), 36);
    let mut recorded = Fresh::recorded(BTreeMap::from([("x".to_owned(), vec![5; 16])]));
    let again = part(&template, &Names::new(), &mut recorded).unwrap();
    assert_eq!(
        again,
        json!(["05".repeat(16), "05".repeat(16), "05050505-0505-4505-8505-050505050505"])
    );
}

#[test]
fn every_function_is_known_and_no_other() {
    for name in FUNCTIONS {
        let error = compute(&json!([name]), &names(), &mut Fresh::seeded([0; 32]));
        assert!(!matches!(error, Err(ExpressionError::NoFunction(_))), "{name}");
    }
    fails(json!(["=sha512", "x"]), "there is no function `=sha512`; there are: =cat");
}
