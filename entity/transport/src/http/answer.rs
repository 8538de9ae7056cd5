//! What a server answers and a client receives.

use bytes::Bytes;
use entity_wire::code::ErrorCode;
use entity_wire::reply::Reply;

/// One HTTP answer: a status and a JSON body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, 100-599.
    pub status: u16,
    /// The body; what a server sends is compact JSON (`application/json`).
    pub body: Bytes,
    /// The `Retry-After` header in whole seconds.
    pub retry_after_seconds: Option<u64>,
}

impl Answer {
    /// Makes an answer without `Retry-After`.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), retry_after_seconds: None }
    }

    pub(crate) const fn fixed(status: u16, body: &'static str) -> Self {
        Self { status, body: Bytes::from_static(body.as_bytes()), retry_after_seconds: None }
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        Self {
            status: reply.status,
            body: reply.body.into(),
            retry_after_seconds: reply.retry_after_seconds,
        }
    }
}

/// The answer to a path that does not exist (`docs/protocol/1.0.md#endpoints`).
pub(crate) const NOT_FOUND: Answer = Answer::fixed(404, r#"{"detail":"Not Found"}"#);

/// The answer to a known path with another method (`docs/protocol/1.0.md#endpoints`).
pub(crate) const METHOD_NOT_ALLOWED: Answer =
    Answer::fixed(405, r#"{"detail":"Method Not Allowed"}"#);

/// The answer to a request for a WebSocket that is none, or is one of another subprotocol (`docs/protocol/1.1.md#websocket`).
pub(crate) const NOT_A_WEBSOCKET: Answer =
    Answer::fixed(400, r#"{"detail":"Bad Request: not a WebSocket of entity.v1"}"#);

/// The answer to a body that did not arrive in time.
pub(crate) const BODY_TOO_SLOW: Answer = Answer::fixed(408, r#"{"detail":"Request Timeout"}"#);

/// The answer to a body that broke off or was badly framed.
pub(crate) const BODY_BROKEN: Answer = Answer::fixed(400, r#"{"detail":"Bad Request"}"#);

/// The answer to a body above the limit (`docs/protocol/1.1.md#error-codes`; 1.0 callers read `detail`).
pub(crate) fn too_large() -> Answer {
    Reply::error(ErrorCode::MessageTooLarge).into()
}

/// The answer when the places for connections or the memory for bodies are taken (`docs/protocol/1.1.md#error-codes`).
pub(crate) fn overloaded() -> Answer {
    Reply::retry_later(ErrorCode::ServiceUnavailable, RETRY_AFTER_MS).into()
}

/// How long an overloaded server asks its callers to stay away. Guessed: a place is free again after the next few answers.
const RETRY_AFTER_MS: u64 = 1000;
