//! Time since the start of the system.

use std::fs;

use entity_moltbook::Moment;
use entity_moltbook::budget::Boot;
use rustix::time::{ClockId, clock_gettime};

/// A clock that nobody can set, that goes on while the system sleeps, and that knows which start it counts from.
#[derive(Debug, Clone)]
pub struct Clock {
    boot: Boot,
}

impl Clock {
    /// Looks which start of the system this is. Where that cannot be said, nothing that was kept earlier is believed to have aged.
    pub fn start() -> Self {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let boot = match id {
            Ok(id) => Boot::known(&format!("{}{}", id.trim(), namespace())),
            Err(_) => Boot::unknown(),
        };
        Self { boot }
    }

    /// Which start the moments count from.
    pub fn boot(&self) -> &Boot {
        &self.boot
    }

    /// The present.
    pub fn now(&self) -> Moment {
        let time = clock_gettime(ClockId::Boottime);
        Moment(time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000))
    }
}

/// A container can have a clock of its own that is so many seconds ahead: another line, though the system is the same.
fn namespace() -> String {
    let offsets = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    let line = offsets.lines().find(|line| line.trim_start().starts_with("boottime"));
    let ahead: String =
        line.into_iter().flat_map(str::split_whitespace).skip(1).collect::<Vec<_>>().join(".");
    if ahead.chars().any(|char| char.is_ascii_digit() && char != '0') {
        format!("+{ahead}")
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_runs_forward_and_knows_its_start() {
        let clock = Clock::start();
        let first = clock.now();
        assert!(first > Moment(0));
        assert!(clock.now() >= first);
        assert!(clock.boot().is_same(Clock::start().boot()), "two programs on one system agree");
    }
}
