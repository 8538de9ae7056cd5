//! JSON-RPC 2.0 messages.

use std::fmt;

use serde_json::{Map, Value, json};

/// The method is not known: the peer does not offer it.
pub const METHOD_NOT_FOUND: i64 = -32601;
/// The parameters do not have the method's shape.
pub const INVALID_PARAMS: i64 = -32602;
/// The line is not JSON.
pub const PARSE_ERROR: i64 = -32700;
/// The JSON is no request.
pub const INVALID_REQUEST: i64 = -32600;
/// The peer itself failed.
pub const INTERNAL_ERROR: i64 = -32603;
/// The peer refuses; `data.code` says why in the words of its protocol.
pub const REFUSED: i64 = -32000;

/// Id of a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestId {
    /// What this crate's [`crate::Client`] gives.
    Number(u64),
    /// What a peer may have to echo for others.
    Text(String),
}

/// One message of the contract.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A wish that is answered.
    Request {
        /// Its id, which the answer repeats.
        id: RequestId,
        /// The method.
        method: String,
        /// The parameters: an object.
        params: Value,
    },
    /// The answer to a request.
    Response {
        /// Id of the request; `None` where the peer could not read one.
        id: Option<RequestId>,
        /// The result, or why there is none.
        outcome: Result<Value, RpcError>,
    },
    /// A message that is not answered: an event of a peer, or `$/cancel`.
    Notification {
        /// The method.
        method: String,
        /// The parameters: an object.
        params: Value,
    },
}

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    /// The code of JSON-RPC.
    pub code: i64,
    /// One line for a person.
    pub message: String,
    /// `data` as sent.
    pub data: Option<Value>,
}

/// A refusal in the words of the protocol under test: `data` of an error with code [`REFUSED`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The protocol's code, such as `SEQUENCE_ERROR`.
    pub code: String,
    /// The protocol's status, such as 409, where it has one.
    pub status: Option<u16>,
    /// The protocol's text, where it has one.
    pub detail: Option<String>,
}

impl RpcError {
    /// Whether the peer says that it does not have the method.
    pub fn is_unsupported(&self) -> bool {
        self.code == METHOD_NOT_FOUND
    }

    /// The refusal in it, if it is one.
    pub fn refusal(&self) -> Option<Refusal> {
        let data = self.data.as_ref()?.as_object()?;
        let text = |key: &str| data.get(key).and_then(Value::as_str).map(str::to_owned);
        let status = data.get("status").and_then(Value::as_u64);
        Some(Refusal {
            code: text("code")?,
            status: status.and_then(|status| u16::try_from(status).ok()),
            detail: text("detail"),
        })
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusal() {
            Some(Refusal { code, .. }) => write!(formatter, "{code}: {}", self.message),
            None => write!(formatter, "{} ({})", self.message, self.code),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::Text(text) => formatter.pad(text),
        }
    }
}

impl From<&RequestId> for Value {
    fn from(id: &RequestId) -> Self {
        match id {
            RequestId::Number(number) => Self::from(*number),
            RequestId::Text(text) => Self::from(text.as_str()),
        }
    }
}

impl Message {
    /// The message as JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Request { id, method, params } => {
                json!({"jsonrpc": "2.0", "id": Value::from(id), "method": method, "params": params})
            }
            Self::Notification { method, params } => {
                json!({"jsonrpc": "2.0", "method": method, "params": params})
            }
            Self::Response { id, outcome } => {
                let id = id.as_ref().map_or(Value::Null, Value::from);
                match outcome {
                    Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
                    Err(error) => json!({"jsonrpc": "2.0", "id": id, "error": error.to_json()}),
                }
            }
        }
    }
}

impl RpcError {
    fn to_json(&self) -> Value {
        let mut fields = Map::new();
        fields.insert("code".to_owned(), Value::from(self.code));
        fields.insert("message".to_owned(), Value::from(self.message.as_str()));
        if let Some(data) = &self.data {
            fields.insert("data".to_owned(), data.clone());
        }
        Value::Object(fields)
    }
}
