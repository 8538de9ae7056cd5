//! How much the service takes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How much the service takes; the default is what the real one documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Least time between two messages to one channel: "one message per second per channel".
    pub pace: Duration,
    /// Calls of one method of tier 3 in a minute: "50+ per minute".
    pub tier3_a_minute: usize,
    /// Most messages in a page of history: 999 for internal apps, 15 for apps that are distributed outside the marketplace.
    pub page_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { pace: Duration::from_secs(1), tier3_a_minute: 50, page_max: 999 }
    }
}

#[derive(Debug)]
pub(super) struct Rate {
    limits: Limits,
    posted: BTreeMap<String, Duration>,
    called: BTreeMap<String, VecDeque<Duration>>,
}

impl Rate {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, posted: BTreeMap::new(), called: BTreeMap::new() }
    }

    pub(super) fn page_max(&self) -> usize {
        self.limits.page_max
    }

    /// Takes a message, or says how many seconds to wait.
    pub(super) fn post(&mut self, channel: &str, now: Duration) -> Result<(), u64> {
        if let Some(last) = self.posted.get(channel)
            && now < *last + self.limits.pace
        {
            return Err(seconds((*last + self.limits.pace).saturating_sub(now)));
        }
        self.posted.insert(channel.to_owned(), now);
        Ok(())
    }

    /// Takes a call of tier 3, or says how many seconds to wait.
    pub(super) fn tier3(&mut self, method: &str, now: Duration) -> Result<(), u64> {
        let minute = Duration::from_mins(1);
        let calls = self.called.entry(method.to_owned()).or_default();
        while calls.front().is_some_and(|&first| first + minute <= now) {
            calls.pop_front();
        }
        if calls.len() >= self.limits.tier3_a_minute {
            return Err(calls
                .front()
                .map_or(1, |&first| seconds((first + minute).saturating_sub(now))));
        }
        calls.push_back(now);
        Ok(())
    }
}

fn seconds(wait: Duration) -> u64 {
    (wait + Duration::from_millis(999)).as_secs().max(1)
}
