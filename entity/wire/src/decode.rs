//! The way in: bytes of a request to an unverified envelope of one version.

use crate::json::{self, FieldError, Object, ParseError, Problem, Rules, Value};
use crate::limits::LEGACY_ID_LEN_MAX;
use crate::version::Version;
use crate::{canonical, v1_0, v1_1};

/// How much of the earlier peer's carelessness 1.0 is spoken with.
///
/// Source: `docs/protocol/1.0.md#profiles`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Profile {
    /// Replays, stale and foreign messages, NaN, excess of size and nesting are refused.
    #[default]
    Hardened,
    /// As the earlier peer, with a bound on size and nesting.
    Compat,
}

impl Profile {
    /// The rules of JSON in this profile.
    pub fn json_rules(self) -> Rules {
        match self {
            Self::Hardened => json::RULES_1_0_HARDENED,
            Self::Compat => json::RULES_1_0_COMPAT,
        }
    }
}

/// Which versions are read, and in which profile 1.0 (with 0.3) is.
///
/// A plain value: a node copies it once and decodes without asking its peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeRules {
    /// 1.0 alone.
    V1_0(Profile),
    /// 1.1 alone.
    V1_1,
    /// Both versions.
    Both(Profile),
}

impl DecodeRules {
    /// Whether messages of `version` are read; 0.3 comes with 1.0.
    pub fn enables(self, version: Version) -> bool {
        match version {
            Version::V0_3 | Version::V1_0 => self.profile().is_some(),
            Version::V1_1 => matches!(self, Self::V1_1 | Self::Both(_)),
        }
    }

    /// The profile of 1.0, where 1.0 is enabled.
    pub fn profile(self) -> Option<Profile> {
        match self {
            Self::V1_0(profile) | Self::Both(profile) => Some(profile),
            Self::V1_1 => None,
        }
    }

    /// The rules that a text is parsed under before its version is known: what any enabled version accepts.
    ///
    /// Floats and duplicate keys pass even where 1.1 is alone, so that a message of 1.0 is told that its version is
    /// not spoken, and not that it is malformed.
    pub fn json_rules(self) -> Rules {
        self.profile().unwrap_or_default().json_rules().union(json::RULES_1_1)
    }

    /// Longest body that is read, in bytes: what a server lets through.
    pub fn len_max(self) -> usize {
        self.json_rules().len_max
    }
}

/// What a body turned out to be. Nothing in it is proved yet.
#[derive(Clone, Debug)]
pub enum Decoded {
    /// A message of 1.0 or 0.3.
    V1_0(v1_0::Unverified),
    /// A message of 1.1.
    V1_1(v1_1::Unverified),
    /// A message of a version that is not enabled, or that nobody knows.
    Unsupported(Unsupported),
}

/// A message of a version that is not spoken here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The text of its `version`, for `Unsupported version: V`; at most [`LEGACY_ID_LEN_MAX`] bytes.
    pub version: String,
    /// The sender that it claims, for the limiter of the profile `compat`; at most [`LEGACY_ID_LEN_MAX`] bytes.
    pub sender: String,
}

/// Why a body is no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Too long, too deep, or not JSON under the rules of every enabled version.
    #[error("not acceptable JSON")]
    Json(#[source] ParseError),
    /// JSON, but not an object.
    #[error("not an object")]
    NotAnObject,
    /// An object without `version` and `sender_id`, but with `from` and `type`: the form before 0.3.
    #[error("the form of message before version 0.3")]
    LegacyForm,
    /// An object that is no form of message.
    #[error("unknown form of message")]
    UnknownForm,
    /// A field that has to be read before the version can be judged is not readable.
    #[error("version or sender not readable")]
    Unreadable(#[source] FieldError),
    /// A message of 1.1 that is not of its shape, or breaks the stricter rules of JSON of 1.1.
    #[error("not a message of version 1.1")]
    V1_1(#[source] v1_1::ShapeError),
}

/// Reads a request body.
///
/// The text is parsed once, under the loosest rules that an enabled version has; what was seen is judged again by the
/// rules of the version that the message turns out to have.
///
/// # Errors
///
/// See [`DecodeError`]. A version that is not enabled is no error here, because the limiter of the profile `compat`
/// comes before the version is judged.
///
/// Source: `docs/protocol/1.0.md#order-of-checks` steps 1, 2; `docs/protocol/1.1.md#order-of-checks` steps 1 to 4.
pub fn decode(rules: &DecodeRules, body: &[u8]) -> Result<Decoded, DecodeError> {
    let (value, seen) = json::parse_noting(body, &rules.json_rules()).map_err(DecodeError::Json)?;
    let object = value.into_object().map_err(|_| DecodeError::NotAnObject)?;
    let (Some(version), Some(sender)) = (object.get("version"), object.get("sender_id")) else {
        let legacy = object.contains_key("from") && object.contains_key("type");
        return Err(if legacy { DecodeError::LegacyForm } else { DecodeError::UnknownForm });
    };
    let enabled =
        version.as_str().and_then(Version::from_text).filter(|version| rules.enables(*version));
    match enabled {
        Some(Version::V1_1) => {
            v1_1::Unverified::read(object, &seen).map(Decoded::V1_1).map_err(DecodeError::V1_1)
        }
        Some(version @ (Version::V0_3 | Version::V1_0)) => {
            let profile = rules.profile().unwrap_or_default();
            seen.satisfies(&profile.json_rules()).map_err(DecodeError::Json)?;
            v1_0::Unverified::read(object, version)
                .map(Decoded::V1_0)
                .map_err(DecodeError::Unreadable)
        }
        None => {
            let version = echo("version", version).map_err(DecodeError::Unreadable)?;
            let sender = echo("sender_id", sender).map_err(DecodeError::Unreadable)?;
            Ok(Decoded::Unsupported(Unsupported { version, sender }))
        }
    }
}

/// The text of a field for a table or an answer: a string as it is, anything else in its canonical form.
pub(crate) fn echo(field: &'static str, value: &Value) -> Result<String, FieldError> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            String::from_utf8(canonical::to_vec(value)).unwrap_or_default()
        }
    };
    if text.len() > LEGACY_ID_LEN_MAX {
        return Err(Problem::TooLong { max: LEGACY_ID_LEN_MAX }.of(field));
    }
    Ok(text)
}

/// Reads a body as a bare object, for the tools that look at traffic without judging it.
///
/// # Errors
///
/// [`DecodeError::Json`] and [`DecodeError::NotAnObject`].
pub fn read_object(rules: &Rules, body: &[u8]) -> Result<Object, DecodeError> {
    let value = json::parse(body, rules).map_err(DecodeError::Json)?;
    value.into_object().map_err(|_| DecodeError::NotAnObject)
}

#[cfg(test)]
mod tests;
