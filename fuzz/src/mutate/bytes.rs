//! Changes of bytes that have places and lengths.

use crate::corpus::Corpus;
use crate::random::Random;

/// Numbers at whose edges readers go wrong; their low bytes are taken.
const EDGES: [u64; 14] = [
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x7FFF,
    0xFFFF,
    0x0010_0001,
    0x7FFF_FFFF,
    0xFFFF_FFFF,
    0x0000_FFFF_FFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF,
    u64::MAX,
];

/// Makes one change.
pub fn change(random: &mut Random, input: &mut Vec<u8>, corpus: &Corpus) {
    match random.below(8) {
        0 => flip(random, input),
        1 => set(random, input),
        2 => number(random, input),
        3 => drop(input.drain(random.range(input.len()))),
        4 => insert(random, input),
        5 => double(random, input),
        6 => input.truncate(random.below(input.len() + 1)),
        _ => splice(random, input, corpus),
    }
}

fn flip(random: &mut Random, input: &mut [u8]) {
    let (at, bit) = (random.below(input.len()), random.below(8));
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << bit;
    }
}

fn set(random: &mut Random, input: &mut [u8]) {
    let (at, new) = (random.below(input.len()), random.byte());
    if let Some(byte) = input.get_mut(at) {
        *byte = new;
    }
}

/// Writes a number of 1 to 8 bytes, as the network orders them.
fn number(random: &mut Random, input: &mut [u8]) {
    let edge = random.pick(&EDGES).copied().unwrap_or(0).to_be_bytes();
    let len = random.pick(&[1, 2, 4, 6, 8]).copied().unwrap_or(1);
    let at = random.below(input.len());
    for (byte, new) in input.iter_mut().skip(at).zip(&edge[edge.len() - len..]) {
        *byte = *new;
    }
}

fn insert(random: &mut Random, input: &mut Vec<u8>) {
    let at = random.below(input.len() + 1);
    let byte = random.byte();
    let len = if random.once_in(16) { random.below(70_000) } else { 1 + random.below(8) };
    input.splice(at..at, std::iter::repeat_n(byte, len));
}

fn double(random: &mut Random, input: &mut Vec<u8>) {
    let range = random.range(input.len());
    let (end, part) = (range.end, input[range].to_vec());
    input.splice(end..end, part);
}

/// Puts a part of another entry in the place of a part of this one.
fn splice(random: &mut Random, input: &mut Vec<u8>, corpus: &Corpus) {
    let Some(other) = random.pick(corpus.entries()) else { return };
    let part = other[random.range(other.len())].to_vec();
    input.splice(random.range(input.len()), part);
}
