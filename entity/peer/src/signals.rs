//! Small signals between peers: waking one, and telling it that something of its failed.
//!
//! - `wake_up` is answered with `wake_up_ack`, then with a `capability_query`: whoever wakes a peer wants something of it.
//! - `error` says what failed on the other side. The last ones are kept in memory for whoever asks. An error is never
//!   answered with an error, so that two peers cannot keep each other busy.
//!
//! Source: docs/protocol/1.0.md#wake-up, docs/protocol/1.0.md#error-notification

use std::collections::VecDeque;
use std::time::Duration;

use entity_wire::code::ErrorCode;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::limits::TEXT_LEN_MAX;
use entity_wire::payload::error::ErrorReport;
use entity_wire::payload::signal::WakeUp;
use entity_wire::time::Timestamp;

use crate::command::{CommandError, CommandId, CommandResult, Send};
use crate::core::{Core, News, Reason};
use crate::name::PeerName;
use crate::output::Received;
use crate::view::ErrorView;

/// How many errors that others told us of are kept; the oldest give way.
///
/// Source: docs/protocol/1.0.md#error-notification
pub(crate) const ERRORS_MAX: usize = 100;

/// How long a peer may take to say that it is awake. Guessed: as long as an attempt may take.
const WAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The signals that wait for an answer, and those that came.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    wakings: VecDeque<Waking>,
    errors: VecDeque<ErrorView>,
    last_error: u64,
}

#[derive(Debug)]
struct Waking {
    command: CommandId,
    peer: PeerName,
    deadline: Timestamp,
}

impl Signals {
    /// Wakes a peer; the command ends when it says that it is awake.
    pub(crate) fn wake(
        &mut self,
        core: &mut Core,
        command: CommandId,
        (peer, reason): (PeerName, String),
        now: Timestamp,
    ) {
        if reason.len() > TEXT_LEN_MAX {
            let error = CommandError::Malformed { reason: "its reason is too long" };
            return core.done(command, Err(error));
        }
        let body = WakeUp { reason, timestamp: core.wall(now) }.to_object();
        let deadline = now.plus(WAKE_TIMEOUT);
        self.wakings.push_back(Waking { command, peer: peer.clone(), deadline });
        let message = Send::new(peer, MessageKind::WakeUp, body);
        core.tell(News::Send(Reason::Wake(command), message));
    }

    /// Ends a waking that could not be sent.
    pub(crate) fn wake_failed(&mut self, core: &mut Core, command: CommandId, error: CommandError) {
        if self.forget(command) {
            core.done(command, Err(error));
        }
    }

    /// Takes back a waking; says whether there was one.
    pub(crate) fn forget(&mut self, command: CommandId) -> bool {
        let count = self.wakings.len();
        self.wakings.retain(|waking| waking.command != command);
        self.wakings.len() < count
    }

    /// Takes a `wake_up` or a `wake_up_ack`.
    pub(crate) fn handle_wake_up(&mut self, core: &mut Core, received: &Received, now: Timestamp) {
        let Ok(wake_up) = WakeUp::from_object(&received.body) else {
            return refuse(core, received, "no wake-up signal");
        };
        if received.kind == MessageKind::WakeUpAck {
            return self.awake(core, &received.from);
        }
        let answer = WakeUp { timestamp: core.wall(now), ..wake_up };
        let to = &received.from;
        let answer = Send::new(to.clone(), MessageKind::WakeUpAck, answer.to_ack_object());
        core.tell(News::Send(Reason::Answer, answer));
        let query = Send::new(to.clone(), MessageKind::CapabilityQuery, Object::new());
        core.tell(News::Send(Reason::Answer, query));
    }

    fn awake(&mut self, core: &mut Core, peer: &PeerName) {
        let (awake, waiting) =
            std::mem::take(&mut self.wakings).into_iter().partition(|waking| waking.peer == *peer);
        self.wakings = waiting;
        for waking in awake {
            core.done(waking.command, Ok(CommandResult::Done));
        }
    }

    /// Keeps what a peer says has failed. What cannot be read is not kept, and not answered either.
    pub(crate) fn handle_error(&mut self, received: &Received) {
        let Ok(report) = ErrorReport::from_object(&received.body) else { return };
        self.last_error += 1;
        self.errors.push_back(ErrorView {
            index: self.last_error,
            from: received.from.clone(),
            code: report.code,
            message: report.message,
            original: report.original_message_id,
            received_at: received.received_at,
        });
        if self.errors.len() > ERRORS_MAX {
            self.errors.pop_front();
        }
    }

    /// Returns the errors that others told us of, oldest first.
    pub(crate) fn errors(&self) -> impl Iterator<Item = &ErrorView> {
        self.errors.iter()
    }

    /// Ends what has waited too long.
    pub(crate) fn expire(&mut self, core: &mut Core, now: Timestamp) {
        // They wait in the order of their deadlines.
        while let Some(late) = self.wakings.pop_front_if(|waking| waking.deadline <= now) {
            let error = CommandError::TimedOut { what: "the acknowledgement" };
            core.done(late.command, Err(error));
        }
    }

    /// Returns when [`Signals::expire`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        self.wakings.front().map(|waking| waking.deadline)
    }
}

/// Tells the sender of a message that it means nothing; an error is never answered.
pub(crate) fn refuse(core: &mut Core, received: &Received, what_it_is: &str) {
    if received.kind == MessageKind::Error {
        return;
    }
    let report = ErrorReport {
        code: ErrorCode::InvalidMessage.as_str().to_owned(),
        message: what_it_is.to_owned(),
        original_message_id: Some(format!("{}/{}", received.session, received.sequence)),
    };
    let message = Send::new(received.from.clone(), MessageKind::Error, report.to_object());
    core.tell(News::Send(Reason::Answer, message));
}
