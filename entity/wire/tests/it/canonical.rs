//! `docs/protocol/1.0.md#canonical-json`: the 99 recorded cases and 2,000 recorded floats.

use entity_crypto::signing::SigningKey;
use entity_wire::canonical;
use entity_wire::json::{self, ParseErrorKind, RULES_1_0_COMPAT, RULES_1_0_HARDENED};

use crate::data::{self, list, text};

/// What a node does with a recorded case where that is not simply what the earlier peer did.
fn outcome_in_hardened(wire: &str) -> Option<ParseErrorKind> {
    if wire.contains("NaN") || wire.contains("Infinity") {
        Some(ParseErrorKind::NonFinite)
    } else if wire.contains("\\ud800") {
        Some(ParseErrorKind::LoneSurrogate)
    } else {
        None
    }
}

#[test]
fn all_recorded_cases_have_the_recorded_bytes_and_signatures() {
    let vectors = data::canonical_json();
    let key: SigningKey = data::signing_key(&vectors, "seed_hex");
    let cases = list(&vectors, "cases");
    assert_eq!(cases.len(), 99);
    for case in cases {
        let wire = text(case, "wire_text");
        let hardened = json::parse(wire.as_bytes(), &RULES_1_0_HARDENED);
        assert_eq!(
            hardened.as_ref().err().map(|error| error.kind),
            outcome_in_hardened(wire),
            "{wire}"
        );
        match json::parse(wire.as_bytes(), &RULES_1_0_COMPAT) {
            Ok(value) => {
                let bytes = canonical::to_vec(&value);
                assert_eq!(
                    String::from_utf8_lossy(&bytes),
                    text(case, "canonical_ascii"),
                    "{wire}"
                );
                assert_eq!(key.sign(&bytes).to_base64(), text(case, "signature_b64"), "{wire}");
            }
            Err(error) => assert_eq!(error.kind, ParseErrorKind::LoneSurrogate, "{wire}"),
        }
    }
}

#[test]
fn only_one_recorded_case_cannot_be_represented() {
    let vectors = data::canonical_json();
    let refused = list(&vectors, "cases")
        .iter()
        .filter(|case| json::parse(text(case, "wire_text").as_bytes(), &RULES_1_0_COMPAT).is_err())
        .count();
    assert_eq!(refused, 1);
}

#[test]
fn recorded_floats_are_spelt_as_python_spells_them() {
    let mut count = 0;
    for line in include_str!("../data/python_float_repr.txt").lines() {
        let (bits, repr) = line.split_once(' ').unwrap();
        let float = f64::from_bits(u64::from_str_radix(bits, 16).unwrap());
        let bytes = canonical::to_vec(&json::Value::float(float));
        assert_eq!(String::from_utf8_lossy(&bytes), repr);
        count += 1;
    }
    assert_eq!(count, 2_000);
}
