//! What is simpler than a disturbance, and than a schedule as far as its peers go.
//!
//! Simpler is whatever is easier to think about: one thing in place of several, one direction in place of two, a round number, a short
//! time, a moment near the beginning, a weaker change. Every version has a lower [`cost`] than what it was made from, so that making
//! simpler comes to an end.

use std::collections::BTreeSet;
use std::time::Duration;

use handfast_faults::disturbance::{Cue, Disturbance, Limit, What, When};

use crate::schedule::Schedule;

mod network;

/// The shortest span that is tried: a scheduler's time slice, within which a program may not even notice.
const SPAN_MIN: Duration = Duration::from_millis(10);

/// Simpler versions of a disturbance, those first that take away most; at most sixteen.
pub(crate) fn versions(step: &Disturbance) -> Vec<Disturbance> {
    let mut versions = Vec::new();
    let of_what = |what: What| Disturbance { what, ..step.clone() };
    versions.extend(other_things(step));
    versions.extend(simpler_things(&step.what).into_iter().map(of_what));
    let of_span = |lasts: Duration| Disturbance { lasts: Some(lasts), ..step.clone() };
    let spans = step.lasts.map(|lasts| shorter(lasts, SPAN_MIN)).unwrap_or_default();
    versions.extend(spans.into_iter().map(of_span));
    let of_moment = |when: When| Disturbance { when, ..step.clone() };
    versions.extend(earlier(&step.when).into_iter().map(of_moment));
    let before = cost(step);
    versions.retain(|version| cost(version) < before);
    versions
}

/// Schedules in which one peer less is disturbed, because another one is disturbed in its place. Ways between peers stay ways between two.
pub(crate) fn with_fewer_peers(schedule: &Schedule) -> Vec<Schedule> {
    let roles: Vec<String> = schedule.roles().into_iter().map(str::to_owned).collect();
    let mut found = Vec::new();
    for gone in roles.iter().rev() {
        for stays in roles.iter().filter(|role| *role != gone) {
            let steps = schedule.steps.iter().map(|step| in_place_of(step, gone, stays));
            // A way from a peer to itself is none.
            if let Some(steps) = steps.collect::<Option<Vec<_>>>() {
                found.push(Schedule::new(steps));
            }
        }
    }
    found
}

/// How complicated a disturbance is; only comparisons mean anything.
pub(crate) fn cost(step: &Disturbance) -> (u64, u128, u128) {
    let of_what = match &step.what {
        What::Kill { .. } | What::Pause { .. } => 0,
        What::CrashLoop { times, every, .. } => {
            1_000_000 + u64::from(*times) * 100_000 + millis(*every).min(99_999)
        }
        What::Clock { offset_ms, .. } => offset_ms.unsigned_abs().min(1_000_000_000),
        What::Cut { both, .. } => u64::from(*both),
        What::Network { both, change, .. } => u64::from(*both) + 2 * network::cost(change),
        What::Limit { what, .. } => match what {
            Limit::Cpu { percent } => 1_000 - u64::from(*percent).min(1_000),
            Limit::Memory { .. }
            | Limit::Processes { .. }
            | Limit::Descriptors { .. }
            | Limit::DiskFull
            | Limit::DiskSlow { .. } => 0,
        },
    };
    let of_moment = match &step.when {
        When::At(at) => at.as_nanos(),
        When::On { cue, after } => after.as_nanos() + 1_000_000_000 * u128::from(number(cue)),
    };
    (of_what, of_moment, step.lasts.map_or(u128::MAX, |lasts| lasts.as_nanos()))
}

/// The disturbance as one of another, simpler kind.
fn other_things(step: &Disturbance) -> Option<Disturbance> {
    let What::CrashLoop { role, every, .. } = &step.what else { return None };
    let what = What::Kill { role: role.clone() };
    Some(Disturbance { what, lasts: step.lasts.or(Some(*every)), ..step.clone() })
}

/// The same kind of thing, weaker or on one side alone.
fn simpler_things(what: &What) -> Vec<What> {
    match what {
        What::CrashLoop { role, times, every } => {
            let fewer = if *times > 1 { vec![*times / 2, *times - 1] } else { Vec::new() };
            let fewer = fewer.into_iter().filter(|times| *times > 0);
            fewer
                .map(|times| What::CrashLoop { role: role.clone(), times, every: *every })
                .collect()
        }
        What::Clock { role, offset_ms } => {
            let halves = [offset_ms / 10, offset_ms / 2].into_iter().filter(|offset| *offset != 0);
            halves.map(|offset_ms| What::Clock { role: role.clone(), offset_ms }).collect()
        }
        What::Cut { from, to, both: true, how } => {
            let cut = |from: &str, to: &str| What::Cut {
                from: from.to_owned(),
                to: to.to_owned(),
                both: false,
                how: *how,
            };
            vec![cut(from, to), cut(to, from)]
        }
        What::Network { from, to, both, change } => {
            let way = |from: &str, to: &str, both: bool, change| What::Network {
                from: from.to_owned(),
                to: to.to_owned(),
                both,
                change,
            };
            let mut simpler = Vec::new();
            if *both {
                simpler.push(way(from, to, false, change.clone()));
                simpler.push(way(to, from, false, change.clone()));
            }
            let weaker = network::weaker(change).into_iter();
            simpler.extend(weaker.map(|change| way(from, to, *both, change)));
            simpler
        }
        What::Limit { role, what: Limit::Cpu { percent } } if *percent <= 50 => {
            let percent = percent.saturating_mul(2);
            vec![What::Limit { role: role.clone(), what: Limit::Cpu { percent } }]
        }
        What::Kill { .. }
        | What::Pause { .. }
        | What::Cut { both: false, .. }
        | What::Limit { .. } => Vec::new(),
    }
}

/// Moments nearer to the beginning, and rounder ones.
fn earlier(when: &When) -> Vec<When> {
    match when {
        When::At(at) => shorter(*at, Duration::ZERO).into_iter().map(When::At).collect(),
        When::On { cue, after } => {
            let same_cue = |after| When::On { cue: cue.clone(), after };
            let mut earlier: Vec<When> =
                shorter(*after, Duration::ZERO).into_iter().map(same_cue).collect();
            if let Cue::Message { from, to, message_type, nth } = cue {
                let firsts = [1, *nth / 2, nth.saturating_sub(1)];
                let cue = |nth: u64| Cue::Message {
                    from: from.clone(),
                    to: to.clone(),
                    message_type: message_type.clone(),
                    nth,
                };
                let fewer: BTreeSet<u64> =
                    firsts.into_iter().filter(|first| *first > 0 && first < nth).collect();
                earlier
                    .extend(fewer.into_iter().map(|nth| When::On { cue: cue(nth), after: *after }));
            }
            earlier
        }
    }
}

/// The shortest time, half of it as a round number, and itself as a round number, as far as they are shorter.
fn shorter(time: Duration, least: Duration) -> Vec<Duration> {
    let found = [least, round(time / 2), round(time)];
    let shorter: BTreeSet<Duration> =
        found.into_iter().filter(|other| *other < time && *other >= least).collect();
    shorter.into_iter().collect()
}

/// A time of one digit other than 0, not longer than this one: whole hundreds of milliseconds, tens of seconds and the like.
fn round(time: Duration) -> Duration {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let Some(digits) = millis.checked_ilog10() else { return Duration::ZERO };
    let unit = 10_u64.pow(digits);
    Duration::from_millis(millis / unit * unit)
}

fn in_place_of(step: &Disturbance, gone: &str, stays: &str) -> Option<Disturbance> {
    let mut step = step.clone();
    let is_way = matches!(step.what, What::Network { .. } | What::Cut { .. });
    let replace = |role: &mut String| {
        if role.as_str() == gone {
            stays.clone_into(role);
        }
    };
    match &mut step.what {
        What::Network { from, to, .. } | What::Cut { from, to, .. } => {
            replace(from);
            replace(to);
        }
        What::Kill { role }
        | What::Pause { role }
        | What::CrashLoop { role, .. }
        | What::Clock { role, .. }
        | What::Limit { role, .. } => replace(role),
    }
    let distinct: BTreeSet<&str> = step.what.roles().into_iter().collect();
    (!is_way || distinct.len() == 2).then_some(step)
}

fn number(cue: &Cue) -> u64 {
    match cue {
        Cue::Notification { .. } => 0,
        Cue::Message { nth, .. } => *nth,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
