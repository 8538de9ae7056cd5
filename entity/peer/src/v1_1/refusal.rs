//! How a refused message of 1.1 is answered (`docs/protocol/1.1.md#errors`).

use std::time::Duration;

use entity_flaw::{Flaw, planted};
use entity_wire::code::ErrorCode;
use entity_wire::json::ParseErrorKind;
use entity_wire::reply::Reply;
use entity_wire::v1_1::ShapeError;

use crate::inbound::Refusal;

/// Makes the refusal of a message whose sender claims to be `from`: the code, and no more.
pub(super) fn refuse(
    code: ErrorCode,
    retry_after: Option<Duration>,
    from: Option<&str>,
) -> Refusal {
    let is_misnamed = planted(Flaw::WrongErrorCode) && code == ErrorCode::InvalidSignature;
    let code = if is_misnamed { ErrorCode::InvalidMessage } else { code };
    let reply = match retry_after {
        Some(pause) => {
            Reply::retry_later(code, u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1))
        }
        None if planted(Flaw::WrongHttpStatus) && code == ErrorCode::SequenceError => {
            Reply::error_with_detail(code, 400, code.message())
        }
        None => Reply::error(code),
    };
    Refusal { from: from.map(str::to_owned), code, detail: code.message().to_owned(), reply }
}

/// Makes the refusal of a message of 1.1 that is not of its shape.
pub(crate) fn refuse_shape(error: &ShapeError) -> Refusal {
    let code = match error {
        ShapeError::Json(error) if matches!(error.kind, ParseErrorKind::TooLong { .. }) => {
            ErrorCode::MessageTooLarge
        }
        ShapeError::Json(_) | ShapeError::Field(_) | ShapeError::NullField => {
            ErrorCode::InvalidMessage
        }
    };
    refuse(code, None, None)
}

/// Adds the code to a refusal in the words of 1.0, for what is refused before its version is known.
pub(crate) fn with_code(refusal: Refusal) -> Refusal {
    let reply = Reply::error_with_detail(refusal.code, refusal.reply.status, &refusal.detail);
    Refusal { reply, ..refusal }
}
