//! The peer contract: JSON-RPC 2.0, one message a line (`docs/contract/`).
//!
//! - this file: the messages and the errors.
//! - [`lines`]: bounded lines from and to blocking streams.
//! - [`methods`], `params`: what each method takes and does to a node.
//! - [`shapes`]: how values of the peer look in answers and events.
//! - [`session`]: one conversation: concurrent requests, withdrawal, events.

mod delivery;
mod dht;
mod file;
mod keys;
pub mod lines;
pub mod methods;
mod moltbook;
mod params;
mod route;
pub mod session;
pub mod shapes;
mod task;
mod token;
mod token_shapes;
mod transfer;

use entity_peer::command::CommandError;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::node::Unsettled;

/// The name of a request: a text or a number, chosen by the caller.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A number.
    Number(serde_json::Number),
    /// A text.
    Text(String),
}

/// One line from the other side.
#[derive(Debug, Deserialize)]
pub struct Incoming {
    jsonrpc: String,
    /// Absent in a notification.
    pub id: Option<RequestId>,
    /// What to do.
    pub method: String,
    /// With what.
    pub params: Option<Box<RawValue>>,
}

impl Incoming {
    /// Reads one line.
    ///
    /// # Errors
    ///
    /// `PARSE_ERROR` for what is not JSON, `INVALID_REQUEST` for what is no request.
    pub fn parse(line: &str) -> Result<Self, RpcError> {
        let incoming: Self =
            serde_json::from_str(line).map_err(|error| match error.classify() {
                serde_json::error::Category::Data => {
                    RpcError::new(RpcError::INVALID_REQUEST, error.to_string())
                }
                serde_json::error::Category::Io
                | serde_json::error::Category::Syntax
                | serde_json::error::Category::Eof => {
                    RpcError::new(RpcError::PARSE_ERROR, error.to_string())
                }
            })?;
        if incoming.jsonrpc != "2.0" {
            return Err(RpcError::new(RpcError::INVALID_REQUEST, "`jsonrpc` is not \"2.0\""));
        }
        Ok(incoming)
    }
}

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

impl From<Unsettled> for RpcError {
    fn from(error: Unsettled) -> Self {
        Self::refused("SERVICE_UNAVAILABLE", error.to_string())
    }
}

#[derive(Serialize)]
struct Response<'a> {
    jsonrpc: &'static str,
    id: Option<&'a RequestId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a RpcError>,
}

/// The line that answers a request; `id` is absent where the request could not be read.
pub fn response_line(id: Option<&RequestId>, outcome: &Result<Box<RawValue>, RpcError>) -> String {
    let response = Response {
        jsonrpc: "2.0",
        id,
        result: outcome.as_ref().ok().map(AsRef::as_ref),
        error: outcome.as_ref().err(),
    };
    // Texts, numbers and JSON that was made here always have a JSON form.
    serde_json::to_string(&response).unwrap_or_default()
}

/// The line of a notification.
pub fn notification_line<T: Serialize>(method: &str, params: &T) -> String {
    #[derive(Serialize)]
    struct Notification<'a, T> {
        jsonrpc: &'static str,
        method: &'a str,
        params: &'a T,
    }
    // As above.
    serde_json::to_string(&Notification { jsonrpc: "2.0", method, params }).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<&str, i32>) {
        let outcome = Incoming::parse(line);
        assert_eq!(
            outcome.as_ref().map(|incoming| incoming.method.as_str()).map_err(|error| error.code),
            expected,
            "{line}"
        );
    }

    #[test]
    fn a_line_is_a_request_or_an_error_with_the_right_code() {
        check(r#"{"jsonrpc":"2.0","id":1,"method":"m"}"#, Ok("m"));
        check(r#"{"jsonrpc":"2.0","id":"x","method":"m","params":{}}"#, Ok("m"));
        check(r#"{"jsonrpc":"2.0","method":"m"}"#, Ok("m"));
        check(r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#, Err(RpcError::INVALID_REQUEST));
        check(r#"{"jsonrpc":"2.0","id":{},"method":"m"}"#, Err(RpcError::INVALID_REQUEST));
        check(r#"{"jsonrpc":"2.0","id":1}"#, Err(RpcError::INVALID_REQUEST));
        check("[]", Err(RpcError::INVALID_REQUEST));
        check("{", Err(RpcError::PARSE_ERROR));
        check("", Err(RpcError::PARSE_ERROR));
    }

    #[test]
    fn lines_have_one_fixed_form() {
        let result = RawValue::from_string("{}".to_owned()).unwrap();
        let id = RequestId::Number(7.into());
        assert_eq!(
            response_line(Some(&id), &Ok(result)),
            r#"{"jsonrpc":"2.0","id":7,"result":{}}"#
        );
        let error = RpcError::refused("SEQUENCE_ERROR", "too low");
        assert_eq!(
            response_line(None, &Err(error)),
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"too low","data":{"code":"SEQUENCE_ERROR","status":null,"detail":"too low"}}}"#
        );
        assert_eq!(notification_line("a.b", &1), r#"{"jsonrpc":"2.0","method":"a.b","params":1}"#);
    }
}
