//! Compact frames: which sessions send them, and the three stages of one that is received
//! (`docs/protocol/1.1.md#compact-frames`).
//!
//! | stage | steps |
//! |---|---|
//! | decode (in `wire`) | 1, 2: size, header |
//! | [`State::claimed`] | none; only whose it claims to be |
//! | [`State::handle_frame`] | 3 to 10: all the rest, in [`entity_session::v1_1::sessions`] |

use bytes::Bytes;
use entity_flaw::{Flaw, planted};
use entity_session::v1_1::author::{Form, Outbound};
use entity_wire::code::ErrorCode;
use entity_wire::frame::{Frame, FrameError};
use entity_wire::id::SessionId;
use entity_wire::reply::{Reply, Verification};
use entity_wire::time::Timestamp;

use super::refusal::refuse;
use super::{State, author};
use crate::config::Frames;
use crate::core::Core;
use crate::inbound::Refusal;
use crate::name::PeerName;
use crate::output::Request;

/// How a message leaves.
pub(super) fn request(outbound: &Outbound) -> Request {
    let body: Bytes = outbound.body.clone();
    match outbound.form {
        Form::Envelope => Request::Message(body),
        Form::Frame => Request::Frame(body),
    }
}

/// Makes the refusal of bytes that are no frame.
pub(crate) fn refuse_frame(error: FrameError) -> Refusal {
    refuse(error.code(), None, None)
}

/// Makes the refusal of a frame where 1.1 is not spoken.
pub(crate) fn refuse_version() -> Refusal {
    refuse(ErrorCode::InvalidVersion, None, None)
}

impl State {
    /// Says whose a frame claims to be: the peer of the session that it names.
    pub(crate) fn claimed(&self, frame: &Frame) -> Option<PeerName> {
        self.sessions.peer_of(frame.header.session).map(PeerName::from)
    }

    /// Takes a frame through the checks and acts on it.
    ///
    /// # Errors
    ///
    /// The refusal. Whom it names as sender is whose session the frame claims to be of.
    pub(crate) fn handle_frame(
        &mut self,
        core: &mut Core,
        (frame, peer): (Frame, Option<PeerName>),
        now: Timestamp,
    ) -> Result<Reply, Refusal> {
        let session = frame.header.session;
        let received = self.sessions.receive_frame(frame, &mut author(core, now));
        let outcome = match (received, &peer) {
            (Ok(received), Some(peer)) => self.act(core, (peer, session), received, now),
            (Ok(_), None) => Ok(()),
            (Err(refusal), peer) => {
                let from = peer.as_ref().map(PeerName::as_str);
                Err(refuse(refusal.code(), refusal.retry_after(), from))
            }
        };
        self.report_changes(core, now);
        self.report_ended(core, now);
        outcome.map(|()| Reply::received(core.config.id.as_str(), Verification::Passed))
    }

    /// Sets the form in which messages of a session leave.
    pub(super) fn choose_form(&mut self, core: &Core, session: SessionId) {
        if let Some(peer) = self.sessions.peer_of(session).map(PeerName::from) {
            self.sessions.prefer(session, form(core, &peer));
        }
    }

    /// Does the same for every session.
    pub(crate) fn choose_forms(&mut self, core: &Core) {
        let held: Vec<_> = self.sessions.views().map(|view| view.session).collect();
        for session in held {
            self.choose_form(core, session);
        }
    }
}

/// The form in which messages to a peer leave, as far as the session has agreed on it.
fn form(core: &Core, peer: &PeerName) -> Form {
    match core.config.frames {
        _ if planted(Flaw::NeverSendsFrames) => Form::Envelope,
        Frames::Always => Form::Frame,
        Frames::Socket if core.has_socket(peer) => Form::Frame,
        Frames::Socket | Frames::Never => Form::Envelope,
    }
}
