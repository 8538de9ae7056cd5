//! Why a 1.0 message is not accepted, and the one place that says how that is answered.

use std::borrow::Cow;

use entity_wire::code::ErrorCode;
use entity_wire::decode::{DecodeError, Profile};
use entity_wire::json::ParseErrorKind;
use entity_wire::reply::Reply;
use entity_wire::v1_0::VerifyError;

use crate::inbound::Refusal;

/// Why a 1.0 message is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The body is larger than the profile takes.
    TooLarge,
    /// The body is nested deeper than the profile takes.
    TooDeep,
    /// The body is no JSON.
    NotJson,
    /// The body is JSON, but no object.
    NotAnObject,
    /// It is a message of the form that crashed the earlier peer.
    LegacyForm,
    /// It is no form of message.
    UnknownForm,
    /// The sender has spent its allowance.
    RateLimited,
    /// Its version is not spoken here, or not by this sender any more.
    Version(String),
    /// It names another recipient.
    Recipient,
    /// It has no signature.
    NoSignature,
    /// No key is known for its sender.
    UnknownSender(String),
    /// One of the six signed fields is absent.
    SignedField(&'static str),
    /// Its signature does not hold.
    Signature,
    /// A field is of the wrong type or too long.
    Field,
    /// It has no session id.
    NoSessionId,
    /// It has no sequence number.
    NoSequence,
    /// Its sequence number is none.
    SequenceNotANumber,
    /// Its time is not within 60 s of ours.
    Time,
    /// Its nonce came in another message.
    Replay,
    /// It belongs to another session than ours, or to one that is too old.
    SessionExpired,
    /// Its sequence number was passed.
    Sequence,
    /// Its payload is sealed in a session and cannot be opened.
    Unsealable,
    /// Its payload is sealed under static keys and cannot be opened.
    StaticUnsealable,
    /// Its payload is nothing a handler can read.
    Handler,
    /// It is a token transfer without a certificate.
    Transfer,
}

impl Fault {
    /// Returns status, text and code: all that a peer learns.
    ///
    /// Source: docs/protocol/1.0.md#error-texts, docs/protocol/1.0.md#profiles
    pub(crate) fn answer(&self, profile: Profile) -> (u16, Cow<'static, str>, ErrorCode) {
        use ErrorCode as Code;
        let (status, text, code) = match (self, profile) {
            (Self::TooLarge, _) => (413, "Message too large", Code::MessageTooLarge),
            // Where the earlier peer answered 500 with the text of an exception, `compat` keeps the status alone.
            (
                Self::TooDeep
                | Self::NotAnObject
                | Self::LegacyForm
                | Self::SequenceNotANumber
                | Self::Field,
                Profile::Compat,
            ) => (500, INTERNAL_ERROR, Code::InvalidMessage),
            (Self::NotJson, _) | (Self::TooDeep, Profile::Hardened) => {
                (400, "Invalid JSON", Code::InvalidMessage)
            }
            (Self::UnknownForm, _)
            | (Self::NotAnObject | Self::LegacyForm | Self::Field, Profile::Hardened) => {
                (400, "Unknown message format", Code::InvalidMessage)
            }
            (Self::RateLimited, _) => (400, "rate_limited", Code::RateLimited),
            (Self::Version(version), _) => {
                let text = format!("Unsupported version: {version}");
                return (400, text.into(), Code::InvalidVersion);
            }
            (Self::Recipient, _) => (400, "Unknown recipient", Code::UnknownRecipient),
            (Self::NoSignature, _) => (400, "Missing signature", Code::InvalidSignature),
            (Self::UnknownSender(sender), _) => {
                let text = format!("Unknown sender: {sender}");
                return (400, text.into(), Code::UnknownSender);
            }
            (Self::SignedField(field), _) => {
                let text = format!("Signature verification error: '{field}'");
                return (400, text.into(), Code::InvalidMessage);
            }
            (Self::Signature, _) => (400, "Invalid signature", Code::InvalidSignature),
            (Self::NoSessionId, _) => {
                (400, "Missing required field: session_id", Code::InvalidMessage)
            }
            (Self::NoSequence, _) | (Self::SequenceNotANumber, Profile::Hardened) => {
                (400, "Missing required field: sequence_num", Code::InvalidMessage)
            }
            (Self::Time, _) => (400, "Timestamp too old", Code::ExpiredTimestamp),
            (Self::Replay, _) => (400, "Replay detected", Code::ReplayDetected),
            (Self::SessionExpired, _) => (400, "SESSION_EXPIRED", Code::SessionExpired),
            (Self::Sequence, _) => (400, "SEQUENCE_ERROR", Code::SequenceError),
            (Self::Unsealable, _) => {
                (400, "E2E decryption error: DECRYPTION_FAILED", Code::DecryptionFailed)
            }
            (Self::StaticUnsealable, _) => (400, "Decryption failed", Code::DecryptionFailed),
            (Self::Handler, _) => (400, "Handler error", Code::InvalidMessage),
            (Self::Transfer, _) => (403, "Transfer refused", Code::TransferRefused),
        };
        (status, text.into(), code)
    }

    /// Makes the refusal that goes with this fault.
    pub(crate) fn refuse(&self, profile: Profile, from: Option<&str>) -> Refusal {
        let (status, detail, code) = self.answer(profile);
        Refusal {
            from: from.map(str::to_owned),
            code,
            reply: Reply::detail(status, &detail),
            detail: detail.into_owned(),
        }
    }
}

impl From<&DecodeError> for Fault {
    fn from(error: &DecodeError) -> Self {
        match error {
            DecodeError::Json(error) => match error.kind {
                ParseErrorKind::TooLong { .. } => Self::TooLarge,
                ParseErrorKind::TooDeep { .. } => Self::TooDeep,
                ParseErrorKind::NotUtf8
                | ParseErrorKind::UnexpectedEnd
                | ParseErrorKind::UnexpectedCharacter
                | ParseErrorKind::TrailingCharacters
                | ParseErrorKind::MalformedNumber
                | ParseErrorKind::IntegerTooLong
                | ParseErrorKind::MalformedEscape
                | ParseErrorKind::LoneSurrogate
                | ParseErrorKind::ControlCharacter
                | ParseErrorKind::DuplicateKey
                | ParseErrorKind::Float
                | ParseErrorKind::NonFinite => Self::NotJson,
            },
            DecodeError::NotAnObject => Self::NotAnObject,
            DecodeError::LegacyForm => Self::LegacyForm,
            DecodeError::UnknownForm => Self::UnknownForm,
            DecodeError::Unreadable(_) | DecodeError::V1_1(_) => Self::Field,
        }
    }
}

impl From<VerifyError> for Fault {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::MissingSignature => Self::NoSignature,
            VerifyError::MissingField(field) => Self::SignedField(field),
            VerifyError::InvalidSignature => Self::Signature,
            VerifyError::Field(_) => Self::Field,
        }
    }
}

/// What stands in place of the text of an exception.
///
/// Source: docs/protocol/1.0.md#profile-compat
const INTERNAL_ERROR: &str = "Internal Server Error";
