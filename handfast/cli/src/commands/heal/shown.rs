//! What a drill found, as a table and as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use handfast_heal::fault::InfraFault;
use serde_json::{Value, json};

use super::drill::{Drilled, HEALED_WITHIN, Trial};
use super::plant::not_planted;

/// How many of the planted faults are to be healed in time, per cent.
const HEALED_MIN: usize = 95;

/// Whether it found what is aimed at.
pub(super) fn is_good(drilled: &Drilled) -> bool {
    let trials: Vec<&Trial> = drilled.faults.values().flatten().collect();
    let healed = trials.iter().filter(|trial| is_in_time(trial)).count();
    healed * 100 >= trials.len() * HEALED_MIN
        && trials.iter().all(|trial| trial.is_only_hit)
        && drilled.lost.is_empty()
}

fn is_in_time(trial: &Trial) -> bool {
    trial.is_healed && trial.took <= HEALED_WITHIN
}

/// The table, and what was not healed below it.
pub(super) fn text(drilled: &Drilled) -> String {
    let mut text = format!(
        "{:<22} {:>8} {:>8} {:>8} {:>8}  ran again\n",
        "fault", "planted", "healed", "middle", "slowest"
    );
    // Writing to a text cannot fail.
    let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
    for fault in InfraFault::ALL {
        let Some(trials) = drilled.faults.get(&fault) else {
            line(format!("{fault:<22} {}", not_planted(fault).unwrap_or_default()));
            continue;
        };
        let (middle, slowest) = times(trials);
        let healed = trials.iter().filter(|trial| is_in_time(trial)).count();
        let again =
            if trials.iter().all(|trial| trial.is_only_hit) { "only what it hit" } else { "MORE" };
        line(format!(
            "{fault:<22} {:>8} {healed:>8} {:>6.2} s {:>6.2} s  {again}",
            trials.len(),
            middle.as_secs_f64(),
            slowest.as_secs_f64()
        ));
    }
    let trials: Vec<&Trial> = drilled.faults.values().flatten().collect();
    let healed = trials.iter().filter(|trial| is_in_time(trial)).count();
    line(format!(
        "\n{healed} of {} planted faults healed within {} s; {} of {} planted defects healed away",
        trials.len(),
        HEALED_WITHIN.as_secs(),
        drilled.lost.len(),
        drilled.defects
    ));
    for (fault, trials) in &drilled.faults {
        for trial in trials.iter().filter(|trial| !is_in_time(trial)) {
            line(format!("not healed: {fault}: {}", trial.said));
        }
    }
    for lost in &drilled.lost {
        line(format!("healed away: {lost}"));
    }
    text
}

/// The same for a program.
pub(super) fn json(drilled: &Drilled) -> String {
    let fault = |fault: InfraFault| {
        let trials = drilled.faults.get(&fault).map(Vec::as_slice).unwrap_or_default();
        let (middle, slowest) = times(trials);
        json!({
            "fault": fault.as_str(),
            "planted": trials.len(),
            "healed": trials.iter().filter(|trial| is_in_time(trial)).count(),
            "middle_us": micros(middle),
            "slowest_us": micros(slowest),
            "only_hit_ran_again": trials.iter().all(|trial| trial.is_only_hit),
            "not_planted": not_planted(fault),
        })
    };
    let faults: Vec<Value> = InfraFault::ALL.into_iter().map(fault).collect();
    let all = json!({
        "faults": faults,
        "defects": drilled.defects,
        "healed_away": drilled.lost,
        "is_good": is_good(drilled),
    });
    format!("{all:#}\n")
}

/// The middle one and the longest.
fn times(trials: &[Trial]) -> (Duration, Duration) {
    let mut took: Vec<Duration> = trials.iter().map(|trial| trial.took).collect();
    took.sort_unstable();
    let middle = took.get(took.len() / 2).copied().unwrap_or_default();
    (middle, took.last().copied().unwrap_or_default())
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX)
}
