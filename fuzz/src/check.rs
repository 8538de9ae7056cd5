//! One input, and what holds for every target.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::law;
use crate::target::{Bounds, Outcome, Target};

/// An input that breaks what a target owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which target.
    pub target: &'static str,
    /// Where in a run; `None` for one that was given.
    pub index: Option<u64>,
    /// The input.
    pub input: Vec<u8>,
    /// What happened, for people.
    pub what: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { target, index, input, what } = self;
        let index = index.map_or_else(String::new, |index| format!(", input {index}"));
        write!(f, "{target}{index}: {what}\n{} bytes: {}", input.len(), law::show(input))
    }
}

/// What reading cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Bytes held at once.
    pub held: u64,
    /// Bytes allocated in all.
    pub worked: u64,
}

/// Gives one input to a target.
///
/// # Errors
///
/// [`Finding`]: it panicked, or took more than its bounds.
pub fn check(target: &Target, input: &[u8]) -> Result<(Outcome, Cost), Finding> {
    let finding = |what| Finding { target: target.name, index: None, input: input.to_vec(), what };
    let (outcome, cost) = measured(|| (target.run)(input)).map_err(finding)?;
    match broken(target.bounds, input.len(), outcome, cost) {
        Some(what) => Err(finding(what)),
        None => Ok((outcome, cost)),
    }
}

/// Which bound an input breaks.
fn broken(bounds: Bounds, len: usize, outcome: Outcome, cost: Cost) -> Option<String> {
    let too_long = bounds.len_max.is_some_and(|len_max| len > len_max);
    if too_long && outcome == Outcome::Taken {
        return Some(format!("{len} bytes are taken, which is longer than the format is"));
    }
    let counted = if too_long { 0 } else { u64::try_from(len).unwrap_or(u64::MAX) };
    let held_max = bounds.held.saturating_add(bounds.held_per_byte.saturating_mul(counted));
    let worked_max =
        (16 * bounds.held).saturating_add(bounds.worked_per_byte.saturating_mul(counted));
    if cost.held > held_max {
        let held = cost.held;
        return Some(format!("{held} bytes of memory for an input of {len}; at most {held_max}"));
    }
    if cost.worked > worked_max {
        let worked = cost.worked;
        return Some(format!(
            "{worked} bytes allocated for an input of {len}; at most {worked_max}"
        ));
    }
    None
}

/// Runs and counts; a panic comes back as its text and place.
fn measured(run: impl FnOnce() -> Outcome) -> Result<(Outcome, Cost), String> {
    listen();
    let mut outcome = Err(Box::new(()) as Box<dyn std::any::Any + Send>);
    IS_HEARD.set(true);
    // The panic is caught within, so that the counter's books stay in order.
    let counted = allocation_counter::measure(|| {
        outcome = panic::catch_unwind(AssertUnwindSafe(run));
    });
    IS_HEARD.set(false);
    let heard = HEARD.take();
    let cost = Cost { held: counted.bytes_max, worked: counted.bytes_total };
    outcome.map(|outcome| (outcome, cost)).map_err(|_| heard)
}

thread_local! {
    /// Whether panics of this thread are kept instead of printed.
    static IS_HEARD: Cell<bool> = const { Cell::new(false) };
    /// The panic that was kept last.
    static HEARD: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps the panics of threads that want it; those of others go where they went before.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if IS_HEARD.get() {
                HEARD.set(panic.to_string());
            } else {
                before(panic);
            }
        }));
    });
}
