//! What is said again until it is answered.

use std::time::Duration;

use entity_wire::time::Timestamp;

use super::numbers::{SKIP_REPEAT_MAX, SKIP_REPEAT_MIN};

/// Due at once, then after 2 s, then after twice the pause before, up to a minute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeat {
    due: Timestamp,
    wait: Duration,
}

impl Repeat {
    pub(super) const fn from(now: Timestamp) -> Self {
        Self { due: now, wait: SKIP_REPEAT_MIN }
    }

    /// Whether it is to be said at `now`; if so, the next time is further away.
    pub(super) fn take(&mut self, now: Timestamp) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.due = now.plus(self.wait);
            self.wait = (self.wait * 2).min(SKIP_REPEAT_MAX);
        }
        is_due
    }

    pub(super) const fn due(self) -> Timestamp {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_from_2_s_up_to_a_minute() {
        let mut repeat = Repeat::from(Timestamp::UNIX_EPOCH);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let now = repeat.due();
            assert!(!repeat.take(now.offset(-1)));
            assert!(repeat.take(now));
            pauses.push(repeat.due().since(now).as_secs());
        }
        assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
    }
}
