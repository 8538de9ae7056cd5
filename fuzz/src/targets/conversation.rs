//! A recorded conversation, from which a stub plays a peer.

use handfast_stub::conversation::Conversation;

use crate::corpus::{self, Corpus};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "conversation",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds { held: 512 * 1024, held_per_byte: 256, worked_per_byte: 4_096, len_max: None },
};

fn target(input: &[u8]) -> Outcome {
    let Ok(text) = std::str::from_utf8(input) else { return Outcome::Refused };
    let Ok(conversation) = Conversation::read("recorded.toml", text) else {
        return Outcome::Refused;
    };
    assert_eq!(conversation.seed_bytes().len(), 32);
    Outcome::Taken
}

fn golden() -> Corpus {
    Corpus::of(corpus::files("stubs", ".toml"))
}
