//! When each session next needs attention: one table with one earliest time.

use std::collections::{BTreeMap, BTreeSet};

use entity_wire::id::SessionId;
use entity_wire::time::Timestamp;

/// One deadline a session, found by session and by time.
#[derive(Debug, Clone, Default)]
pub(super) struct Deadlines {
    by_session: BTreeMap<SessionId, Timestamp>,
    by_time: BTreeSet<(Timestamp, SessionId)>,
}

impl Deadlines {
    /// Sets, moves or (with `None`) removes the deadline of a session.
    pub(super) fn set(&mut self, session: SessionId, deadline: Option<Timestamp>) {
        let previous = match deadline {
            Some(at) => self.by_session.insert(session, at),
            None => self.by_session.remove(&session),
        };
        if previous == deadline {
            return;
        }
        if let Some(at) = previous {
            self.by_time.remove(&(at, session));
        }
        if let Some(at) = deadline {
            self.by_time.insert((at, session));
        }
    }

    /// The earliest deadline of all.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|&(at, _)| at)
    }

    /// The sessions whose deadline has come at `now`, earliest first.
    pub(super) fn due(&self, now: Timestamp) -> Vec<SessionId> {
        self.by_time.iter().take_while(|(at, _)| *at <= now).map(|&(_, session)| session).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn session(number: u8) -> SessionId {
        SessionId::from_random([number; 16])
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn the_earliest_deadline_comes_first_and_a_moved_one_is_found_at_its_new_time() {
        let mut deadlines = Deadlines::default();
        deadlines.set(session(1), Some(at(5)));
        deadlines.set(session(2), Some(at(3)));
        assert_eq!(deadlines.next(), Some(at(3)));
        deadlines.set(session(2), Some(at(9)));
        assert_eq!(deadlines.next(), Some(at(5)));
        assert_eq!(deadlines.due(at(9)), [session(1), session(2)]);
        assert_eq!(deadlines.due(at(4)), []);
    }

    #[test]
    fn a_removed_deadline_is_forgotten() {
        let mut deadlines = Deadlines::default();
        deadlines.set(session(1), Some(at(5)));
        deadlines.set(session(1), None);
        deadlines.set(session(1), None);
        assert_eq!(deadlines.next(), None);
        assert!(deadlines.by_session.is_empty() && deadlines.by_time.is_empty());
    }
}
