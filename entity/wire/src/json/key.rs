//! The keys of objects: the names that every message has cost no memory of their own.

use std::borrow::Cow;

/// A key of an object.
pub(super) type Key = Cow<'static, str>;

/// Keeps the text of a key, without an allocation where it is a name that the protocol gives to many messages.
pub(super) fn key(text: &str) -> Key {
    known(text).map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed)
}

macro_rules! known {
    ($($text:literal)*) => {
        fn known(text: &str) -> Option<&'static str> {
            match text {
                $($text => Some($text),)*
                _ => None,
            }
        }
    };
}

// The fields of envelopes (docs/protocol/1.0.md#flavours, docs/protocol/1.1.md#envelope) and of sealed payloads
// (docs/protocol/1.1.md#sealing, docs/protocol/1.1.md#numbers). What is missing here is only slower.
known! {
    "version" "msg_type" "sender_id" "recipient_id" "session_id" "sequence_num" "timestamp" "nonce" "payload"
    "signature" "encrypted_payload" "sender_public_key" "jwt_token" "generation" "sealed" "number" "ack" "body"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_known: bool) {
        let key = key(text);
        assert_eq!((key.as_ref(), matches!(key, Cow::Borrowed(_))), (text, is_known));
    }

    #[test]
    fn a_key_keeps_its_text_whether_it_is_known_or_not() {
        for text in ["version", "signature", "sender_public_key", "ack"] {
            check(text, true);
        }
        for text in ["", "Version", "versio", "version ", "\u{2028}"] {
            check(text, false);
        }
    }
}
