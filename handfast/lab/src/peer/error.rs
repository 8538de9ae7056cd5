//! What can go wrong with a peer, sorted by blame.

use std::io;
use std::time::Duration;

use handfast_contract::client::{RequestError, Violation};
use handfast_contract::initialized::InitializeError;
use handfast_contract::message::RpcError;
use thiserror::Error;

use crate::exit::Exit;

/// A peer broke the contract; from here on nothing is read from it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerFault {
    /// Something on its stdout is not the contract.
    #[error(transparent)]
    Contract(#[from] Violation),
    /// It sent more notifications than a unit takes from one peer.
    #[error("it sent more than {events_max} notifications or {bytes_max} bytes of them")]
    EventFlood {
        /// The limit of their number.
        events_max: u64,
        /// The limit of their size.
        bytes_max: usize,
    },
}

/// Why a call to a peer gave no result.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum CallError {
    /// The peer refused.
    #[error("it refused: {0}")]
    Refused(RpcError),
    /// The peer does not know the method (-32601).
    #[error("it does not support {method}")]
    Unsupported {
        /// The method.
        method: String,
    },
    /// The peer names the method in its answer to `initialize`, and then does not know it: its own mistake, and no lack.
    #[error("its initialize names {method}, and then it answers that there is no such method")]
    Denied {
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
    /// The peer's process ended before it answered.
    #[error("it went away before it answered{}", .exit.map(|exit| format!(" ({exit})")).unwrap_or_default())]
    Gone {
        /// How its process ended, if the reaper could say.
        exit: Option<Exit>,
    },
    /// The peer broke the contract before it answered.
    #[error("it broke the contract")]
    Fault(#[source] PeerFault),
    /// The peer does not read its stdin: the requests that wait for it have reached the limit.
    #[error("it does not read its stdin; {max_bytes} bytes wait for it")]
    NotReading {
        /// The limit.
        max_bytes: usize,
    },
    /// Too many calls are open, or the request does not fit into a line: the scenario is to blame.
    #[error("the request could not be made")]
    Request(#[source] RequestError),
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
    /// The role's peer runs already, or is being started.
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
    #[error("the answer to initialize is not the contract's")]
    BadAnswer(#[source] InitializeError),
    /// The peer says it listens where the tap cannot go on to: not at `http://IP:PORT` or `https://IP:PORT`, or at the tap itself.
    #[error("it says it listens at {address:?}, {problem}")]
    Address {
        /// The address it gave.
        address: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The platform or the machine failed; the peer is not to blame.
    #[error("the lab failed")]
    Lab(#[source] io::Error),
}
