//! How exactly delays can be kept.

use std::time::Duration;

use rustix::thread::UnshareFlags;
use rustix::thread::{ClockId, clock_nanosleep_absolute};
use rustix::time::{Timespec, clock_gettime};

use super::{Ability, Question, State, said};
use crate::sys::attempt;

const TIME: Question = Question {
    name: "time-namespaces",
    essential: false,
    costs: "nothing of this version: the `clock` disturbance moves the time of day by the peer contract; a monotonic clock could not be moved",
    remedy: "Linux 5.6 with CONFIG_TIME_NS, as root",
};
const REAL_TIME: Question = Question {
    name: "real-time",
    essential: false,
    costs: "on a busy machine the switch comes later to its turn, and delays become longer than asked; accounts show by how much",
    remedy: "run as root, or ulimit -r 1 (rtprio in /etc/security/limits.conf)",
};
const TIMER: Question = Question {
    name: "timer",
    essential: false,
    costs: "delays of links come out longer by about as much; `handfast lab calibrate` would call cells too busy to judge",
    remedy: "leave the machine alone meanwhile; of a virtual machine, give it processors of its own",
};

/// Waits that are measured.
const WAITS: usize = 200;
/// How long each is asked to be.
const WAIT: Duration = Duration::from_millis(1);
/// The lateness, of 99 in 100 waits, up to which a delay of a link is as good as asked: what a calibration allows.
const LATE_GOOD: Duration = Duration::from_millis(1);
/// The lateness at which a delay of a link is another one (guessed: half of the least delay of the presets).
const LATE_BAD: Duration = Duration::from_millis(20);

pub(super) fn examine() -> Vec<Ability> {
    let time = attempt::unshare(UnshareFlags::NEWTIME);
    let time = time.map(|()| "a process can have one").map_err(|error| said("unshare", &error));
    let first = attempt::go_first();
    let first = first
        .map(|()| "a thread can go before all ordinary ones (SCHED_FIFO)")
        .map_err(|error| said("SCHED_FIFO", &error));
    vec![TIME.tried(time), REAL_TIME.tried(first), timer()]
}

fn timer() -> Ability {
    let mut late: Vec<Duration> = (0..WAITS).filter_map(|_| lateness()).collect();
    late.sort_unstable();
    let at = |percent: usize| late.get(late.len() * percent / 100).copied();
    let (Some(p50), Some(p99)) = (at(50), at(99)) else {
        return TIMER.answer(State::Cannot, "no timer works");
    };
    let state = match p99 {
        late if late <= LATE_GOOD => State::Can,
        late if late <= LATE_BAD => State::Partly,
        _ => State::Cannot,
    };
    let found = format!("late by {} us at p50, {} us at p99", p50.as_micros(), p99.as_micros());
    TIMER.answer(state, found)
}

/// By how much a wait is too long; `None` if the system refuses to wait.
fn lateness() -> Option<Duration> {
    let due = Duration::try_from(clock_gettime(ClockId::Monotonic)).ok()? + WAIT;
    let at = Timespec::try_from(due).ok()?;
    clock_nanosleep_absolute(ClockId::Monotonic, &at).ok()?;
    Duration::try_from(clock_gettime(ClockId::Monotonic)).ok()?.checked_sub(due)
}
