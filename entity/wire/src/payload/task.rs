//! Tasks of 1.1: `task_delegate`, `task_accept`, `task_refuse`, `task_result`.
//!
//! 1.0 has `task_delegate` alone, with a payload of any form and no answer.
//!
//! Source: `docs/protocol/1.1.md#tasks`.

use crate::canonical;
use crate::id::TaskId;
use crate::json::{FieldError, Fields, Object, Problem};
use crate::limits::{
    LIST_ENTRY_LEN_MAX, TASK_DATA_LEN_MAX, TASK_DESCRIPTION_LEN_MAX, TASK_REWARD_LEN_MAX,
    TEXT_LEN_MAX,
};

/// `task_delegate`: `{"task_id", "description", "capability"?, "input"?, "reward"?}`.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDelegate {
    /// Which task; who delegates chooses it.
    pub task_id: TaskId,
    /// What it is; at most [`TASK_DESCRIPTION_LEN_MAX`] bytes.
    pub description: String,
    /// What a peer must be able to do to take it; any peer may where there is none.
    pub capability: Option<Capability>,
    /// The data of the task; at most [`TASK_DATA_LEN_MAX`] canonical bytes.
    pub input: Option<Object>,
    /// What is promised for it.
    pub reward: Option<Reward>,
}

/// What a peer says it is able to do: 1 to [`LIST_ENTRY_LEN_MAX`] bytes of text, compared exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Capability(String);

/// A promise: a positive amount as decimal digits without leading zeros, at most [`TASK_REWARD_LEN_MAX`] of them. Nothing is paid by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reward(String);

/// `task_accept`: `{"task_id"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskAccept {
    /// Which task will be done.
    pub task_id: TaskId,
}

/// `task_refuse`: `{"task_id", "code", "reason"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRefuse {
    /// Which task will not be done.
    pub task_id: TaskId,
    /// Why, for programs.
    pub code: TaskRefusal,
    /// Why, for people; at most [`TEXT_LEN_MAX`] bytes.
    pub reason: String,
}

/// Why a task is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskRefusal {
    /// It wants a capability that the refusing peer has not.
    CapabilityMissing,
    /// The peer was given another task under this id before.
    DuplicateWithOtherContent,
    /// The peer has as many open tasks as it takes.
    TooMany,
}

/// `task_result`: `{"task_id", "state", "result"}`.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskResult {
    /// Which task is over.
    pub task_id: TaskId,
    /// `state`: `"done"` or `"failed"`.
    pub outcome: TaskOutcome,
    /// What came of it; at most [`TASK_DATA_LEN_MAX`] canonical bytes.
    pub result: Object,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskOutcome {
    /// It was done.
    Done,
    /// It was tried, and could not be done.
    Failed,
}

impl Capability {
    /// Takes a text; `None` where it is empty or too long.
    pub fn new(text: &str) -> Option<Self> {
        (1..=LIST_ENTRY_LEN_MAX).contains(&text.len()).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Reward {
    /// Takes a text; `None` where it is no amount.
    pub fn new(text: &str) -> Option<Self> {
        let is_amount = (1..=TASK_REWARD_LEN_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && !text.starts_with('0');
        is_amount.then(|| Self(text.to_owned()))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TaskRefusal {
    /// All of them.
    pub const ALL: [Self; 3] =
        [Self::CapabilityMissing, Self::DuplicateWithOtherContent, Self::TooMany];

    /// The code on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CapabilityMissing => "CAPABILITY_MISSING",
            Self::DuplicateWithOtherContent => "DUPLICATE_WITH_OTHER_CONTENT",
            Self::TooMany => "TOO_MANY_TASKS",
        }
    }

    /// Reads a code.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }
}

impl TaskOutcome {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Reads the word.
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Done, Self::Failed].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl TaskDelegate {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// `task_id` or `description` is absent, or a field is not of its shape.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        let input = fields.optional("input").map(|_| data(fields, "input")).transpose()?;
        Ok(Self {
            task_id: task_id(fields)?,
            description: fields.short_text("description", TASK_DESCRIPTION_LEN_MAX)?.to_owned(),
            capability: fields.read_optional("capability", "a capability", Capability::new)?,
            input,
            reward: fields.read_optional("reward", "an amount", Reward::new)?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        let mut object = Object::new()
            .with("task_id", self.task_id.to_string())
            .with("description", self.description.as_str());
        if let Some(capability) = &self.capability {
            object.insert("capability", capability.as_str());
        }
        if let Some(input) = &self.input {
            object.insert("input", input.clone());
        }
        if let Some(reward) = &self.reward {
            object.insert("reward", reward.as_str());
        }
        object
    }
}

impl TaskAccept {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// `task_id` is absent or no id.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        Ok(Self { task_id: task_id(Fields::new(object))? })
    }

    /// Writes the payload.
    pub fn to_object(self) -> Object {
        Object::new().with("task_id", self.task_id.to_string())
    }
}

impl TaskRefuse {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent or not of its shape.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        Ok(Self {
            task_id: task_id(fields)?,
            code: fields.read("code", "a reason to refuse a task", TaskRefusal::from_text)?,
            reason: fields.short_text("reason", TEXT_LEN_MAX)?.to_owned(),
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("task_id", self.task_id.to_string())
            .with("code", self.code.as_str())
            .with("reason", self.reason.as_str())
    }
}

impl TaskResult {
    /// Reads the payload.
    ///
    /// # Errors
    ///
    /// A field is absent or not of its shape.
    pub fn from_object(object: &Object) -> Result<Self, FieldError> {
        let fields = Fields::new(object);
        Ok(Self {
            task_id: task_id(fields)?,
            outcome: fields.read("state", "done or failed", TaskOutcome::from_text)?,
            result: data(fields, "result")?,
        })
    }

    /// Writes the payload.
    pub fn to_object(&self) -> Object {
        Object::new()
            .with("task_id", self.task_id.to_string())
            .with("state", self.outcome.as_str())
            .with("result", self.result.clone())
    }
}

fn task_id(fields: Fields<'_>) -> Result<TaskId, FieldError> {
    fields.parsed("task_id", "a lower-case UUID of version 4")
}

fn data(fields: Fields<'_>, field: &'static str) -> Result<Object, FieldError> {
    let object = fields.object(field)?;
    if canonical::object_to_vec(object).len() > TASK_DATA_LEN_MAX {
        return Err(Problem::TooLong { max: TASK_DATA_LEN_MAX }.of(field));
    }
    Ok(object.clone())
}
