//! `task.*` and `capability.set`: tasks as the contract shows them.

use std::collections::BTreeMap;

use entity_peer::PeerName;
use entity_peer::command::{Command, CommandResult, Complete, Delegate};
use entity_peer::view::{TaskState, TaskView};
use entity_wire::json::Object;
use entity_wire::payload::task::{Capability, Reward, TaskOutcome};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::RpcError;
use super::methods::{Outcome, Service, body_object, empty, parameter, result, unexpected};
use super::shapes::raw_object;

/// Most tasks in one answer of `task.list`.
pub(super) const TASKS_ANSWER_MAX: usize = 1000;

/// Bytes of inputs and results in one answer of `task.list`, so that it fits a line of the contract.
const TASKS_ANSWER_BYTES_MAX: usize = 512 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskDelegateParams {
    to: String,
    id: Option<String>,
    description: String,
    capability: Option<String>,
    input: Option<Box<RawValue>>,
    reward: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskCompleteParams {
    id: String,
    from: Option<String>,
    result: Box<RawValue>,
    #[serde(default)]
    failed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskListParams {
    id: Option<String>,
    #[serde(default)]
    after: usize,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapabilitySetParams {
    capabilities: Vec<String>,
}

/// One task in `task.list`, and the events `task.*`.
#[derive(Debug, Serialize)]
pub(super) struct TaskShape {
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

impl Service {
    pub(super) async fn task_delegate(&self, params: TaskDelegateParams) -> Outcome {
        let delegate = Delegate {
            to: parameter("to", &params.to)?,
            task_id: params.id.as_deref().map(|id| parameter("id", id)).transpose()?,
            description: params.description,
            capability: params.capability.as_deref().map(capability).transpose()?,
            input: params.input.as_deref().map(body_object).transpose()?,
            reward: params.reward.as_deref().map(reward).transpose()?,
        };
        let done = self.node.command(Command::Delegate(delegate)).await?;
        let CommandResult::Task(id) = done else { return Err(unexpected(&done)) };
        result(&BTreeMap::from([("id", id.to_string())]))
    }

    pub(super) async fn task_complete(&self, params: TaskCompleteParams) -> Outcome {
        let from = params.from.as_deref();
        let complete = Complete {
            task_id: parameter("id", &params.id)?,
            from: from.map(|from| parameter::<PeerName>("from", from)).transpose()?,
            outcome: if params.failed { TaskOutcome::Failed } else { TaskOutcome::Done },
            result: body_object(&params.result)?,
        };
        self.node.command(Command::CompleteTask(complete)).await?;
        empty()
    }

    pub(super) async fn task_list(&self, params: TaskListParams) -> Outcome {
        // What is shown must not be taken back by a crash.
        self.node.settled().await?;
        let limit = params.limit.unwrap_or(TASKS_ANSWER_MAX).min(TASKS_ANSWER_MAX);
        let tasks = self.node.look(|peer, _| {
            let mut tasks: Vec<TaskShape> = Vec::new();
            let mut bytes = 0;
            let wanted = peer
                .tasks()
                .filter(|task| params.id.as_ref().is_none_or(|id| *id == task.id.to_string()));
            for task in wanted.skip(params.after).take(limit) {
                let shape = TaskShape::from(&task);
                bytes += shape.len();
                // One task always fits: what it holds is bounded far below this.
                if bytes > TASKS_ANSWER_BYTES_MAX && !tasks.is_empty() {
                    break;
                }
                tasks.push(shape);
            }
            tasks
        });
        let next = params.after + tasks.len();
        result(&Listed { tasks, next })
    }

    pub(super) async fn capability_set(&self, params: CapabilitySetParams) -> Outcome {
        let able = params.capabilities.iter().map(|text| capability(text));
        let able = able.collect::<Result<_, _>>()?;
        self.node.command(Command::SetCapabilities { able }).await?;
        empty()
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
