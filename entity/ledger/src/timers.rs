//! What is to be done again, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity_crypto::signing::PublicKey;
use entity_wire::time::Timestamp;

use crate::account::AccountKey;

/// The pause before a message is repeated for the first time; each further pause is twice the one before.
pub const REPEAT_FIRST: Duration = Duration::from_millis(500);

/// The longest such pause.
pub const REPEAT_MAX: Duration = Duration::from_secs(30);

/// What is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Asking for votes for the pending order of an account.
    Votes(AccountKey),
    /// Asking for the state of an account.
    Query(AccountKey),
    /// Presenting certificates to a peer.
    Present(PublicKey),
}

/// When each task is due.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    due: BTreeMap<Task, (Timestamp, Duration)>,
    order: BTreeSet<(Timestamp, Task)>,
}

impl Timers {
    /// Lets a task be due after the first pause.
    pub(crate) fn start(&mut self, task: Task, now: Timestamp) {
        self.set(task, now, REPEAT_FIRST);
    }

    /// Lets a task be due after twice the pause before.
    pub(crate) fn back_off(&mut self, task: Task, now: Timestamp) {
        let pause = self.due.get(&task).map_or(REPEAT_FIRST, |(_, pause)| *pause * 2);
        self.set(task, now, pause.min(REPEAT_MAX));
    }

    pub(crate) fn stop(&mut self, task: Task) {
        if let Some((at, _)) = self.due.remove(&task) {
            self.order.remove(&(at, task));
        }
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.order.first().map(|(at, _)| *at)
    }

    /// A task that is due. It stays until it is started, backed off or stopped.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Task> {
        self.order.iter().take_while(|(at, _)| *at <= now).map(|(_, task)| *task).collect()
    }

    fn set(&mut self, task: Task, now: Timestamp, pause: Duration) {
        self.stop(task);
        let at = now.plus(pause);
        self.due.insert(task, (at, pause));
        self.order.insert((at, task));
    }
}

#[cfg(test)]
mod tests {
    use entity_crypto::signing::SigningKey;

    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let task = Task::Present(SigningKey::from_seed([1; 32]).public_key());
        let mut timers = Timers::default();
        let mut now = Timestamp::UNIX_EPOCH;
        timers.start(task, now);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let at = timers.next().unwrap();
            assert!(timers.due(at.offset(-1)).is_empty());
            assert_eq!(timers.due(at), [task]);
            pauses.push(at.since(now).as_millis());
            now = at;
            timers.back_off(task, now);
        }
        assert_eq!(pauses, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        timers.stop(task);
        assert_eq!(timers.next(), None);
    }
}
