//! What a target is.

use crate::corpus::Corpus;

/// One decoder, with everything that its inputs are made from and held against.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name on the command line, and the stem of its file.
    pub name: &'static str,
    /// Reads an input, and panics where what it took breaks its law.
    pub run: fn(&[u8]) -> Outcome,
    /// Inputs that are taken, each of them: what others are made from.
    pub corpus: fn() -> Corpus,
    /// How inputs are changed.
    pub form: Form,
    /// What reading may cost.
    pub bounds: Bounds,
}

/// What became of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was read, and the law held.
    Taken,
    /// It was refused, without harm.
    Refused,
}

/// What the bytes of a format are like, so that a change leads somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Tokens, brackets and lines: JSON, TOML, YAML, words.
    Text,
    /// Lengths, numbers and bytes.
    Binary,
}

/// What reading one input may cost, counted, never timed.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Most bytes held at once, beside those of `held_per_byte`.
    pub held: u64,
    /// Most bytes held at once for each byte of the input.
    pub held_per_byte: u64,
    /// Most bytes allocated in all for each byte of the input, beside 16 times `held`: work that grows with the square of a
    /// length shows here.
    pub worked_per_byte: u64,
    /// Longest input that is read. A longer one is refused within `held`, however long it is. `None` where the length is
    /// limited by whoever reads the bytes in.
    pub len_max: Option<usize>,
}

impl Outcome {
    /// Of what a decoder returned.
    pub fn of<T, E>(read: &Result<T, E>) -> Self {
        if read.is_ok() { Self::Taken } else { Self::Refused }
    }
}
