//! Sealing and posting what we send by 1.1, and what becomes of it.

use entity_session::v1_1::author::Outbound;
use entity_session::v1_1::numbers::{Class, Fate};
use entity_session::v1_1::session::{SendError, Sent};
use entity_transfer::may_be_chunked;
use entity_wire::canonical;
use entity_wire::code::ErrorCode;
use entity_wire::id::{MessageNumber, SessionId};
use entity_wire::json::{Object, ParseErrorKind, RULES_1_1, Rules, parse};
use entity_wire::kind::MessageKind;
use entity_wire::limits::{MESSAGE_BODY_LEN_MAX, MESSAGE_LEN_MAX};
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::fit::surely_fits;
use super::frames::request;
use super::{Purpose, State, Unsettled, author};
use crate::command::{CommandError, Receipt, Seal, Send};
use crate::core::{self, Core, News, Part, Reason, refusal};
use crate::durable::Place;
use crate::name::PeerName;
use crate::outbox::{Attempts, Outcome};

impl State {
    /// Sends a message in the live session; it waits while the peer may not have our step 6 yet.
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
        if message.seal == Seal::Never {
            let reason = "a session of 1.1 takes sealed messages only";
            return Err(CommandError::Sealing { wanted: Seal::Never, reason });
        }
        // The messages of a transfer are made by us, and its chunks are many.
        if !matches!(reason, Reason::Transfer(..))
            && let Some(body) = oversized(&message, core.config.transfers.message_bytes_max)?
        {
            let Send { to, kind, .. } = message;
            core.tell(News::Oversized { reason, to, kind, body });
            return Ok(());
        }
        let current = message.to.as_peer_id().and_then(|peer| self.sessions.current(&peer));
        let Some(queue) = current.and_then(|session| self.unheard.get_mut(&session)) else {
            return self.send_now(core, reason, message, now);
        };
        if queue.len() >= core.config.limits.waiting_per_peer_max {
            return Err(CommandError::Overloaded { limit: "waiting_per_peer_max" });
        }
        queue.push_back((reason, message));
        Ok(())
    }

    fn send_now(
        &mut self,
        core: &mut Core,
        reason: Reason,
        message: Send,
        now: Timestamp,
    ) -> Result<(), CommandError> {
        let Send { to, kind, body, chunk, class, .. } = message;
        let id = to.as_peer_id().ok_or_else(|| CommandError::UnknownPeer { name: to.clone() })?;
        let author = &mut author(core, now);
        let sent = match chunk {
            Some(chunk) if self.sessions.sends_frames(&id) => {
                let place = (chunk.transfer, chunk.index);
                self.sessions.send_chunk(&id, place, chunk.piece.data(), author)
            }
            Some(chunk) => self.sessions.send(&id, kind, chunk.into_object(), class, author),
            None => self.sessions.send(&id, kind, body, class, author),
        };
        let sent = sent.map_err(|error| send_error(error, &to))?;
        let (session, number) = (sent.outbound.session, sent.number);
        if let (Class::Durable(id), Some(number)) = (class, number) {
            core.tell(News::Numbered { id, place: Place { session, number } });
            self.post_durable(core, reason, sent, now);
            return Ok(());
        }
        let receipt = receipt_of(&sent);
        let len_bytes = sent.outbound.body.len();
        let posted = if len_bytes > MESSAGE_LEN_MAX {
            Err(CommandError::TooLarge { len_bytes })
        } else {
            self.post(core, sent.outbound, Purpose::Message { reason, receipt, session, number })
        };
        // The number is taken whether or not the message leaves: the peer has to hear that it will not come.
        if let (Err(_), Some(number)) = (&posted, number) {
            self.sessions.give_up(session, number, now);
        }
        posted
    }

    /// Sends a durable message again, under the number it has.
    pub(crate) fn resend(
        &mut self,
        core: &mut Core,
        reason: Reason,
        (place, message): (Place, Send),
        now: Timestamp,
    ) {
        let Send { to, kind, body, class, .. } = message;
        let Class::Durable(id) = class else { return };
        let place = (place.session, place.number, id);
        match self.sessions.resend(place, kind, body, &mut author(core, now)) {
            Ok(sent) => self.post_durable(core, reason, sent, now),
            Err(error) => core.finish_send(reason, Err(send_error(error, &to)), now),
        }
    }

    /// Posts a durable message. It has its number whether or not it leaves, and keeps it until it is acknowledged.
    fn post_durable(&mut self, core: &mut Core, reason: Reason, sent: Sent, now: Timestamp) {
        let receipt = receipt_of(&sent);
        let (session, number) = (sent.outbound.session, sent.number);
        let purpose = Purpose::Message { reason, receipt, session, number };
        if let Err(error) = self.post(core, sent.outbound, purpose) {
            core.finish_send(reason, Err(error), now);
        }
    }

    /// Says whether the peer has handled what has this number.
    pub(crate) fn is_acknowledged(&self, place: Place) -> bool {
        self.sessions.fate(place.session, place.number) == Some(Fate::Acknowledged)
    }

    /// Says whether a session is held and sends.
    pub(crate) fn is_sending(&self, session: SessionId, now: Timestamp) -> bool {
        let ready = self.sessions.ready(session);
        ready.is_some_and(|ready| ready.is_sending() && !ready.is_expired(now))
    }

    /// Says whether a session is the one that messages go in, once it has resumed if need be.
    pub(crate) fn may_come_back(&self, session: SessionId, now: Timestamp) -> bool {
        self.sessions.ready(session).is_some_and(|ready| {
            let is_current = self.sessions.current(ready.peer()) == Some(session);
            is_current && !ready.is_expired(now)
        })
    }

    /// Sends what waited for the peer to have our step 6.
    pub(super) fn send_unheard(&mut self, core: &mut Core, session: SessionId, now: Timestamp) {
        for (reason, message) in self.unheard.remove(&session).into_iter().flatten() {
            if let Err(error) = self.send_now(core, reason, message, now) {
                core.finish_send(reason, Err(error), now);
            }
        }
    }

    /// Does the same once the peer has shown by a message of its own that it is ready.
    pub(super) fn send_unheard_to(&mut self, core: &mut Core, peer: &PeerName, now: Timestamp) {
        if self.unheard.is_empty() {
            return;
        }
        let current = peer.as_peer_id().and_then(|peer| self.sessions.current(&peer));
        if let Some(session) = current {
            self.send_unheard(core, session, now);
        }
    }

    /// Takes the outcome of something that was posted.
    pub(crate) fn settle(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        purpose: Purpose,
        (outcome, now): (Outcome, Timestamp),
    ) {
        match purpose {
            Purpose::Step { session, kind } => {
                self.settle_step(core, peer, (session, &kind), (&outcome, now));
            }
            Purpose::Message { reason, receipt, session, number } => match refusal(&outcome) {
                None => core.finish_send(reason, Ok(receipt), now),
                Some(error) => {
                    self.doubt(core, peer, session, &error);
                    let failed = (reason, receipt, error);
                    self.settle_failed(core, (session, number), failed, now);
                }
            },
            Purpose::Resume { session, attempt } => {
                self.settle_resume(core, peer, (session, attempt), (&outcome, now));
            }
            Purpose::Repeat { session, kind } => {
                self.repeating.remove(&(session, kind));
            }
            Purpose::Control => {}
        }
    }

    /// Ends a message whose last attempt was not accepted.
    ///
    /// A status never acknowledges a number: where the peer has acknowledged it, it arrived whatever the answer says.
    fn settle_failed(
        &mut self,
        core: &mut Core,
        (session, number): (SessionId, Option<MessageNumber>),
        (reason, receipt, error): (Reason, Receipt, CommandError),
        now: Timestamp,
    ) {
        let ready = self.sessions.ready(session);
        match (number, ready.zip(number).map(|(ready, number)| ready.fate(number))) {
            (Some(_), Some(Fate::Acknowledged)) => core.finish_send(reason, Ok(receipt), now),
            (Some(number), Some(Fate::Pending))
                if error.code() == ErrorCode::SequenceError && !is_durable(reason) =>
            {
                let unsettled = Unsettled { number, reason, receipt, error };
                self.unsettled.entry(session).or_default().push(unsettled);
            }
            (number, _) => {
                if let Some(number) = number {
                    self.sessions.give_up(session, number, now);
                }
                core.finish_send(reason, Err(error), now);
            }
        }
    }

    /// Ends the unsettled messages of a session that were acknowledged or given up since.
    pub(super) fn settle_acknowledged(
        &mut self,
        core: &mut Core,
        session: SessionId,
        now: Timestamp,
    ) {
        let Some(unsettled) = self.unsettled.remove(&session) else { return };
        let Some(ready) = self.sessions.ready(session) else { return };
        let mut waiting = Vec::new();
        for message in unsettled {
            match ready.fate(message.number) {
                Fate::Pending => waiting.push(message),
                Fate::Acknowledged => core.finish_send(message.reason, Ok(message.receipt), now),
                Fate::GivenUp => core.finish_send(message.reason, Err(message.error), now),
            }
        }
        if !waiting.is_empty() {
            self.unsettled.insert(session, waiting);
        }
    }

    /// Opens a new session where the peer says that it does not know this one.
    ///
    /// Source: docs/protocol/1.1.md#status-is-a-hint
    fn doubt(
        &mut self,
        core: &mut Core,
        peer: &PeerName,
        session: SessionId,
        error: &CommandError,
    ) {
        let is_unknown =
            matches!(error.code(), ErrorCode::SessionNotFound | ErrorCode::SessionExpired);
        let is_current =
            peer.as_peer_id().and_then(|peer| self.sessions.current(&peer)) == Some(session);
        if is_unknown && is_current && self.doubted.insert(session) {
            core.tell(News::Gone { peer: peer.clone() });
        }
    }

    /// Posts the answer to a repeated step again, unless that is under way already.
    ///
    /// Source: docs/protocol/1.1.md#repeats
    pub(super) fn post_repeat(&mut self, core: &mut Core, answer: Outbound) {
        let (session, kind) = (answer.session, answer.kind.clone());
        if !self.repeating.insert((session, kind.clone())) {
            return;
        }
        let purpose = Purpose::Repeat { session, kind: kind.clone() };
        if self.post(core, answer, purpose).is_err() {
            self.repeating.remove(&(session, kind));
        }
    }

    /// Posts a message that nobody waits for.
    pub(super) fn post_control(&mut self, core: &mut Core, outbound: Outbound) {
        // What is not acknowledged or declared is so later; what is not repeated is asked for again.
        let _unneeded = self.post(core, outbound, Purpose::Control);
    }

    /// Posts to the configured address of the peer, else to the one that it named in step 1.
    ///
    /// Source: docs/protocol/1.1.md#handshake-addresses
    pub(super) fn post(
        &mut self,
        core: &mut Core,
        outbound: Outbound,
        purpose: Purpose,
    ) -> Result<(), CommandError> {
        let peer = PeerName::from(&outbound.peer);
        // Only the first message may find that nobody listens yet; the link tries it again as a whole.
        let attempts = match &purpose {
            _ if outbound.kind == MessageKind::HandshakeInit => Attempts::Handshake,
            Purpose::Resume { .. } => Attempts::Handshake,
            Purpose::Message { reason, .. } if is_repeated(*reason) => Attempts::Single,
            Purpose::Message { reason: Reason::Heartbeat, .. } => {
                Attempts::Probe(core.config.heartbeat.timeout)
            }
            Purpose::Message { .. }
            | Purpose::Step { .. }
            | Purpose::Repeat { .. }
            | Purpose::Control => Attempts::Patient,
        };
        let address = self.sessions.address(outbound.session);
        let request = request(&outbound);
        core.post_to(&peer, address, (request, attempts), core::Purpose::V1_1(purpose))
    }
}

fn receipt_of(sent: &Sent) -> Receipt {
    Receipt {
        session: sent.outbound.session.into(),
        sequence: sent.sequence.get(),
        number: sent.number.map(MessageNumber::get),
        version: Version::V1_1,
        sealed: true,
        status: 200,
    }
}

/// Says whether a message that is lost is sent again as another one, by the rules of its room.
fn is_repeated(reason: Reason) -> bool {
    is_durable(reason) || matches!(reason, Reason::Transfer(_, Part::Chunk(_)) | Reason::Dht(..))
}

/// Says whether a message is kept and sent again by the room `durable`.
fn is_durable(reason: Reason) -> bool {
    matches!(reason, Reason::Durable(..))
}

/// Says whether a peer will take this body of a message that goes in one envelope: it would refuse what breaks the rules
/// of 1.1, and the number would be lost.
///
/// Source: docs/protocol/1.1.md#envelope
pub(crate) fn takeable(body: &Object) -> Result<(), CommandError> {
    judge(&canonical::object_to_vec(body), MESSAGE_BODY_LEN_MAX)
}

/// Says the same of a volatile message; returns the bytes of its body where it is to go as a transfer.
///
/// Source: docs/protocol/1.1.md#chunked-messages
fn oversized(message: &Send, bytes_max: u64) -> Result<Option<Vec<u8>>, CommandError> {
    if surely_fits(&message.body) {
        return Ok(None);
    }
    let text = canonical::object_to_vec(&message.body);
    let is_oversized = text.len() > MESSAGE_BODY_LEN_MAX
        && message.class == Class::Volatile
        && may_be_chunked(&message.kind);
    let len_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    judge(&text, if is_oversized { len_max } else { RULES_1_1.len_max })?;
    Ok(is_oversized.then_some(text))
}

fn judge(text: &[u8], len_max: usize) -> Result<(), CommandError> {
    // The plaintext holds the body one level down.
    let rules = Rules { depth_max: RULES_1_1.depth_max - 1, len_max, ..RULES_1_1 };
    let Err(error) = parse(text, &rules) else { return Ok(()) };
    let reason = match error.kind {
        ParseErrorKind::TooLong { .. } => {
            return Err(CommandError::TooLarge { len_bytes: text.len() });
        }
        ParseErrorKind::Float | ParseErrorKind::NonFinite => {
            "protocol 1.1 has no floating-point numbers; write the number as text"
        }
        ParseErrorKind::TooDeep { .. } => "its body is nested too deeply",
        ParseErrorKind::NotUtf8
        | ParseErrorKind::UnexpectedEnd
        | ParseErrorKind::UnexpectedCharacter
        | ParseErrorKind::TrailingCharacters
        | ParseErrorKind::MalformedNumber
        | ParseErrorKind::IntegerTooLong
        | ParseErrorKind::MalformedEscape
        | ParseErrorKind::LoneSurrogate
        | ParseErrorKind::ControlCharacter
        | ParseErrorKind::DuplicateKey => "its body has no form in protocol 1.1",
    };
    Err(CommandError::Malformed { reason })
}

fn send_error(error: SendError, to: &PeerName) -> CommandError {
    match error {
        SendError::WindowFull(_) => CommandError::Overloaded { limit: "unacknowledged messages" },
        SendError::Exhausted(_) => CommandError::Overloaded { limit: "messages of a session" },
        // Whoever sends a chunk looks first.
        SendError::NoFrames | SendError::ChunkSize => {
            CommandError::Malformed { reason: "it is no chunk that a frame has room for" }
        }
        SendError::Closed | SendError::Suspended | SendError::Settled => {
            CommandError::UnknownPeer { name: to.clone() }
        }
    }
}
