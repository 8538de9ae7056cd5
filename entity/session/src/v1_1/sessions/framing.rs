//! Frames: which sessions send them, and the order in which one is checked.

use entity_crypto::identity::PeerId;
use entity_wire::frame::Frame;
use entity_wire::id::SessionId;
use entity_wire::payload::chunk::TransferId;

use super::held::{Held, Stage};
use super::look::look_at_time;
use super::{Received, Sessions, Standing};
use crate::v1_1::author::{Author, Form};
use crate::v1_1::refusal::Refusal;
use crate::v1_1::session::{SendError, Sent};

impl Sessions {
    /// Takes a frame, from its session on: nothing but the session says whose it is, and nothing but its tag proves it.
    ///
    /// Whatever is returned has to be acted on, for the peer of the session that the frame names. Steps 3 to 10 of
    /// `docs/protocol/1.1.md#order-of-checks-of-a-frame`.
    ///
    /// # Errors
    ///
    /// A [`Refusal`]; nothing has changed then, but that the rate limiter counts what opened.
    pub fn receive_frame(
        &mut self,
        frame: Frame,
        author: &mut Author<'_>,
    ) -> Result<Received, Refusal> {
        let id = frame.header.session;
        let Held { stage, standing, .. } = self.held.get(&id).ok_or(Refusal::NoSession)?;
        let Stage::Ready(session) = stage else {
            return Err(Refusal::NotReady { state: stage.state() });
        };
        session.look_at_frame(&frame.header, author.now)?;
        let unsealed = session.open_frame(frame)?;
        look_at_time(unsealed.timestamp(), author.wall)?;
        let limiter = match standing {
            Standing::Pinned => &mut self.pinned_limiter,
            Standing::FirstUse => &mut self.strangers_limiter,
        };
        limiter.take(*session.peer_key(), unsealed.kind(), author.now)?;
        let opened = session.judge_frame(unsealed)?;
        Ok(self.record(id, opened, author))
    }

    /// Whose a session is: its peer.
    pub fn peer_of(&self, session: SessionId) -> Option<&PeerId> {
        self.held.get(&session).map(|held| &held.peer)
    }

    /// Sets the form in which messages of a session leave, as far as its sides have agreed on it.
    pub fn prefer(&mut self, session: SessionId, form: Form) {
        if let Some(ready) = self.ready_mut(session) {
            ready.prefer(form);
        }
    }

    /// Whether messages to a peer leave as frames.
    pub fn sends_frames(&self, peer: &PeerId) -> bool {
        let ready = self.current(peer).and_then(|session| self.ready(session));
        ready.is_some_and(|ready| ready.form() == Form::Frame)
    }

    /// Seals a chunk as a frame in the newest ready session with `peer`.
    ///
    /// # Errors
    ///
    /// As [`crate::v1_1::session::Session::seal_chunk`]; [`SendError::Closed`] where there is no session that sends.
    pub fn send_chunk(
        &mut self,
        peer: &PeerId,
        place: (TransferId, u32),
        data: &[u8],
        author: &mut Author<'_>,
    ) -> Result<Sent, SendError> {
        let session = self.current(peer).ok_or(SendError::Closed)?;
        self.act_in(session, |ready| ready.seal_chunk(place, data, author))
    }
}
