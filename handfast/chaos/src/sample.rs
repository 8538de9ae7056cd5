//! Disturbances for the tests of this crate.

use std::time::Duration;

use handfast_faults::disturbance::{Disturbance, What, When};

pub(crate) fn kill(role: &str, at_ms: u64, lasts_ms: u64) -> Disturbance {
    at(What::Kill { role: role.to_owned() }, at_ms, lasts_ms)
}

pub(crate) fn pause(role: &str, at_ms: u64, lasts_ms: u64) -> Disturbance {
    at(What::Pause { role: role.to_owned() }, at_ms, lasts_ms)
}

pub(crate) fn at(what: What, at_ms: u64, lasts_ms: u64) -> Disturbance {
    Disturbance {
        name: format!("{at_ms}"),
        when: When::At(Duration::from_millis(at_ms)),
        lasts: Some(Duration::from_millis(lasts_ms)),
        what,
    }
}
