//! Frames in the body of `POST /frame`, and its answer: `u32be length | frame`, repeated.
//!
//! Source: `docs/protocol/1.1.md#frames-over-http`.

use crate::code::ErrorCode;
use crate::json::{self, Fields, Layout, Object, RULES_1_0_HARDENED, Rules, Value, write_object};
use crate::limits::{FRAMES_PER_BATCH_MAX, MESSAGE_LEN_MAX, REPLY_LEN_MAX};

/// Why a body is no list of frames. Nothing of it is handled then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// More than [`MESSAGE_LEN_MAX`] bytes.
    #[error("a batch of {len} bytes is longer than {MESSAGE_LEN_MAX}")]
    TooLong {
        /// How many there are.
        len: usize,
    },
    /// More than [`FRAMES_PER_BATCH_MAX`] frames.
    #[error("more than {FRAMES_PER_BATCH_MAX} frames")]
    TooMany,
    /// A length is cut off, or says more than is left.
    #[error("the length of frame {index} does not fit")]
    Length {
        /// Which frame, from 0.
        index: usize,
    },
}

impl BatchError {
    /// The code that the sender is told.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TooLong { .. } => ErrorCode::MessageTooLarge,
            Self::TooMany | Self::Length { .. } => ErrorCode::InvalidMessage,
        }
    }
}

/// Appends one frame to a body.
///
/// The caller owes a frame of at most [`crate::limits::FRAME_LEN_MAX`] bytes, and a body that stays below
/// [`MESSAGE_LEN_MAX`].
pub fn push(body: &mut Vec<u8>, frame: &[u8]) {
    let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    body.extend_from_slice(&len.to_be_bytes());
    body.extend_from_slice(frame);
}

/// Reads a body as frames, all of them before the first is looked at; an empty one has none.
///
/// # Errors
///
/// [`BatchError`].
pub fn split(body: &[u8]) -> Result<Vec<&[u8]>, BatchError> {
    if body.len() > MESSAGE_LEN_MAX {
        return Err(BatchError::TooLong { len: body.len() });
    }
    let mut frames = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        if frames.len() == FRAMES_PER_BATCH_MAX {
            return Err(BatchError::TooMany);
        }
        let index = frames.len();
        let (frame, after) = next(rest).ok_or(BatchError::Length { index })?;
        frames.push(frame);
        rest = after;
    }
    Ok(frames)
}

fn next(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}

/// What became of one frame: taken, or refused with a code.
pub type Outcome = Result<(), ErrorCode>;

/// Writes the body of the answer: `{"results": ["ok" or CODE, ...]}`, in the order of the frames.
pub fn results(outcomes: &[Outcome]) -> Vec<u8> {
    let text = |outcome: &Outcome| Value::from(outcome.err().map_or(TAKEN, ErrorCode::as_str));
    let object = Object::new().with("results", Value::Array(outcomes.iter().map(text).collect()));
    let mut body = Vec::with_capacity(16 + 8 * outcomes.len());
    write_object(&mut body, &object, Layout::Compact);
    body
}

/// Reads the body of an answer to `count` frames; `None` where it is not of its shape.
pub fn read_results(body: &[u8], count: usize) -> Option<Vec<Outcome>> {
    let rules = Rules { len_max: REPLY_LEN_MAX, ..RULES_1_0_HARDENED };
    let object = json::parse(body, &rules).ok()?.into_object().ok()?;
    let texts = Fields::new(&object).array("results").ok()?;
    if texts.len() != count {
        return None;
    }
    texts.iter().map(|text| outcome(text.as_str()?)).collect()
}

fn outcome(text: &str) -> Option<Outcome> {
    if text == TAKEN { Some(Ok(())) } else { ErrorCode::from_text(text).map(Err) }
}

const TAKEN: &str = "ok";
