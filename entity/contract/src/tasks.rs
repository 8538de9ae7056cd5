//! `task.*` and `capability.set`: tasks as the contract shows them.

use entity_peer::command::{Command, Complete, Delegate};
use entity_peer::view::{TaskState, TaskView};
use entity_peer::{Peer, PeerName};
use entity_wire::json::Object;
use entity_wire::payload::task::{Capability, Reward, TaskOutcome};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::RpcError;
use crate::methods::{Outcome, body_object, parameter, result};
use crate::shapes::raw_object;

/// Most tasks in one answer of `task.list`.
pub(crate) const TASKS_ANSWER_MAX: usize = 1000;

/// Bytes of inputs and results in one answer of `task.list`, so that it fits a line of the contract.
const TASKS_ANSWER_BYTES_MAX: usize = 512 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskDelegateParams {
    to: String,
    id: Option<String>,
    description: String,
    capability: Option<String>,
    input: Option<Box<RawValue>>,
    reward: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskCompleteParams {
    id: String,
    from: Option<String>,
    result: Box<RawValue>,
    #[serde(default)]
    failed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TaskListParams {
    id: Option<String>,
    #[serde(default)]
    after: usize,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CapabilitySetParams {
    capabilities: Vec<String>,
}

/// One task in `task.list`, and the events `task.*`.
#[derive(Debug, Serialize)]
pub(crate) struct TaskShape {
    id: String,
    peer: String,
    direction: &'static str,
    state: &'static str,
    description: String,
    capability: Option<String>,
    input: Option<Box<RawValue>>,
    reward: Option<String>,
    code: Option<&'static str>,
    result: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Listed {
    tasks: Vec<TaskShape>,
    next: usize,
}

impl TaskDelegateParams {
    pub(crate) fn command(self) -> Result<Command, RpcError> {
        Ok(Command::Delegate(Delegate {
            to: parameter("to", &self.to)?,
            task_id: self.id.as_deref().map(|id| parameter("id", id)).transpose()?,
            description: self.description,
            capability: self.capability.as_deref().map(capability).transpose()?,
            input: self.input.as_deref().map(body_object).transpose()?,
            reward: self.reward.as_deref().map(reward).transpose()?,
        }))
    }
}

impl TaskCompleteParams {
    pub(crate) fn command(self) -> Result<Command, RpcError> {
        let from = self.from.as_deref();
        Ok(Command::CompleteTask(Complete {
            task_id: parameter("id", &self.id)?,
            from: from.map(|from| parameter::<PeerName>("from", from)).transpose()?,
            outcome: if self.failed { TaskOutcome::Failed } else { TaskOutcome::Done },
            result: body_object(&self.result)?,
        }))
    }
}

impl CapabilitySetParams {
    pub(crate) fn command(self) -> Result<Command, RpcError> {
        let able = self.capabilities.iter().map(|text| capability(text));
        Ok(Command::SetCapabilities { able: able.collect::<Result<_, _>>()? })
    }
}

impl TaskListParams {
    pub(crate) fn show(&self, peer: &Peer) -> Outcome {
        let limit = self.limit.unwrap_or(TASKS_ANSWER_MAX).min(TASKS_ANSWER_MAX);
        let mut tasks: Vec<TaskShape> = Vec::new();
        let mut bytes = 0;
        let wanted = peer
            .tasks()
            .filter(|task| self.id.as_ref().is_none_or(|id| *id == task.id.to_string()));
        for task in wanted.skip(self.after).take(limit) {
            let shape = TaskShape::from(&task);
            bytes += shape.len();
            // One task always fits: what it holds is bounded far below this.
            if bytes > TASKS_ANSWER_BYTES_MAX && !tasks.is_empty() {
                break;
            }
            tasks.push(shape);
        }
        let next = self.after + tasks.len();
        result(&Listed { tasks, next })
    }
}

impl TaskShape {
    /// About how long its line is.
    fn len(&self) -> usize {
        let raw = |value: &Option<Box<RawValue>>| value.as_ref().map_or(0, |raw| raw.get().len());
        // A character of the description takes six bytes at most.
        raw(&self.input) + raw(&self.result) + 6 * self.description.len() + 512
    }
}

impl From<&TaskView> for TaskShape {
    fn from(view: &TaskView) -> Self {
        let content = &view.content;
        let raw = |object: &Option<Object>| object.as_ref().map(raw_object);
        Self {
            id: view.id.to_string(),
            peer: view.peer.to_string(),
            direction: view.direction.as_str(),
            state: view.state.as_str(),
            description: content.description.clone(),
            capability: content.capability.as_ref().map(|able| able.as_str().to_owned()),
            input: raw(&content.input),
            reward: content.reward.as_ref().map(|reward| reward.as_str().to_owned()),
            code: match view.state {
                TaskState::Refused(code) => Some(code.as_str()),
                TaskState::Sent | TaskState::Accepted | TaskState::Done | TaskState::Failed => None,
            },
            result: raw(&view.result),
        }
    }
}

fn capability(text: &str) -> Result<Capability, RpcError> {
    Capability::new(text).ok_or_else(|| RpcError::params("capability: not 1 to 128 bytes"))
}

fn reward(text: &str) -> Result<Reward, RpcError> {
    Reward::new(text).ok_or_else(|| RpcError::params("reward: not a positive amount in digits"))
}
