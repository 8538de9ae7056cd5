//! The asking side's bookkeeping.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use crate::codec::{self, CodecError};
use crate::message::{Message, RequestId, RpcError};

/// Most requests that may be open at one peer.
pub const PENDING_MAX: usize = 4_096;

/// Most ids of withdrawn requests that are remembered, so that their late answers are no violation.
pub const WITHDRAWN_MAX: usize = 4_096;

/// Speaks the contract with one peer.
///
/// Pure: `now` is the time since any fixed moment and never falls. After every input
/// [`Client::poll_output`] is to be drained.
#[derive(Debug, Default)]
pub struct Client {
    last_id: u64,
    last_event: u64,
    pending: BTreeMap<u64, Pending>,
    deadlines: BTreeSet<(Duration, u64)>,
    withdrawn: VecDeque<u64>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Pending {
    method: String,
    deadline: Duration,
}

/// What follows from an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Write these bytes to the peer's stdin.
    Write(Vec<u8>),
    /// A request was answered.
    Answered {
        /// Which.
        id: u64,
        /// Its method.
        method: String,
        /// The answer.
        outcome: Result<Value, RpcError>,
    },
    /// A request was not answered in time and is withdrawn.
    TimedOut {
        /// Which.
        id: u64,
        /// Its method.
        method: String,
    },
    /// The peer sent a notification.
    Event {
        /// Its counter.
        n: u64,
        /// Which.
        event: String,
        /// Its parameters, without the counter.
        params: Value,
    },
    /// The peer broke the contract. The stream stays usable; whether the run does, the caller decides.
    Violation(Violation),
}

/// How a peer broke the contract.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A line is no message.
    #[error(transparent)]
    Line(#[from] CodecError),
    /// An answer to a request that was not asked, or was answered before.
    #[error("the peer answered request {id}, which is not open")]
    UnknownId {
        /// The id it names.
        id: String,
    },
    /// A request by the peer; the contract lets only handfast ask.
    #[error("the peer sent a request ({method}); only notifications may come from a peer")]
    Request {
        /// The method.
        method: String,
    },
    /// The counter of events left something out or went back.
    #[error(
        "event {event} has n = {found}, expected {expected}: events are counted from 1 without a gap"
    )]
    EventCounter {
        /// The event.
        event: String,
        /// The next number.
        expected: u64,
        /// What it carries; `null` for nothing.
        found: String,
    },
}

/// Why a request could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// [`PENDING_MAX`] requests are open.
    #[error("{PENDING_MAX} requests are open at this peer")]
    TooMany,
    /// The request does not fit in a line.
    #[error(transparent)]
    Line(#[from] CodecError),
}

impl Client {
    /// A client of a peer that has been asked nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for something; the answer comes as [`Output::Answered`] or [`Output::TimedOut`] with the
    /// id that is returned.
    ///
    /// # Errors
    ///
    /// [`RequestError`]; nothing was asked.
    pub fn request(
        &mut self,
        method: &str,
        params: Value,
        within: Duration,
        now: Duration,
    ) -> Result<u64, RequestError> {
        if self.pending.len() >= PENDING_MAX {
            return Err(RequestError::TooMany);
        }
        let id = self.last_id + 1;
        let request =
            Message::Request { id: RequestId::Number(id), method: method.to_owned(), params };
        let line = codec::encode(&request)?;
        let deadline = now.saturating_add(within);
        self.last_id = id;
        self.pending.insert(id, Pending { method: method.to_owned(), deadline });
        self.deadlines.insert((deadline, id));
        self.outputs.push_back(Output::Write(line));
        Ok(id)
    }

    /// Withdraws a request: the peer is told, a late answer is ignored.
    pub fn cancel(&mut self, id: u64) {
        if self.forget(id).is_some() {
            self.withdraw(id);
        }
    }

    /// Takes a line of the peer's stdout.
    pub fn handle_line(&mut self, line: &[u8]) {
        match codec::decode(line) {
            Err(error) => self.violation(Violation::Line(error)),
            Ok(Message::Request { method, .. }) => self.violation(Violation::Request { method }),
            Ok(Message::Notification { method, params }) => self.on_event(method, params),
            Ok(Message::Response { id, outcome }) => self.on_response(id, outcome),
        }
    }

    /// Times out what is due at `now`. Calling early is harmless.
    pub fn handle_deadline(&mut self, now: Duration) {
        while let Some(&(deadline, id)) = self.deadlines.first() {
            if deadline > now {
                return;
            }
            if let Some(pending) = self.forget(id) {
                self.withdraw(id);
                self.outputs.push_back(Output::TimedOut { id, method: pending.method });
            }
        }
    }

    /// When [`Client::handle_deadline`] has something to do.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// The next thing that follows, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The ids of the open requests.
    pub fn pending(&self) -> impl Iterator<Item = u64> + '_ {
        self.pending.keys().copied()
    }

    fn on_event(&mut self, event: String, mut params: Value) {
        let counter = params.as_object_mut().and_then(|fields| fields.remove("n"));
        let expected = self.last_event + 1;
        if let Some(n) = counter.as_ref().and_then(Value::as_u64) {
            if n != expected {
                let (event, found) = (event.clone(), n.to_string());
                self.violation(Violation::EventCounter { event, expected, found });
            }
            // One gap is one violation, not one for every event after it.
            self.last_event = n.max(self.last_event);
            self.outputs.push_back(Output::Event { n, event, params });
        } else {
            let found = counter.unwrap_or(Value::Null).to_string();
            self.violation(Violation::EventCounter { event, expected, found });
        }
    }

    fn on_response(&mut self, id: Option<RequestId>, outcome: Result<Value, RpcError>) {
        let number = match &id {
            Some(RequestId::Number(number)) => Some(*number),
            Some(RequestId::Text(_)) | None => None,
        };
        if let Some(pending) = number.and_then(|id| self.forget(id)) {
            let id = number.unwrap_or_default();
            self.outputs.push_back(Output::Answered { id, method: pending.method, outcome });
        } else if let Some(position) = self.withdrawn.iter().position(|id| Some(*id) == number) {
            self.withdrawn.remove(position);
        } else {
            let id = id.map_or_else(|| "null".to_owned(), |id| id.to_string());
            self.violation(Violation::UnknownId { id });
        }
    }

    fn forget(&mut self, id: u64) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.deadlines.remove(&(pending.deadline, id));
        Some(pending)
    }

    fn withdraw(&mut self, id: u64) {
        if self.withdrawn.len() == WITHDRAWN_MAX {
            self.withdrawn.pop_front();
        }
        self.withdrawn.push_back(id);
        let cancel =
            Message::Notification { method: "$/cancel".to_owned(), params: json!({"id": id}) };
        // A `$/cancel` is a few bytes long: it always fits in a line.
        if let Ok(line) = codec::encode(&cancel) {
            self.outputs.push_back(Output::Write(line));
        }
    }

    fn violation(&mut self, violation: Violation) {
        self.outputs.push_back(Output::Violation(violation));
    }
}

#[cfg(test)]
mod tests;
