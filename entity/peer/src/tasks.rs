//! Tasks that peers delegate to each other: each taken once, whatever is repeated, and answered to its end.
//!
//! | module | what it holds |
//! |---|---|
//! | `book` | all tasks, in both directions, bounded; what a task may become |
//! | `record` | how they are kept: space `task` |
//!
//! This file does what a command, a message or a restart asks for, and says it to the other side by durable messages.
//!
//! Source: docs/protocol/1.1.md#tasks

mod book;
mod record;

use entity_flaw::{Flaw, planted};
use entity_journal::Stored;
use entity_wire::id::{MessageId, TaskId};
use entity_wire::json::{Fields, Object};
use entity_wire::kind::MessageKind;
use entity_wire::payload::task::{
    Capability, TaskAccept, TaskDelegate, TaskOutcome, TaskRefusal, TaskRefuse, TaskResult,
};
use entity_wire::version::Version;

use crate::command::{Class, CommandError, CommandId, CommandResult, Complete, Delegate, Send};
use crate::core::{Core, News, Reason};
use crate::name::PeerName;
use crate::output::{PeerEvent, Received};
use crate::restore::RestoreError;
use crate::view::{Direction, TaskState, TaskView};
use book::{Book, Place, Task};

/// Says whether a durable message with this body would be taken for a peer.
pub(crate) type MaySend<'a> = &'a dyn Fn(&PeerName, &Object) -> Result<(), CommandError>;

/// The room.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    book: Book,
}

impl Tasks {
    /// Goes on with what was kept.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(crate) fn restore(stored: &mut Stored) -> Result<Self, RestoreError> {
        let book = record::restore(stored)?;
        let is_forgotten = planted(Flaw::ForgetsTasksOnRestart);
        Ok(Self { book: if is_forgotten { Book::default() } else { book } })
    }

    /// Returns all tasks, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = TaskView> {
        self.book.iter().map(|(place, task)| view(place, task))
    }

    /// Delegates a task: it is kept, and then goes to the peer. The same task again changes nothing; as long as the peer
    /// has not answered, it goes there once more.
    pub(crate) fn delegate(
        &mut self,
        core: &mut Core,
        id: CommandId,
        delegate: Delegate,
        may_send: MaySend<'_>,
    ) {
        let result = self.try_delegate(core, delegate, may_send);
        core.done(id, result.map(CommandResult::Task));
    }

    fn try_delegate(
        &mut self,
        core: &mut Core,
        delegate: Delegate,
        may_send: MaySend<'_>,
    ) -> Result<TaskId, CommandError> {
        let Delegate { to, task_id, description, capability, input, reward } = delegate;
        let task_id = task_id.unwrap_or_else(|| TaskId::from_random(core.entropy.bytes()));
        let task = TaskDelegate { task_id, description, capability, input, reward };
        // What is refused by its shape there is not sent from here.
        TaskDelegate::from_object(&task.to_object())
            .map_err(|_| CommandError::Malformed { reason: "a field of the task is too long" })?;
        let Some(entry) = core.roster.get(to.as_str()) else {
            return Err(CommandError::UnknownPeer { name: to });
        };
        let place = Place { direction: Direction::Delegated, id: task_id, peer: to.clone() };
        let body = task.to_object();
        if let Some(known) = self.book.get(&place) {
            if known.content != task {
                let code = TaskRefusal::DuplicateWithOtherContent;
                return Err(CommandError::Task { id: task_id, code });
            }
            if known.state == TaskState::Sent {
                may_send(&to, &body)?;
                tell(core, to, MessageKind::TaskDelegate, body);
            }
            return Ok(task_id);
        }
        if let (Some(capability), Some(report)) = (&task.capability, &entry.capabilities)
            && !is_able(report, capability)
        {
            return Err(CommandError::Task { id: task_id, code: TaskRefusal::CapabilityMissing });
        }
        may_send(&to, &body)?;
        self.insert(core, place, Task::new(task, TaskState::Sent))?;
        tell(core, to, MessageKind::TaskDelegate, body);
        Ok(task_id)
    }

    /// Ends a task that we have accepted, and tells its delegator. The same end again changes nothing.
    pub(crate) fn complete(
        &mut self,
        core: &mut Core,
        id: CommandId,
        complete: Complete,
        may_send: MaySend<'_>,
    ) {
        let result = self.try_complete(core, complete, may_send);
        core.done(id, result.map(|()| CommandResult::Done));
    }

    fn try_complete(
        &mut self,
        core: &mut Core,
        complete: Complete,
        may_send: MaySend<'_>,
    ) -> Result<(), CommandError> {
        let Complete { task_id, from, outcome, result } = complete;
        let end = TaskResult { task_id, outcome, result };
        TaskResult::from_object(&end.to_object()).map_err(|_| CommandError::Malformed {
            reason: "the result of the task is too long",
        })?;
        let Some(place) = self.book.received(task_id, from.as_ref()) else {
            return Err(CommandError::UnknownTask { id: task_id });
        };
        let wanted = TaskState::of_outcome(outcome);
        let task = self.book.get(&place).ok_or(CommandError::UnknownTask { id: task_id })?;
        match task.state {
            TaskState::Accepted => {}
            state if state == wanted && task.result.as_ref() == Some(&end.result) => return Ok(()),
            TaskState::Sent | TaskState::Refused(_) | TaskState::Done | TaskState::Failed => {
                return Err(CommandError::Malformed { reason: "the task is over" });
            }
        }
        let to = place.peer.clone();
        let body = end.to_object();
        may_send(&to, &body)?;
        self.change(core, &place, wanted, Some(end.result));
        tell(core, to, MessageKind::TaskResult, body);
        Ok(())
    }

    /// Takes a message of a task. What is not of its shape, or does not fit, changes nothing.
    pub(crate) fn handle_message(
        &mut self,
        core: &mut Core,
        received: &Received,
        may_send: MaySend<'_>,
    ) {
        match received.version {
            Version::V1_1 => {}
            // In 1.0 a task is kept for whoever reads the inbox.
            Version::V0_3 | Version::V1_0 => return,
        }
        let (from, body) = (&received.from, &*received.body);
        let kind = &received.kind;
        if *kind == MessageKind::TaskDelegate {
            if let Ok(task) = TaskDelegate::from_object(body) {
                self.asked(core, from, task, may_send);
            }
        } else if *kind == MessageKind::TaskAccept {
            if let Ok(accept) = TaskAccept::from_object(body) {
                self.answered(core, from, accept.task_id, TaskState::Accepted, None);
            }
        } else if *kind == MessageKind::TaskRefuse {
            if let Ok(refuse) = TaskRefuse::from_object(body) {
                let state = TaskState::Refused(refuse.code);
                self.answered(core, from, refuse.task_id, state, None);
            }
        } else if *kind == MessageKind::TaskResult
            && let Ok(end) = TaskResult::from_object(body)
        {
            let state = TaskState::of_outcome(end.outcome);
            self.answered(core, from, end.task_id, state, Some(end.result));
        }
    }

    /// Takes a task, or refuses it; the same task again gets the same answer.
    ///
    /// What cannot be answered, because too much waits for the peer already, is not taken: nobody would know of it. Its
    /// delegator delegates it again.
    fn asked(
        &mut self,
        core: &mut Core,
        from: &PeerName,
        task: TaskDelegate,
        may_send: MaySend<'_>,
    ) {
        let task_id = task.task_id;
        if may_send(from, &TaskAccept { task_id }.to_object()).is_err() {
            return;
        }
        let place = Place { direction: Direction::Received, id: task_id, peer: from.clone() };
        if let Some(known) = self.book.get(&place) {
            if known.content != task {
                return refuse(core, from, task_id, TaskRefusal::DuplicateWithOtherContent);
            }
            return repeat_answer(core, from, known);
        }
        let refusal = match &task.capability {
            Some(capability) if !core.able.contains(capability) && !planted(Flaw::TakesAnyTask) => {
                Some(TaskRefusal::CapabilityMissing)
            }
            Some(_) | None if self.book.is_full_for(from) => Some(TaskRefusal::TooMany),
            Some(_) | None => None,
        };
        // A peer with too many open tasks may try again once there is room, so that is not remembered.
        if refusal == Some(TaskRefusal::TooMany) {
            return refuse(core, from, task_id, TaskRefusal::TooMany);
        }
        let state = refusal.map_or(TaskState::Accepted, TaskState::Refused);
        let taken = Task::new(task, state);
        let event = PeerEvent::TaskReceived(view(&place, &taken));
        if self.insert(core, place, taken).is_err() {
            return refuse(core, from, task_id, TaskRefusal::TooMany);
        }
        if let Some(code) = refusal {
            return refuse(core, from, task_id, code);
        }
        let accept = TaskAccept { task_id }.to_object();
        tell(core, from.clone(), MessageKind::TaskAccept, accept);
        core.event(event);
    }

    /// Takes what the peer says that a task was delegated to.
    fn answered(
        &mut self,
        core: &mut Core,
        from: &PeerName,
        id: TaskId,
        state: TaskState,
        result: Option<Object>,
    ) {
        let place = Place { direction: Direction::Delegated, id, peer: from.clone() };
        let Some(task) = self.book.get(&place) else { return };
        if !task.state.may_become(state) {
            return;
        }
        self.change(core, &place, state, result);
        let Some(task) = self.book.get(&place) else { return };
        let view = view(&place, task);
        core.event(match state {
            TaskState::Sent | TaskState::Accepted => PeerEvent::TaskAccepted(view),
            TaskState::Refused(_) => PeerEvent::TaskRefused(view),
            TaskState::Done | TaskState::Failed => PeerEvent::TaskDone(view),
        });
    }

    fn insert(&mut self, core: &mut Core, place: Place, task: Task) -> Result<(), CommandError> {
        let gone = self.book.insert(place.clone(), task)?;
        if let Some(gone) = gone {
            core.persist(record::delete(&gone));
        }
        if let Some(task) = self.book.get(&place) {
            core.persist(record::put(&place, task));
        }
        Ok(())
    }

    fn change(&mut self, core: &mut Core, place: &Place, state: TaskState, result: Option<Object>) {
        if let Some(task) = self.book.change(place, state, result) {
            core.persist(record::put(place, task));
        }
    }
}

/// Says again what the delegator was told before: it may have lost its memory of that.
fn repeat_answer(core: &mut Core, to: &PeerName, task: &Task) {
    let task_id = task.content.task_id;
    let outcome = match task.state {
        TaskState::Refused(code) => return refuse(core, to, task_id, code),
        TaskState::Sent | TaskState::Accepted => None,
        TaskState::Done => Some(TaskOutcome::Done),
        TaskState::Failed => Some(TaskOutcome::Failed),
    };
    tell(core, to.clone(), MessageKind::TaskAccept, TaskAccept { task_id }.to_object());
    if let (Some(outcome), Some(result)) = (outcome, task.result.clone()) {
        let end = TaskResult { task_id, outcome, result };
        tell(core, to.clone(), MessageKind::TaskResult, end.to_object());
    }
}

fn refuse(core: &mut Core, to: &PeerName, task_id: TaskId, code: TaskRefusal) {
    let reason = match code {
        TaskRefusal::CapabilityMissing => "this peer has not the capability",
        TaskRefusal::DuplicateWithOtherContent => "another task has this id",
        TaskRefusal::TooMany => "too many tasks are open",
    };
    let refusal = TaskRefuse { task_id, code, reason: reason.to_owned() };
    tell(core, to.clone(), MessageKind::TaskRefuse, refusal.to_object());
}

/// Sends a durable message of which nobody waits for the end: it is kept until the peer has it.
fn tell(core: &mut Core, to: PeerName, kind: MessageKind, body: Object) {
    let id = MessageId::from_random(core.entropy.bytes());
    let message = Send { class: Class::Durable(id), ..Send::new(to, kind, body) };
    core.tell(News::Send(Reason::Answer, message));
}

/// Says whether a peer's own report names the capability.
fn is_able(report: &Object, capability: &Capability) -> bool {
    let tasks = Fields::new(report).texts("tasks").unwrap_or_default();
    tasks.iter().any(|able| able == capability.as_str())
}

fn view(place: &Place, task: &Task) -> TaskView {
    TaskView {
        id: place.id,
        peer: place.peer.clone(),
        direction: place.direction,
        state: task.state,
        content: task.content.clone(),
        result: task.result.clone(),
    }
}

#[cfg(test)]
mod tests;
