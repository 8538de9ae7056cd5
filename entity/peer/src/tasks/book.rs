//! All tasks, in both directions.

use std::collections::BTreeMap;

use entity_wire::id::TaskId;
use entity_wire::json::Object;
use entity_wire::payload::task::TaskDelegate;

use crate::command::CommandError;
use crate::name::PeerName;
use crate::view::{Direction, TaskState};

/// Which task: an id is its delegator's choice, so it means nothing without the peer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) direction: Direction,
    pub(super) id: TaskId,
    pub(super) peer: PeerName,
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Task {
    /// What was asked.
    pub(super) content: TaskDelegate,
    /// What became of it.
    pub(super) state: TaskState,
    /// What came of it, once it is over.
    pub(super) result: Option<Object>,
    /// Its place in the order of all tasks; given by the book.
    pub(super) order: u64,
}

impl Task {
    /// Makes a task that the book has not yet given its place in the order.
    pub(super) fn new(content: TaskDelegate, state: TaskState) -> Self {
        Self { content, state, result: None, order: 0 }
    }
}

/// All tasks. The oldest that is over gives way to a new one; open ones stay.
#[derive(Debug, Default)]
pub(super) struct Book {
    tasks: BTreeMap<Place, Task>,
    by_order: BTreeMap<u64, Place>,
    /// Received tasks that are not over, by who delegated them.
    open: BTreeMap<PeerName, usize>,
}

impl Book {
    /// Tasks in both directions. Guessed: a day's work of a busy peer, some 10 MiB of them.
    pub(super) const TASKS_MAX: usize = 8_192;

    /// Open tasks that one peer may have given us.
    ///
    /// Source: docs/protocol/1.1.md#tasks
    pub(super) const OPEN_PER_PEER_MAX: usize = 1_024;

    pub(super) fn get(&self, place: &Place) -> Option<&Task> {
        self.tasks.get(place)
    }

    /// All tasks, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Place, &Task)> {
        self.by_order.values().filter_map(|place| self.tasks.get_key_value(place))
    }

    /// Finds a received task by its id; `None` where there is none, or two peers have given one and `from` does not say
    /// which is meant.
    pub(super) fn received(&self, id: TaskId, from: Option<&PeerName>) -> Option<Place> {
        let mut found = self.tasks.keys().filter(|place| {
            place.direction == Direction::Received
                && place.id == id
                && from.is_none_or(|from| place.peer == *from)
        });
        let first = found.next()?;
        found.next().is_none().then(|| first.clone())
    }

    /// Says whether a peer has given us as many open tasks as it may.
    pub(super) fn is_full_for(&self, peer: &PeerName) -> bool {
        self.open.get(peer).is_some_and(|open| *open >= Self::OPEN_PER_PEER_MAX)
    }

    /// Adds a task at the end of the order; returns the one that gives way.
    ///
    /// # Errors
    ///
    /// All places are taken by open tasks; nothing is changed.
    pub(super) fn insert(
        &mut self,
        place: Place,
        mut task: Task,
    ) -> Result<Option<Place>, CommandError> {
        let mut gone = None;
        if self.tasks.len() >= Self::TASKS_MAX {
            let over = self.iter().find(|(_, task)| task.state.is_over());
            let Some((over, _)) = over else {
                return Err(CommandError::Overloaded { limit: "TASKS_MAX" });
            };
            gone = Some(over.clone());
        }
        if let Some(task) = gone.as_ref().and_then(|gone| self.tasks.remove(gone)) {
            self.by_order.remove(&task.order);
        }
        task.order = self.by_order.keys().next_back().map_or(0, |last| last + 1);
        self.put(place, task);
        Ok(gone)
    }

    /// Puts a task back at its place in the order; `false` where that is taken.
    pub(super) fn put_back(&mut self, place: Place, task: Task) -> bool {
        let is_free = !self.by_order.contains_key(&task.order);
        if is_free {
            self.put(place, task);
        }
        is_free
    }

    fn put(&mut self, place: Place, task: Task) {
        if place.direction == Direction::Received && !task.state.is_over() {
            *self.open.entry(place.peer.clone()).or_default() += 1;
        }
        self.by_order.insert(task.order, place.clone());
        self.tasks.insert(place, task);
    }

    /// Lets a task go forward.
    pub(super) fn change(
        &mut self,
        place: &Place,
        state: TaskState,
        result: Option<Object>,
    ) -> Option<&Task> {
        let task = self.tasks.get_mut(place)?;
        let ends = !task.state.is_over() && state.is_over();
        task.state = state;
        task.result = result;
        if ends
            && place.direction == Direction::Received
            && let Some(open) = self.open.get_mut(&place.peer)
        {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&place.peer);
            }
        }
        Some(task)
    }
}
