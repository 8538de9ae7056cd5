//! What can go wrong with a peer, sorted by blame.

use std::io;
use std::time::Duration;

use serde_json::Value;
use thiserror::Error;

use crate::exit::Exit;

/// A peer broke the contract; from here on nothing is read from it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerFault {
    /// A line on stdout is longer than the contract allows.
    #[error("a line on its stdout is longer than {max_bytes} bytes")]
    LineTooLong {
        /// The contract's limit.
        max_bytes: usize,
    },
    /// A line on stdout is not a message of the contract.
    #[error("its stdout is not the contract: {reason}: {line:?}")]
    NotContract {
        /// What is wrong with the line.
        reason: String,
        /// The beginning of the line.
        line: String,
    },
    /// It sent more notifications than a unit may record.
    #[error("it sent more than {max} notifications")]
    EventFlood {
        /// The limit.
        max: u64,
    },
}

/// Why a call to a peer gave no result.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CallError {
    /// The peer refused.
    #[error("it refused: {message}")]
    Refused {
        /// The JSON-RPC code.
        rpc_code: i64,
        /// The JSON-RPC message.
        message: String,
        /// The JSON-RPC data; `data.code` is the protocol's code.
        data: Option<Value>,
    },
    /// The peer does not know the method (-32601).
    #[error("it does not support {method}")]
    Unsupported {
        /// The method.
        method: String,
    },
    /// No answer came in time; the call was withdrawn with `$/cancel`.
    #[error("it did not answer {method} within {within:?}")]
    TimedOut {
        /// The method.
        method: String,
        /// The deadline.
        within: Duration,
    },
    /// The peer's process ended, or it closed its stdin or stdout, before it answered.
    #[error("it went away before it answered")]
    Gone {
        /// How its process ended, if it did.
        exit: Option<Exit>,
    },
    /// The peer broke the contract before it answered.
    #[error("it broke the contract")]
    Fault(#[source] PeerFault),
    /// Too many calls are open.
    #[error("{max} calls to it are open already")]
    TooManyOpen {
        /// The limit.
        max: usize,
    },
    /// The request does not fit the contract's line.
    #[error("the request is longer than a line of the contract")]
    RequestTooLong,
}

/// Why a peer could not be started.
#[derive(Debug, Error)]
pub enum StartError {
    /// The scenario names a role the unit does not have.
    #[error("the unit has no role {role:?}")]
    NoSuchRole {
        /// The name.
        role: String,
    },
    /// The role's peer runs already.
    #[error("role {role:?} runs already")]
    RunsAlready {
        /// The role.
        role: String,
    },
    /// The program could not be executed.
    #[error("the program {program:?} could not be started: {reason}")]
    Spawn {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// `initialize` was not answered, or refused.
    #[error("initialize failed")]
    Initialize(#[source] CallError),
    /// The answer to `initialize` is not what the contract asks for.
    #[error("the answer to initialize is not the contract's: {reason}")]
    BadHello {
        /// What is wrong.
        reason: String,
    },
    /// The platform or the machine failed; the peer is not to blame.
    #[error("the lab failed")]
    Lab(#[source] io::Error),
}
