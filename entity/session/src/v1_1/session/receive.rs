//! The receiving half of a ready session: looks first, records afterwards.

use entity_wire::id::{Generation, MessageId, MessageNumber, Sequence, SessionId};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;
use entity_wire::payload::control::{SessionClose, Skip};
use entity_wire::payload::rekey::Rekey;
use entity_wire::payload::sealed::{Plaintext, Sealed};
use entity_wire::time::Timestamp;
use entity_wire::v1_1::Envelope;

use super::{ChunkData, Session};
use crate::v1_1::author::Author;
use crate::v1_1::refusal::Refusal;
use crate::v1_1::seal;
use crate::v1_1::state::Role;

/// An application message, in its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The session it came in.
    pub session: SessionId,
    /// Its type; never a control message or a handshake step.
    pub kind: MessageKind,
    /// What was sealed.
    pub content: Content,
    /// The id of a durable message. What it brings about is to be kept together with the session's own writes of this
    /// input, so that both are there after a crash or neither.
    pub durable: Option<MessageId>,
    /// The generation it was sealed under.
    pub generation: Generation,
    /// Its sequence number.
    pub sequence: Sequence,
    /// Its number: one more than that of the message before it, unless numbers were skipped.
    pub number: MessageNumber,
    /// When its sender wrote it.
    pub timestamp: Timestamp,
    /// How many bytes were sealed: what it weighs.
    pub len_bytes: usize,
}

/// What an application message carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The payload proper.
    Body(Object),
    /// A chunk that came as bytes.
    Chunk(ChunkData),
}

/// Where a message was sealed and what it says of itself, whichever its form was.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) generation: Generation,
    pub(super) sequence: Sequence,
    pub(super) kind: &'a MessageKind,
    pub(super) timestamp: Timestamp,
    /// How many bytes were sealed.
    pub(super) len: usize,
}

/// A sealed message that was opened and found acceptable. Nothing is recorded yet.
///
/// Made by [`Session::open`] only, and spent by [`Session::record`].
#[derive(Debug)]
#[must_use = "an opened message is accepted only when it is recorded"]
pub struct Opened {
    generation: Generation,
    sequence: Sequence,
    ack: u64,
    meaning: Meaning,
}

#[derive(Debug)]
enum Meaning {
    Message(Delivery),
    Ack,
    Skip(Skip),
    Close {
        reason: String,
    },
    Rekey(Rekey),
    RekeyAck(Rekey),
    RekeyRequest,
    /// It speaks of keys that were replaced in the meantime.
    Outdated,
}

/// What an accepted message brings about.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// These messages are to be handled now, in this order; none where the message was a duplicate, has to wait
    /// for an earlier one, or was for the session itself.
    Deliver(Vec<Delivery>),
    /// The peer has ended the session.
    Closed {
        /// What it gave as its reason.
        reason: String,
    },
}

impl Session {
    /// Records an opened message: its sequence number, its number, its acknowledgement.
    ///
    /// What is returned has to be handled at once; it will not be returned again.
    pub fn record(&mut self, opened: Opened, author: &mut Author<'_>) -> Effect {
        let now = author.now;
        self.channels.record(opened.generation, opened.sequence.get());
        self.heard_at = now;
        self.confirm(opened.generation, now);
        // Under older keys somebody may speak who has since forgotten what it had handled.
        if opened.generation >= self.resumed_at {
            self.outgoing.record_ack(opened.ack, now);
        }
        match opened.meaning {
            Meaning::Message(delivery) => {
                let len = delivery.len_bytes;
                let deliveries = self.incoming.record(delivery.number.get(), delivery, len, now);
                return self.deliver(deliveries);
            }
            Meaning::Skip(skip) => {
                let deliveries = self.incoming.record_skip(&skip, now);
                return self.deliver(deliveries);
            }
            Meaning::Close { reason } => return Effect::Closed { reason },
            Meaning::Rekey(body) => self.answer_rekey(opened.generation, body, author),
            Meaning::RekeyAck(ack) => self.conclude_rekey(&ack, now),
            Meaning::RekeyRequest => self.want_rekey(now),
            Meaning::Ack | Meaning::Outdated => {}
        }
        Effect::Deliver(Vec::new())
    }

    /// What is handled now; a durable message asks for the number to be kept with what it brings about.
    ///
    /// One that comes in a session which a newer one has replaced goes into that as well, because nothing is acknowledged
    /// here any more. Handled here it would be handled twice, once so many came after it there that its id is forgotten.
    fn deliver(&mut self, mut deliveries: Vec<Delivery>) -> Effect {
        if self.is_retired() {
            deliveries.retain(|delivery| delivery.durable.is_none());
        }
        if deliveries.iter().any(|delivery| delivery.durable.is_some()) {
            self.keeping.commit();
        }
        Effect::Deliver(deliveries)
    }

    /// Looks at the place of a message in this session: limits, sealing, generation, replay window.
    ///
    /// Step 11 (its latter half) and step 12 of `docs/protocol/1.1.md#order-of-checks`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Expired`], [`Refusal::NotSealed`], [`Refusal::Payload`], [`Refusal::Position`].
    pub fn look(&self, message: &Envelope, now: Timestamp) -> Result<Sealed, Refusal> {
        if self.is_expired(now) {
            return Err(Refusal::Expired);
        }
        if !Sealed::is_form_of(message.payload()) {
            return Err(Refusal::NotSealed);
        }
        let sealed = Sealed::from_object(message.payload())?;
        self.look_at_position(sealed.generation, message.header().sequence.get())?;
        Ok(sealed)
    }

    /// Opens a message and looks at what was sealed in it.
    ///
    /// Step 14 of `docs/protocol/1.1.md#order-of-checks`.
    ///
    /// # Errors
    ///
    /// [`Refusal::NotOpened`], and whatever makes the plaintext unacceptable.
    pub fn open(&self, message: &Envelope, sealed: &Sealed) -> Result<Opened, Refusal> {
        let header = message.header();
        let channel = self.channels.look(sealed.generation, header.sequence.get())?;
        let Plaintext { number, ack, durable, body } = seal::open(channel, message, sealed)?;
        let claim = Claim {
            generation: sealed.generation,
            sequence: header.sequence,
            kind: &header.kind,
            timestamp: header.timestamp,
            len: sealed.sealed.len(),
        };
        self.judge(claim, (ack, number, durable), Content::Body(body))
    }

    /// Looks at what was sealed in a message.
    pub(super) fn judge(
        &self,
        claim: Claim<'_>,
        (ack, number, durable): (u64, Option<MessageNumber>, Option<MessageId>),
        content: Content,
    ) -> Result<Opened, Refusal> {
        self.outgoing.look_at_ack(ack)?;
        let Claim { generation, sequence, kind, timestamp, len } = claim;
        if number.is_some() == kind.is_control() {
            return Err(Refusal::NumberPresence { kind: kind.clone() });
        }
        let meaning = match (number, content) {
            (Some(number), content) => {
                if kind.handshake_step().is_some() || kind.is_handshake_1_0() {
                    return Err(Refusal::Unexpected { kind: kind.clone() });
                }
                self.incoming.look(number.get(), len)?;
                Meaning::Message(Delivery {
                    session: self.id,
                    kind: kind.clone(),
                    content,
                    durable,
                    generation,
                    sequence,
                    number,
                    timestamp,
                    len_bytes: len,
                })
            }
            (None, Content::Body(body)) => self.look_at_control((kind, generation), &body)?,
            // A chunk of bytes always has a number.
            (None, Content::Chunk(_)) => {
                return Err(Refusal::NumberPresence { kind: kind.clone() });
            }
        };
        Ok(Opened { generation, sequence, ack, meaning })
    }

    fn look_at_control(
        &self,
        (kind, generation): (&MessageKind, Generation),
        body: &Object,
    ) -> Result<Meaning, Refusal> {
        if *kind == MessageKind::Ack {
            return Ok(Meaning::Ack);
        }
        if *kind == MessageKind::SessionClose {
            return Ok(Meaning::Close { reason: SessionClose::from_object(body)?.reason });
        }
        if *kind == MessageKind::Skip {
            let skip = Skip::from_object(body)?;
            self.incoming.look_at_skip(&skip)?;
            return Ok(Meaning::Skip(skip));
        }
        match (kind, self.role) {
            (MessageKind::Rekey, Role::Responder) => {
                let body = Rekey::from_object(body)?;
                let is_new = self.look_at_rekey(generation, &body)?;
                return Ok(if is_new { Meaning::Rekey(body) } else { Meaning::Outdated });
            }
            (MessageKind::RekeyAck, Role::Initiator) => {
                let ack = Rekey::from_object(body)?;
                let is_awaited = self.look_at_rekey_ack(generation, &ack)?;
                return Ok(if is_awaited { Meaning::RekeyAck(ack) } else { Meaning::Outdated });
            }
            (MessageKind::RekeyRequest, Role::Initiator) => {
                let is_current = generation >= self.generation();
                return Ok(if is_current { Meaning::RekeyRequest } else { Meaning::Outdated });
            }
            _ => {}
        }
        // A handshake is over once the session is ready, and each side has its own part in a rekey.
        Err(Refusal::Unexpected { kind: kind.clone() })
    }
}
