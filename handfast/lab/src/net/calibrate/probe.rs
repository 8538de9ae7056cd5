//! What this host adds by itself: how late it wakes a thread that sleeps, and how much of it others use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use handfast_faults::Histogram;
use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec};
use serde::Serialize;

use crate::clock::{monotonic_ns, process_ns};
use crate::sys;

/// What this host added while something was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Host {
    /// Half of all wakings of a thread that slept for a millisecond at a time were not later, in microseconds.
    pub late_p50_us: f64,
    /// 99 of 100 were not later.
    pub late_p99_us: f64,
    /// The latest.
    pub late_most_us: f64,
    /// The share of all processors that other programs used, in percent.
    pub others_percent: f64,
}

impl Host {
    /// Whether what missed its aim meanwhile may have missed it for the host's sake.
    pub fn is_busy(&self) -> bool {
        self.others_percent >= OTHERS_PERCENT || self.late_p99_us >= LATE_P99_US
    }
}

/// A probe that runs.
pub(super) struct Probe {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<Histogram>>,
    before: Option<Used>,
}

/// Begins to sleep and wake, with the same right to a processor as the switch.
pub(super) fn start() -> Probe {
    let is_over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&is_over);
    let run = move || {
        // Where it is not allowed, it is not allowed for the switch either.
        sys::schedule::go_first().unwrap_or_default();
        rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1)).unwrap_or_default();
        let mut late = Histogram::default();
        while !end.load(Ordering::Relaxed) {
            let until_ns = monotonic_ns() + PERIOD_NS;
            sleep_until(until_ns);
            late.add(monotonic_ns().saturating_sub(until_ns));
        }
        late
    };
    // Without a thread there is no probe, and nothing known of the host.
    let thread = std::thread::Builder::new().name("probe".to_owned()).spawn(run).ok();
    Probe { is_over, thread, before: Used::now() }
}

impl Probe {
    /// What it has found.
    pub(super) fn stop(mut self) -> Host {
        let after = Used::now();
        self.is_over.store(true, Ordering::Relaxed);
        let late = self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        let quantile = |per_mille| us(late.quantile_ns(per_mille).unwrap_or(0));
        let others = self.before.zip(after).map_or(0.0, |(before, after)| after.others(&before));
        Host {
            late_p50_us: quantile(500),
            late_p99_us: quantile(990),
            late_most_us: us(late.most_ns().unwrap_or(0)),
            others_percent: others,
        }
    }
}

/// How much of the processors was used until a moment.
#[derive(Clone, Copy, Debug)]
struct Used {
    /// By anybody, and in all, in ticks.
    busy: u64,
    all: u64,
    ours_ns: u64,
}

impl Used {
    fn now() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/stat").ok()?;
        let (busy, all) = ticks(&text)?;
        Some(Self { busy, all, ours_ns: process_ns() })
    }

    /// What others used since then, in percent of all.
    fn others(&self, before: &Self) -> f64 {
        let span = |ticks: u64| us(ticks.saturating_mul(TICK_NS));
        let (busy, all) =
            (self.busy.saturating_sub(before.busy), self.all.saturating_sub(before.all));
        if all == 0 {
            return 0.0;
        }
        let ours = us(self.ours_ns.saturating_sub(before.ours_ns));
        ((span(busy) - ours) / span(all) * 100.0).max(0.0)
    }
}

/// The first line of `/proc/stat` (`proc_stat(5)`): ticks that were used, and all ticks.
fn ticks(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; what guests use is in the first two already.
    let all: u64 = fields.get(..8)?.iter().sum();
    Some((all - fields[3] - fields[4], all))
}

/// Sleeps until a moment of the monotonic clock.
pub(super) fn sleep_until(at_ns: u64) {
    let at = Timespec {
        tv_sec: i64::try_from(at_ns / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(at_ns % 1_000_000_000).unwrap_or(0),
    };
    // A signal wakes early: whoever waits for a moment looks at the clock.
    clock_nanosleep_absolute(ClockId::Monotonic, &at).unwrap_or_default();
}

/// Nanoseconds as microseconds.
pub(super) fn us(ns: u64) -> f64 {
    handfast_statistics::number::real_u64(ns) / 1_000.0
}

const PERIOD_NS: u64 = 1_000_000;

/// A tick of `/proc` is a hundredth of a second on every Linux (`USER_HZ`).
const TICK_NS: u64 = 10_000_000;

/// From here on others count: as in the benchmarks of peers; half of what a packet may be late.
const OTHERS_PERCENT: f64 = 10.0;
const LATE_P99_US: f64 = 500.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_use_is_what_is_busy_and_not_ours() {
        let (busy, all) = ticks("cpu  100 0 50 800 20 0 10 20 5 0\ncpu0 1 1\n").unwrap();
        assert_eq!((busy, all), (180, 1_000));
        let before = Used { busy, all, ours_ns: 0 };
        let after = Used { busy: busy + 50, all: all + 200, ours_ns: 300_000_000 };
        assert!((after.others(&before) - 10.0).abs() < 1e-9);
        assert!(before.others(&before).abs() < 1e-9);
        assert_eq!(ticks("nothing"), None);
    }

    #[test]
    fn a_host_is_busy_from_its_limits_on() {
        let quiet = Host { others_percent: 9.9, late_p99_us: 499.0, ..Host::default() };
        assert!(!quiet.is_busy());
        assert!(Host { others_percent: 10.0, ..quiet }.is_busy());
        assert!(Host { late_p99_us: 500.0, ..quiet }.is_busy());
    }

    #[test]
    fn a_probe_counts_wakings() {
        let probe = start();
        sleep_until(monotonic_ns() + 20_000_000);
        let host = probe.stop();
        assert!(host.late_most_us > 0.0 && host.late_p50_us <= host.late_p99_us);
    }
}
