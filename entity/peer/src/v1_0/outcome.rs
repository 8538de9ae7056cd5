//! What becomes of the delivery of 1.0 messages.

use entity_wire::time::Timestamp;

use super::handshake::open_failed;
use super::{Purpose, State};
use crate::command::CommandError;
use crate::core::{Core, News, refusal};
use crate::name::PeerName;
use crate::outbox::Outcome;
use crate::view::Role;

impl State {
    /// Takes the outcome of something that was posted.
    pub(crate) fn settle(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        purpose: Purpose,
        (outcome, now): (Outcome, Timestamp),
    ) {
        let error = refusal(&outcome);
        let sessions = self.with(peer);
        match (purpose, error) {
            (Purpose::Handshake { session }, Some(error)) => {
                let opening = sessions.opening.take_if(|opening| opening.id() == session);
                if opening.is_some() {
                    core.tell(open_failed(peer, error));
                }
            }
            // If the acknowledgement cannot be delivered the responder forgets the session.
            (Purpose::Ack { session }, Some(error)) => {
                let responding = sessions.responding.take_if(|awaiting| awaiting.id() == session);
                if responding.is_some() {
                    core.tell(open_failed(peer, error));
                }
            }
            (Purpose::Confirm { session }, Some(error)) => {
                let is_it = |id: &str| id == session;
                let confirming =
                    sessions.confirming.take_if(|(confirming, _)| is_it(confirming.session.id()));
                if confirming.is_some() {
                    core.tell(open_failed(peer, error));
                }
            }
            (Purpose::Confirm { session }, None) => {
                let is_it = |id: &str| id == session;
                let confirming =
                    sessions.confirming.take_if(|(confirming, _)| is_it(confirming.session.id()));
                if let Some((confirming, key)) = confirming {
                    let session = confirming.on_confirmed();
                    self.establish(core, peer, (session, key, Role::Initiator), now);
                }
            }
            (Purpose::Handshake { .. } | Purpose::Ack { .. }, None) => {}
            (Purpose::Message { reason, receipt, holds_lane }, error) => {
                let is_unknown = error.as_ref().is_some_and(says_session_is_unknown);
                if is_unknown && sessions.doubt(&receipt.session.0) {
                    core.tell(News::Gone { peer: peer.clone() });
                }
                core.finish_send(reason, error.map_or(Ok(receipt), Err), now);
                if holds_lane {
                    self.leave_lane(core, peer, now);
                }
            }
        }
    }
}

/// Says whether an answer to a message means that the other side does not know its session (any more), or counts
/// otherwise: the number is not signed, so that whoever carries a message can raise it.
///
/// Source: docs/protocol/1.0.md#handshake-behaviour
fn says_session_is_unknown(error: &CommandError) -> bool {
    let texts = ["SESSION_EXPIRED", "SEQUENCE_ERROR", "E2E decryption error: DECRYPTION_FAILED"];
    matches!(error, CommandError::Refused { detail, .. } if texts.contains(&detail.as_str()))
}
