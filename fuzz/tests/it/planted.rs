//! Targets with a planted defect each: the runner finds it, says where, and makes it small. A runner that finds nothing here
//! would find nothing anywhere.

use entity_wire::decode::{DecodeRules, decode};
use fuzz::{Bounds, Form, Outcome, Plan, Target, corpus::Corpus, run, targets};

const PLAN: Plan = Plan { seed: 3, from: 0, inputs: 20_000 };

const BOUNDS: Bounds =
    Bounds { held: 4_096, held_per_byte: 16, worked_per_byte: 64, len_max: None };

/// A frame of two bytes of length and as many bytes, and some golden ones.
fn frames() -> Corpus {
    Corpus::of([b"\x00\x05hello".to_vec(), b"\x00\x00".to_vec(), b"\x00\x03abc".to_vec()])
}

fn framed(input: &[u8]) -> Option<&[u8]> {
    let (len, rest) = input.split_first_chunk::<2>()?;
    rest.get(..usize::from(u16::from_be_bytes(*len)))
}

fn target(run: fn(&[u8]) -> Outcome) -> Target {
    Target { name: "planted", run, corpus: frames, form: Form::Binary, bounds: BOUNDS }
}

#[test]
fn a_panic_deep_in_a_format_is_found_and_made_small() {
    let panics = |input: &[u8]| {
        let Some(body) = framed(input) else { return Outcome::Refused };
        assert!(!body.contains(&0xFF), "planted");
        Outcome::Taken
    };
    let finding = run(&target(panics), PLAN).unwrap_err();
    assert!(finding.what.contains("planted"), "{finding}");
    assert!(finding.what.contains("planted.rs:"), "it says where: {finding}");
    assert!(finding.input.len() <= 10, "{finding}");
    let index = finding.index.unwrap();
    let again = run(&target(panics), Plan { from: index, inputs: 1, ..PLAN }).unwrap_err();
    assert_eq!(again, finding, "its number alone finds it again");
}

#[test]
fn a_length_that_is_believed_before_it_is_checked_is_found() {
    let allocates = |input: &[u8]| {
        let Some(len) = input.first_chunk::<2>() else { return Outcome::Refused };
        let len = usize::from(u16::from_be_bytes(*len));
        let mut body: Vec<u8> = Vec::with_capacity(len);
        body.extend(input.iter().skip(2).take(len));
        if std::hint::black_box(&body).len() == len { Outcome::Taken } else { Outcome::Refused }
    };
    let finding = run(&target(allocates), PLAN).unwrap_err();
    assert!(finding.what.contains("bytes of memory"), "{finding}");
}

#[test]
fn work_with_the_square_of_a_length_is_found() {
    let copies = |input: &[u8]| {
        for end in 0..input.len() {
            drop(std::hint::black_box(input[..end].to_vec()));
        }
        Outcome::Taken
    };
    let finding = run(&target(copies), PLAN).unwrap_err();
    assert!(finding.what.contains("bytes allocated"), "{finding}");
}

#[test]
fn a_format_without_its_limit_is_found() {
    let unlimited = |input: &[u8]| if input.len() == 6 { Outcome::Refused } else { Outcome::Taken };
    let bounds = Bounds { len_max: Some(100_000), ..BOUNDS };
    let finding = run(&Target { bounds, ..target(unlimited) }, PLAN).unwrap_err();
    assert!(finding.what.contains("longer than the format"), "{finding}");
}

#[test]
fn what_is_written_otherwise_than_it_is_read_is_found() {
    let forgets = |input: &[u8]| {
        let Some(body) = framed(input) else { return Outcome::Refused };
        fuzz::law::settles(body, |body| {
            Ok::<_, ()>(body.iter().copied().filter(|byte| *byte < 0x80).collect())
        });
        Outcome::Taken
    };
    let finding = run(&target(forgets), PLAN).unwrap_err();
    assert!(finding.what.contains("read as something else"), "{finding}");
}

#[test]
fn a_panic_behind_a_field_of_an_envelope_is_found() {
    // As a decoder would that trusts a field of a message it has already read.
    let panics = |input: &[u8]| {
        let Ok(entity_wire::decode::Decoded::V1_1(message)) = decode(&DecodeRules::V1_1, input)
        else {
            return Outcome::Refused;
        };
        assert!(message.header().expires_at.is_none() && message.payload().get("step").is_some());
        Outcome::Taken
    };
    let envelope = targets::named("envelope_1_1").unwrap();
    let finding = run(&Target { run: panics, ..envelope }, Plan { inputs: 2_000, ..PLAN });
    assert!(finding.is_err());
}

#[test]
fn a_sound_target_passes() {
    let sound = |input: &[u8]| match framed(input) {
        Some(body) => {
            fuzz::law::settles(body, |body| Ok::<_, ()>(body.to_vec()));
            Outcome::Taken
        }
        None => Outcome::Refused,
    };
    let tally = run(&target(sound), PLAN).unwrap();
    assert!(tally.taken > 1_000 && tally.refused > 1_000, "{tally:?}");
}
