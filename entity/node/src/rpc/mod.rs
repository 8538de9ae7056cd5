//! The peer contract: JSON-RPC 2.0, one message a line (`docs/contract/`).
//!
//! - this file: the messages and the errors.
//! - [`lines`]: bounded lines from and to blocking streams.
//! - [`methods`], `params`: what each method does to a node. What most of them take, and how values look, says [`entity_contract`].
//! - [`session`]: one conversation: concurrent requests, withdrawal, events.

mod dht;
mod file;
mod keys;
pub mod lines;
pub mod methods;
mod moltbook;
mod params;
mod route;
pub mod session;
mod token;
mod transfer;

pub use entity_contract::{Refusal, RpcError};
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
    }
}
