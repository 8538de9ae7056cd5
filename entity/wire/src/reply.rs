//! What the HTTP answer to a message says: written by the receiver, read by the sender.

use crate::code::ErrorCode;
use crate::json::{self, Fields, Layout, Object, ObjectWriter, RULES_1_0_HARDENED};
use crate::limits::{REPLY_LEN_MAX, TEXT_LEN_MAX};

/// The answer to `POST /message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body: compact JSON, ASCII.
    pub body: Vec<u8>,
    /// The value of the header `Retry-After`, in seconds rounded up, where there is one.
    pub retry_after_seconds: Option<u64>,
}

impl Reply {
    /// The code of a refusal; `None` where the message was taken. A refusal in the words of 1.0 counts as malformed.
    pub fn code(&self) -> Option<ErrorCode> {
        if self.status == 200 {
            return None;
        }
        Some(Answer::read(self.status, &self.body).code.unwrap_or(ErrorCode::InvalidMessage))
    }
}

/// What the success body says about the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The signature was looked at and held.
    Passed,
    /// Signatures are not looked at. No node of this project ever says so; earlier peers may.
    Disabled,
}

impl Reply {
    /// The answer to a message that was taken.
    ///
    /// Source: `docs/protocol/1.0.md#endpoints`.
    pub fn received(entity_id: &str, verification: Verification) -> Self {
        let verification = match verification {
            Verification::Passed => "passed",
            Verification::Disabled => "disabled",
        };
        Self::compact(200, |writer| {
            writer.text("status", "received");
            writer.text("entity_id", entity_id);
            writer.text("verification", verification);
        })
    }

    /// A refusal in the words of 1.0.
    ///
    /// Source: `docs/protocol/1.0.md#error-texts`.
    pub fn detail(status: u16, detail: &str) -> Self {
        Self::compact(status, |writer| writer.text("detail", detail))
    }

    /// A refusal with a code; status and texts are those of the code.
    ///
    /// Source: `docs/protocol/1.1.md#errors`.
    pub fn error(code: ErrorCode) -> Self {
        Self::coded(code, code.status(), code.message(), None)
    }

    /// A refusal with a code that both versions understand: status and `detail` are 1.0's.
    ///
    /// For what fails before the version is known, and for versions that are not spoken.
    pub fn error_with_detail(code: ErrorCode, status: u16, detail: &str) -> Self {
        Self::coded(code, status, detail, None)
    }

    /// A refusal that says when to come back.
    ///
    /// Source: `docs/protocol/1.1.md#errors`.
    pub fn retry_later(code: ErrorCode, retry_after_ms: u64) -> Self {
        Self::coded(code, code.status(), code.message(), Some(retry_after_ms))
    }

    fn coded(code: ErrorCode, status: u16, detail: &str, retry_after_ms: Option<u64>) -> Self {
        let mut error = Object::new().with("code", code.as_str()).with("message", code.message());
        if let Some(retry_after_ms) = retry_after_ms {
            error.insert("retry_after_ms", retry_after_ms);
        }
        let reply = Self::compact(status, |writer| {
            writer.text("detail", detail);
            writer.object("error", &error);
        });
        Self { retry_after_seconds: retry_after_ms.map(|ms| ms.div_ceil(1_000)), ..reply }
    }

    fn compact(status: u16, write: impl FnOnce(&mut ObjectWriter<'_>)) -> Self {
        let mut body = Vec::with_capacity(128);
        let mut writer = ObjectWriter::new(&mut body, Layout::Compact);
        write(&mut writer);
        writer.end();
        Self { status, body, retry_after_seconds: None }
    }
}

/// What a sender can learn from the answer to its message. Answers are not authenticated: all of it is a hint.
///
/// Source: `docs/protocol/1.1.md#status-is-a-hint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The text of `detail`, where the body has one of at most [`TEXT_LEN_MAX`] bytes.
    pub detail: Option<String>,
    /// The code, where the body has one that is known.
    pub code: Option<ErrorCode>,
    /// When to come back, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Answer {
    /// Reads whatever came; a body that is not understood counts as an answer without a text.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let mut answer = Self { status, detail: None, code: None, retry_after_ms: None };
        let rules = json::Rules { len_max: REPLY_LEN_MAX, ..RULES_1_0_HARDENED };
        let Ok(value) = json::parse(body, &rules) else { return answer };
        let Some(object) = value.as_object() else { return answer };
        let fields = Fields::new(object);
        answer.detail = fields.short_text("detail", TEXT_LEN_MAX).ok().map(str::to_owned);
        if let Ok(error) = fields.object("error") {
            let error = Fields::new(error);
            answer.code = error.text("code").ok().and_then(ErrorCode::from_text);
            answer.retry_after_ms = error.unsigned("retry_after_ms").ok();
        }
        answer
    }

    /// Whether the message was taken: exactly status 200.
    ///
    /// Source: `docs/protocol/1.0.md#client-rules`.
    pub fn is_success(&self) -> bool {
        self.status == 200
    }

    /// Whether sending again is pointless: 400, 401, 403 and 404.
    ///
    /// Source: `docs/protocol/1.0.md#client-rules`.
    pub fn is_final(&self) -> bool {
        matches!(self.status, 400 | 401 | 403 | 404)
    }

    /// Whether the other side says that it does not speak version `version`.
    ///
    /// Source: `docs/protocol/1.1.md#negotiation`.
    pub fn refuses_version(&self, version: crate::version::Version) -> bool {
        self.status == 400
            && self.detail.as_deref() == Some(&format!("Unsupported version: {version}"))
    }
}

#[cfg(test)]
mod tests;
