//! One message a line.

use serde_json::{Map, Value};

use crate::message::{Message, RequestId, RpcError};

/// Longest line, without its line feed, in bytes: 4 MiB, so that a message which travelled in pieces still fits.
pub const LINE_LEN_MAX: usize = 4 * 1024 * 1024;

/// Longest part of a bad line that an error quotes, in characters.
const QUOTE_LEN_MAX: usize = 120;

/// Why a line is no message, or a message no line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The line has more than [`LINE_LEN_MAX`] bytes.
    #[error("a line has at most {LINE_LEN_MAX} bytes, this one has {len}")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// The line is not JSON; most often something that belongs on stderr.
    #[error("this line is not JSON ({reason}): {line}; what is no message belongs on stderr")]
    Json {
        /// What the reader says.
        reason: String,
        /// The beginning of the line.
        line: String,
    },
    /// The JSON is no message of JSON-RPC 2.0.
    #[error("this line is no JSON-RPC 2.0 message, {reason}: {line}")]
    Shape {
        /// Which rule it breaks.
        reason: &'static str,
        /// The beginning of the line.
        line: String,
    },
}

/// Writes a message as one line, line feed included.
///
/// # Errors
///
/// [`CodecError::TooLong`], and nothing is to be sent.
pub fn encode(message: &Message) -> Result<Vec<u8>, CodecError> {
    let mut line = message.to_json().to_string().into_bytes();
    if line.len() > LINE_LEN_MAX {
        return Err(CodecError::TooLong { len: line.len() });
    }
    line.push(b'\n');
    Ok(line)
}

/// Reads one line; a line feed (and carriage return) at its end may be there.
///
/// # Errors
///
/// [`CodecError`] says which rule the line breaks. The stream itself stays usable: the next line is
/// another message.
pub fn decode(line: &[u8]) -> Result<Message, CodecError> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.len() > LINE_LEN_MAX {
        return Err(CodecError::TooLong { len: line.len() });
    }
    let value: Value = serde_json::from_slice(line)
        .map_err(|error| CodecError::Json { reason: error.to_string(), line: quote(line) })?;
    message(value).map_err(|reason| CodecError::Shape { reason, line: quote(line) })
}

fn message(value: Value) -> Result<Message, &'static str> {
    let Value::Object(mut fields) = value else { return Err("it is not an object") };
    if fields.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err("`jsonrpc` has to be \"2.0\"");
    }
    match fields.remove("method") {
        Some(Value::String(method)) => call(method, fields),
        Some(_) => Err("`method` has to be a text"),
        None => response(fields),
    }
}

fn call(method: String, mut fields: Map<String, Value>) -> Result<Message, &'static str> {
    let params = fields.remove("params").unwrap_or_else(|| Value::Object(Map::new()));
    if !params.is_object() {
        return Err("`params` has to be an object");
    }
    match fields.remove("id") {
        None => Ok(Message::Notification { method, params }),
        Some(id) => Ok(Message::Request { id: request_id(id)?, method, params }),
    }
}

fn response(mut fields: Map<String, Value>) -> Result<Message, &'static str> {
    let id = match fields.remove("id") {
        None => return Err("it has neither `method` nor `id`"),
        Some(Value::Null) => None,
        Some(id) => Some(request_id(id)?),
    };
    let outcome = match (fields.remove("result"), fields.remove("error")) {
        (Some(result), None) => Ok(result),
        (None, Some(error)) => Err(rpc_error(error)?),
        (Some(_), Some(_)) => return Err("it has both `result` and `error`"),
        (None, None) => return Err("it has neither `result` nor `error`"),
    };
    Ok(Message::Response { id, outcome })
}

fn request_id(id: Value) -> Result<RequestId, &'static str> {
    match id {
        Value::String(text) => Ok(RequestId::Text(text)),
        Value::Number(number) => {
            number.as_u64().map(RequestId::Number).ok_or("`id` has to be a whole number or a text")
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err("`id` has to be a whole number or a text")
        }
    }
}

fn rpc_error(error: Value) -> Result<RpcError, &'static str> {
    let Value::Object(mut fields) = error else { return Err("`error` has to be an object") };
    let code = fields.get("code").and_then(Value::as_i64);
    let code = code.ok_or("`error.code` has to be a whole number")?;
    let Some(Value::String(message)) = fields.remove("message") else {
        return Err("`error.message` has to be a text");
    };
    Ok(RpcError { code, message, data: fields.remove("data") })
}

fn quote(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    if text.chars().count() <= QUOTE_LEN_MAX {
        return text.into_owned();
    }
    let kept: String = text.chars().take(QUOTE_LEN_MAX).collect();
    format!("{kept}...")
}

#[cfg(test)]
mod tests;
