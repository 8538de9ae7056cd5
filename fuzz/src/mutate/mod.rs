//! How an input is made from a corpus: a golden entry, changed in one to four places, as its form allows.
//!
//! [`text`] changes what stands between brackets and quotes, [`bytes`] what has places and lengths. Most changes are small, because
//! what is refused at its first byte shows nothing of what comes after.

pub mod bytes;
pub mod text;
pub mod tokens;

use crate::corpus::Corpus;
use crate::random::Random;
use crate::target::Form;

/// Longest input that is made, in bytes: what is longer shows nothing new, and [`crate::runner`] has its own for the limits.
pub const LEN_MAX: usize = 128 * 1024;

/// One input; nothing where the corpus is empty.
pub fn mutated(random: &mut Random, form: Form, corpus: &Corpus) -> Vec<u8> {
    let mut input = random.pick(corpus.entries()).cloned().unwrap_or_default();
    let changes = 1 + [0, 0, 0, 1, 1, 2, 3].get(random.below(7)).copied().unwrap_or(0);
    for _ in 0..changes {
        let as_text = form == Form::Text && !random.once_in(6);
        if as_text {
            text::change(random, &mut input, corpus);
        } else {
            bytes::change(random, &mut input, corpus);
        }
    }
    input.truncate(LEN_MAX);
    input
}
