//! How one key names the next: `docs/protocol/1.1.md#key-hand-over`.

use std::sync::LazyLock;

use entity_wallet::Handover;

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "handover",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds { held: 64 * 1024, held_per_byte: 64, worked_per_byte: 512, len_max: None },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(handover) = Handover::parse(input) else { return Outcome::Refused };
    let written = handover.to_json();
    assert!(written == *SIGNED, "a hand-over holds that nobody signed");
    law::settles(&written, |bytes| Handover::parse(bytes).map(|handover| handover.to_json()));
    Outcome::Taken
}

/// The one that was ever signed.
static SIGNED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let corpus = golden();
    let first = corpus.entries().first().and_then(|entry| Handover::parse(entry).ok());
    first.map(|handover| handover.to_json()).unwrap_or_default()
});

fn golden() -> Corpus {
    let mut vector = corpus::json("docs/protocol/vectors/key_handover.json");
    if let Some(vector) = vector.as_object_mut() {
        vector.remove("about");
    }
    let pretty = serde_json::to_vec_pretty(&vector).unwrap_or_default();
    Corpus::of([vector.to_string().into_bytes(), pretty])
}
