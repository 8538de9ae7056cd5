//! Sealing, numbering and signing what we send by 1.0.

use bytes::Bytes;
use entity_crypto::legacy;
use entity_crypto::sealing::NONCE_LEN;
use entity_flaw::{Flaw, planted};
use entity_session::v1_0::sealing::SealedSession;
use entity_wire::id::SessionId;
use entity_wire::json::{Layout, Object, Value, to_vec};
use entity_wire::kind::MessageKind;
use entity_wire::limits::MESSAGE_LEN_MAX;
use entity_wire::payload::session_sealing_1_0::SessionSealed;
use entity_wire::payload::static_sealing_1_0::StaticSealed;
use entity_wire::time::Timestamp;
use entity_wire::v1_0::{Draft, Flavour};
use entity_wire::version::Version;

use super::lane::LaneIsFull;
use super::table::Outside;
use super::{Purpose, State};
use crate::command::{CommandError, Receipt, Seal, Send};
use crate::core::{self, Core, Reason};
use crate::name::PeerName;
use crate::outbox::Attempts;
use crate::view::SessionName;

/// What the envelope of a message says beside its payload.
pub(super) struct Address {
    pub(super) kind: MessageKind,
    /// Whom it is for. It is not signed, but a `hardened` receiver refuses what names somebody else.
    pub(super) recipient: PeerName,
    pub(super) session: String,
    pub(super) sequence: u64,
    pub(super) flavour: Flavour,
}

impl State {
    /// Sends a message in the live session, or outside any.
    ///
    /// In a session one message is under way at a time: on two connections the later could overtake the earlier,
    /// whose number would then be refused (`docs/protocol/1.0.md#sessions-and-sequence`).
    ///
    /// # Errors
    ///
    /// Nothing was sent; the caller ends what waits for it.
    pub(crate) fn send(
        &mut self,
        core: &mut Core,
        reason: Reason,
        message: Send,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let Some((reason, message)) = self.send_in_pieces(core, (reason, message), now)? else {
            return Ok(());
        };
        let sessions = self.with(&message.to);
        if sessions.live(now).is_none() {
            return self.send_now(core, reason, message, now);
        }
        let waiting_max = core.config.limits.waiting_per_peer_max;
        match sessions.lane.enter(reason, message, waiting_max) {
            Ok(Some((reason, message))) => {
                let to = message.to.clone();
                let sent = self.send_now(core, reason, message, now);
                if sent.is_err() {
                    self.leave_lane(core, &to, now);
                }
                sent
            }
            Ok(None) => Ok(()),
            Err(LaneIsFull) => Err(CommandError::Overloaded { limit: "waiting_per_peer_max" }),
        }
    }

    /// Sends what waited for the message that is no longer under way.
    pub(super) fn leave_lane(&mut self, core: &mut Core, to: &PeerName, now: Timestamp) {
        while let Some((reason, message)) = self.with(to).lane.leave() {
            // A session that has ended takes what waited in it along: it may not go out unsealed in its place.
            let sent = match self.with(to).live(now) {
                Some(_) => self.send_now(core, reason, message, now),
                None => Err(CommandError::TimedOut { what: "its turn in the session" }),
            };
            match sent {
                Ok(()) => return,
                Err(error) => core.finish_send(reason, Err(error), now),
            }
        }
    }

    fn send_now(
        &mut self,
        core: &mut Core,
        reason: Reason,
        message: Send,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let Send { to, kind, body, chunk, seal, flavour, class: _ } = message;
        let body = chunk.map_or(body, |chunk| chunk.into_object());
        let holds_lane = self.with(&to).live(now).is_some();
        let (session, sequence) = self.take_place(core, &to, now);
        let sealed = self.seal(core, &to, &body, (seal, now))?;
        let receipt = Receipt {
            session: SessionName(session.clone()),
            sequence,
            number: None,
            version: Version::V1_0,
            sealed: sealed.is_some() || planted(Flaw::SendsInClear),
            status: 200,
        };
        let flavour = flavour.unwrap_or(core.config.flavour);
        let address = Address { kind, recipient: to.clone(), session, sequence, flavour };
        let bytes = write(core, address, sealed.unwrap_or(body), now);
        if bytes.len() > MESSAGE_LEN_MAX {
            return Err(CommandError::TooLarge { len_bytes: bytes.len() });
        }
        let purpose = core::Purpose::V1_0(Purpose::Message { reason, receipt, holds_lane });
        core.post(&to, bytes, Attempts::Patient, purpose)
    }

    /// Takes the session id and the next number: of the live session, or of what stands in for one.
    fn take_place(&mut self, core: &mut Core, to: &PeerName, now: Timestamp) -> (String, u64) {
        let sessions = self.with(to);
        if let Some(current) = sessions.live_mut(now) {
            return (current.session.id().to_owned(), current.session.next_sequence());
        }
        let outside = sessions.outside.get_or_insert_with(|| Outside {
            id: SessionId::from_random(core.entropy.bytes()).to_string(),
            last_sequence: 0,
        });
        outside.last_sequence += 1;
        (outside.id.clone(), outside.last_sequence)
    }

    /// Seals a payload as asked; `None` where it goes in the clear.
    fn seal(
        &mut self,
        core: &mut Core,
        to: &PeerName,
        body: &Object,
        (wanted, now): (Seal, Timestamp),
    ) -> Result<Option<Object>, CommandError> {
        let current = self.with(to).live_mut(now);
        let session = current.and_then(|current| current.session.sealing.as_mut());
        match (wanted, session) {
            (Seal::Never, _) | (Seal::Auto, None) => Ok(None),
            _ if planted(Flaw::SendsInClear) => Ok(None),
            (Seal::Auto | Seal::Require, Some(session)) => {
                Ok(Some(seal_in_session(core, session, body, now)))
            }
            (Seal::Require, None) => seal_statically(core, to, body).map(Some),
        }
    }
}

fn seal_in_session(
    core: &mut Core,
    session: &mut SealedSession,
    body: &Object,
    now: Timestamp,
) -> Object {
    let nonce = if planted(Flaw::ReusesGcmNonce) { [7; NONCE_LEN] } else { core.entropy.bytes() };
    let data = session.seal(&nonce, &plaintext(body), now);
    SessionSealed { session_id: session.id().to_owned(), data, nonce }.to_object()
}

/// Seals under the two identity keys (`docs/protocol/1.0.md#static-key-sealing`).
fn seal_statically(core: &mut Core, to: &PeerName, body: &Object) -> Result<Object, CommandError> {
    let key = core.roster.get(to.as_str()).and_then(|entry| entry.key);
    let key = key.ok_or_else(|| CommandError::NoKey { name: to.clone() })?;
    let key = legacy::static_key(&core.key, &key).map_err(|_| CommandError::Sealing {
        wanted: Seal::Require,
        reason: "the peer's key agrees on no secret",
    })?;
    let nonce = core.entropy.bytes();
    let ciphertext = key.seal(&nonce, &plaintext(body));
    Ok(StaticSealed { ciphertext, nonce }.to_object())
}

fn plaintext(body: &Object) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(to_vec(&Value::Object(body.clone()), Layout::Canonical))
}

/// Writes and signs a message.
pub(super) fn write(core: &mut Core, address: Address, payload: Object, now: Timestamp) -> Bytes {
    let Address { kind, recipient, session, sequence, flavour } = address;
    let flavour = flavour.of_kind(&kind);
    let draft = Draft {
        flavour,
        version: Version::V1_0,
        kind,
        sender: core.config.id.to_string(),
        recipient: Some(recipient.to_string()),
        session: Some(session),
        sequence: Some(sequence),
        stamp: flavour.stamp(core.wall(now)),
        nonce: flavour.nonce(&core.entropy.bytes()),
        payload,
    };
    Bytes::from(draft.sign(&core.key))
}
