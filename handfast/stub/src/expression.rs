//! The computed parts of a conversation.
//!
//! A template is JSON. A text that begins with `$` stands for a name, with fields behind points (`$m1.payload.step`); `$$` is a plain `$`. A
//! list whose first item is a text that begins with `=` calls a function with the others. Everything else is itself.
//! Functions take texts for bytes (UTF-8). Where bytes would become part of a message they have to be made a text first.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::canonical::canonical;
use crate::primitives as p;

/// What an expression gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A part of a message.
    Json(Json),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Why an expression gives nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ExpressionError {
    /// No such name, or no such field in it.
    #[error("nothing is called ${0}")]
    NoName(String),
    /// No such function.
    #[error("there is no function `{0}`; there are: {known}", known = FUNCTIONS.join(" "))]
    NoFunction(String),
    /// A function got something else than it takes.
    #[error("`{function}` takes {takes}")]
    Arguments {
        /// Which function.
        function: String,
        /// What it takes.
        takes: &'static str,
    },
    /// A function found nothing to give: text that is no base64, a key of low order, a seal that does not open.
    #[error("`{0}` has no result for these values")]
    NoResult(String),
    /// Bytes stand where a message needs a text.
    #[error("bytes are no part of a message: make them a text with =hex-of or =base64")]
    BytesInMessage,
}

/// Every function, as it is written.
const FUNCTIONS: [&str; 26] = [
    "=cat",
    "=hex",
    "=hex-of",
    "=base64",
    "=unbase64",
    "=lp",
    "=slice",
    "=canonical",
    "=json",
    "=with",
    "=without",
    "=pick",
    "=among",
    "=equal",
    "=sha256",
    "=extract",
    "=expand",
    "=x25519",
    "=x25519-public",
    "=ed25519-public",
    "=sign",
    "=verify",
    "=seal",
    "=open",
    "=fresh",
    "=uuid",
];

/// Where fresh bytes come from.
#[derive(Debug, Clone)]
pub struct Fresh {
    seed: [u8; 32],
    count: u64,
    recorded: BTreeMap<String, Vec<u8>>,
}

impl Fresh {
    /// Bytes derived from a seed, other ones each time.
    pub fn seeded(seed: [u8; 32]) -> Self {
        Self { seed, count: 0, recorded: BTreeMap::new() }
    }

    /// The bytes of a recording, by the label under which the conversation asks for them; a label without one is derived from zeros.
    pub fn recorded(recorded: BTreeMap<String, Vec<u8>>) -> Self {
        Self { recorded, ..Self::seeded([0; 32]) }
    }

    fn take(&mut self, label: &str, length: usize) -> Option<Vec<u8>> {
        if let Some(bytes) = self.recorded.get(label) {
            return (bytes.len() == length).then(|| bytes.clone());
        }
        self.count += 1;
        let info = [label.as_bytes(), &[0], &self.count.to_be_bytes()].concat();
        p::expand(&self.seed, &info, length)
    }
}

/// The names that an expression knows.
pub type Names = BTreeMap<String, Value>;

/// Computes a template.
///
/// # Errors
/// A name or function that does not exist, arguments of another kind, a function without a result for them.
pub fn compute(
    template: &Json,
    names: &Names,
    fresh: &mut Fresh,
) -> Result<Value, ExpressionError> {
    match template {
        Json::String(text) => match text.strip_prefix('$') {
            Some(plain) if plain.starts_with('$') => Ok(Value::Json(Json::from(plain))),
            Some(path) => look_up(path, names),
            None => Ok(Value::Json(template.clone())),
        },
        Json::Array(items) => match items.split_first() {
            Some((Json::String(name), arguments)) if name.starts_with('=') => {
                let arguments: Result<Vec<Value>, _> =
                    arguments.iter().map(|argument| compute(argument, names, fresh)).collect();
                call(name, Arguments { function: name, values: &arguments? }, fresh)
            }
            _ => {
                let items: Result<Vec<Json>, _> =
                    items.iter().map(|item| part(item, names, fresh)).collect();
                Ok(Value::Json(Json::Array(items?)))
            }
        },
        Json::Object(fields) => {
            let fields: Result<Map<String, Json>, _> = fields
                .iter()
                .map(|(key, field)| Ok((key.clone(), part(field, names, fresh)?)))
                .collect();
            Ok(Value::Json(Json::Object(fields?)))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => Ok(Value::Json(template.clone())),
    }
}

/// Computes a template that has to be part of a message.
///
/// # Errors
/// As [`compute`], and for bytes.
pub fn part(template: &Json, names: &Names, fresh: &mut Fresh) -> Result<Json, ExpressionError> {
    match compute(template, names, fresh)? {
        Value::Json(json) => Ok(json),
        Value::Bytes(_) => Err(ExpressionError::BytesInMessage),
    }
}

fn look_up(path: &str, names: &Names) -> Result<Value, ExpressionError> {
    let missing = || ExpressionError::NoName(path.to_owned());
    let (name, fields) =
        path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let value = names.get(name).ok_or_else(missing)?;
    let Some(fields) = fields else { return Ok(value.clone()) };
    let Value::Json(json) = value else { return Err(missing()) };
    let mut json = json;
    for field in fields.split('.') {
        json = json.get(field).ok_or_else(missing)?;
    }
    Ok(Value::Json(json.clone()))
}

struct Arguments<'a> {
    function: &'a str,
    values: &'a [Value],
}

impl<'a> Arguments<'a> {
    fn wrong(&self, takes: &'static str) -> ExpressionError {
        ExpressionError::Arguments { function: self.function.to_owned(), takes }
    }

    fn none(&self) -> ExpressionError {
        ExpressionError::NoResult(self.function.to_owned())
    }

    fn bytes<const N: usize>(&self, takes: &'static str) -> Result<[&'a [u8]; N], ExpressionError> {
        let all: Option<Vec<&[u8]>> = self.values.iter().map(as_bytes).collect();
        all.and_then(|all| all.try_into().ok()).ok_or_else(|| self.wrong(takes))
    }

    fn text(&self, takes: &'static str) -> Result<&'a str, ExpressionError> {
        match self.values {
            [Value::Json(Json::String(text))] => Ok(text),
            _ => Err(self.wrong(takes)),
        }
    }

    /// A whole message, then texts.
    fn message(
        &self,
        takes: &'static str,
    ) -> Result<(&'a Map<String, Json>, &'a [Value]), ExpressionError> {
        match self.values {
            [Value::Json(Json::Object(message)), rest @ ..] => Ok((message, rest)),
            _ => Err(self.wrong(takes)),
        }
    }

    fn texts(
        &self,
        values: &'a [Value],
        takes: &'static str,
    ) -> Result<Vec<&'a str>, ExpressionError> {
        let text = |value: &'a Value| match value {
            Value::Json(Json::String(text)) => Some(text.as_str()),
            Value::Json(_) | Value::Bytes(_) => None,
        };
        values.iter().map(text).collect::<Option<_>>().ok_or_else(|| self.wrong(takes))
    }
}

fn as_bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        Value::Json(Json::String(text)) => Some(text.as_bytes()),
        Value::Json(_) => None,
    }
}

fn call(name: &str, of: Arguments<'_>, fresh: &mut Fresh) -> Result<Value, ExpressionError> {
    match name {
        "=cat" | "=hex" | "=hex-of" | "=base64" | "=unbase64" | "=lp" | "=slice" => {
            bytes(name, &of)
        }
        "=canonical" | "=json" | "=with" | "=without" | "=pick" | "=among" | "=equal" => {
            json(name, &of)
        }
        "=sha256" | "=extract" | "=expand" | "=x25519" | "=x25519-public" | "=ed25519-public"
        | "=sign" | "=verify" | "=seal" | "=open" => crypto(name, &of),
        "=fresh" => match of.values {
            [Value::Json(Json::String(label)), Value::Json(Json::Number(length))] => {
                let length = length.as_u64().and_then(|length| usize::try_from(length).ok());
                let bytes = length
                    .filter(|length| *length <= 64)
                    .and_then(|length| fresh.take(label, length));
                bytes.map(Value::Bytes).ok_or_else(|| of.none())
            }
            _ => Err(of.wrong("a label and a number of bytes, at most 64")),
        },
        "=uuid" => {
            let label = of.text("a label")?;
            let bytes = fresh.take(label, 16).ok_or_else(|| of.none())?;
            Ok(Value::Json(Json::from(uuid(&bytes))))
        }
        unknown => Err(ExpressionError::NoFunction(unknown.to_owned())),
    }
}

fn bytes(name: &str, of: &Arguments<'_>) -> Result<Value, ExpressionError> {
    Ok(match name {
        "=cat" => {
            let parts: Option<Vec<&[u8]>> = of.values.iter().map(as_bytes).collect();
            Value::Bytes(parts.ok_or_else(|| of.wrong("bytes"))?.concat())
        }
        "=hex" => Value::Bytes(hex::decode(of.text("a text")?).map_err(|_| of.none())?),
        "=unbase64" => Value::Bytes(BASE64.decode(of.text("a text")?).map_err(|_| of.none())?),
        "=hex-of" => Value::Json(Json::from(hex::encode(of.bytes::<1>("bytes")?[0]))),
        "=base64" => Value::Json(Json::from(BASE64.encode(of.bytes::<1>("bytes")?[0]))),
        "=slice" => match of.values {
            [data, Value::Json(Json::Number(from)), Value::Json(Json::Number(to))] => {
                let place = |number: &serde_json::Number| usize::try_from(number.as_u64()?).ok();
                let data = as_bytes(data).ok_or_else(|| of.wrong("bytes, from, to"))?;
                let range = place(from).zip(place(to)).map(|(from, to)| from..to);
                let found = range.and_then(|range| data.get(range)).ok_or_else(|| of.none())?;
                Value::Bytes(found.to_vec())
            }
            _ => return Err(of.wrong("bytes, from, to")),
        },
        _ => {
            let [data] = of.bytes("bytes")?;
            let length = u32::try_from(data.len()).map_err(|_| of.none())?;
            Value::Bytes([&length.to_be_bytes(), data].concat())
        }
    })
}

fn json(name: &str, of: &Arguments<'_>) -> Result<Value, ExpressionError> {
    Ok(Value::Json(match name {
        "=canonical" => match of.values {
            [Value::Json(json)] => {
                let text = canonical(json).ok_or_else(|| of.none())?;
                return Ok(Value::Bytes(text.into_bytes()));
            }
            _ => return Err(of.wrong("a value")),
        },
        "=json" => {
            let [data] = of.bytes("bytes")?;
            serde_json::from_slice(data).map_err(|_| of.none())?
        }
        "=with" => match of.message("a message, a path and a value")? {
            (message, [Value::Json(Json::String(path)), Value::Json(value)]) => {
                changed(message, path, Some(value)).ok_or_else(|| of.none())?
            }
            _ => return Err(of.wrong("a message, a path and a value")),
        },
        "=without" => {
            let (message, paths) = of.message("a message and paths")?;
            let mut left = Json::Object(message.clone());
            for path in of.texts(paths, "a message and paths")? {
                let fields = left.as_object().ok_or_else(|| of.none())?;
                left = changed(fields, path, None).ok_or_else(|| of.none())?;
            }
            left
        }
        "=pick" => {
            let (message, keys) = of.message("a message and fields")?;
            let keys = of.texts(keys, "a message and fields")?;
            let field = |key: &str| Some((key.to_owned(), message.get(key)?.clone()));
            let picked: Option<Map<String, Json>> = keys.into_iter().map(field).collect();
            Json::Object(picked.ok_or_else(|| of.none())?)
        }
        "=among" => match of.values {
            [Value::Json(Json::Array(items)), Value::Json(Json::Array(allowed))] => {
                items.iter().filter(|item| allowed.contains(item)).cloned().collect()
            }
            _ => return Err(of.wrong("two lists")),
        },
        _ => match of.values {
            [one, other] => Json::Bool(one == other),
            _ => return Err(of.wrong("two values")),
        },
    }))
}

/// The message with a field replaced, or removed; `None` if the way to it is not there.
fn changed(message: &Map<String, Json>, path: &str, to: Option<&Json>) -> Option<Json> {
    let mut message = message.clone();
    let mut at = &mut message;
    let mut fields = path.split('.').peekable();
    while let Some(field) = fields.next() {
        if fields.peek().is_some() {
            at = at.get_mut(field)?.as_object_mut()?;
        } else if let Some(value) = to {
            at.insert(field.to_owned(), value.clone());
        } else {
            at.remove(field)?;
        }
    }
    Some(Json::Object(message))
}

fn crypto(name: &str, of: &Arguments<'_>) -> Result<Value, ExpressionError> {
    let result = match name {
        "=sha256" => Some(p::sha256(of.bytes::<1>("bytes")?[0])),
        "=extract" => {
            let [salt, secret] = of.bytes("a salt and a secret")?;
            Some(p::extract(salt, secret))
        }
        "=expand" => match of.values {
            [prk, info, Value::Json(Json::Number(length))] => {
                let takes = "a key, an info and a length";
                let prk = as_bytes(prk).ok_or_else(|| of.wrong(takes))?;
                let info = as_bytes(info).ok_or_else(|| of.wrong(takes))?;
                let length = length.as_u64().and_then(|length| usize::try_from(length).ok());
                length.and_then(|length| p::expand(prk, info, length))
            }
            _ => return Err(of.wrong("a key, an info and a length")),
        },
        "=x25519" => {
            let [secret, public] = of.bytes("a secret and a public key")?;
            p::x25519(secret, public)
        }
        "=x25519-public" => p::x25519_public(of.bytes::<1>("a secret")?[0]),
        "=ed25519-public" => p::ed25519_public(of.bytes::<1>("a seed")?[0]),
        "=sign" => {
            let [seed, data] = of.bytes("a seed and data")?;
            p::sign(seed, data)
        }
        "=verify" => {
            let [key, data, signature] = of.bytes("a key, data and a signature")?;
            return Ok(Value::Json(Json::Bool(p::verify(key, data, signature))));
        }
        _ => {
            let [key, nonce, associated, data] =
                of.bytes("a key, a nonce, associated data and data")?;
            if name == "=seal" {
                p::seal(key, nonce, associated, data)
            } else {
                p::open(key, nonce, associated, data)
            }
        }
    };
    result.map(Value::Bytes).ok_or_else(|| of.none())
}

/// A version 4 UUID of 16 bytes.
fn uuid(bytes: &[u8]) -> String {
    let mut bytes = bytes.to_vec();
    if let Some(byte) = bytes.get_mut(6) {
        *byte = *byte & 0x0f | 0x40;
    }
    if let Some(byte) = bytes.get_mut(8) {
        *byte = *byte & 0x3f | 0x80;
    }
    let text = hex::encode(bytes);
    let parts =
        [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| text.get(range).unwrap_or_default());
    parts.join("-")
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
