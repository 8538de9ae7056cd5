//! What goes in and out of the table.

use std::sync::Arc;

use entity_crypto::signing::PublicKey;
use entity_wire::payload::dht::{
    Contact, DhtMessage, Found, NodeId, Point, RecordKey, RequestId, StoreOutcome,
};
use thiserror::Error;

use crate::checked::{CheckedRecord, Forged, Judge};
use crate::node::Node;

/// What a node is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// Whether it is there.
    Ping,
    /// Who is nearest to a point.
    Find(Point),
    /// Which records there are of a key, of owners above one.
    Get(RecordKey, Option<PublicKey>),
    /// To store a record.
    Store(Arc<CheckedRecord>),
}

/// What it says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is there.
    Pong,
    /// What it has found.
    Found {
        /// The nearest contacts it knows.
        nodes: Vec<Arc<Node>>,
        /// Records, ascending by owner.
        records: Vec<Arc<CheckedRecord>>,
        /// Whether there are more.
        more: bool,
    },
    /// What became of the record.
    Stored(StoreOutcome),
}

/// A message, its records checked.
#[derive(Debug, Clone, PartialEq)]
pub enum Inbound {
    /// A question.
    Question(RequestId, Question),
    /// An answer.
    Answer(RequestId, Answer),
    /// The sender goes.
    Leave,
}

impl Inbound {
    /// Checks the records of a message. Costs a verification each, so it comes after the table has said that it wants the
    /// message, and is a step apart from it.
    ///
    /// # Errors
    ///
    /// A record is forged; the sender is to be named to [`crate::Dht::handle_forged`].
    pub fn check(message: DhtMessage, judge: &impl Judge) -> Result<Self, Forged> {
        let check = |record| CheckedRecord::check(record, judge);
        Ok(match message {
            DhtMessage::Ping { request } => Self::Question(request, Question::Ping),
            DhtMessage::Find { request, target } => Self::Question(request, Question::Find(target)),
            DhtMessage::Get { request, key, after } => {
                Self::Question(request, Question::Get(key, after))
            }
            DhtMessage::Store { request, record } => {
                Self::Question(request, Question::Store(check(*record)?))
            }
            DhtMessage::Pong { request } => Self::Answer(request, Answer::Pong),
            DhtMessage::Stored { request, outcome } => {
                Self::Answer(request, Answer::Stored(outcome))
            }
            DhtMessage::Found { request, found } => {
                let nodes = found.contacts.into_iter().map(Node::new).collect();
                let records = found.records.into_iter().map(check).collect::<Result<_, _>>()?;
                Self::Answer(request, Answer::Found { nodes, records, more: found.more })
            }
            DhtMessage::Leave => Self::Leave,
        })
    }
}

/// What a message answers; `None` for a question and for a farewell.
pub fn answered_by(message: &DhtMessage) -> Option<RequestId> {
    match message {
        DhtMessage::Pong { request }
        | DhtMessage::Found { request, .. }
        | DhtMessage::Stored { request, .. } => Some(*request),
        DhtMessage::Ping { .. }
        | DhtMessage::Find { .. }
        | DhtMessage::Get { .. }
        | DhtMessage::Store { .. }
        | DhtMessage::Leave => None,
    }
}

impl Question {
    /// The message that asks it.
    pub fn to_message(&self, request: RequestId) -> DhtMessage {
        match self {
            Self::Ping => DhtMessage::Ping { request },
            Self::Find(target) => DhtMessage::Find { request, target: *target },
            Self::Get(key, after) => DhtMessage::Get { request, key: *key, after: *after },
            Self::Store(record) => {
                DhtMessage::Store { request, record: Box::new(record.signed().clone()) }
            }
        }
    }
}

impl Answer {
    /// The message that says it.
    pub fn to_message(&self, request: RequestId) -> DhtMessage {
        match self {
            Self::Pong => DhtMessage::Pong { request },
            Self::Stored(outcome) => DhtMessage::Stored { request, outcome: *outcome },
            Self::Found { nodes, records, more } => {
                let contacts = nodes.iter().map(|node| Contact::clone(node.contact())).collect();
                let records = records.iter().map(|record| record.signed().clone()).collect();
                DhtMessage::Found { request, found: Found { contacts, records, more: *more } }
            }
        }
    }
}

/// Names something that was begun, within one life of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId(pub(crate) u64);

impl OperationId {
    /// Before every other.
    pub const LEAST: Self = Self(0);
}

/// What is to be carried out, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// To ask a node, after a session under its key: [`crate::Dht::handle_answer`] or [`crate::Dht::handle_unreachable`]
    /// follows, or nothing.
    Ask {
        /// Whom.
        to: Arc<Node>,
        /// What ties the answer to it.
        request: RequestId,
        /// What.
        question: Question,
    },
    /// To answer whoever asked.
    Answer {
        /// Who asked.
        to: Arc<Node>,
        /// What it asked.
        request: RequestId,
        /// What it is told.
        answer: Answer,
    },
    /// To tell a contact that this node goes.
    Leave {
        /// Whom.
        to: Arc<Node>,
    },
    /// Something for the program.
    Event(Event),
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A search for nodes is over.
    FoundNodes {
        /// Which.
        operation: OperationId,
        /// The nearest that answered, nearest first.
        nodes: Vec<Arc<Node>>,
        /// What it took.
        effort: Effort,
    },
    /// A search for records is over.
    FoundRecords {
        /// Which.
        operation: OperationId,
        /// Of each owner the record that won, ascending by owner.
        records: Vec<Arc<CheckedRecord>>,
        /// What it took.
        effort: Effort,
    },
    /// A record was published.
    Published {
        /// Which.
        operation: OperationId,
        /// How many nodes have it now.
        stored: usize,
        /// How many have not taken it.
        refused: usize,
    },
    /// The node has joined: somebody has answered.
    Joined {
        /// How many contacts it has.
        contacts: usize,
    },
    /// Nobody that the node knows has answered; it tries again by itself.
    Alone,
    /// A node has shown a record that is not its owner's, and is dropped.
    Misbehaved {
        /// Who.
        node: NodeId,
    },
    /// Everything was handed over; nothing is asked or answered any more.
    Left,
}

/// What a lookup took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// Nodes asked.
    pub questions: usize,
    /// Nodes that had to answer, one after the other, before the nearest was heard of.
    pub hops: u8,
}

/// What cannot be begun. It is our caller's fault, or a bound is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BeginError {
    /// So many lookups are under way already.
    #[error("all {max} lookups are under way")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
    /// The node has left, or is leaving.
    #[error("the node has left")]
    Left,
    /// A record that does not hold now cannot be published.
    #[error("the record does not hold now")]
    Expired,
}
