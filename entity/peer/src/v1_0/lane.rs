//! The order in which messages of one session are sent: one at a time.

use std::collections::VecDeque;

use crate::command::{CommandId, Send};
use crate::core::Reason;

/// One message is under way, the others wait.
///
/// On two connections a later message could overtake an earlier one, whose number would then be refused
/// (`docs/protocol/1.0.md#sessions-and-sequence`). A message that waits has no number, time or nonce yet.
#[derive(Debug, Default)]
pub(super) struct Lane {
    is_taken: bool,
    waiting: VecDeque<(Reason, Send)>,
}

/// As many messages wait as may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LaneIsFull;

impl Lane {
    /// Takes a message, and gives it back where the lane is free, which it is not from then on.
    pub(super) fn enter(
        &mut self,
        reason: Reason,
        message: Send,
        waiting_max: usize,
    ) -> Result<Option<(Reason, Send)>, LaneIsFull> {
        if !self.is_taken {
            self.is_taken = true;
            return Ok(Some((reason, message)));
        }
        if self.waiting.len() >= waiting_max {
            return Err(LaneIsFull);
        }
        self.waiting.push_back((reason, message));
        Ok(None)
    }

    /// Ends what is under way and returns the message that takes its place. Without one the lane is free.
    pub(super) fn leave(&mut self) -> Option<(Reason, Send)> {
        let next = self.waiting.pop_front();
        self.is_taken = next.is_some();
        next
    }

    /// Takes out the message that a command waits for; says whether there was one.
    pub(super) fn withdraw(&mut self, command: CommandId) -> bool {
        let count = self.waiting.len();
        self.waiting.retain(|(reason, _)| reason.command() != Some(command));
        self.waiting.len() < count
    }
}

#[cfg(test)]
mod tests {
    use entity_wire::json::Object;
    use entity_wire::kind::MessageKind;

    use super::*;

    fn enter(lane: &mut Lane, id: u64) -> Result<Option<Reason>, LaneIsFull> {
        let message = Send::new("b".parse().unwrap(), MessageKind::Message, Object::new());
        let entered = lane.enter(Reason::Send(CommandId(id)), message, 2)?;
        Ok(entered.map(|(reason, _)| reason))
    }

    fn leave(lane: &mut Lane) -> Option<Reason> {
        lane.leave().map(|(reason, _)| reason)
    }

    #[test]
    fn messages_follow_each_other_in_order() {
        let mut lane = Lane::default();
        let reason = |id| Some(Reason::Send(CommandId(id)));
        assert_eq!(enter(&mut lane, 1), Ok(reason(1)));
        assert_eq!(enter(&mut lane, 2), Ok(None));
        assert_eq!(enter(&mut lane, 3), Ok(None));
        assert_eq!(enter(&mut lane, 4), Err(LaneIsFull));
        assert_eq!([leave(&mut lane), leave(&mut lane)], [reason(2), reason(3)]);
        assert_eq!(enter(&mut lane, 5), Ok(None));
        assert_eq!([leave(&mut lane), leave(&mut lane)], [reason(5), None]);
        assert_eq!(enter(&mut lane, 6), Ok(reason(6)));
    }

    #[test]
    fn a_waiting_message_can_be_withdrawn() {
        let mut lane = Lane::default();
        assert!(enter(&mut lane, 1).is_ok());
        assert!(enter(&mut lane, 2).is_ok());
        assert!(!lane.withdraw(CommandId(1)), "it is under way");
        assert!(lane.withdraw(CommandId(2)));
        assert_eq!(leave(&mut lane), None);
    }
}
