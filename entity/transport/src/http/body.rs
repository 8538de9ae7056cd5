//! Bodies, read whole and never beyond their limit.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The body is longer than the limit.
    #[error("body is longer than the limit")]
    TooLarge,
    /// The connection ended or the framing was wrong.
    #[error("body broke off")]
    Broken(#[source] hyper::Error),
}

/// The length that the sender declared, if it did.
pub(crate) fn declared_length(body: &Incoming) -> Option<u64> {
    body.size_hint().exact()
}

/// Reads a body of at most `max` bytes.
///
/// A body in one piece, as nearly all are, is passed on without a copy. Pieces are copied together: kept apart, a sender of
/// one-byte pieces would cost dozens of bytes for each of its own.
///
/// # Errors
///
/// [`BodyError`]; after `TooLarge` the rest of `body` can still be discarded.
pub(crate) async fn collect(body: &mut Incoming, max: usize) -> Result<Bytes, BodyError> {
    if declared_length(body).is_some_and(|length| length > u64::try_from(max).unwrap_or(u64::MAX)) {
        return Err(BodyError::TooLarge);
    }
    let Some(first) = next_piece(body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > max {
        return Err(BodyError::TooLarge);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(piece) = next_piece(body).await? {
        if piece.len() > max - whole.len() {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// Reads and forgets up to `max` bytes of a refused body; `true` if that reached its end.
pub(crate) async fn discard(body: &mut Incoming, max: usize) -> bool {
    let mut left = max;
    loop {
        match next_piece(body).await {
            Ok(Some(piece)) if piece.len() <= left => left -= piece.len(),
            Ok(Some(_)) | Err(_) => return false,
            Ok(None) => return true,
        }
    }
}

async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
