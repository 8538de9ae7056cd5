//! Tasks: each that was taken in is received once, ended once, and its end is known to who delegated it.

use std::collections::BTreeMap;

use entity_peer::command::{Complete, Delegate};
use entity_peer::view::{Direction, TaskState, TaskView};
use entity_peer::{Command, CommandId, Peer, PeerEvent, PeerName};
use entity_wire::id::TaskId;
use entity_wire::json::Object;
use entity_wire::payload::task::TaskOutcome;

use super::Request;
use crate::history::{Happened, What};
use crate::machine::Machine;
use crate::plan::number_of;
use crate::world::Broken;

/// What was delegated, and what was told of it.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    given: BTreeMap<TaskId, Given>,
    by_command: BTreeMap<CommandId, TaskId>,
    /// How often a machine told an event of a task.
    told: BTreeMap<(usize, TaskId, &'static str), u64>,
}

#[derive(Debug)]
struct Given {
    from: usize,
    to: usize,
    is_taken: bool,
}

impl Tasks {
    /// The command that delegates the task `mark`.
    pub(super) fn command(to: &Machine, mark: u64) -> Command {
        Command::Delegate(Delegate {
            to: PeerName::from(&to.config.id),
            task_id: Some(id_of(mark)),
            description: format!("task {mark}"),
            capability: None,
            input: None,
            reward: None,
        })
    }

    /// The command that ends a task.
    pub(super) fn complete(from: &Machine, id: TaskId) -> Command {
        Command::CompleteTask(Complete {
            task_id: id,
            from: Some(PeerName::from(&from.config.id)),
            outcome: TaskOutcome::Done,
            result: Object::new().with("of", id.to_string()),
        })
    }

    /// Who hears of a task ends it.
    pub(super) fn reaction(happened: &Happened) -> Option<Request> {
        match &happened.what {
            What::Event(PeerEvent::TaskReceived(task)) => completion(task),
            What::Event(_) | What::Done(..) | What::Asked(_) | What::Started | What::Crashed => {
                None
            }
        }
    }

    /// Who was started again ends what it had accepted.
    pub(super) fn left_to_do(machine: &Machine) -> Vec<Request> {
        let tasks = machine.peer().into_iter().flat_map(Peer::tasks);
        tasks
            .filter(|task| {
                task.direction == Direction::Received && task.state == TaskState::Accepted
            })
            .filter_map(|task| completion(&task))
            .collect()
    }

    pub(super) fn given(&mut self, id: CommandId, mark: u64, (from, to): (usize, usize)) {
        self.given.insert(id_of(mark), Given { from, to, is_taken: false });
        self.by_command.insert(id, id_of(mark));
    }

    pub(super) fn happens(&mut self, happened: &Happened) -> Result<(), Broken> {
        let at = happened.machine;
        match &happened.what {
            What::Done(id, result) if result.is_ok() => {
                let task = self.by_command.get(id).and_then(|task| self.given.get_mut(task));
                if let Some(task) = task {
                    task.is_taken = true;
                }
                Ok(())
            }
            What::Event(PeerEvent::TaskReceived(task)) => self.told(at, task, "received"),
            What::Event(PeerEvent::TaskAccepted(task)) => self.told(at, task, "accepted"),
            What::Event(PeerEvent::TaskRefused(task) | PeerEvent::TaskDone(task)) => {
                self.told(at, task, "ended")
            }
            What::Event(_) | What::Done(..) | What::Asked(_) | What::Started | What::Crashed => {
                Ok(())
            }
        }
    }

    /// In the end both sides show each task as done.
    pub(super) fn judge(&self, machines: &[Machine]) -> Result<(), Broken> {
        for (id, given) in self.given.iter().filter(|(_, given)| given.is_taken) {
            let sides = [(given.from, Direction::Delegated), (given.to, Direction::Received)];
            for (at, direction) in sides {
                let tasks = machines[at].peer().into_iter().flat_map(Peer::tasks);
                let states: Vec<_> = tasks
                    .filter(|task| task.id == *id && task.direction == direction)
                    .map(|task| task.state)
                    .collect();
                if states != [TaskState::Done] {
                    return Err(format!("task {id} is {states:?} at machine {at} in the end"));
                }
            }
        }
        Ok(())
    }

    fn told(&mut self, at: usize, task: &TaskView, what: &'static str) -> Result<(), Broken> {
        let given = self.given.get(&task.id).ok_or(format!("nobody delegated {}", task.id))?;
        let expected = if what == "received" { given.to } else { given.from };
        let times = self.told.entry((at, task.id, what)).or_default();
        *times += 1;
        if at != expected || *times > 1 {
            return Err(format!("machine {at} told {times} times that task {} is {what}", task.id));
        }
        Ok(())
    }
}

fn completion(task: &TaskView) -> Option<Request> {
    let from = number_of(task.peer.as_str())?;
    Some(Request::Complete { id: task.id, from })
}

fn id_of(mark: u64) -> TaskId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&mark.to_be_bytes());
    bytes[..8].copy_from_slice(&mark.to_be_bytes());
    TaskId::from_random(bytes)
}
