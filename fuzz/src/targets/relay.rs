//! A message for somebody else, on its way over a relay: `docs/protocol/1.1.md#relay-forward`.

use entity_crypto::signing::SigningKey;
use entity_wire::relay::{Form as Forwarded, ForwardId, Header};

use crate::corpus::Corpus;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "relay",
    run: target,
    corpus: golden,
    form: Form::Binary,
    // How long it may be is a matter of the connection it comes by.
    // The first key of a thread is read with a table that stays.
    bounds: Bounds { held: 32 * 1024, held_per_byte: 4, worked_per_byte: 16, len_max: None },
};

fn target(input: &[u8]) -> Outcome {
    let Ok((header, message)) = Header::read(input) else { return Outcome::Refused };
    assert!(!message.is_empty(), "a forward of nothing");
    assert!(header.write(message) == input, "a relay changes what it hands on");
    Outcome::Taken
}

fn golden() -> Corpus {
    let forward = |hops, form, message: &[u8]| {
        let recipient = SigningKey::from_seed([2; 32]).public_key();
        Header { hops, id: ForwardId::from_bytes([7; 16]), recipient, form }.write(message)
    };
    Corpus::of([
        forward(0, Forwarded::Envelope, br#"{"version":"1.1"}"#),
        forward(8, Forwarded::Frame, b"\x11rest"),
    ])
}
