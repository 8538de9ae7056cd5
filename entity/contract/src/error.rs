//! Why a request was not done.

use entity_peer::command::CommandError;
use serde::Serialize;

/// Why a request was not done, as the caller is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RpcError {
    /// One of the codes below.
    pub code: i32,
    /// In words.
    pub message: String,
    /// The protocol's view of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Refusal>,
}

/// What stands in `error.data` of a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The protocol's code, for example `SEQUENCE_ERROR`.
    pub code: String,
    /// The HTTP status the other side answered, where it did.
    pub status: Option<u16>,
    /// The text the other side answered, where it did, or what stands against the request on our side.
    pub detail: String,
    /// When it may be tried again, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl RpcError {
    /// The line is not JSON.
    pub const PARSE_ERROR: i32 = -32700;
    /// The JSON is no request.
    pub const INVALID_REQUEST: i32 = -32600;
    /// There is no such method: it is not supported.
    pub const METHOD_NOT_FOUND: i32 = -32601;
    /// The parameters are not those of the method.
    pub const INVALID_PARAMS: i32 = -32602;
    /// A mistake of this program.
    pub const INTERNAL_ERROR: i32 = -32603;
    /// The peer, or the peer it asked, refuses; `data` says why.
    pub const REFUSED: i32 = -32000;
    /// The request was withdrawn with `$/cancel`.
    pub const CANCELLED: i32 = -32800;

    /// An error without `data`.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The parameters are not those of the method.
    pub fn params(message: impl ToString) -> Self {
        Self::new(Self::INVALID_PARAMS, message.to_string())
    }

    /// A refusal that has a code of the protocol but did not come over the wire.
    pub fn refused(code: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let (code, message) = (code.to_owned(), detail.clone());
        let data = Refusal { code, status: None, detail, retry_after_ms: None };
        Self { code: Self::REFUSED, message, data: Some(data) }
    }
}

impl From<CommandError> for RpcError {
    fn from(error: CommandError) -> Self {
        let message = format!("failed to {error}");
        let detail = match &error {
            CommandError::Refused { detail, .. } => detail.clone(),
            CommandError::UnknownPeer { .. }
            | CommandError::UnknownSession { .. }
            | CommandError::KeyMismatch { .. }
            | CommandError::NoKey { .. }
            | CommandError::Sealing { .. }
            | CommandError::Malformed { .. }
            | CommandError::UnknownTask { .. }
            | CommandError::Task { .. }
            | CommandError::UnknownTransfer { .. }
            | CommandError::Transfer { .. }
            | CommandError::Token(_)
            | CommandError::Dht(_)
            | CommandError::TooLarge { .. }
            | CommandError::Overloaded { .. }
            | CommandError::CircuitOpen { .. }
            | CommandError::Unreachable { .. }
            | CommandError::Handshake { .. }
            | CommandError::TimedOut { .. }
            | CommandError::Cancelled => error.to_string(),
        };
        // A task is refused here by the code that a peer would refuse it with.
        let code = if let CommandError::Task { code, .. } = &error {
            code.as_str().to_owned()
        } else if let CommandError::Token(error) = &error {
            error.code().to_owned()
        } else {
            error.code().to_string()
        };
        let retry_after_ms = error
            .retry_after()
            .map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX).max(1));
        let status = error.status();
        let data = Refusal { code, status, detail, retry_after_ms };
        Self { code: Self::REFUSED, message, data: Some(data) }
    }
}
