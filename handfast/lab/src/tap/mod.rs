//! The recording proxy between the peers of a unit.

mod exchange;

use handfast_faults::{Effect, HoldId, Link, Rule, RuleId, RuleReport, RulesFull};
use thiserror::Error;

pub use exchange::{Answer, Exchange, Fate};

/// What the tap must know of the protocol to tell messages from other requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapConfig {
    /// The path messages are posted to, such as `/message`.
    pub message_path: String,
    /// The field of the body that holds the message type, such as `msg_type`.
    pub kind_field: String,
    /// The field of the body that names the sender; tells who asks where more than two roles share
    /// an advertised address.
    pub sender_field: String,
}

impl Default for TapConfig {
    fn default() -> Self {
        Self {
            message_path: "/message".to_owned(),
            kind_field: "msg_type".to_owned(),
            sender_field: "sender_id".to_owned(),
        }
    }
}

/// The recording proxy of one unit.
#[derive(Debug)]
pub struct Tap {}

impl Tap {
    /// The address at which `from` reaches `to` through the tap, such as `http://127.0.0.1:4711`;
    /// `None` if the unit has no such roles.
    pub fn address(&self, link: &Link) -> Option<String> {
        todo!("{link}")
    }

    /// The address `to` announces to the other roles; `None` if the unit has no such role.
    pub fn advertised(&self, to: &str) -> Option<String> {
        todo!("{to}")
    }

    /// Lays a rule over those in force.
    ///
    /// # Errors
    ///
    /// [`RulesFull`] if the unit has laid too many.
    pub fn lay(&self, rule: Rule) -> Result<RuleId, RulesFull> {
        todo!("{rule:?}")
    }

    /// Takes a rule out of force.
    pub fn lift(&self, id: RuleId) {
        todo!("{id:?}")
    }

    /// Takes every rule out of force.
    pub fn lift_all(&self) {
        todo!()
    }

    /// Passes a held message on; `false` if it is not held.
    pub fn release(&self, id: HoldId) -> bool {
        todo!("{id:?}")
    }

    /// Passes every held message on, oldest first, and says how many there were.
    pub fn release_all(&self) -> usize {
        todo!()
    }

    /// The messages held at this moment, oldest first.
    pub fn held(&self) -> Vec<(HoldId, Effect)> {
        todo!()
    }

    /// Sends the recorded message `index` of `link` again and gives its answer.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if it was never recorded or the receiver gives no answer.
    pub async fn replay(&self, link: &Link, index: u64) -> Result<Answer, ReplayError> {
        todo!("{link} {index}")
    }

    /// Messages recorded on `link` so far; the last one has this index.
    pub fn recorded(&self, link: &Link) -> u64 {
        todo!("{link}")
    }

    /// What was asked of each rule and what happened.
    pub fn reports(&self) -> Vec<RuleReport> {
        todo!()
    }

    /// The rules that never took effect.
    pub fn without_effect(&self) -> Vec<RuleReport> {
        todo!()
    }
}

/// Why a recorded message could not be sent again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// No message of the link has this index.
    #[error("message {index} of {link} was not recorded")]
    NotRecorded {
        /// The link.
        link: Link,
        /// The index.
        index: u64,
    },
    /// The receiver gave no answer.
    #[error("no answer to message {index} of {link}: {reason}")]
    NoAnswer {
        /// The link.
        link: Link,
        /// The index.
        index: u64,
        /// What happened.
        reason: String,
    },
}
