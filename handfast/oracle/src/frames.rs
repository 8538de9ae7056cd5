//! Compact frames as the tap sees them: what stands in their first 25 bytes, which are not sealed.
//!
//! Source: docs/protocol/1.1.md#compact-frames, docs/protocol/1.1.md#frames-over-http

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use handfast_scenario::event::WireBytes;

use crate::history::Wire;

/// Length of what is not sealed, in bytes.
const HEADER_LEN: usize = 25;

/// The shortest frame in bytes: its header and the tag of nothing.
const FRAME_LEN_MIN: usize = HEADER_LEN + 16;

/// What a frame carries, as its first byte says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Message,
    Chunk,
}

impl Kind {
    /// The kind of this name in a scenario.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "message" => Some(Self::Message),
            "chunk" => Some(Self::Chunk),
            _ => None,
        }
    }

    fn of(byte: u8) -> Option<Self> {
        match byte {
            0x11 => Some(Self::Message),
            0x12 => Some(Self::Chunk),
            _ => None,
        }
    }
}

/// One frame, as far as it was captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    /// The session that it names, as envelopes name it.
    pub(crate) session: String,
    pub(crate) generation: u16,
    pub(crate) sequence: u64,
    /// All of it that was captured, in base64.
    pub(crate) base64: String,
}

/// What the body of a message is, looked at for frames.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) frames: Vec<Frame>,
    /// Whether it is nothing but frames, as far as it was captured.
    pub(crate) is_whole: bool,
}

/// The frames of a message: one alone, as on a WebSocket, or a list of them with their lengths, as in a request. Of one that
/// was captured in part those whose header is there.
pub(crate) fn of(message: &Wire<'_>) -> Found {
    let bytes = message.request.bytes().unwrap_or_default();
    match frame(&bytes) {
        Some(frame) => Found { frames: vec![frame], is_whole: true },
        None => list(&bytes, message.request),
    }
}

fn list(bytes: &[u8], captured: &WireBytes) -> Found {
    let (mut rest, mut frames) = (bytes, Vec::new());
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_be_bytes(*len)).unwrap_or(usize::MAX);
        let is_cut = len > after.len();
        let (bytes, after) = after.split_at(len.min(after.len()));
        if is_cut && !captured.is_truncated() {
            return Found { frames, is_whole: false };
        }
        match frame(bytes) {
            Some(frame) => frames.push(frame),
            None => return Found { frames, is_whole: is_cut },
        }
        rest = after;
    }
    Found { is_whole: rest.is_empty() || captured.is_truncated(), frames }
}

/// The frame that these bytes begin; `None` where they are none.
fn frame(bytes: &[u8]) -> Option<Frame> {
    let header = bytes.first_chunk::<HEADER_LEN>().filter(|_| bytes.len() >= FRAME_LEN_MIN)?;
    let hex = hex::encode(&header[1..17]);
    Some(Frame {
        kind: Kind::of(header[0])?,
        session: [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"),
        generation: u16::from_be_bytes([header[17], header[18]]),
        sequence: header[19..].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        base64: STANDARD.encode(bytes),
    })
}
