//! Whether to end, and what the run costs.

use std::io::{self, BufRead as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rustix::time::{ClockId, clock_gettime};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::report::Cost;
use crate::say;

/// Watches over a run.
#[derive(Debug)]
pub(crate) struct Watch {
    is_ended: Arc<AtomicBool>,
    began_us: u64,
    told_us: AtomicU64,
}

impl Watch {
    /// Begins. Whoever gave the order ends the run by ending standard input, or by another line.
    pub(crate) fn start() -> io::Result<Self> {
        let is_ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&is_ended))?;
        }
        let heard = Arc::clone(&is_ended);
        thread::Builder::new().name("order".to_owned()).spawn(move || {
            // Whatever comes: another line, the end, an error.
            drop(io::stdin().lock().read_line(&mut String::new()));
            heard.store(true, Ordering::SeqCst);
        })?;
        let now = now_us(ClockId::Monotonic);
        Ok(Self { is_ended, began_us: now, told_us: AtomicU64::new(0) })
    }

    /// Whether the run is to end.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::SeqCst)
    }

    /// Says how far the run is, at most five times a second.
    pub(crate) fn progress(&self, what: &str, share: f64, detail: impl FnOnce() -> String) {
        let now = now_us(ClockId::Monotonic);
        if now.saturating_sub(self.told_us.load(Ordering::Relaxed)) >= BETWEEN_LINES_US {
            self.told_us.store(now, Ordering::Relaxed);
            let progress = serde_json::json!({ "what": what, "share": share, "detail": detail() });
            say(&serde_json::json!({ "progress": progress }));
        }
    }

    /// What the run has cost so far.
    pub(crate) fn cost(&self) -> Cost {
        Cost {
            wall_s: seconds(now_us(ClockId::Monotonic).saturating_sub(self.began_us)),
            processor_s: seconds(now_us(ClockId::ProcessCPUTime)),
            memory_peak_bytes: memory_peak_bytes(),
        }
    }
}

/// Lines of progress are not closer than this.
const BETWEEN_LINES_US: u64 = 200_000;

fn now_us(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let part = |of: i64| u64::try_from(of).unwrap_or(0);
    part(time.tv_sec) * 1_000_000 + part(time.tv_nsec) / 1_000
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// 0 where the system does not say.
fn memory_peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1_024
}
