//! JSON under each set of rules: `docs/protocol/1.1.md#envelope`, `docs/protocol/1.0.md#canonical-json`.

use entity_wire::canonical;
use entity_wire::json::{RULES_1_0_COMPAT, RULES_1_0_HARDENED, RULES_1_1, parse};
use entity_wire::limits::MESSAGE_LEN_MAX;

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "json",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds {
        held: 64 * 1024,
        held_per_byte: 64,
        worked_per_byte: 512,
        len_max: Some(MESSAGE_LEN_MAX),
    },
};

fn target(input: &[u8]) -> Outcome {
    let hardened = parse(input, &RULES_1_0_HARDENED);
    // Up to the length of the others; its own limit is 64 times theirs.
    if input.len() <= MESSAGE_LEN_MAX {
        let compat = parse(input, &RULES_1_0_COMPAT);
        assert!(hardened.is_err() || compat.is_ok(), "the loosest rules refuse what others take");
    }
    if let Ok(value) = parse(input, &RULES_1_1) {
        assert_eq!(hardened.as_ref(), Ok(&value), "one text is two values");
    }
    let Ok(value) = hardened else { return Outcome::Refused };
    let written = canonical::to_vec(&value);
    // A canonical text may be longer than the one it was read from: `é` becomes six characters.
    if written.len() <= MESSAGE_LEN_MAX {
        law::settles(&written, |text| {
            parse(text, &RULES_1_0_HARDENED).map(|value| canonical::to_vec(&value))
        });
    }
    Outcome::Taken
}

fn golden() -> Corpus {
    let cases = corpus::json("entity/wire/tests/data/canonical_json.json");
    let texts = cases["cases"].as_array().into_iter().flatten();
    let texts = texts.filter_map(|case| Some(case["wire_text"].as_str()?.as_bytes().to_vec()));
    Corpus::of(texts.filter(|text| parse(text, &RULES_1_0_HARDENED).is_ok()))
}
