//! When this entity is announced anew.
//!
//! What a node announces lies at the nodes that were the nearest it knew. So it is announced when the node has joined, when
//! what it is able to do changes, and each time its contacts have doubled since: a network that grows around the first
//! nodes would otherwise look for them in the wrong place until their records are renewed.

use std::time::Duration;

use entity_wire::time::Timestamp;

/// Growth within this time is one growth.
const PAUSE: Duration = Duration::from_secs(2);

/// What decides it.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    /// How many contacts there were when it was announced last.
    contacts: usize,
    due_at: Option<Timestamp>,
}

impl Rhythm {
    /// Takes how many contacts there are now.
    pub(super) fn grown(&mut self, contacts: usize, now: Timestamp) {
        if contacts >= (2 * self.contacts).max(1) {
            self.due_at.get_or_insert(now.plus(PAUSE));
        }
    }

    /// Announces as soon as the next deadline is handled, where anybody is known to announce it to.
    pub(super) fn changed(&mut self, now: Timestamp) {
        if self.contacts > 0 {
            self.due_at = Some(now);
        }
    }

    /// Says whether it is time.
    pub(super) fn take_due(&mut self, contacts: usize, now: Timestamp) -> bool {
        let is_due = self.due_at.is_some_and(|at| at <= now);
        if is_due {
            (self.due_at, self.contacts) = (None, contacts.max(1));
        }
        is_due
    }

    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.due_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_announced_once_for_each_doubling() {
        let mut rhythm = Rhythm::default();
        let at = |seconds| Timestamp::UNIX_EPOCH.plus(Duration::from_secs(seconds));
        rhythm.grown(0, at(0));
        assert_eq!(rhythm.next_deadline(), None, "alone nobody would hear it");
        rhythm.changed(at(0));
        assert_eq!(rhythm.next_deadline(), None);
        rhythm.grown(1, at(0));
        rhythm.grown(3, at(1));
        assert_eq!(
            rhythm.next_deadline(),
            Some(at(2)),
            "what comes within the pause comes together"
        );
        assert!(!rhythm.take_due(3, at(1)));
        assert!(rhythm.take_due(3, at(2)));
        rhythm.grown(5, at(3));
        assert_eq!(rhythm.next_deadline(), None);
        rhythm.grown(6, at(4));
        assert_eq!(rhythm.next_deadline(), Some(at(6)));
        rhythm.changed(at(5));
        assert!(rhythm.take_due(6, at(5)));
    }
}
