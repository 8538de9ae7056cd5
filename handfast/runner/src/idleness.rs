//! How much of the machine is idle: so that no more is begun than it can carry, whoever else works on it.

use std::fs;
use std::time::Duration;

/// Shortest time over which a share means something: the system counts in steps of 10 ms.
const SPAN: Duration = Duration::from_millis(500);

/// Watches the cores.
#[derive(Debug, Default)]
pub(crate) struct Idleness {
    before: Option<(Duration, Ticks)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    all: u64,
}

impl Idleness {
    /// Thousandths of all cores that were idle since the last time this was told; nothing if that is too short ago, or the system
    /// does not say.
    pub(crate) fn of_late(&mut self, now: Duration) -> Option<u32> {
        let due = self.before.is_none_or(|(at, _)| now.saturating_sub(at) >= SPAN);
        let ticks = due.then(|| fs::read_to_string("/proc/stat").ok()).flatten();
        let ticks = ticks.and_then(|text| ticks_of(&text))?;
        let before = self.before.replace((now, ticks));
        before.and_then(|(_, before)| share(before, ticks))
    }
}

/// The first line: `cpu user nice system idle iowait irq softirq steal ..`; what follows is counted in these already.
fn ticks_of(stat: &str) -> Option<Ticks> {
    let counts = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
    let counts: Vec<u64> = counts.filter_map(|count| count.parse().ok()).collect();
    let idle = counts.get(3)?.saturating_add(*counts.get(4)?);
    Some(Ticks { idle, all: counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count)) })
}

fn share(before: Ticks, now: Ticks) -> Option<u32> {
    let all = now.all.checked_sub(before.all).filter(|all| *all > 0)?;
    // The system's count of waiting for disks may fall.
    let idle = now.idle.saturating_sub(before.idle).min(all);
    u32::try_from(idle.saturating_mul(1_000) / all).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_what_was_idle_between_two_looks() {
        let before = ticks_of("cpu  10 0 10 100 20 0 0 0 5 0\ncpu0 1 2 3\n").unwrap();
        let now = ticks_of("cpu  40 0 30 130 40 0 0 0 9 0\n").unwrap();
        assert_eq!((before, now), (Ticks { idle: 120, all: 140 }, Ticks { idle: 170, all: 240 }));
        assert_eq!(share(before, now), Some(500));
        assert_eq!(share(now, now), None);
        assert_eq!(share(now, before), None);
    }

    #[test]
    fn what_is_no_such_table_says_nothing() {
        assert_eq!(ticks_of(""), None);
        assert_eq!(ticks_of("cpu  1 2 3\n"), None);
        assert_eq!(ticks_of("intr 1 2 3 4 5 6\n"), None);
    }

    #[test]
    fn a_look_too_soon_after_another_says_nothing() {
        let mut idleness = Idleness::default();
        assert_eq!(idleness.of_late(Duration::ZERO), None);
        let before = idleness.before;
        assert_eq!(idleness.of_late(SPAN.saturating_sub(Duration::from_micros(1))), None);
        assert_eq!(idleness.before, before);
    }
}
