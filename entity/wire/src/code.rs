//! The error codes of protocol 1.1 and the HTTP status of each.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $status:literal, $message:literal;)*) => {
        /// Why a message was refused.
        ///
        /// A peer learns the code and no more: status and message are fixed for each code.
        ///
        /// Source: `docs/protocol/1.1.md#error-codes`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// Every code, in the order of the table in the protocol.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The text of the code, as in the table.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The HTTP status that goes with the code.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The one English text that goes with the code.
            pub fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)* }
            }

            /// Reads the text of a code; `None` for any other text.
            pub fn from_text(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The version is not enabled here.
    InvalidVersion = "INVALID_VERSION", 400, "protocol version not supported";
    /// Not JSON, or not the shape of its type.
    InvalidMessage = "INVALID_MESSAGE", 400, "malformed message";
    /// The signature does not hold.
    InvalidSignature = "INVALID_SIGNATURE", 401, "signature does not hold";
    /// The timestamp is outside 60 s.
    ExpiredTimestamp = "EXPIRED_TIMESTAMP", 400, "timestamp outside the accepted range";
    /// The nonce was seen.
    ReplayDetected = "REPLAY_DETECTED", 409, "message was seen before";
    /// There is no key for the sender.
    UnknownSender = "UNKNOWN_SENDER", 401, "sender is not known";
    /// The message is for someone else.
    UnknownRecipient = "UNKNOWN_RECIPIENT", 403, "recipient is not this node";
    /// No such session with this sender.
    SessionNotFound = "SESSION_NOT_FOUND", 404, "no such session";
    /// The idle or the absolute limit passed.
    SessionExpired = "SESSION_EXPIRED", 404, "session has expired";
    /// Outside the replay window, or seen.
    SequenceError = "SEQUENCE_ERROR", 409, "sequence number not acceptable";
    /// A handshake step out of order.
    InvalidState = "INVALID_STATE", 409, "message does not fit the state";
    /// Both sides opened at once, and the other's handshake goes on.
    HandshakeInProgress = "HANDSHAKE_IN_PROGRESS", 409, "another handshake is in progress";
    /// A challenge older than 30 s.
    ChallengeExpired = "CHALLENGE_EXPIRED", 409, "challenge has expired";
    /// A challenge signature or transcript does not hold.
    ChallengeInvalid = "CHALLENGE_INVALID", 401, "challenge was not met";
    /// Plain data in a ready session.
    EncryptionRequired = "ENCRYPTION_REQUIRED", 403, "session accepts sealed messages only";
    /// Sealed data before the session is ready; may be sent again.
    EncryptionNotReady = "ENCRYPTION_NOT_READY", 409, "session is not ready yet";
    /// The sealed payload does not open.
    DecryptionFailed = "DECRYPTION_FAILED", 400, "sealed payload does not open";
    /// Too many messages; the answer says when to come back.
    RateLimited = "RATE_LIMITED", 429, "too many messages";
    /// Longer than [`crate::limits::MESSAGE_LEN_MAX`].
    MessageTooLarge = "MESSAGE_TOO_LARGE", 413, "message too large";
    /// A chunk of a transfer was refused.
    ChunkError = "CHUNK_ERROR", 400, "chunk refused";
    /// A DHT message was refused.
    DhtError = "DHT_ERROR", 400, "dht request refused";
    /// A token transfer was refused.
    TransferRefused = "TRANSFER_REFUSED", 403, "transfer refused";
    /// A bound of this node is reached.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", 503, "service unavailable";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, codes: &[ErrorCode]) {
        let found: Vec<_> =
            ErrorCode::ALL.iter().copied().filter(|code| code.status() == status).collect();
        assert_eq!(found, codes);
    }

    #[test]
    fn statuses_are_those_of_the_table() {
        use ErrorCode as Code;
        // docs/protocol/1.1.md#error-codes
        let bad = [
            Code::InvalidVersion,
            Code::InvalidMessage,
            Code::ExpiredTimestamp,
            Code::DecryptionFailed,
            Code::ChunkError,
            Code::DhtError,
        ];
        let conflict = [
            Code::ReplayDetected,
            Code::SequenceError,
            Code::InvalidState,
            Code::HandshakeInProgress,
            Code::ChallengeExpired,
            Code::EncryptionNotReady,
        ];
        check(400, &bad);
        check(401, &[Code::InvalidSignature, Code::UnknownSender, Code::ChallengeInvalid]);
        check(403, &[Code::UnknownRecipient, Code::EncryptionRequired, Code::TransferRefused]);
        check(404, &[Code::SessionNotFound, Code::SessionExpired]);
        check(409, &conflict);
        check(413, &[Code::MessageTooLarge]);
        check(429, &[Code::RateLimited]);
        check(503, &[Code::ServiceUnavailable]);
        assert_eq!(ErrorCode::ALL.len(), 23);
    }
}
