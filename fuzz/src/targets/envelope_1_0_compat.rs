//! A message of 1.0 in the profile `compat`, with 1.1 beside it: `docs/protocol/1.0.md#profile-compat`.

use entity_wire::decode::{DecodeRules, Decoded, Profile, decode};

use super::envelope_1_0::{claims, golden};
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "envelope_1_0_compat",
    run: target,
    corpus: golden,
    form: Form::Text,
    // 64 MiB are let in here: what they cost is a matter of the limit per byte.
    bounds: Bounds { held: 64 * 1024, held_per_byte: 64, worked_per_byte: 512, len_max: None },
};

fn target(input: &[u8]) -> Outcome {
    let compat = decode(&DecodeRules::Both(Profile::Compat), input);
    let hardened = decode(&DecodeRules::V1_0(Profile::Hardened), input);
    match (compat, hardened) {
        (Ok(Decoded::V1_0(compat)), Ok(Decoded::V1_0(hardened))) => {
            assert_eq!(claims(&compat), claims(&hardened), "profiles read one message differently");
            Outcome::Taken
        }
        (Ok(Decoded::V1_0(_)), _) => Outcome::Taken,
        (_, Ok(Decoded::V1_0(_))) => panic!("compat refuses what hardened takes"),
        (_, _) => Outcome::Refused,
    }
}
