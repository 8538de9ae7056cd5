//! A fixed number of inputs, made from one seed.

use crate::check::{Finding, check};
use crate::corpus::Corpus;
use crate::mutate;
use crate::random::Random;
use crate::target::{Form, Outcome, Target};

/// How much is run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Every input follows from it, the target's name and its number.
    pub seed: u64,
    /// Number of the first input.
    pub from: u64,
    /// How many inputs.
    pub inputs: u64,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inputs that were read, each with its law.
    pub taken: u64,
    /// Inputs that were refused.
    pub refused: u64,
    /// Longest input, in bytes.
    pub longest: usize,
    /// Most bytes that one input made the target hold at once.
    pub held: u64,
}

/// Runs a target over its corpus, its corpus made too long, and `plan.inputs` inputs made from it.
///
/// # Errors
///
/// The first [`Finding`], made smaller.
pub fn run(target: &Target, plan: Plan) -> Result<Tally, Box<Finding>> {
    let corpus = (target.corpus)();
    let mut tally = Tally::default();
    for entry in corpus.entries() {
        tally.note(target, entry, None)?;
    }
    for input in too_long(target, &corpus) {
        tally.note(target, &input, None)?;
    }
    for index in plan.from..plan.from.saturating_add(plan.inputs) {
        let input = input(target, &corpus, plan.seed, index);
        tally.note(target, &input, Some(index))?;
    }
    Ok(tally)
}

/// The input of a number.
pub fn input(target: &Target, corpus: &Corpus, seed: u64, index: u64) -> Vec<u8> {
    let mut random = Random::of_input(seed, target.name, index);
    mutate::mutated(&mut random, target.form, corpus)
}

impl Tally {
    fn note(
        &mut self,
        target: &Target,
        input: &[u8],
        index: Option<u64>,
    ) -> Result<(), Box<Finding>> {
        match check(target, input) {
            Ok((outcome, cost)) => {
                match outcome {
                    Outcome::Taken => self.taken += 1,
                    Outcome::Refused => self.refused += 1,
                }
                self.longest = self.longest.max(input.len());
                self.held = self.held.max(cost.held);
                Ok(())
            }
            Err(finding) => Err(Box::new(Finding { index, ..smaller(target, finding) })),
        }
    }
}

/// Inputs that are longer than the format is, the rest of them as good as ever.
fn too_long(target: &Target, corpus: &Corpus) -> Vec<Vec<u8>> {
    let (Some(len_max), Some(entry)) = (target.bounds.len_max, corpus.entries().first()) else {
        return Vec::new();
    };
    let fillings: &[u8] = match target.form {
        Form::Text => b" \n[\"a",
        Form::Binary => &[0x00, 0xFF],
    };
    let longer = |filling: &u8| {
        let mut input = entry.clone();
        input.resize(len_max + 1, *filling);
        input
    };
    fillings.iter().map(longer).collect()
}

/// Takes parts out of an input for as long as it breaks something: what is left is what matters.
fn smaller(target: &Target, finding: Finding) -> Finding {
    /// Bytes that are tried in all.
    const WORK_MAX: usize = 32 * 1024 * 1024;
    let mut smallest = finding;
    let mut part = smallest.input.len() / 2;
    let mut work = 0;
    while part > 0 && work < WORK_MAX {
        let mut at = 0;
        while at < smallest.input.len() && work < WORK_MAX {
            let mut input = smallest.input.clone();
            input.drain(at..(at + part).min(input.len()));
            work += input.len() + 1_000;
            match check(target, &input) {
                Err(finding) => smallest = finding,
                Ok(_) => at += part,
            }
        }
        part /= 2;
    }
    smallest
}
