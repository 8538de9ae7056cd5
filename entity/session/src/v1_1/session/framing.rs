//! Frames of a session: whether it has any, writing a chunk as one, and reading one (`docs/protocol/1.1.md#compact-frames`).

use std::{fmt, mem};

use entity_wire::frame::{self, ChunkHeader, ChunkMessage, Frame};
use entity_wire::id::{Generation, MessageNumber, Sequence};
use entity_wire::kind::MessageKind;
use entity_wire::limits::CHUNK_SIZE_MAX;
use entity_wire::payload::chunk::TransferId;
use entity_wire::payload::handshake_1_1::Capabilities;
use entity_wire::payload::sealed::Plaintext;
use entity_wire::time::Timestamp;

use super::receive::{Claim, Content};
use super::{Class, Opened, SendError, Sent, Session};
use crate::v1_1::author::{Author, Form};
use crate::v1_1::channel::PositionRefusal;
use crate::v1_1::refusal::Refusal;
use crate::v1_1::seal;

/// Whether the two sides have agreed on frames, and what this side would like.
#[derive(Debug)]
pub(super) struct Framing {
    is_agreed: bool,
    preferred: Form,
}

impl Framing {
    pub(super) fn agreed_in(capabilities: &Capabilities) -> Self {
        Self { is_agreed: capabilities.contains(frame::CAPABILITY), preferred: Form::Envelope }
    }

    pub(super) const fn form(&self) -> Form {
        if self.is_agreed { self.preferred } else { Form::Envelope }
    }

    /// What changes the session itself is signed, and rare.
    pub(super) const fn form_of(&self, kind: &MessageKind) -> Form {
        let is_of_session = matches!(
            kind,
            MessageKind::Rekey
                | MessageKind::RekeyRequest
                | MessageKind::RekeyAck
                | MessageKind::SessionClose
        );
        if is_of_session { Form::Envelope } else { self.form() }
    }
}

/// A chunk of a transfer as bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct ChunkData {
    /// Of which transfer.
    pub transfer: TransferId,
    /// Which piece, from 0.
    pub index: u32,
    /// The piece: 1 to [`CHUNK_SIZE_MAX`] bytes.
    pub data: Vec<u8>,
}

impl fmt::Debug for ChunkData {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { transfer, index, data } = self;
        write!(formatter, "ChunkData({transfer}, {index}, {} bytes)", data.len())
    }
}

/// A frame that was opened and read: its sender is known, and what it says is not judged yet.
///
/// Made by [`Session::open_frame`] only, and spent by [`Session::judge_frame`].
#[derive(Debug)]
#[must_use = "an unsealed frame is accepted only when it was judged and recorded"]
pub struct Unsealed {
    generation: Generation,
    sequence: Sequence,
    len: usize,
    kind: MessageKind,
    timestamp: Timestamp,
    inside: Inside,
}

#[derive(Debug)]
enum Inside {
    Message(Plaintext),
    Chunk(ChunkHeader, Vec<u8>),
}

impl Unsealed {
    /// Its type.
    pub const fn kind(&self) -> &MessageKind {
        &self.kind
    }

    /// When its sender wrote it.
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}

impl Session {
    /// Whether both sides have listed the capability of frames.
    pub const fn takes_frames(&self) -> bool {
        self.framing.is_agreed
    }

    /// The form in which messages leave from here on.
    pub const fn form(&self) -> Form {
        self.framing.form()
    }

    /// Sets the form in which messages leave, as far as the two sides have agreed on it.
    pub(in crate::v1_1) const fn prefer(&mut self, form: Form) {
        self.framing.preferred = form;
    }

    /// Seals a chunk as a frame of bytes, and gives it its numbers. It is volatile: its transfer sends it again.
    ///
    /// # Errors
    ///
    /// [`SendError::NoFrames`] where messages of this session leave as envelopes, [`SendError::ChunkSize`] for a piece of no
    /// or too many bytes, and see [`SendError`]; nothing is used up then.
    pub fn seal_chunk(
        &mut self,
        (transfer, index): (TransferId, u32),
        data: &[u8],
        author: &mut Author<'_>,
    ) -> Result<Sent, SendError> {
        if self.form() != Form::Frame {
            return Err(SendError::NoFrames);
        }
        if data.is_empty() || data.len() > CHUNK_SIZE_MAX as usize {
            return Err(SendError::ChunkSize);
        }
        self.look_at_sending(author.now)?;
        self.outgoing.look()?;
        let number: MessageNumber = self.outgoing.reserve(Class::Volatile, author.now)?;
        let slot = self.channels.reserve().ok_or(SendError::Suspended)??;
        let (generation, sequence) = (slot.generation(), slot.sequence());
        let ack = self.incoming.take_ack();
        let header = ChunkHeader { number, ack, timestamp: author.wall, transfer, index };
        let outbound = seal::chunk(slot, (&self.peer, self.id), (&header, data));
        Ok(Sent { outbound, generation, sequence, number: Some(number) })
    }

    /// Looks at the place of a frame in this session: limits, agreement, generation, replay window.
    ///
    /// Steps 3 and 4 of `docs/protocol/1.1.md#order-of-checks-of-a-frame`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Expired`], [`Refusal::FramesNotAgreed`], [`Refusal::Position`], [`Refusal::Suspended`].
    pub fn look_at_frame(&self, header: &frame::Header, now: Timestamp) -> Result<(), Refusal> {
        if self.is_expired(now) {
            return Err(Refusal::Expired);
        }
        if !self.takes_frames() {
            return Err(Refusal::FramesNotAgreed);
        }
        self.look_at_position(header.generation, header.sequence.get())
    }

    /// Looks at a position among the keys that this side has.
    pub(super) fn look_at_position(
        &self,
        generation: Generation,
        sequence: u64,
    ) -> Result<(), Refusal> {
        match self.channels.look(generation, sequence) {
            Err(PositionRefusal::OtherGeneration { .. }) if self.is_suspended() => {
                Err(Refusal::Suspended)
            }
            looked => looked.map(drop).map_err(Refusal::from),
        }
    }

    /// Opens a frame, and reads what was sealed in it. Changes nothing.
    ///
    /// Step 5 of `docs/protocol/1.1.md#order-of-checks-of-a-frame`.
    ///
    /// # Errors
    ///
    /// [`Refusal::Position`], [`Refusal::NotOpened`], [`Refusal::Plaintext`], [`Refusal::Payload`].
    pub fn open_frame(&self, frame: Frame) -> Result<Unsealed, Refusal> {
        let frame::Header { kind, generation, sequence, .. } = frame.header;
        let len = frame.sealed.len();
        let channel = self.channels.look(generation, sequence.get())?;
        let mut opened = channel.open_frame(frame)?;
        let (kind, timestamp, inside) = match kind {
            frame::Kind::Message => {
                let frame::Message { kind, timestamp, plaintext } =
                    frame::Message::from_slice(&opened)?;
                (kind, timestamp, Inside::Message(plaintext))
            }
            frame::Kind::Chunk => {
                let ChunkMessage { header, .. } = ChunkMessage::from_slice(&opened)?;
                // Taken, not copied: a piece of a file is written to one, and is no secret to be wiped.
                let mut data = mem::take(&mut *opened);
                data.drain(..ChunkHeader::LEN);
                (MessageKind::Chunk, header.timestamp, Inside::Chunk(header, data))
            }
        };
        Ok(Unsealed { generation, sequence, len, kind, timestamp, inside })
    }

    /// Looks at what an opened frame says: its number and its acknowledgement. Changes nothing.
    ///
    /// Step 8 of `docs/protocol/1.1.md#order-of-checks-of-a-frame`.
    ///
    /// # Errors
    ///
    /// Whatever makes it unacceptable.
    pub fn judge_frame(&self, unsealed: Unsealed) -> Result<Opened, Refusal> {
        let Unsealed { generation, sequence, len, kind, timestamp, inside } = unsealed;
        let (ack, number, durable, content) = match inside {
            Inside::Message(Plaintext { number, ack, durable, body }) => {
                (ack, number, durable, Content::Body(body))
            }
            Inside::Chunk(header, data) => {
                let ChunkHeader { number, ack, transfer, index, .. } = header;
                (ack, Some(number), None, Content::Chunk(ChunkData { transfer, index, data }))
            }
        };
        let claim = Claim { generation, sequence, kind: &kind, timestamp, len };
        self.judge(claim, (ack, number, durable), content)
    }
}
