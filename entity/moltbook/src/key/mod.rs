//! The API key, and taking it out of what quotes it.

mod quoted;
#[cfg(test)]
mod quoted_tests;

use std::fmt;

use entity_crypto::derivation::sha256;
use entity_crypto::encoding::hex_encode;
use zeroize::Zeroizing;

/// Longest key that is taken, in bytes; the service's own have about 45.
pub const KEY_MAX: usize = 256;
/// Shortest key that is taken, in bytes: a shorter one could not be told from ordinary words when texts are searched for it.
pub const KEY_MIN: usize = 16;

/// What the service knows an agent by. Whoever has it is that agent.
///
/// It has no `Display` and no `Serialize`, prints as `ApiKey(..)` and is wiped when dropped. It leaves this type in two ways: as the value
/// of one header, and as a [digest](Self::account) that names the account's files.
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// Takes the text of a key, without the line break that a file may end with.
    ///
    /// # Errors
    ///
    /// [`BadKey`] if it is not 16 to 256 visible ASCII characters. The error holds nothing of the text.
    pub fn parse(text: &str) -> Result<Self, BadKey> {
        let text = text.trim_end_matches(['\r', '\n']);
        if !(KEY_MIN..=KEY_MAX).contains(&text.len()) {
            return Err(BadKey::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadKey::Characters);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The value of the `Authorization` header.
    pub fn bearer(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("Bearer {}", self.0.as_str()))
    }

    /// Names the account of this key: 16 hexadecimal digits of a digest, from which the key cannot be found.
    ///
    /// Two programs with one key share one budget because they share this name.
    pub fn account(&self) -> String {
        let mut text = Zeroizing::new(b"entity moltbook account v1\0".to_vec());
        text.extend_from_slice(self.0.as_bytes());
        hex_encode(&sha256(&text)[..8])
    }

    /// `text` with every occurrence of the key replaced: a service that quotes a key back must not bring it into an error or a log.
    /// Escapes, base64 and hexadecimal digits of it are occurrences, too.
    pub fn scrub(&self, text: &str) -> String {
        // What is taken out begins and ends with ASCII, so nothing else is touched.
        String::from_utf8_lossy(&self.scrub_bytes(text.as_bytes())).into_owned()
    }

    /// The same of bytes that need not be a text.
    pub fn scrub_bytes(&self, text: &[u8]) -> Vec<u8> {
        let mut scrubbed = Vec::with_capacity(text.len());
        let mut from = 0;
        for place in quoted::places(text, &self.0) {
            scrubbed.extend_from_slice(&text[from..place.start]);
            scrubbed.extend_from_slice(b"(key)");
            from = place.end;
        }
        scrubbed.extend_from_slice(&text[from..]);
        scrubbed
    }

    /// Whether `text` holds the key, plainly or in one of the forms that [`scrub`](Self::scrub) knows.
    pub fn occurs_in(&self, text: &str) -> bool {
        !quoted::places(text.as_bytes(), &self.0).is_empty()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Too short or too long.
    #[error("a key has {KEY_MIN} to {KEY_MAX} characters")]
    Length,
    /// Spaces, line breaks or letters beyond ASCII.
    #[error("a key has visible ASCII characters only, and no line break within")]
    Characters,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "moltbook_sk_0123456789abcdef";

    #[test]
    fn a_key_prints_as_nothing() {
        let key = ApiKey::parse(TEXT).unwrap();
        assert_eq!(format!("{key:?}"), "ApiKey(..)");
        assert_eq!(key.bearer().as_str(), format!("Bearer {TEXT}"));
    }

    #[test]
    fn a_key_may_end_with_a_line_break_and_has_none_within() {
        let key = ApiKey::parse(&format!("{TEXT}\r\n")).unwrap();
        assert_eq!(key.bearer().as_str(), format!("Bearer {TEXT}"));
        for bad in
            ["moltbook_sk_01234567\n89abcdef", "moltbook sk 0123456789", "moltbook_sk_ü123456789"]
        {
            assert_eq!(ApiKey::parse(bad).unwrap_err(), BadKey::Characters, "{bad:?}");
        }
        for bad in [String::new(), "short".to_owned(), "k".repeat(KEY_MAX + 1)] {
            assert_eq!(ApiKey::parse(&bad).unwrap_err(), BadKey::Length);
        }
        assert!(ApiKey::parse(&"k".repeat(KEY_MAX)).is_ok());
    }

    #[test]
    fn an_account_is_named_by_a_digest_that_never_changes() {
        let key = ApiKey::parse(TEXT).unwrap();
        assert_eq!(key.account(), "b78a7a15621e8ab7");
        assert!(!TEXT.contains(&key.account()));
    }

    #[test]
    fn a_key_that_is_quoted_back_is_taken_out() {
        let key = ApiKey::parse(TEXT).unwrap();
        assert_eq!(key.scrub(&format!("bad {TEXT}, {TEXT}!")), "bad (key), (key)!");
        assert!(key.occurs_in(&key.bearer()));
        assert!(!key.occurs_in("Bearer (key)"));
    }
}
