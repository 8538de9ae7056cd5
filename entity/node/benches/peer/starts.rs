//! Starting, and what a started program needs.

use tokio::time::Instant;

use crate::median;
use crate::processes::{Run, Shim};

/// Milliseconds from starting the process to its first answer.
pub(crate) fn to_ready(count: usize) -> f64 {
    let times = (0..count).map(|_| {
        let start = Instant::now();
        let mut shim = Shim::start("starting");
        shim.initialize();
        start.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}

/// Resident memory of a running program that nobody has spoken to, in MiB.
pub(crate) fn idle_memory() -> f64 {
    Run::start("idle", &[]).process.resident_mib()
}
