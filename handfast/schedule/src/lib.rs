//! What runs when: cron expressions in time zones, and a machine that carries each occurrence out once.
//!
//! This crate is pure: it opens no file, reads no clock and starts nothing. The zones are those compiled into the program.
//!
//! Reading order:
//!
//! 1. [`cron`]: an expression, and what is wrong with one; `field`: one of its fields.
//! 2. [`zone`] and [`calendar`]: from local times to instants, also where clocks change.
//! 3. [`job`]: what is to run, and `jitter`: how much later than asked.
//! 4. [`state`]: what has to survive, byte for byte.
//!    [`mark`]: what a run writes down of itself.
//! 5. [`machine`]: from the time to what begins; [`note`]: what it has to tell.
//! 6. `unit`: the same as a service of systemd.

pub mod cron;
mod field;

pub mod calendar;
pub mod zone;

mod jitter;
pub mod job;

pub mod machine;
pub mod mark;
pub mod note;
pub mod state;
mod stored;

pub mod unit;

pub use calendar::Calendar;
pub use cron::{Cron, CronError};
pub use job::{CatchUp, Job, JobName};
pub use machine::{Begin, Machine, Output};
pub use mark::{Claim, Mark, Stage};
pub use note::Note;
pub use state::{Outcome, State, StateError};
pub use zone::{UnknownZone, Zone};

#[cfg(test)]
mod tests;
