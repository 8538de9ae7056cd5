//! One peer: its process, its contract, its log.

mod error;

use std::time::Duration;

use serde_json::Value;

pub use error::{CallError, PeerFault, StartError};

use crate::exit::Exit;

/// Longest log line kept whole, in bytes.
pub const LOG_LINE_MAX: usize = 8 * 1024;

/// A started peer that answered `initialize`.
#[derive(Debug)]
pub struct Peer {}

impl Peer {
    /// Calls a method and waits for the answer, at most `within`.
    ///
    /// Dropping the future withdraws the call with `$/cancel`.
    ///
    /// # Errors
    ///
    /// [`CallError`]; after [`CallError::Fault`] and [`CallError::Gone`] every call fails alike.
    pub async fn call(
        &self,
        method: &str,
        params: Value,
        within: Duration,
    ) -> Result<Value, CallError> {
        todo!("{method} {params} {within:?}")
    }

    /// The role it plays.
    pub fn role(&self) -> &str {
        todo!()
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        todo!()
    }

    /// Its answer to `initialize`.
    pub fn hello(&self) -> &Hello {
        todo!()
    }

    /// From asking for the process to its answer to `initialize`, in microseconds.
    pub fn ready_us(&self) -> u64 {
        todo!()
    }

    /// What it wrote on stderr so far.
    pub fn log(&self) -> CapturedLog {
        todo!()
    }

    /// How its process ended, if it did.
    pub fn exit(&self) -> Option<Exit> {
        todo!()
    }

    /// Waits for the end of its process.
    pub async fn exited(&self) -> Exit {
        todo!()
    }

    /// How it broke the contract, if it did.
    pub fn fault(&self) -> Option<PeerFault> {
        todo!()
    }
}

/// A peer's answer to `initialize`, as far as every contract has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Hello {
    /// The peer's own name.
    pub name: String,
    /// The version of its program.
    pub version: String,
    /// The protocol versions it speaks.
    pub protocol_versions: Vec<String>,
    /// The methods it supports.
    pub methods: Vec<String>,
    /// The events it sends.
    pub events: Vec<String>,
    /// Where it listens, by transport; `http` is an address such as `http://127.0.0.1:4711`.
    pub addresses: std::collections::BTreeMap<String, String>,
    /// Its public keys by kind, as text.
    pub keys: std::collections::BTreeMap<String, String>,
}

/// The beginning and the end of what a peer wrote on stderr.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapturedLog {
    /// The first lines.
    pub head: Vec<LogLine>,
    /// Lines between head and tail that were thrown away.
    pub dropped_lines: u64,
    /// Their size, in bytes.
    pub dropped_bytes: u64,
    /// The last lines, none of which is in the head.
    pub tail: Vec<LogLine>,
}

/// A line on a peer's stderr.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When it was complete, in microseconds since the run started.
    pub at_us: u64,
    /// The line without its end, cut to [`LOG_LINE_MAX`] bytes; bytes that are not UTF-8 are
    /// replaced.
    pub text: String,
    /// Whether the line was longer.
    pub truncated: bool,
}
