//! What a schedule reads: expressions of time, the mark of a run, its own state. The input is `kind=bytes`.

use handfast_schedule::cron::Cron;
use handfast_schedule::mark::Mark;
use handfast_schedule::state::State;

use crate::corpus::{self, Corpus};
use crate::law;
use crate::target::{Bounds, Form, Outcome, Target};

/// The target.
pub const TARGET: Target = Target {
    name: "schedule",
    run: target,
    corpus: golden,
    form: Form::Text,
    bounds: Bounds { held: 64 * 1024, held_per_byte: 64, worked_per_byte: 512, len_max: None },
};

fn target(input: &[u8]) -> Outcome {
    if let Some(expression) = input.strip_prefix(b"cron=") {
        let Ok(text) = std::str::from_utf8(expression) else { return Outcome::Refused };
        Outcome::of(&Cron::parse(text))
    } else if let Some(mark) = input.strip_prefix(b"mark=") {
        let Some(mark) = Mark::parse(mark) else { return Outcome::Refused };
        law::settles(&mark.to_bytes(), |bytes| {
            Mark::parse(bytes).map(|mark| mark.to_bytes()).ok_or(())
        });
        Outcome::Taken
    } else if let Some(state) = input.strip_prefix(b"state=") {
        let Ok(state) = State::parse(state) else { return Outcome::Refused };
        law::settles(&state.to_bytes(), |bytes| State::parse(bytes).map(|state| state.to_bytes()));
        Outcome::Taken
    } else {
        Outcome::Refused
    }
}

fn golden() -> Corpus {
    Corpus::of([
        b"cron=0 2 * * *".to_vec(),
        b"cron=*/15 9-17 1,15 JAN-MAR MON-FRI".to_vec(),
        b"mark=daily 2026-11-22T01:00:00Z 1 began\n".to_vec(),
        b"mark=daily 2026-11-22T01:00:00Z 3 0\n".to_vec(),
    ])
    .and(corpus::lines("fuzz/corpus/schedule_state.txt"))
}
